"""What comes from relays, put into the books."""
