"""The node's file: its schema, made once by whoever comes first, and transactions on it.

SQLite with the rollback journal: hosts may have a disk on the network, where WAL does not work. ``EXTRA`` is
``FULL`` that also syncs the folder when a journal is removed, so that what is committed outlives a power cut.
A connection lives for one request: nothing of it crosses a fork or a thread.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Optional

FILE = "relay.sqlite"
CODE_FILE = "pairing-code.txt"
SCHEMA_VERSION = 1
SYNCHRONOUS = "EXTRA"

#: A bank waits longer than this; whoever cannot write by then answers "try later".
BUSY_TIMEOUT_S = 4.0

# ``seq_...`` are places in the inbox. ``payments`` are kept for ever, rows of ``inbox`` until forgotten.
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE keys (key_id TEXT PRIMARY KEY, key TEXT NOT NULL, place INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE nonces (nonce TEXT PRIMARY KEY, time_s INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE agreements (agreement TEXT PRIMARY KEY, terms TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE inbox (
  sequence INTEGER PRIMARY KEY,
  agreement TEXT NOT NULL, txn TEXT NOT NULL, kind TEXT NOT NULL,
  receipt INTEGER NOT NULL, received_at_us INTEGER NOT NULL, snapshot_version INTEGER NOT NULL,
  content TEXT NOT NULL, raw TEXT NOT NULL, acked_at_us INTEGER
);
CREATE INDEX inbox_unacked ON inbox (acked_at_us, sequence);
CREATE TABLE payments (
  agreement TEXT NOT NULL, txn TEXT NOT NULL,
  biller TEXT NOT NULL, number TEXT NOT NULL, amount_minor INTEGER NOT NULL,
  currency TEXT NOT NULL, service TEXT NOT NULL, network_time TEXT NOT NULL,
  receipt INTEGER NOT NULL UNIQUE, state TEXT NOT NULL, attempts INTEGER NOT NULL,
  at_us INTEGER NOT NULL,
  held_at_us INTEGER, expires_at_us INTEGER, posted_at_us INTEGER, ended_at_us INTEGER,
  reason TEXT NOT NULL, void_txn TEXT NOT NULL,
  seq_posted INTEGER, seq_ended INTEGER, refund TEXT NOT NULL,
  PRIMARY KEY (agreement, txn)
) WITHOUT ROWID;
CREATE INDEX payments_number ON payments (biller, number, seq_posted);
CREATE INDEX payments_at ON payments (agreement, at_us);
CREATE TABLE copies (
  scope TEXT PRIMARY KEY, copy_id INTEGER NOT NULL, version INTEGER NOT NULL, head TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE staged (
  scope TEXT NOT NULL, version INTEGER NOT NULL, copy_id INTEGER NOT NULL, head TEXT NOT NULL,
  PRIMARY KEY (scope, version)
) WITHOUT ROWID;
CREATE TABLE parts (copy_id INTEGER NOT NULL, part INTEGER NOT NULL, digest TEXT NOT NULL,
  PRIMARY KEY (copy_id, part)) WITHOUT ROWID;
CREATE TABLE accounts (
  copy_id INTEGER NOT NULL, number TEXT NOT NULL, name TEXT NOT NULL, balance_minor INTEGER NOT NULL,
  status TEXT NOT NULL, PRIMARY KEY (copy_id, number)
) WITHOUT ROWID;
"""


@contextmanager
def opened(folder: Path) -> Iterator[sqlite3.Connection]:
    """A connection for one request. Raises ``sqlite3.Error`` or ``OSError`` where the file cannot be used."""
    connection = sqlite3.connect(str(folder / FILE), timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous=" + SYNCHRONOUS)
        if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
            _make(connection, folder)
        yield connection
    finally:
        connection.close()


def prepare(folder: Path) -> None:
    """Make the folder, for its owner alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / FILE
    if not path.exists():
        with contextlib.suppress(FileExistsError):
            os.close(os.open(str(path), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _make(connection: sqlite3.Connection, folder: Path) -> None:
    """Make the tables, once however many processes come at the same time."""
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("BEGIN EXCLUSIVE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in _SCHEMA.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
            connection.executemany(
                "INSERT INTO meta VALUES (?, ?)",
                [
                    ("epoch", secrets.token_hex(16)),
                    ("last_sequence", "0"),
                    ("acked", "0"),
                    ("next_copy", "1"),
                ],
            )
            _leave_code(folder)
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        elif version != SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"the file has schema {version}, this program knows {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise


def _leave_code(folder: Path) -> None:
    """The word to pair with (who can read the folder may), and a ban for web servers."""
    for name, text in ((CODE_FILE, secrets.token_hex(12) + "\n"), (".htaccess", "Require all denied\n")):
        with contextlib.suppress(FileExistsError):
            handle = os.open(str(folder / name), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(text)


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One write transaction: committed when the block ends, gone when it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise


@contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All reads of the block see one moment."""
    connection.execute("BEGIN")
    try:
        yield connection
    finally:
        _roll_back(connection)


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


def get(connection: sqlite3.Connection, name: str, default: str = "") -> str:
    """A fact of the node."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return default if row is None else str(row[0])


def get_int(connection: sqlite3.Connection, name: str, default: int = 0) -> int:
    return int(get(connection, name) or default)


def put(connection: sqlite3.Connection, name: str, value: object) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, str(value)))


def one(connection: sqlite3.Connection, sql: str, *values: Any) -> Optional[sqlite3.Row]:  # noqa: ANN401
    """The first row, or ``None``."""
    row: Optional[sqlite3.Row] = connection.execute(sql, values).fetchone()
    return row
