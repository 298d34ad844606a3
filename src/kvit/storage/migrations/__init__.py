"""Numbered steps from an empty database to today's. Forward only: expand, then contract."""
