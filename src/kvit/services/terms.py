"""What an agreement allows: its dates and its limits."""

from __future__ import annotations

from datetime import datetime

from kvit.domain.days import zone
from kvit.domain.messages import BadAmount
from kvit.domain.model import Agreement


def is_open(agreement: Agreement, now: datetime) -> bool:
    """Is ``now`` within the agreement's validity dates (both inclusive, in its zone)?"""
    if not agreement.valid_from and not agreement.valid_until:
        return True
    today = now.astimezone(zone(agreement.timezone)).date().isoformat()
    if agreement.valid_from and today < agreement.valid_from:
        return False
    return not agreement.valid_until or today <= agreement.valid_until


def outside_limits(agreement: Agreement, amount_minor: int) -> BadAmount | None:
    """The refusal, when the sum is zero or outside the agreement's limits."""
    low_minor = max(agreement.min_minor or 0, 1)
    high_minor = agreement.max_minor
    if amount_minor < low_minor or (high_minor is not None and amount_minor > high_minor):
        return BadAmount(amount_minor, low_minor, high_minor)
    return None
