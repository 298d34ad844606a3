"""What is stored of a payment, as the answers that agents are given."""

from __future__ import annotations

from kvit.domain import days
from kvit.domain.messages import EXPIRED, Held, Posted, Voided
from kvit.domain.model import HELD, StoredHold, StoredPayment, VoidRow
from kvit.services.terms import NO_CODE


def posted_result(
    payment: StoredPayment, txn: str, timezone: str, *, repeat: bool, hold: StoredHold | None = None
) -> Posted:
    """What is stored, as the answer that confirms it."""
    return Posted(
        txn=txn,
        receipt=payment.receipt,
        number=payment.typed or payment.number,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        received_at=days.from_us(payment.received_at_us, timezone),
        network_at=days.told_at(payment.network_at_us, timezone),
        service=named_service(payment) if payment.service_code else payment.service,
        repeat=repeat,
        held_at=None if hold is None else days.from_us(hold.held_at_us, timezone),
    )


def voided_result(
    void: VoidRow,
    payment: StoredPayment,
    txn: str,
    timezone: str,
    *,
    repeat: bool,
    hold: StoredHold | None = None,
) -> Voided:
    """What became of a payment that was taken back."""
    return Voided(
        txn=txn,
        receipt=payment.receipt,
        number=payment.typed or payment.number,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        at=days.from_us(void.voided_at_us, timezone),
        reason=void.reason,
        void_txn=void.void_txn,
        repeat=repeat,
        posted=posted_result(payment, txn, timezone, repeat=True, hold=hold),
        held=None if hold is None else held_result(hold, txn, timezone, repeat=True),
    )


def held_result(hold: StoredHold, txn: str, timezone: str, *, repeat: bool) -> Held:
    """A payment that is announced."""
    return Held(
        txn=txn,
        receipt=hold.receipt,
        number=hold.typed or hold.number,
        amount_minor=hold.amount_minor,
        currency=hold.currency,
        held_at=days.from_us(hold.held_at_us, timezone),
        expires_at=days.told_at(hold.expires_at_us, timezone),
        network_at=days.told_at(hold.network_at_us, timezone),
        service=named_service(hold),
        repeat=repeat,
    )


def ended_result(hold: StoredHold, txn: str, timezone: str, *, repeat: bool) -> Voided:
    """What became of a hold that was released, or that ended by itself: then at the moment of its end."""
    assert hold.state != HELD
    is_expired = hold.state == EXPIRED
    ended_at_us = hold.expires_at_us if is_expired else hold.ended_at_us
    return Voided(
        txn=txn,
        receipt=hold.receipt,
        number=hold.typed or hold.number,
        amount_minor=hold.amount_minor,
        currency=hold.currency,
        at=days.from_us(ended_at_us or hold.held_at_us, timezone),
        reason=EXPIRED if is_expired else hold.reason,
        void_txn=hold.void_txn,
        repeat=repeat,
        held=held_result(hold, txn, timezone, repeat=True),
    )


def named_service(stored: StoredPayment | StoredHold) -> str:
    """The service as the network named it."""
    if not stored.service_code:
        return stored.service
    return "" if stored.service_code == NO_CODE else stored.service_code


def is_over(hold: StoredHold, now_us: int) -> bool:
    """Has a hold that nobody ended come to its end? Decided by time alone."""
    return hold.state == HELD and hold.expires_at_us is not None and now_us >= hold.expires_at_us
