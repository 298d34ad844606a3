"""What the node decides: one command, one transaction, one result.

A payment is accepted by one INSERT under (agreement, txn) together with its row of the inbox; it is
answered after the commit. What is known is answered before anything about the account is looked at. The node
is sure of little, and says "try later" whenever it is not: its copy is missing or old, a cap is reached, the
office decides.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, replace
from typing import Any, Dict, Mapping, Optional, Union

from kvit.domain.messages import (
    EXPIRED,
    BadAmount,
    Command,
    Conflict,
    Found,
    Hold,
    ListPosted,
    Lookup,
    NoSuchAccount,
    NoSuchTxn,
    Post,
    Refused,
    Result,
    Status,
    TryLater,
    Void,
)
from kvit.relay import receipts
from kvit.relay.node import copies, results, store, tellings
from kvit.relay.node.copies import Account, Copy
from kvit.relay.node.results import HELD, POSTED, RELEASED, VOIDED
from kvit.relay.node.terms import Contract

ACTIVE = "active"
NETWORK_CANCELLED = "cancelled by the network"
ASKED, FORBIDDEN, GRANTED = "asked", "forbidden", "granted"
_DAY_US = 86_400_000_000

NO_COPY = TryLater("no copy")
OLD_COPY = TryLater("old copy")
CAPPED = TryLater("cap")
CLOSED = TryLater("closed")
UNSURE = TryLater("unsure")


@dataclass(frozen=True)
class Case:
    """One command at one door, and what the request was."""

    contract: Contract
    now_us: int
    raw: Mapping[str, Any]


def decide(connection: sqlite3.Connection, case: Case, command: Command) -> Result:
    """The result of one command; committed when this returns. Raises ``sqlite3.Error``: nothing is known."""
    if isinstance(command, Lookup):
        with store.reading(connection):
            return _look_up(connection, case, command)
    with store.writing(connection):
        if isinstance(command, (Post, Hold)):
            return _take(connection, case, command)
        if isinstance(command, Void):
            return _void(connection, case, command)
        if isinstance(command, Status):
            return _status(connection, case, command)
        if isinstance(command, ListPosted):
            return tellings.statement(connection, case.contract, command, case.now_us)
    return UNSURE  # notes are kept by the office alone


# --- who may be paid -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """The client that a number stands for, and what is due by the copy and our own inbox."""

    copy: Copy
    account: Account
    due_minor: int


def _look_up(connection: sqlite3.Connection, case: Case, command: Lookup) -> Result:
    contract = case.contract
    place = _place(connection, case, command.number, command.service)
    if not isinstance(place, Place):
        return place
    refusal = _invoice(connection, case, place, command.number, command.amount_minor)
    if refusal is not None:
        return refusal
    if command.amount_minor is not None:
        limits = contract.outside_limits(command.amount_minor, command.service, place.copy.payment_cap_minor)
        if limits is not None:
            return limits
    if _is_capped(connection, case, place.copy, command.number, command.amount_minor or 1):
        return CAPPED
    due_minor, advance_minor = max(place.due_minor, 0), max(-place.due_minor, 0)
    return Found(
        command.number, due_minor, advance_minor, contract.currency, place.account.name, exact=contract.exact
    )


def _place(
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


def _invoice(
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


def _is_capped(
    connection: sqlite3.Connection, case: Case, copy: Copy, number: str, amount_minor: int
) -> bool:
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


# --- taking payments -------------------------------------------------------------------------------


def _take(connection: sqlite3.Connection, case: Case, command: Union[Post, Hold]) -> Result:
    contract = case.contract
    row = payment(connection, contract, command.txn)
    if row is None:
        return _first(connection, case, command)
    if isinstance(command, Post) and command.receipt not in (0, row["receipt"]):
        return NoSuchTxn(command.txn)
    if not _is_same(contract, command, row):
        store.put(connection, "conflicts", store.get_int(connection, "conflicts") + 1)
        return Conflict(command.txn)
    row = _told(connection, contract, row, case.now_us)
    if row["state"] == POSTED:
        return results.posted(row, contract, repeat=True)
    if row["state"] != HELD:
        return results.voided(row, contract, repeat=True)
    if isinstance(command, Hold):
        return results.held(row, contract, repeat=True)
    return _post_held(connection, case, command, row)


def _first(connection: sqlite3.Connection, case: Case, command: Union[Post, Hold]) -> Result:
    contract = case.contract
    if isinstance(command, Post) and command.held:
        return NoSuchTxn(command.txn) if contract.complete else UNSURE
    copy = copies.copy_for(connection, contract.agreement)
    if isinstance(command, Post) and command.taken:  # the network has the money and hears no "no"
        if command.amount_minor < 1:
            return BadAmount(command.amount_minor, 1)
        return _accept(connection, case, command, copy)
    place = _place(connection, case, command.number, command.service, command.currency)
    if not isinstance(place, Place):
        return place
    refusal = _invoice(connection, case, place, command.number, command.amount_minor)
    if refusal is not None:
        return refusal
    limits = contract.outside_limits(command.amount_minor, command.service, place.copy.payment_cap_minor)
    if limits is not None:
        return limits
    if _is_capped(connection, case, place.copy, command.number, command.amount_minor):
        return CAPPED
    return _accept(connection, case, command, copy)


def _accept(
    connection: sqlite3.Connection, case: Case, command: Union[Post, Hold], copy: Optional[Copy]
) -> Result:
    contract, now_us = case.contract, case.now_us
    is_hold = isinstance(command, Hold)
    expires_at_us = None
    if isinstance(command, Hold) and command.lifetime_s:
        expires_at_us = now_us + command.lifetime_s * 1_000_000
    content = _content(contract, command, expires_at_us)
    version = 0 if copy is None else copy.version
    sequence = store.get_int(connection, "last_sequence") + 1
    receipt = _receipt(connection, sequence)
    entry = Entry("hold" if is_hold else "pay", command.txn, receipt, content, version)
    append(connection, case, entry)
    connection.execute(
        "INSERT INTO payments VALUES (?,?,?,?,?,?,?,?,?,?,1,?,?,?,?,NULL,'','',?,NULL,'')",
        (
            contract.agreement, command.txn, contract.biller, command.number, command.amount_minor,
            contract.currency, command.service, command.network_time, receipt, HELD if is_hold else POSTED,
            now_us, now_us if is_hold else None, expires_at_us, None if is_hold else now_us,
            None if is_hold else sequence,
        ),
    )  # fmt: skip
    row = payment(connection, contract, command.txn)
    assert row is not None
    if is_hold:
        return results.held(row, contract, repeat=False)
    return results.posted(row, contract, repeat=False)


def _post_held(connection: sqlite3.Connection, case: Case, command: Post, row: sqlite3.Row) -> Result:
    """It was accepted when it was announced: nothing about the account or the agreement matters now."""
    contract = case.contract
    written = replace(
        command, number=row["number"], amount_minor=row["amount_minor"], service=row["service"],
        currency=row["currency"],
    )  # fmt: skip
    content = _content(contract, written, None)
    sequence = append(connection, case, Entry("post_hold", command.txn, row["receipt"], content, 0))
    _change(connection, row, {"state": POSTED, "posted_at_us": case.now_us, "seq_posted": sequence})
    after = payment(connection, contract, command.txn)
    assert after is not None
    return results.posted(after, contract, repeat=False)


def _is_same(contract: Contract, command: Union[Post, Hold], row: sqlite3.Row) -> bool:
    """Is it the same payment again? What a network does not repeat of a held one is not compared."""
    number, amount_minor, service = command.number, command.amount_minor, command.service
    if isinstance(command, Post) and command.held:
        number, amount_minor = number or row["number"], amount_minor or row["amount_minor"]
        service = service or row["service"]
    return bool(
        number == row["number"]
        and amount_minor == row["amount_minor"]
        and service == row["service"]
        and (command.currency or contract.currency) == row["currency"]
    )


# --- taking back -----------------------------------------------------------------------------------


def _void(connection: sqlite3.Connection, case: Case, command: Void) -> Result:
    contract = case.contract
    row = _meant(connection, contract, command)
    if row is None:
        return NoSuchTxn(command.txn) if contract.complete else UNSURE
    if (command.number and command.number != row["number"]) or (
        command.amount_minor is not None and command.amount_minor != row["amount_minor"]
    ):
        return Conflict(command.txn or row["txn"])
    was_held = row["state"] == HELD
    row = _told(connection, contract, row, case.now_us)
    if row["state"] == POSTED:
        return _refund(connection, case, command, row)
    if row["refund"] == GRANTED:  # nobody has heard it yet
        _change(connection, row, {"refund": ""})
        return results.voided(row, contract, repeat=False)
    if row["state"] != HELD:
        return results.voided(row, contract, repeat=not was_held)
    reason = command.reason or NETWORK_CANCELLED
    entry = Entry("void", row["txn"], row["receipt"], _void_content(row, command, reason), 0)
    sequence = append(connection, case, entry)
    _change(
        connection,
        row,
        {"state": RELEASED, "ended_at_us": case.now_us, "seq_ended": sequence, "reason": reason,
         "void_txn": command.void_txn},
    )  # fmt: skip
    after = payment(connection, contract, row["txn"])
    assert after is not None
    return results.voided(after, contract, repeat=False)


def _refund(connection: sqlite3.Connection, case: Case, command: Void, row: sqlite3.Row) -> Result:
    """A payment is taken back by the office alone: here it is at most asked for, once."""
    if command.only_held or case.contract.refund != "office" or row["refund"] == FORBIDDEN:
        return Refused("void-forbidden")
    if row["refund"] != ASKED:
        reason = command.reason or NETWORK_CANCELLED
        entry = Entry("void", row["txn"], row["receipt"], _void_content(row, command, reason), 0)
        sequence = append(connection, case, entry)
        _change(
            connection,
            row,
            {"refund": ASKED, "seq_ended": sequence, "reason": reason, "void_txn": command.void_txn},
        )
    return TryLater("the office decides")


def settle_refund(connection: sqlite3.Connection, sequence: int, *, granted: bool, now_us: int) -> bool:
    """What the office has decided about the void with this place in the inbox; ``False``: none is open."""
    row = store.one(connection, "SELECT * FROM payments WHERE seq_ended = ? AND refund = ?", sequence, ASKED)
    if row is None:
        return False
    done: Dict[str, Any] = {"refund": FORBIDDEN, "seq_ended": None}
    if granted:
        done = {"refund": GRANTED, "state": VOIDED, "ended_at_us": now_us}
    _change(connection, row, done)
    return True


def _meant(connection: sqlite3.Connection, contract: Contract, command: Void) -> Optional[sqlite3.Row]:
    """The payment that is meant: by its id, and by our receipt if that is given."""
    by_txn = payment(connection, contract, command.txn) if command.txn else None
    by_receipt = None
    if 0 < command.receipt < 1 << 63:
        by_receipt = store.one(
            connection,
            "SELECT * FROM payments WHERE agreement = ? AND receipt = ?",
            contract.agreement,
            command.receipt,
        )
    if not command.receipt:
        return by_txn
    if by_receipt is None or (command.txn and command.txn != by_receipt["txn"]):
        return None
    return by_receipt


# --- telling ---------------------------------------------------------------------------------------


def _status(connection: sqlite3.Connection, case: Case, command: Status) -> Result:
    contract = case.contract
    row = payment(connection, contract, command.txn)
    if row is None:
        return NoSuchTxn(command.txn) if contract.complete else UNSURE
    return tellings.told(_told(connection, contract, row, case.now_us), contract, case.now_us)


def payment(connection: sqlite3.Connection, contract: Contract, txn: str) -> Optional[sqlite3.Row]:
    return store.one(
        connection, "SELECT * FROM payments WHERE agreement = ? AND txn = ?", contract.agreement, txn
    )


def _told(connection: sqlite3.Connection, contract: Contract, row: sqlite3.Row, now_us: int) -> sqlite3.Row:
    """Count that it was asked again. A hold that is over is written as such: no clock brings it back."""
    changes: Dict[str, Any] = {"attempts": row["attempts"] + 1}
    if results.is_over(row, now_us):
        changes.update(state=EXPIRED, ended_at_us=now_us)
    _change(connection, row, changes)
    after = payment(connection, contract, row["txn"])
    assert after is not None
    return after


def _change(connection: sqlite3.Connection, row: sqlite3.Row, changes: Mapping[str, Any]) -> None:
    names = ", ".join(name + " = ?" for name in changes)
    connection.execute(
        "UPDATE payments SET " + names + " WHERE agreement = ? AND txn = ?",  # noqa: S608 - our own names
        (*changes.values(), row["agreement"], row["txn"]),
    )


# --- the inbox -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """What becomes a row of the inbox."""

    kind: str
    txn: str
    receipt: int
    content: Mapping[str, Any]
    snapshot_version: int


def append(connection: sqlite3.Connection, case: Case, entry: Entry) -> int:
    """The next row of the inbox; its sequence has no gap, for it is counted in the same transaction."""
    sequence = store.get_int(connection, "last_sequence") + 1
    store.put(connection, "last_sequence", sequence)
    connection.execute(
        "INSERT INTO inbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        (
            sequence, case.contract.agreement, entry.txn, entry.kind, entry.receipt, case.now_us,
            entry.snapshot_version, json.dumps(entry.content),
            json.dumps(case.raw),
        ),
    )  # fmt: skip
    return sequence


def _receipt(connection: sqlite3.Connection, sequence: int) -> int:
    key = bytes.fromhex(store.get(connection, "receipt_key"))
    return receipts.make(store.get_int(connection, "relay"), sequence, store.get(connection, "epoch"), key)


def _content(contract: Contract, command: Union[Post, Hold], expires_at_us: Optional[int]) -> Dict[str, Any]:
    return {
        "number": command.number,
        "amount_minor": command.amount_minor,
        "currency": command.currency or contract.currency,
        "service": command.service,
        "network_time": command.network_time,
        "network_time_raw": command.network_time_raw,
        "fields": [list(pair) for pair in command.fields],
        "expires_at_us": expires_at_us,
        "taken": isinstance(command, Post) and command.taken,
    }


def _void_content(row: sqlite3.Row, command: Void, reason: str) -> Dict[str, Any]:
    return {
        "number": row["number"],
        "amount_minor": row["amount_minor"],
        "currency": row["currency"],
        "service": row["service"],
        "network_time": "",
        "network_time_raw": "",
        "fields": [],
        "reason": reason,
        "void_txn": command.void_txn,
        "was_posted": row["state"] == POSTED,
    }
