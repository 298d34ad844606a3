"""Many rows in few round trips: one form for both engines, each driver's own fast way behind it."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import ARRAY, Column, Connection, TableValuedAlias, Text, bindparam, func

from kvit.services.ports import AmountChange
from kvit.storage import rows as row_texts
from kvit.storage.postgres_hot import array
from kvit.storage.rows import columns_of, insert_statement, postgres_type, unnest_insert

Row = tuple[Any, ...]

#: Rows that one statement of SQLite adds: a quarter less time than one by one, and more make no difference.
ROWS_AT_ONCE = 64


def is_postgres(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def each_of(
    connection: Connection, column: Column[Any], values: Collection[int] | Collection[str]
) -> TableValuedAlias:
    """``values``, which ``column`` may have, as a table with the column ``value``.

    They are one parameter, however many they are, so the statement's text is always the same.
    """
    if is_postgres(connection):
        array = bindparam(None, list(values), type_=ARRAY(column.type))
        return func.unnest(array).table_valued("value").render_derived()
    return func.json_each(bindparam(None, json.dumps(list(values)), type_=Text())).table_valued("value")


def insert_rows(connection: Connection, table: str, rows: Sequence[Row]) -> None:
    """Add rows, each in the order of the table's columns."""
    if not rows:
        return
    if is_postgres(connection):
        connection.exec_driver_sql(unnest_insert(table), _columns(rows))
        return
    many = len(rows) - len(rows) % ROWS_AT_ONCE
    if many:
        statement = _insert_many(table)
        for start in range(0, many, ROWS_AT_ONCE):
            values = tuple(chain.from_iterable(rows[start : start + ROWS_AT_ONCE]))
            connection.exec_driver_sql(statement, values)
    if many < len(rows):
        connection.exec_driver_sql(insert_statement(table), list(rows[many:]))


@lru_cache(maxsize=32)
def _insert_many(table: str) -> str:
    marks = f"({', '.join('?' * len(columns_of(table)))})"
    return row_texts.insert_rows(table).format(rows=", ".join([marks] * ROWS_AT_ONCE))


def add_to_sums(
    connection: Connection, table: str, column: str, key: str, changes: Sequence[AmountChange]
) -> None:
    """Add each change to ``column`` of the row whose ``key`` it names."""
    if not changes:
        return
    if is_postgres(connection):
        statement = (
            f"UPDATE {table} t SET {column} = t.{column} + q.delta "
            "FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS q (biller_id, row_id, delta) "
            f"WHERE t.biller_id = q.biller_id AND t.{key} = q.row_id"
        )
        connection.exec_driver_sql(statement, _columns(changes))
    else:
        statement = f"UPDATE {table} SET {column} = {column} + ? WHERE biller_id = ? AND {key} = ?"
        connection.exec_driver_sql(
            statement, [(change.delta_minor, change.biller_id, change.row_id) for change in changes]
        )


def set_columns(
    connection: Connection, table: str, key: tuple[str, ...], columns: tuple[str, ...], rows: Sequence[Row]
) -> None:
    """Write ``columns`` of known rows; each of ``rows`` is the key's values, then the columns'."""
    if not rows:
        return
    if is_postgres(connection):
        names = (*key, *columns)
        arrays = ", ".join(f"%s::{postgres_type(name)}[]" for name in names)
        statement = (
            f"UPDATE {table} t SET {', '.join(f'{name} = q.{name}' for name in columns)} "
            f"FROM unnest({arrays}) AS q ({', '.join(names)}) "
            f"WHERE {' AND '.join(f't.{name} = q.{name}' for name in key)}"
        )
        connection.exec_driver_sql(statement, _columns(rows))
    else:
        statement = (
            f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in columns)} "
            f"WHERE {' AND '.join(f'{name} = ?' for name in key)}"
        )
        width = len(key)
        connection.exec_driver_sql(statement, [(*row[width:], *row[:width]) for row in rows])


def _columns(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(array(column) for column in zip(*rows, strict=True))
