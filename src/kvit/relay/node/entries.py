"""Rows of the inbox and what is kept of payments: reading and writing, no deciding."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Union

from kvit.domain.messages import EXPIRED, Hold, Post, Void
from kvit.relay import receipts
from kvit.relay.node import results, store
from kvit.relay.node.results import POSTED
from kvit.relay.node.terms import Contract


@dataclass(frozen=True)
class Case:
    """One command at one door, and what the request was."""

    contract: Contract
    now_us: int
    raw: Mapping[str, Any]


def payment(connection: sqlite3.Connection, contract: Contract, txn: str) -> Optional[sqlite3.Row]:
    return store.one(
        connection, "SELECT * FROM payments WHERE agreement = ? AND txn = ?", contract.agreement, txn
    )


def told_again(
    connection: sqlite3.Connection, contract: Contract, row: sqlite3.Row, now_us: int
) -> sqlite3.Row:
    """Count that it was asked again. A hold that is over is written as such: no clock brings it back."""
    changes: Dict[str, Any] = {"attempts": row["attempts"] + 1}
    if results.is_over(row, now_us):
        changes.update(state=EXPIRED, ended_at_us=now_us)
    change(connection, row, changes)
    after = payment(connection, contract, row["txn"])
    assert after is not None
    return after


def change(connection: sqlite3.Connection, row: sqlite3.Row, changes: Mapping[str, Any]) -> None:
    names = ", ".join(name + " = ?" for name in changes)
    connection.execute(
        "UPDATE payments SET " + names + " WHERE agreement = ? AND txn = ?",  # noqa: S608 - our own names
        (*changes.values(), row["agreement"], row["txn"]),
    )


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


def receipt_of(connection: sqlite3.Connection, sequence: int) -> int:
    key = bytes.fromhex(store.get(connection, "receipt_key"))
    return receipts.make(store.get_int(connection, "relay"), sequence, store.get(connection, "epoch"), key)


def content_of(
    contract: Contract, command: Union[Post, Hold], expires_at_us: Optional[int]
) -> Dict[str, Any]:
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


def void_content(row: sqlite3.Row, command: Void, reason: str) -> Dict[str, Any]:
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
