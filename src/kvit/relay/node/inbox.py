"""What the node decides: one command, one transaction, one result.

A payment is accepted by one INSERT under (agreement, txn) together with its row of the inbox; it is
answered after the commit. What is known is answered before anything about the account is looked at. The node
is sure of little, and says "try later" whenever it is not: its copy is missing or old, a cap is reached, the
office decides.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any, Dict, Optional, Union

from kvit.domain.messages import (
    BadAmount,
    Command,
    Conflict,
    Hold,
    ListPosted,
    Lookup,
    NoSuchTxn,
    Post,
    Refused,
    Result,
    Status,
    TryLater,
    Void,
)
from kvit.relay.node import copies, results, store, tellings
from kvit.relay.node.copies import Copy
from kvit.relay.node.entries import (
    Case as Case,
)
from kvit.relay.node.entries import (
    Entry,
    append,
    change,
    content_of,
    payment,
    receipt_of,
    told_again,
    void_content,
)
from kvit.relay.node.places import CAPPED, Place, invoice_refusal, is_capped, look_up, place_of
from kvit.relay.node.results import HELD, POSTED, RELEASED, VOIDED
from kvit.relay.node.terms import Contract

NETWORK_CANCELLED = "cancelled by the network"
ASKED, FORBIDDEN, GRANTED = "asked", "forbidden", "granted"

UNSURE = TryLater("unsure")


def decide(connection: sqlite3.Connection, case: Case, command: Command) -> Result:
    """The result of one command; committed when this returns. Raises ``sqlite3.Error``: nothing is known."""
    if isinstance(command, Lookup):
        with store.reading(connection):
            return look_up(connection, case, command)
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
    row = told_again(connection, contract, row, case.now_us)
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
    place = place_of(connection, case, command.number, command.service, command.currency)
    if not isinstance(place, Place):
        return place
    refusal = invoice_refusal(connection, case, place, command.number, command.amount_minor)
    if refusal is not None:
        return refusal
    limits = contract.outside_limits(command.amount_minor, command.service, place.copy.payment_cap_minor)
    if limits is not None:
        return limits
    if is_capped(connection, case, place.copy, command.number, command.amount_minor):
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
    content = content_of(contract, command, expires_at_us)
    version = 0 if copy is None else copy.version
    sequence = store.get_int(connection, "last_sequence") + 1
    receipt = receipt_of(connection, sequence)
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
    content = content_of(contract, written, None)
    sequence = append(connection, case, Entry("post_hold", command.txn, row["receipt"], content, 0))
    change(connection, row, {"state": POSTED, "posted_at_us": case.now_us, "seq_posted": sequence})
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
    row = told_again(connection, contract, row, case.now_us)
    if row["state"] == POSTED:
        return _refund(connection, case, command, row)
    if row["refund"] == GRANTED:  # nobody has heard it yet
        change(connection, row, {"refund": ""})
        return results.voided(row, contract, repeat=False)
    if row["state"] != HELD:
        return results.voided(row, contract, repeat=not was_held)
    reason = command.reason or NETWORK_CANCELLED
    entry = Entry("void", row["txn"], row["receipt"], void_content(row, command, reason), 0)
    sequence = append(connection, case, entry)
    change(
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
        entry = Entry("void", row["txn"], row["receipt"], void_content(row, command, reason), 0)
        sequence = append(connection, case, entry)
        change(
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
    change(connection, row, done)
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
    return tellings.told(told_again(connection, contract, row, case.now_us), contract, case.now_us)
