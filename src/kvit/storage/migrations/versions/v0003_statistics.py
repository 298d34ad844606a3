"""SQLite is told what the tables will look like, since its planner knows nothing until somebody counts.

Without statistics it takes a biller's id, which every row has, for a good way to one row, and walks whole
tables. Counting (``ANALYZE``) would stop the writers and go out of date; the shape of the books is known:
one biller owns most rows, and every other key column finds few. PostgreSQL counts by itself.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

#: (table, index, "rows, then how many rows share the first column, the first two, ..."). An index named
#: like its table is the primary key; sqlite_autoindex_T_2 is the table's unique constraint.
SHAPES = (
    ("accounts", "accounts", "100000 100000 1"),
    ("accounts", "sqlite_autoindex_accounts_2", "100000 100000 1"),
    ("adjustments", "adjustments", "10000 10000 1"),
    ("adjustments", "adjustments_account", "10000 10000 2"),
    ("agreements", "agreements", "10 10 1"),
    ("agreements", "sqlite_autoindex_agreements_2", "10 1"),
    ("allocations", "allocations", "4000000 4000000 2 1 1"),
    ("billers", "billers", "1 1"),
    ("charges", "charges", "3000000 3000000 1"),
    ("charges", "charges_open", "200000 200000 2"),
    ("charges", "sqlite_autoindex_charges_2", "3000000 3000000 30 15 1 1 1"),
    ("entries", "entries", "10000000 10000000 2 1"),
    ("entries", "entries_ledger_account", "10000000 10000000 60"),
    ("imports", "imports", "1000 1000 1"),
    ("journal", "journal", "2000000 2000000 1"),
    ("journal", "journal_position", "2000000 2000000 1"),
    ("journal", "journal_unsealed", "1000 1000 1"),
    ("outbox", "outbox", "2000000 2000000 1"),
    ("payments", "payments", "2000000 2000000 500000 1"),
    ("payments", "payments_account", "2000000 20 20"),
    ("payments", "payments_day", "2000000 2000 2000 500"),
    ("payments", "sqlite_autoindex_payments_2", "2000000 2000000 1"),
    ("transactions", "transactions", "5000000 5000000 1"),
    ("voids", "voids", "1000 1000 1"),
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        return
    op.execute("ANALYZE billers")  # makes the table that statistics are kept in
    op.execute("DELETE FROM sqlite_stat1")
    op.get_bind().execute(
        sa.text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:tbl, :idx, :stat)"),
        [{"tbl": table, "idx": index, "stat": stat} for table, index, stat in SHAPES],
    )
