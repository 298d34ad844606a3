"""A real server in a process of its own, and terminals that ask until they know: for tests of faults."""
