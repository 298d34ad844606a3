"""The acceptance test of a protocol, played against a running biller: ours, or anybody's."""
