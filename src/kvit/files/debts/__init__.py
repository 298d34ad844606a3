"""Registers of debts for banks: one file a format, ``catalogue`` is the list."""
