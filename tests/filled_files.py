"""One row in each table about files and relays, so that what the database refuses can be tried on it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import LargeBinary, Table, Text, func, insert, select

from kvit.storage.engine import Database
from kvit.storage.schema_base import metadata
from kvit.storage.schema_files import FILES_MUTABLE
from kvit.storage.schema_relays import RELAYS_MUTABLE


def fill_files(database: Database, biller_id: str = "water") -> None:
    """Rows of any contents: they belong to no import."""
    with database.write() as connection:
        for name in (*FILES_MUTABLE, *RELAYS_MUTABLE):
            table = metadata.tables[name]
            connection.execute(insert(table), {**_row(table), "biller_id": biller_id})


def fill_empty(database: Database, biller_id: str = "water") -> None:
    """A row in each table that nothing else has filled."""
    with database.write() as connection:
        for table in metadata.sorted_tables:
            if connection.execute(select(func.count()).select_from(table)).scalar_one() == 0:
                connection.execute(insert(table), {**_row(table), "biller_id": biller_id})


def _row(table: Table) -> dict[str, Any]:
    samples: dict[type, Any] = {Text: "x", LargeBinary: b"x"}
    return {
        column.name: None if column.nullable else samples.get(type(column.type), 1)
        for column in table.columns
    }
