"""Row types and tables held together: the columns of each table in the order of its named tuple."""

from __future__ import annotations

from typing import Any

from kvit.domain import file_rows, model, relay_rows

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
    "file_parts": file_rows.FilePartRow,
    "money_lines": file_rows.LineRow,
    "line_acts": file_rows.LineActRow,
    "assignments": file_rows.AssignmentRow,
    "settlements": file_rows.SettlementRow,
    "resolutions": file_rows.ResolutionRow,
    "matching_rules": file_rows.RuleRow,
    "debt_registers": file_rows.DebtRegisterRow,
    "debt_rejects": file_rows.DebtRejectRow,
    "presets": file_rows.PresetRow,
    "channel_files": file_rows.ChannelFileRow,
    "due_runs": file_rows.DueRunRow,
    "relays": relay_rows.RelayRow,
    "relay_epochs": relay_rows.RelayEpochRow,
    "relay_rows": relay_rows.RelayInboxRow,
    "relay_doors": relay_rows.RelayDoorRow,
    "relay_told": relay_rows.RelayToldRow,
    "relay_alarms": relay_rows.RelayAlarmRow,
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
_TEXT_IDS = ("biller_id", "agreement_id", "relay_id", "office_id")
_OTHER = {"attempts": "integer", "occurrence": "integer", "content": "bytea"} | dict.fromkeys(
    ("part", "line", "generation", "place", "row_number", "register_number", "base_number", "row_count",
     "size_bytes", "relay_number", "queue_rows", "sequence", "pulled_through", "acked_through", "high_water",
     "snapshot_version", "version"),
    "bigint",
)  # fmt: skip
#: Columns of one name and two types: the journal's digest is its 32 bytes, a file's is hexadecimal text.
_OTHER_HERE = {
    ("journal", "digest"): "bytea",
    ("relay_rows", "content"): "text",
    ("relays", "secrets"): "bytea",
}


def postgres_type(column: str, table: str = "") -> str:
    """The type of this column of this table."""
    if (table, column) in _OTHER_HERE:
        return _OTHER_HERE[table, column]
    if column in _OTHER:
        return _OTHER[column]
    if column not in _TEXT_IDS and column.endswith(_BIGINTS):
        return "bigint"
    return "text"


def unnest_insert(table: str) -> str:
    """``INSERT … SELECT * FROM unnest(…)``: one array a column, so that the text never changes."""
    columns = columns_of(table)
    arrays = ", ".join(f"%s::{postgres_type(column, table)}[]" for column in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({arrays})"


def single_insert(table: str) -> str:
    """``INSERT … VALUES``: for a lone row, cheaper than arrays of one."""
    columns = columns_of(table)
    marks = ", ".join(f"%s::{postgres_type(column, table)}" for column in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
