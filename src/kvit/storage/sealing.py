"""The sealer's transactions: one sealer at a time on both engines, short, and cheap with nothing to do."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from sqlalchemy import Connection, select, text

from kvit.domain.model import JournalRow
from kvit.services.sealing import SEAL_MAX, ChainHead, Seal, seal_once
from kvit.storage.engine import Database
from kvit.storage.postgres_hot import array
from kvit.storage.rows import columns_of
from kvit.storage.schema import journal

#: The first half of the advisory lock's key on PostgreSQL; the second half stands for the biller.
_LOCK_CLASS = 0x7365616C

#: Records of one statement on SQLite; what is left over goes one by one.
_TOGETHER = 50
_SEAL_SQLITE = """
UPDATE journal SET position = q.column3, chain = q.column4 FROM (VALUES {rows}) AS q
WHERE biller_id = q.column1 AND journal_id = q.column2
"""
_SEAL_POSTGRES = text(
    "UPDATE journal j SET position = q.position, chain = q.chain "
    "FROM unnest(CAST(:records AS bigint[]), CAST(:positions AS bigint[]), CAST(:chains AS bytea[])) "
    "AS q (journal_id, position, chain) WHERE j.biller_id = :biller_id AND j.journal_id = q.journal_id"
)


class SqlSealingBook:
    """One open write transaction, on SQLite under its write lock, on PostgreSQL under an advisory lock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def is_ours(self, biller_id: str) -> bool:
        """Is this transaction the biller's one sealer until it ends? Never waits for another one."""
        if self._connection.dialect.name != "postgresql":
            return True
        key = int.from_bytes(sha256(biller_id.encode()).digest()[:4], signed=True)
        statement = text("SELECT pg_try_advisory_xact_lock(:class, :key)")
        return bool(self._connection.execute(statement, {"class": _LOCK_CLASS, "key": key}).scalar_one())

    def head(self, biller_id: str) -> ChainHead:
        row = self._connection.execute(
            select(journal.c.position, journal.c.chain)
            .where(journal.c.biller_id == biller_id, journal.c.position.is_not(None))
            .order_by(journal.c.position.desc())
            .limit(1)
        ).one_or_none()
        return ChainHead() if row is None else ChainHead(*row)

    def unsealed(self, biller_id: str, limit: int) -> list[JournalRow]:
        query = (
            f"SELECT {', '.join(columns_of('journal'))} FROM {unsealed_journal(self._connection)} "
            "WHERE biller_id = :biller_id AND position IS NULL ORDER BY journal_id LIMIT :limit"
        )
        rows = self._connection.execute(text(query), {"biller_id": biller_id, "limit": limit})
        return [JournalRow(*row) for row in rows]

    def seal(self, seals: Sequence[Seal]) -> None:
        if self._connection.dialect.name == "postgresql":
            _, records, positions, chains = (array(column) for column in zip(*seals, strict=True))
            values = {"records": records, "positions": positions, "chains": chains}
            self._connection.execute(_SEAL_POSTGRES, {"biller_id": seals[0].biller_id, **values})
            return
        place = 0
        while place < len(seals):
            size = _TOGETHER if len(seals) - place >= _TOGETHER else 1
            some = seals[place : place + size]
            statement = _SEAL_SQLITE.replace("{rows}", ", ".join(["(?, ?, ?, ?)"] * size))
            self._connection.exec_driver_sql(statement, tuple(value for seal in some for value in seal))
            place += size


def seal_all(database: Database, limit: int = SEAL_MAX) -> int:
    """Seal up to ``limit`` records of each biller, a short transaction each; says how many it were in all.

    Zero means that nothing is left to do, or that another process is doing it: it is then left to that one.
    Raises ``DatabaseUnavailable`` when the database is.
    """
    with database.read() as connection:
        waiting = billers_with_unsealed(connection)
    return sum(_seal_biller(database, biller_id, limit) for biller_id in waiting)


def billers_with_unsealed(connection: Connection) -> list[str]:
    """Whose records wait; costs next to nothing where none does."""
    query = f"SELECT DISTINCT biller_id FROM {unsealed_journal(connection)} WHERE position IS NULL"
    return sorted(connection.execute(text(query)).scalars())


def unsealed_journal(connection: Connection) -> str:
    """The journal as a query for unsealed records must name it: SQLite would walk all of it by its key."""
    return "journal" if connection.dialect.name == "postgresql" else "journal INDEXED BY journal_unsealed"


def _seal_biller(database: Database, biller_id: str, limit: int) -> int:
    with database.write() as connection:
        book = SqlSealingBook(connection)
        return seal_once(book, biller_id, limit) if book.is_ours(biller_id) else 0
