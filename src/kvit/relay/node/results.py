"""What the inbox knows of a payment, as the answers that agents are given."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Optional

from kvit.domain.messages import EXPIRED, Held, Posted, Voided
from kvit.relay.node.terms import Contract, instant_us, moment

HELD = "held"
POSTED = "posted"
RELEASED = "released"
VOIDED = "voided"


def posted(row: sqlite3.Row, contract: Contract, *, repeat: bool) -> Posted:
    """The payment is in the inbox."""
    held_at_us = row["held_at_us"]
    return Posted(
        txn=row["txn"],
        receipt=row["receipt"],
        number=row["number"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        received_at=moment(row["posted_at_us"], contract.zone),
        network_at=network_at(row, contract),
        service=row["service"],
        repeat=repeat,
        held_at=None if held_at_us is None else moment(held_at_us, contract.zone),
    )


def held(row: sqlite3.Row, contract: Contract, *, repeat: bool) -> Held:
    """The payment is announced."""
    expires_at_us = row["expires_at_us"]
    return Held(
        txn=row["txn"],
        receipt=row["receipt"],
        number=row["number"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        held_at=moment(row["held_at_us"], contract.zone),
        expires_at=None if expires_at_us is None else moment(expires_at_us, contract.zone),
        network_at=network_at(row, contract),
        service=row["service"],
        repeat=repeat,
    )


def voided(row: sqlite3.Row, contract: Contract, *, repeat: bool) -> Voided:
    """The payment was taken back, or its hold ended: one that ended by itself at the moment of its end."""
    is_expired = row["state"] == EXPIRED
    at_us: Optional[int] = row["expires_at_us"] if is_expired else row["ended_at_us"]
    return Voided(
        txn=row["txn"],
        receipt=row["receipt"],
        number=row["number"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        at=moment(at_us or row["at_us"], contract.zone),
        reason=EXPIRED if is_expired else row["reason"],
        void_txn=row["void_txn"],
        repeat=repeat,
        posted=posted(row, contract, repeat=True) if row["posted_at_us"] is not None else None,
        held=held(row, contract, repeat=True) if row["held_at_us"] is not None else None,
    )


def is_over(row: sqlite3.Row, now_us: int) -> bool:
    """Has a hold that nobody ended come to its end? Decided by time alone."""
    return row["state"] == HELD and row["expires_at_us"] is not None and now_us >= row["expires_at_us"]


def network_at(row: sqlite3.Row, contract: Contract) -> Optional[datetime]:
    at_us = instant_us(row["network_time"], contract.zone)
    try:
        return None if at_us is None else moment(at_us, contract.zone)
    except OverflowError:  # outside years 1 to 9999 there
        return None
