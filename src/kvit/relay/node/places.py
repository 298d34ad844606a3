"""Who may be paid, and how much is due: the copy, less what was paid here and is not in it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Optional, Union

from kvit.domain.messages import BadAmount, Found, Lookup, NoSuchAccount, Refused, Result, TryLater
from kvit.relay.node import copies, store
from kvit.relay.node.copies import Account, Copy
from kvit.relay.node.entries import Case
from kvit.relay.node.results import HELD, POSTED, VOIDED
from kvit.relay.node.terms import Contract

ACTIVE = "active"
_DAY_US = 86_400_000_000

NO_COPY = TryLater("no copy")
OLD_COPY = TryLater("old copy")
CAPPED = TryLater("cap")
CLOSED = TryLater("closed")


@dataclass(frozen=True)
class Place:
    """The client that a number stands for, and what is due by the copy and our own inbox."""

    copy: Copy
    account: Account
    due_minor: int


def look_up(connection: sqlite3.Connection, case: Case, command: Lookup) -> Result:
    contract = case.contract
    place = place_of(connection, case, command.number, command.service)
    if not isinstance(place, Place):
        return place
    refusal = invoice_refusal(connection, case, place, command.number, command.amount_minor)
    if refusal is not None:
        return refusal
    if command.amount_minor is not None:
        limits = contract.outside_limits(command.amount_minor, command.service, place.copy.payment_cap_minor)
        if limits is not None:
            return limits
    if is_capped(connection, case, place.copy, command.number, command.amount_minor or 1):
        return CAPPED
    due_minor, advance_minor = max(place.due_minor, 0), max(-place.due_minor, 0)
    return Found(
        command.number, due_minor, advance_minor, contract.currency, place.account.name, exact=contract.exact
    )


def place_of(
    connection: sqlite3.Connection, case: Case, number: str, service: str, currency: str = ""
) -> Union[Place, Result]:
    contract = case.contract
    if contract.closed:
        return CLOSED
    refusal = contract.not_allowed(service, currency, case.now_us)
    if refusal is not None:
        return refusal
    copy = copies.copy_for(connection, contract.agreement)
    if copy is None:
        return NO_COPY
    is_old = copy.is_old(case.now_us)
    if is_old and copy.policy == "refuse":
        return OLD_COPY
    account = copies.account(connection, copy, number)
    if account is None or not account.status:
        return OLD_COPY if is_old else NoSuchAccount(number)
    if account.status != ACTIVE or number in copy.closing:
        return Refused("account-closed")
    return Place(copy, account, account.balance_minor - _own_minor(connection, contract, copy, number))


def _own_minor(connection: sqlite3.Connection, contract: Contract, copy: Copy, number: str) -> int:
    """What was paid here and is not yet contained in the copy."""
    row = store.one(
        connection,
        "SELECT coalesce(sum((seq_posted > ?) * amount_minor), 0)"
        " - coalesce(sum((state = ? AND seq_ended > ?) * amount_minor), 0)"
        " FROM payments WHERE biller = ? AND number = ? AND seq_posted IS NOT NULL",
        copy.includes_through, VOIDED, copy.includes_through, contract.biller, number,
    )  # fmt: skip
    return 0 if row is None else int(row[0])


def invoice_refusal(
    connection: sqlite3.Connection, case: Case, place: Place, number: str, amount_minor: Optional[int]
) -> Optional[Result]:
    """Why an invoice cannot be paid with this sum: it has one sum, taken once."""
    contract = case.contract
    if not contract.exact:
        return None
    if place.due_minor <= 0:
        return Refused("already-paid")
    standing = store.one(
        connection,
        "SELECT 1 FROM payments WHERE biller = ? AND number = ? AND state = ?"
        " AND (expires_at_us IS NULL OR expires_at_us > ?)",
        contract.biller, number, HELD, case.now_us,
    )  # fmt: skip
    if standing is not None:
        return Refused("being-paid")
    is_any = place.copy.policy == "any" and place.copy.is_old(case.now_us)
    if amount_minor is None or amount_minor == place.due_minor or is_any:
        return None
    return BadAmount(amount_minor, place.due_minor, place.due_minor)


def is_capped(connection: sqlite3.Connection, case: Case, copy: Copy, number: str, amount_minor: int) -> bool:
    """Would this sum go above what may be taken for the account, or at this door, on one day (of UTC)?"""
    since_us = case.now_us - case.now_us % _DAY_US
    contract = case.contract
    for cap_minor, whose, values in (
        (copy.account_day_cap_minor, "biller = ? AND number = ?", (contract.biller, number)),
        (copy.day_cap_minor, "agreement = ?", (contract.agreement,)),
    ):
        if cap_minor is None:
            continue
        row = store.one(
            connection,
            "SELECT coalesce(sum(amount_minor), 0) FROM payments WHERE " + whose  # noqa: S608 - our own words
            + " AND at_us >= ? AND state IN (?, ?, ?)",
            *values, since_us, HELD, POSTED, VOIDED,
        )  # fmt: skip
        if row is not None and int(row[0]) + amount_minor > cap_minor:
            return True
    return False
