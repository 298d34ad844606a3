"""The dated copies of what clients owe: one for all agreements, or one for an agreement of its own.

Parts of a new copy are laid beside the one in use; a commit only turns a pointer, so that no check ever sees
half of it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Tuple

from kvit.relay.node import store

#: The scope of a copy that serves every agreement without one of its own.
ALL = ""
POLICIES = ("dated", "refuse", "any")
#: What of an older copy is swept away at once: a sweep must never keep a bank waiting.
SWEEP_ROWS_MAX = 5_000


class Unfit(Exception):
    """A part or a copy that does not follow what is here. Its text says why."""


@dataclass(frozen=True)
class Copy:
    """The copy that an agreement is answered from. Times are microseconds since 1970; 0: no end, no cap."""

    scope: str
    copy_id: int
    version: int
    as_of_us: int
    includes_through: int
    policy: str
    expires_at_us: int
    payment_cap_minor: Optional[int]
    account_day_cap_minor: Optional[int]
    day_cap_minor: Optional[int]
    closing: Tuple[str, ...]
    number_of_accounts: int

    def is_old(self, now_us: int) -> bool:
        """Is it past its end?"""
        return 0 < self.expires_at_us <= now_us


@dataclass(frozen=True)
class Account:
    """One client (or invoice) of a copy; the name is masked already."""

    name: str
    balance_minor: int
    status: str


def copy_for(connection: sqlite3.Connection, agreement: str) -> Optional[Copy]:
    """The copy that this agreement is answered from."""
    row = store.one(
        connection,
        "SELECT * FROM copies WHERE scope IN (?, ?) ORDER BY length(scope) DESC LIMIT 1",
        agreement,
        ALL,
    )
    return None if row is None else _copy(row)


def all_copies(connection: sqlite3.Connection) -> List[Copy]:
    return [_copy(row) for row in connection.execute("SELECT * FROM copies ORDER BY scope")]


def _copy(row: sqlite3.Row) -> Copy:
    head = json.loads(row["head"])
    caps = head["caps"]
    return Copy(
        row["scope"], row["copy_id"], row["version"], head["as_of_us"], head["includes_through"],
        head["policy"], head["expires_at_us"], caps.get("payment"), caps.get("account_day"), caps.get("day"),
        tuple(head["closing"]), head["number_of_accounts"],
    )  # fmt: skip


def account(connection: sqlite3.Connection, copy: Copy, number: str) -> Optional[Account]:
    row = store.one(
        connection,
        "SELECT name, balance_minor, status FROM accounts WHERE copy_id = ? AND number = ?",
        copy.copy_id,
        number,
    )
    return None if row is None else Account(row["name"], row["balance_minor"], row["status"])


def _count(connection: sqlite3.Connection, copy_id: int) -> int:
    row = store.one(connection, "SELECT count(*) FROM accounts WHERE copy_id = ?", copy_id)
    return 0 if row is None else int(row[0])


# --- taking a new copy ---------------------------------------------------------------------------


def head_of(written: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a copy says of itself, checked. Raises ``Unfit``."""
    caps = written.get("caps") or {}
    closing = written.get("closing") or []
    head = {
        "base_version": _whole(written, "base_version"),
        "as_of_us": _whole(written, "as_of_us"),
        "includes_through": _whole(written, "includes_through"),
        "expires_at_us": _whole(written, "expires_at_us"),
        "policy": written.get("policy") or "refuse",
        "closing": closing,
        "caps": {name: _whole(caps, name) for name in ("payment", "account_day", "day") if caps.get(name)},
    }
    if head["policy"] not in POLICIES:
        raise Unfit("policy: must be one of " + ", ".join(POLICIES))
    if not isinstance(closing, list) or not all(isinstance(number, str) for number in closing):
        raise Unfit("closing: must be a list of numbers as text")
    return head


def take_part(connection: sqlite3.Connection, scope: str, written: Mapping[str, Any]) -> bool:
    """Lay a part of a new copy down; ``False`` when that version is in use already.

    The first part's head counts; parts may come in any order and more than once.
    """
    version, head = _whole(written, "version"), head_of(written)
    current = _current(connection, scope)
    if version == current and version:
        return False
    _check_versions(version, int(head["base_version"]), current)
    if int(head["includes_through"]) > store.get_int(connection, "last_sequence"):
        raise Unfit("includes_through: the inbox has not come so far")
    part, rows = _whole(written, "part") or 1, _rows(written)
    digest = hashlib.sha256(json.dumps([rows, written.get("removed")]).encode("utf-8")).hexdigest()
    copy_id = _staged_copy(connection, scope, version, head)
    known = store.one(connection, "SELECT digest FROM parts WHERE copy_id = ? AND part = ?", copy_id, part)
    if known is not None:
        if known["digest"] != digest:
            raise Unfit(f"part: {part} was other rows before")
        return True
    connection.execute("INSERT INTO parts VALUES (?, ?, ?)", (copy_id, part, digest))
    connection.executemany(
        "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?)", [(copy_id, *row) for row in rows]
    )
    return True


