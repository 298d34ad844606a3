"""Which receipts the office believes: those that its own relay can have given."""

from __future__ import annotations

from collections.abc import Callable

from kvit.relay import receipts
from kvit.services.relaying.words import HOLD, PAY, Envelope


def receipt_problems(relay_number: int, epoch: str, key: bytes) -> Callable[[Envelope], str]:
    """A row -> why its receipt is not the relay's own for it; empty when it is."""

    def problem(row: Envelope) -> str:
        parts = receipts.split(row.receipt)
        if parts is None or parts.relay != relay_number or not receipts.is_genuine(row.receipt, epoch, key):
            return "its receipt is not one of this relay"
        # A payment's second step carries the receipt of the first one.
        if (row.kind in (PAY, HOLD) and parts.sequence != row.sequence) or parts.sequence > row.sequence:
            return "its receipt is that of another row"
        return ""

    return problem
