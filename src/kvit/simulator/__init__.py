"""Plays banks and kiosks. Never loaded in production."""
