"""Statements of the biller's own bank account: one file a format."""
