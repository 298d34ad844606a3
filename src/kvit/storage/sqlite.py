"""SQLite connections, all made alike: durable commits, and a journal mode that this library does right."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

try:
    driver: Any = importlib.import_module("pysqlite3.dbapi2")
except ImportError:  # no wheel for this machine: the system's own library
    driver = importlib.import_module("sqlite3")

#: How long a writer waits for another one before it gives up.
BUSY_TIMEOUT_S = 10.0

#: Libraries in between can lose committed pages in WAL mode with several connections (the WAL-reset
#: defect, 3.7.0 to 3.51.2); the fix was also brought to these two older lines.
_WAL_FIXED = (3, 51, 3)
_WAL_FIXED_BACKPORTS = {(3, 44): 6, (3, 50): 7}

Connection = Any
Error: type[Exception] = driver.Error
IntegrityError: type[Exception] = driver.IntegrityError
OperationalError: type[Exception] = driver.OperationalError


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """May this SQLite library keep money in WAL mode with several connections?"""
    if version >= _WAL_FIXED:
        return True
    patch = _WAL_FIXED_BACKPORTS.get((version[0], version[1]))
    return patch is not None and version[2] >= patch


def journal_mode() -> str:
    return "wal" if wal_is_safe(driver.sqlite_version_info) else "delete"


def connect(path: str, busy_timeout_s: float | None = None) -> Connection:
    """A connection in autocommit mode: transactions begin and end where the code says so.

    ``busy_timeout_s`` is ``BUSY_TIMEOUT_S`` unless it is said otherwise.
    """
    connection = driver.connect(
        path,
        timeout=BUSY_TIMEOUT_S if busy_timeout_s is None else busy_timeout_s,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    mode = journal_mode()
    # Recursive triggers: else the guards do not see what an INSERT OR REPLACE deletes.
    for pragma in (
        f"journal_mode = {mode}", "synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY",
        "cache_size = -16000", "trusted_schema = OFF", "recursive_triggers = ON",
    ):  # fmt: skip
        connection.execute("PRAGMA " + pragma).fetchall()
    return connection


def roll_back(connection: Connection | None) -> None:
    """Back to no transaction, whatever state the last statement left behind."""
    with contextlib.suppress(Error):
        if connection is not None and connection.in_transaction:
            connection.execute("ROLLBACK")
