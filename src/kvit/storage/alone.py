"""A lock that goes with the process which holds it: one runner at a time on an agreement's channel.

On PostgreSQL an advisory lock of a connection that is kept for it, for all machines that share the database;
on SQLite a lock on a file beside the database.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from kvit.storage.engine import Database

#: The first half of the advisory lock's key; the second half stands for the agreement.
_LOCK_CLASS = 0x74726176


class Channels:
    """The locks of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def alone(self, biller_id: str, agreement_id: str) -> Iterator[bool]:
        """Is the agreement's channel ours until the end of the block? Never waits."""
        if self._database.is_postgres:
            with self._on_postgres(f"{biller_id}/{agreement_id}") as is_ours:
                yield is_ours
            return
        with Path(f"{self._database.path}.channel-{agreement_id}").open("w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            yield True

    @contextmanager
    def _on_postgres(self, name: str) -> Iterator[bool]:
        key = int.from_bytes(sha256(name.encode()).digest()[:4], signed=True)
        values = {"class": _LOCK_CLASS, "key": key}
        with self._database.session() as connection:
            query = text("SELECT pg_try_advisory_lock(:class, :key)")
            if not connection.execute(query, values).scalar_one():
                yield False
                return
            try:
                yield True
            finally:
                with suppress(SQLAlchemyError):  # the connection is gone, and the lock with it
                    connection.execute(text("SELECT pg_advisory_unlock(:class, :key)"), values)
