"""The keys that live, nonces that were seen, and the code that a node is paired with."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from pathlib import Path
from typing import Any, Dict, Mapping

from kvit.relay import wire
from kvit.relay.node import store

PAIRING = "pair"
KEY_BYTES_MIN = 16
CODE_SIZE_MIN = 16


def live(connection: sqlite3.Connection) -> Dict[str, bytes]:
    """The one or two keys of the office."""
    return {row["key_id"]: bytes.fromhex(row["key"]) for row in connection.execute("SELECT * FROM keys")}


def replace(connection: sqlite3.Connection, given: Mapping[str, Any]) -> None:
    """Let these keys live and no others. Raises ``ValueError``."""
    rows = [(key_id, secret(given, key_id).hex(), place) for place, key_id in enumerate(given)]
    if any(not row[0] or row[0] == PAIRING for row in rows):
        raise ValueError("key_id: must be text, and not " + PAIRING)
    connection.execute("DELETE FROM keys")
    connection.executemany("INSERT INTO keys VALUES (?, ?, ?)", rows)


def pairing(connection: sqlite3.Connection, folder: Path) -> Dict[str, bytes]:
    """The pairing code as a key; none where the node is paired and nobody laid a new code down."""
    code = _code(folder)
    if len(code) < CODE_SIZE_MIN or _digest(code) == store.get(connection, "used_code"):
        return {}
    return {PAIRING: code.encode("utf-8")}


def use_code(connection: sqlite3.Connection, folder: Path) -> None:
    """This code pairs nobody else, even if its file cannot be removed."""
    store.put(connection, "used_code", _digest(_code(folder)))


def forget_code(folder: Path) -> None:
    with contextlib.suppress(OSError):
        (folder / store.CODE_FILE).unlink()


def keep_nonce(connection: sqlite3.Connection, nonce: str, time_s: int) -> bool:
    """Keep a nonce; was it not there?"""
    with store.writing(connection):
        done = connection.execute("INSERT OR IGNORE INTO nonces VALUES (?, ?)", (nonce, time_s))
        return done.rowcount == 1


def forget_nonces(connection: sqlite3.Connection, now_s: int) -> None:
    """Nonces whose time is refused anyway."""
    connection.execute("DELETE FROM nonces WHERE time_s < ?", (now_s - 2 * wire.CLOCK_S_MAX,))


def _code(folder: Path) -> str:
    try:
        return (folder / store.CODE_FILE).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8")).hexdigest()


# --- values of a call's body -----------------------------------------------------------------------


def text(body: Mapping[str, Any], name: str) -> str:
    """A text that has to be there."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(name + ": must be text")
    return value


def whole(body: Mapping[str, Any], name: str) -> int:
    """A whole number from 0; 0 where it is absent."""
    value = body.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise ValueError(name + ": must be a whole number")
    return value


def secret(body: Mapping[str, Any], name: str) -> bytes:
    """A key in hexadecimal."""
    key = bytes.fromhex(text(body, name))
    if len(key) < KEY_BYTES_MIN:
        raise ValueError(f"{name}: must be {KEY_BYTES_MIN} bytes or more, in hexadecimal")
    return key
