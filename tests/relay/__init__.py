"""The relay: its node, its office, and what is between them."""
