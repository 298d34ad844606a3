"""Registers of debts: made from one snapshot of the books, numbered, kept, and accepted or rejected."""
