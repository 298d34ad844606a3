"""Registers of payments that came from agents; one file a format."""
