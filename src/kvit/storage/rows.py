"""Row types and tables held together: the columns of each table in the order of its named tuple."""

from __future__ import annotations

from typing import Any

from kvit.domain import model

#: Table -> the named tuple whose fields are its (first) columns. Columns left out are null at first.
ROWS: dict[str, Any] = {
    "billers": model.Biller,
    "accounts": model.AccountRow,
    "charges": model.ChargeRow,
    "adjustments": model.AdjustmentRow,
    "payments": model.PaymentRow,
    "holds": model.HoldRow,
    "notes": model.NoteRow,
    "voids": model.VoidRow,
    "allocations": model.AllocationRow,
    "transactions": model.TransactionRow,
    "entries": model.EntryRow,
    "outbox": model.OutboxRow,
    "journal": model.JournalRow,
}


def columns_of(table: str) -> tuple[str, ...]:
    fields: tuple[str, ...] = ROWS[table]._fields
    return fields


def insert_statement(table: str) -> str:
    """``INSERT`` with one question mark a column, for a driver's ``executemany``."""
    columns = columns_of(table)
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"


def insert_rows(table: str) -> str:
    """``INSERT … VALUES {rows}``: as many rows as take the place of the braces."""
    return f"INSERT INTO {table} ({', '.join(columns_of(table))}) VALUES {{rows}}"


#: PostgreSQL types by the end of a column's name; everything else is text.
_BIGINTS = ("_minor", "_id", "_us", "receipt", "reverses")
_TEXT_IDS = ("biller_id", "agreement_id")
_OTHER = {"attempts": "integer", "occurrence": "integer", "digest": "bytea"}


def postgres_type(column: str) -> str:
    if column in _OTHER:
        return _OTHER[column]
    if column not in _TEXT_IDS and column.endswith(_BIGINTS):
        return "bigint"
    return "text"


def unnest_insert(table: str) -> str:
    """``INSERT … SELECT * FROM unnest(…)``: one array a column, so that the text never changes."""
    columns = columns_of(table)
    arrays = ", ".join(f"%s::{postgres_type(column)}[]" for column in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({arrays})"


def single_insert(table: str) -> str:
    """``INSERT … VALUES``: for a lone row, cheaper than arrays of one."""
    columns = columns_of(table)
    marks = ", ".join(f"%s::{postgres_type(column)}" for column in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
