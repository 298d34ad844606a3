"""Reconciliation: what came online, what the register says, what reached the bank. Begins at ``run``."""
