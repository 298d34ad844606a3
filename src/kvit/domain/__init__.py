"""Nouns and arithmetic. Pure: no clock, random, socket, file, database or log."""
