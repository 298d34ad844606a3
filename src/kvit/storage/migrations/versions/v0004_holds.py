"""Payments that are announced before they are taken, invoices as what payers type, notes on payments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kvit.storage.migrations.versions.v0001_books import big, partial_index, table, text
from kvit.storage.migrations.versions.v0002_guards import FROZEN

revision = "0004"
down_revision = "0003"

#: The columns that no statement may change, of the new tables and of payments as they are now.
NEWLY_FROZEN: dict[str, tuple[str, ...]] = {
    "holds": (
        "biller_id", "agreement_id", "txn", "receipt", "account_id", "amount_minor", "currency", "service",
        "network_time", "network_at_us", "held_at_us", "expires_at_us", "targets", "fields", "typed",
        "service_code", "act_id",
    ),
    "notes": ("biller_id", "receipt", "note_id", "kind", "noted_at_us", "fields"),
    "payments": (*FROZEN["payments"], "typed", "service_code"),
}  # fmt: skip

#: As in version 0003.
SHAPES = (
    ("charges", "charges_document", "1000000 1000000 2"),
    ("holds", "holds", "200000 200000 50000 1"),
    ("holds", "sqlite_autoindex_holds_2", "200000 200000 1"),
    ("holds", "holds_standing", "1000 1000 1"),
    ("holds", "holds_network", "200000 2 2 1"),
    ("notes", "notes", "10000 10000 2 1"),
)


def upgrade() -> None:
    for name in ("typed", "service_code"):
        op.add_column("payments", sa.Column(name, sa.Text, nullable=False, server_default=""))
    table(
        "holds", text("biller_id"), text("agreement_id"), text("txn"), big("receipt"), big("account_id"),
        big("amount_minor"), text("currency"), text("service"), text("state"),
        sa.Column("attempts", sa.Integer, nullable=False), text("network_time"),
        big("network_at_us", nullable=True), big("held_at_us"), big("expires_at_us", nullable=True),
        big("ended_at_us", nullable=True), text("reason"), text("void_txn"), text("targets"), text("fields"),
        text("typed"), text("service_code"), big("act_id"), big("end_act_id", nullable=True),
        sa.UniqueConstraint("biller_id", "receipt", name="holds_receipt"),
        key=("biller_id", "agreement_id", "txn"),
    )  # fmt: skip
    partial_index("holds_standing", "holds", ["biller_id", "typed"], "state = 'held'")
    op.create_index("holds_network", "holds", ["network_at_us", "biller_id", "agreement_id"])
    table(
        "notes", text("biller_id"), big("receipt"), big("note_id"), text("kind"), big("noted_at_us"),
        text("fields"), key=("biller_id", "receipt", "note_id"),
    )  # fmt: skip
    partial_index("charges_document", "charges", ["biller_id", "document"], "document <> ''")
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgres()
    else:
        _guard_sqlite()


def _guard_postgres() -> None:
    op.execute("DROP TRIGGER payments_no_update ON payments")
    for name, columns in NEWLY_FROZEN.items():
        refuse = "EXECUTE FUNCTION books_refuse()"
        frozen = ", ".join(columns)
        op.execute(
            f"CREATE TRIGGER {name}_no_update BEFORE UPDATE OF {frozen} ON {name} FOR EACH ROW {refuse}"
        )
        if name == "payments":
            continue
        op.execute(f"CREATE TRIGGER {name}_no_delete BEFORE DELETE ON {name} FOR EACH ROW {refuse}")
        op.execute(f"CREATE TRIGGER {name}_no_truncate BEFORE TRUNCATE ON {name} FOR EACH STATEMENT {refuse}")
    op.execute(
        "CREATE TRIGGER holds_ended BEFORE UPDATE OF "
        "state, ended_at_us, reason, void_txn, end_act_id ON holds "
        "FOR EACH ROW WHEN (OLD.state <> 'held') EXECUTE FUNCTION books_refuse()"
    )


def _guard_sqlite() -> None:
    op.execute("DROP TRIGGER payments_no_update")
    for name, columns in NEWLY_FROZEN.items():
        refuse = f"SELECT RAISE(ABORT, 'kvit: {name} is only added to'); END"
        frozen = ", ".join(columns)
        op.execute(f"CREATE TRIGGER {name}_no_update BEFORE UPDATE OF {frozen} ON {name} BEGIN {refuse}")
        if name != "payments":
            op.execute(f"CREATE TRIGGER {name}_no_delete BEFORE DELETE ON {name} BEGIN {refuse}")
    op.execute(
        "CREATE TRIGGER holds_ended BEFORE UPDATE OF "
        "state, ended_at_us, reason, void_txn, end_act_id ON holds "
        "WHEN OLD.state <> 'held' BEGIN SELECT RAISE(ABORT, 'kvit: the hold has ended'); END"
    )
    op.get_bind().execute(
        sa.text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:tbl, :idx, :stat)"),
        [{"tbl": of, "idx": index, "stat": stat} for of, index, stat in SHAPES],
    )
