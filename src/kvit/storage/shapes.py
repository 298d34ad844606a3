"""Which tables and columns a schema has, whatever the version: its migrations are asked."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import LargeBinary, MetaData, create_engine
from sqlalchemy.pool import StaticPool

from kvit.storage import migrate, sqlite

#: Not part of the books: which schema it is.
_LEFT_OUT = ("alembic_version",)


class Shape(NamedTuple):
    """One table: its columns in order, those of the primary key, and those that hold bytes."""

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    binary: tuple[str, ...]


def shapes_at(revision: str) -> list[Shape]:
    """The tables of the books at ``revision``, by name. The revision must be known (``migrate.knows``)."""
    engine = create_engine("sqlite://", module=sqlite.driver, poolclass=StaticPool)
    try:
        with engine.begin() as connection:
            migrate.upgrade_within(connection, revision)
            found = MetaData()
            found.reflect(connection)
    finally:
        engine.dispose()
    return [
        Shape(
            str(name),
            tuple(str(column.name) for column in table.columns),
            tuple(str(column.name) for column in table.primary_key.columns),
            tuple(str(column.name) for column in table.columns if isinstance(column.type, LargeBinary)),
        )
        for name, table in sorted(found.tables.items())
        if name not in _LEFT_OUT
    ]
