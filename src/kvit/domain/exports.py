"""What the accounting program is told of payments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

#: Kinds of entries: a payment, and one that takes a payment back.
PAYMENT = "payment"
REVERSAL = "reversal"


class PaidEntry(NamedTuple):
    """One payment, or its reversal, as the books have it. ``entry_id`` never changes and is never used twice.

    ``day``: the accounting date, ISO. ``amount_minor`` and ``fee_minor`` are below zero in reversals.
    ``reverses``: the id of the payment taken back, 0 for none. ``number`` is empty while the money is in
    suspense; ``typed``: what the payer typed where that is not the number. ``paid_at``: the
    network's own time.
    """

    entry_id: int
    kind: str
    day: str
    number: str
    name: str
    amount_minor: int
    fee_minor: int
    agreement_id: str
    txn: str
    service: str
    typed: str
    paid_at: str
    reverses: int


@dataclass(frozen=True, slots=True)
class ExportHead:
    """What an export is about: days from first to last, and whose books they are.

    ``own_account``: the biller's account at its bank, empty where it is not told. ``made_on``, ``made_at``:
    ISO day and ``hh:mm:ss`` in the biller's zone.
    """

    biller: str
    currency: str
    exponent: int
    first_day: str
    last_day: str
    made_on: str
    made_at: str
    own_account: str = ""
