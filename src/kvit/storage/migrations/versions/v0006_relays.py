"""Relays: where they are, what was fetched from them, who serves which door, what is wrong with them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kvit.storage.migrations.versions.v0001_books import big, blob, partial_index, table, text

revision = "0006"
down_revision = "0005"

#: The columns that no statement may change, of the new tables.
NEWLY_FROZEN: dict[str, tuple[str, ...]] = {
    "relay_epochs": ("biller_id", "relay_id", "epoch", "seen_at_us"),
    "relay_rows": (
        "biller_id", "relay_id", "epoch", "sequence", "kind", "agreement_id", "txn", "receipt", "number",
        "amount_minor", "currency", "relayed_at_us", "content", "taken_at_us",
    ),
    "relay_alarms": ("biller_id", "relay_id", "alarm", "raised_at_us"),
}  # fmt: skip

#: As in version 0003.
SHAPES = (
    ("relay_rows", "relay_rows", "1000000 1000000 500000 500000 1"),
    ("relay_rows", "relay_rows_txn", "1000000 1000000 500000 1"),
    ("relay_rows", "relay_rows_receipt", "1000000 1000000 1"),
    ("relay_rows", "relay_rows_waiting", "100 100 50"),
    ("relay_told", "relay_told", "1000000 1000000 1000000 1000000 1"),
    ("relays", "relays", "2 2 1"),
    ("relay_doors", "relay_doors", "10 10 1"),
    ("relay_epochs", "relay_epochs", "10 10 5 1"),
    ("relay_alarms", "relay_alarms", "1000 1000 500 100 1"),
)


def upgrade() -> None:
    _nodes()
    _inbox()
    _copies()
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgres()
    else:
        _guard_sqlite()


def _nodes() -> None:
    table(
        "relays", text("biller_id"), text("relay_id"), big("relay_number"), text("url"), blob("secrets"),
        text("office_id"), big("generation"), text("host"), big("paired_at_us"),
        big("last_pull_at_us", nullable=True), big("clock_offset_us", nullable=True), big("queue_rows"),
        key=("biller_id", "relay_id"),
    )  # fmt: skip
    table(
        "relay_alarms", text("biller_id"), text("relay_id"), text("alarm"), big("raised_at_us"),
        text("detail"), big("seen_at_us"), big("cleared_at_us", nullable=True),
        key=("biller_id", "relay_id", "alarm", "raised_at_us"),
    )  # fmt: skip


def _inbox() -> None:
    table(
        "relay_epochs", text("biller_id"), text("relay_id"), text("epoch"), text("state"),
        big("pulled_through"), big("acked_through"), big("high_water"), big("seen_at_us"),
        key=("biller_id", "relay_id", "epoch"),
    )  # fmt: skip
    table(
        "relay_rows", text("biller_id"), text("relay_id"), text("epoch"), big("sequence"), text("kind"),
        text("agreement_id"), text("txn"), big("receipt"), text("number"), big("amount_minor"),
        text("currency"), big("relayed_at_us"), text("content"), big("taken_at_us"), text("state"),
        text("reason"), key=("biller_id", "relay_id", "epoch", "sequence"),
    )  # fmt: skip
    op.create_index("relay_rows_txn", "relay_rows", ["biller_id", "agreement_id", "txn"])
    op.create_index("relay_rows_receipt", "relay_rows", ["biller_id", "receipt"])
    partial_index("relay_rows_waiting", "relay_rows", ["biller_id", "relay_id"], "state = 'quarantine'")


def _copies() -> None:
    table(
        "relay_doors", text("biller_id"), text("agreement_id"), text("relay_id"), text("state"),
        big("version"), big("snapshot_version"), big("as_of_us"), big("changed_at_us"),
        key=("biller_id", "agreement_id"),
    )  # fmt: skip
    table(
        "relay_told", text("biller_id"), text("relay_id"), text("agreement_id"), text("number"), text("told"),
        key=("biller_id", "relay_id", "agreement_id", "number"),
    )  # fmt: skip


def _guard_postgres() -> None:
    for name, columns in NEWLY_FROZEN.items():
        refuse = "EXECUTE FUNCTION books_refuse()"
        frozen = ", ".join(columns)
        op.execute(
            f"CREATE TRIGGER {name}_no_update BEFORE UPDATE OF {frozen} ON {name} FOR EACH ROW {refuse}"
        )
        op.execute(f"CREATE TRIGGER {name}_no_delete BEFORE DELETE ON {name} FOR EACH ROW {refuse}")
        op.execute(f"CREATE TRIGGER {name}_no_truncate BEFORE TRUNCATE ON {name} FOR EACH STATEMENT {refuse}")


def _guard_sqlite() -> None:
    for name, columns in NEWLY_FROZEN.items():
        refuse = f"SELECT RAISE(ABORT, 'kvit: {name} is only added to'); END"
        frozen = ", ".join(columns)
        op.execute(f"CREATE TRIGGER {name}_no_update BEFORE UPDATE OF {frozen} ON {name} BEGIN {refuse}")
        op.execute(f"CREATE TRIGGER {name}_no_delete BEFORE DELETE ON {name} BEGIN {refuse}")
    op.get_bind().execute(
        sa.text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:tbl, :idx, :stat)"),
        [{"tbl": of, "idx": index, "stat": stat} for of, index, stat in SHAPES],
    )
