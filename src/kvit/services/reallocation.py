"""Deciding anew what a payment settles. Entries have no part in it: only allocations move.

Undoing is an allocation with the sum negated, so who settled what, and when it was changed, stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from kvit.domain import days
from kvit.domain.allocation import allocate, by_age
from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.journal import digest_of
from kvit.domain.model import AllocationRow, JournalRow
from kvit.services.corrections_ports import CorrectionBook, PaymentCase, ReallocationPlan

PAYMENT_REALLOCATED = "payment.reallocated"


class Wish(NamedTuple):
    """First these charges, in this order; then those of ``service``; then the oldest due.

    Both empty: as if the payment came now and nobody had said anything.
    """

    charge_ids: Sequence[int] = ()
    service: str = ""


class Reallocated(NamedTuple):
    """What the payment settles now: (charge, sum), and what of it is an advance."""

    shares: list[tuple[int, int]]
    advance_minor: int
    changed: bool


def reallocate(
    book: CorrectionBook, place: tuple[str, int], wish: Wish, reason: str, author: str, now: datetime
) -> Reallocated:
    """Settle other charges with the payment that ``place`` (biller, receipt) names.

    Raises ``NotFound`` for an unknown receipt or charge, ``NotAllowed`` for a voided payment and for a
    charge that has nothing left to settle.
    """
    biller_id, receipt = place
    if not reason.strip():
        raise NotAllowed("deciding anew needs a reason; nothing was changed")
    key = book.find(biller_id, receipt=receipt)
    if key is None:
        raise NotFound(f"there is no payment with receipt {receipt}")
    case = book.payment_case(key)
    if case.void is not None:
        raise NotAllowed(f"payment {receipt} was voided; it settles nothing")
    before = dict(case.shares)
    shares, rest_minor = _settle(case, before, wish)
    after = dict(shares)
    moved = {
        charge_id: after.get(charge_id, 0) - before.get(charge_id, 0)
        for charge_id in sorted({*before, *after})
    }
    moved = {charge_id: amount_minor for charge_id, amount_minor in moved.items() if amount_minor}
    if moved:
        act_id, now_us = book.take_id(), days.to_us(now)
        digest = digest_of("reallocated", receipt, *(part for share in shares for part in share))
        record = JournalRow(
            biller_id, act_id, now_us, author, PAYMENT_REALLOCATED, str(receipt), digest, reason.strip()
        )
        plan = ReallocationPlan(key, record, rest_minor - case.advance_minor)
        for charge_id, amount_minor in moved.items():
            plan.allocations.append(AllocationRow(biller_id, receipt, charge_id, act_id, amount_minor))
            plan.open_sums[charge_id] = -amount_minor
        book.write_reallocation(plan)
    return Reallocated(shares, rest_minor, bool(moved))


def _settle(case: PaymentCase, before: dict[int, int], wish: Wish) -> tuple[list[tuple[int, int]], int]:
    charges = {charge.item_id: charge for charge in case.charges}
    for charge_id, amount_minor in before.items():
        charges[charge_id].open_minor += amount_minor
    for charge_id in wish.charge_ids:
        charge = charges.get(charge_id)
        if charge is None or charge.open_minor == 0:
            raise NotAllowed(
                f"account {case.payment.number} has no charge {charge_id} with anything left to settle; "
                "`kvit account show` lists its charges"
            )
    return allocate(
        case.payment.amount_minor,
        sorted(charges.values(), key=by_age),
        target=wish.charge_ids,
        service=wish.service,
    )
