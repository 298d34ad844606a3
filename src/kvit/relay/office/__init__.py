"""The office that dials out to its relays."""
