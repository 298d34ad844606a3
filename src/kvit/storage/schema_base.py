"""What all tables are made of."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, PrimaryKeyConstraint, Table, Text

metadata = MetaData()

#: 64 bits on both engines (SQLite's strict tables know only INTEGER, which is that wide).
BIG = BigInteger().with_variant(Integer, "sqlite")


def text_column(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def big_column(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BIG, nullable=nullable)


def make_table(
    name: str, *parts: Column[str] | Column[int] | Column[bytes] | object, key: tuple[str, ...]
) -> Table:
    """A strict table without a row id of its own (SQLite), with room for in-place updates (PostgreSQL)."""
    return Table(
        name,
        metadata,
        *parts,  # type: ignore[arg-type]
        PrimaryKeyConstraint(*key),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
