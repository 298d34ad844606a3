"""Closing a period while others post: who has read which periods are open has to be waited for.

On PostgreSQL a writer that dates entries holds a shared lock of its biller from before it reads
``closed_through`` to its commit, and a close holds the exclusive one: so whoever has read the old day has
committed before the close, and whoever comes later reads the new one. The lock is in memory and of the
transaction, so nobody writes a row for it and nobody waits but for a close. SQLite has one writer at a time.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

from sqlalchemy import Connection, text

from kvit.storage.bulk import is_postgres

#: For a batch's own driver: one biller, and several.
HOLD_ONE = "SELECT pg_advisory_xact_lock_shared(%s)"
HOLD_MANY = "SELECT count(pg_advisory_xact_lock_shared(k)) FROM unnest(%s::bigint[]) AS k"


@lru_cache(maxsize=1024)
def lock_key(biller_id: str) -> int:
    """The number of the biller's lock: 64 bits with a sign, the same in every process."""
    return int.from_bytes(sha256(b"kvit-period:" + biller_id.encode()).digest()[:8], signed=True)


def hold_open(connection: Connection, biller_id: str) -> None:
    """Until the end of this transaction no period is closed. To be called before anything is locked."""
    if is_postgres(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": lock_key(biller_id)})


def one_at_a_time(connection: Connection, what: str) -> None:
    """Until the end of this transaction nobody else does ``what``; SQLite has one writer anyway."""
    if is_postgres(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key(what)})


def wait_for_writers(connection: Connection, biller_id: str) -> None:
    """Wait for all who may have read which periods are open; the next ones wait for this transaction."""
    if is_postgres(connection):
        # Who posts waits behind a close that waits: so it gives up soon, and can be tried again.
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key(biller_id)})
