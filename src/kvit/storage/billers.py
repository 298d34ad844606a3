"""Billers, fresh ids and journal records: what every use case touches."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select, text

from kvit.domain.model import Biller, JournalRow
from kvit.storage import schema


def take_ids(connection: Connection, count: int) -> list[int]:
    """Fresh ids of the books' one series; never given twice."""
    if connection.dialect.name == "postgresql":
        rows = connection.execute(
            text("SELECT nextval('book_ids') FROM generate_series(1, :count)"), {"count": count}
        )
        return [row[0] for row in rows]
    next_id: int = connection.execute(
        text("UPDATE ids SET next_id = next_id + :count WHERE series = 'books' RETURNING next_id"),
        {"count": count},
    ).scalar_one()
    return list(range(next_id - count, next_id))


def list_billers(connection: Connection) -> list[Biller]:
    rows = connection.execute(select(schema.billers).order_by(schema.billers.c.biller_id))
    return [Biller(*row) for row in rows]


def find_biller(connection: Connection, biller_id: str) -> Biller | None:
    row = connection.execute(
        select(schema.billers).where(schema.billers.c.biller_id == biller_id)
    ).one_or_none()
    return None if row is None else Biller(*row)


def add_biller(connection: Connection, biller: Biller) -> None:
    connection.execute(insert(schema.billers), biller._asdict())


def write_journal(connection: Connection, records: Sequence[JournalRow]) -> None:
    """Audit records in the transaction of what they record; the sealer chains them later."""
    if records:
        connection.execute(insert(schema.journal), [record._asdict() for record in records])


class SqlBillerBook:
    """One open write transaction, as ``services.billers`` wants it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, biller_id: str) -> Biller | None:
        return find_biller(self._connection, biller_id)

    def add(self, biller: Biller) -> None:
        add_biller(self._connection, biller)

    def take_id(self) -> int:
        return take_ids(self._connection, 1)[0]

    def write_journal(self, record: JournalRow) -> None:
        write_journal(self._connection, [record])