def commit(connection: sqlite3.Connection, scope: str, version: int, parts: Optional[int]) -> Copy:
    """Put a staged copy in the place of the one in use. Raises ``Unfit``."""
    current = _current(connection, scope)
    if version != current:
        staged = store.one(connection, "SELECT * FROM staged WHERE scope = ? AND version = ?", scope, version)
        if staged is None:
            raise Unfit(f"version: no part of {version} is here")
        head = json.loads(staged["head"])
        _check_versions(version, head["base_version"], current)
        _check_parts(connection, staged["copy_id"], parts)
        _turn(connection, scope, staged, head["base_version"])
    found = store.one(connection, "SELECT * FROM copies WHERE scope = ?", scope)
    assert found is not None
    return _copy(found)


def _turn(connection: sqlite3.Connection, scope: str, staged: sqlite3.Row, base_version: int) -> None:
    copy_id, version = staged["copy_id"], staged["version"]
    if base_version:
        before = store.one(connection, "SELECT copy_id FROM copies WHERE scope = ?", scope)
        assert before is not None
        connection.execute(
            "INSERT OR REPLACE INTO accounts SELECT ?, number, name, balance_minor, status FROM accounts"
            " WHERE copy_id = ?",
            (before["copy_id"], copy_id),
        )
        connection.execute("DELETE FROM accounts WHERE copy_id = ? AND status = ''", (before["copy_id"],))
        copy_id = before["copy_id"]
    head = {**json.loads(staged["head"]), "number_of_accounts": _count(connection, copy_id)}
    connection.execute(
        "INSERT OR REPLACE INTO copies VALUES (?, ?, ?, ?)", (scope, copy_id, version, json.dumps(head))
    )
    connection.execute("DELETE FROM staged WHERE scope = ? AND version <= ?", (scope, version))


def sweep(connection: sqlite3.Connection) -> None:
    """Throw away some rows of copies that nothing points at any more."""
    live = {
        row[0] for row in connection.execute("SELECT copy_id FROM copies UNION SELECT copy_id FROM staged")
    }
    copy_id = _next_copy(connection, 0)
    while copy_id is not None:
        if copy_id not in live:
            connection.execute(
                "DELETE FROM accounts WHERE copy_id = ? AND number IN"
                " (SELECT number FROM accounts WHERE copy_id = ? LIMIT ?)",
                (copy_id, copy_id, SWEEP_ROWS_MAX),
            )
            break
        copy_id = _next_copy(connection, copy_id)
    connection.execute("DELETE FROM parts WHERE copy_id NOT IN (SELECT copy_id FROM staged)")


def _next_copy(connection: sqlite3.Connection, copy_id: int) -> Optional[int]:
    """The next copy that has rows; found by key, not by reading the rows."""
    row = store.one(connection, "SELECT min(copy_id) FROM accounts WHERE copy_id > ?", copy_id)
    return None if row is None else row[0]


def _check_versions(version: int, base_version: int, current: int) -> None:
    if version <= current:
        raise Unfit(f"version: {version} is not above {current}, which is in use")
    if base_version and base_version != current:
        raise Unfit(f"base_version: {base_version} is not {current}, which is in use; send it whole")


def _check_parts(connection: sqlite3.Connection, copy_id: int, parts: Optional[int]) -> None:
    rows = connection.execute("SELECT part FROM parts WHERE copy_id = ? ORDER BY part", (copy_id,))
    found = [row[0] for row in rows]
    expected = list(range(1, (parts or len(found)) + 1))
    if found != expected:
        raise Unfit(f"parts: {len(found)} are here, {len(expected)} are needed without a gap")


def _staged_copy(connection: sqlite3.Connection, scope: str, version: int, head: Mapping[str, Any]) -> int:
    row = store.one(
        connection, "SELECT copy_id, head FROM staged WHERE scope = ? AND version = ?", scope, version
    )
    text = json.dumps(head, sort_keys=True)
    if row is not None:
        if row["head"] != text:
            raise Unfit(f"version: {version} began with another head")
        return int(row["copy_id"])
    copy_id = store.get_int(connection, "next_copy", 1)
    store.put(connection, "next_copy", copy_id + 1)
    connection.execute("INSERT INTO staged VALUES (?, ?, ?, ?)", (scope, version, copy_id, text))
    return copy_id


def _current(connection: sqlite3.Connection, scope: str) -> int:
    row = store.one(connection, "SELECT version FROM copies WHERE scope = ?", scope)
    return 0 if row is None else int(row["version"])


def _rows(written: Mapping[str, Any]) -> List[Tuple[str, str, int, str]]:
    """``[number, masked name, balance, status]`` each; what is ``removed`` has no status."""
    rows: List[Tuple[str, str, int, str]] = []
    for row in written.get("accounts") or []:
        if not isinstance(row, list) or len(row) != 4:
            raise Unfit("accounts: every one is [number, name, balance, status]")
        number, name, balance_minor, status = row
        is_text = isinstance(number, str) and isinstance(name, str) and isinstance(status, str)
        if not is_text or not number or isinstance(balance_minor, bool) or not isinstance(balance_minor, int):
            raise Unfit("accounts: every one is [number, name, balance, status]")
        if not -(1 << 53) < balance_minor < 1 << 53:
            raise Unfit("accounts: a balance is out of all bounds")
        rows.append((number, name, balance_minor, status))
    rows.extend((str(number), "", 0, "") for number in written.get("removed") or [])
    return rows


def _whole(written: Mapping[str, Any], name: str) -> int:
    value = written.get(name) or 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise Unfit(name + ": must be a whole number")
    return value
