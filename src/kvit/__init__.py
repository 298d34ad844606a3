"""kvit: payments from terminals, bank apps and counters, in the books exactly once."""

__version__ = "0.1.0"
