"""The books: billers, agreements, accounts, charges, payments, entries, journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
STRICT = {"sqlite_strict": True, "sqlite_with_rowid": False}


def text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def big(name: str, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=nullable)


def blob(name: str, nullable: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=nullable)


def table(name: str, *columns: sa.schema.SchemaItem, key: tuple[str, ...]) -> None:
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*key), **STRICT)


def upgrade() -> None:
    _directory()
    _receivables()
    _payments()
    _ledger()
    _records()


def _directory() -> None:
    table(
        "billers", text("biller_id"), text("name"), text("currency"), text("timezone"),
        text("number_scheme"), text("closed_through"), big("created_at_us"), key=("biller_id",),
    )  # fmt: skip
    table(
        "agreements", text("biller_id"), text("agreement_id"), text("protocol"), text("mode"),
        text("spec"), blob("secrets"), big("version"), big("applied_at_us"),
        sa.UniqueConstraint("agreement_id", name="agreements_door"), key=("biller_id", "agreement_id"),
    )  # fmt: skip


def _receivables() -> None:
    table(
        "accounts", text("biller_id"), big("account_id"), text("number"), text("status"), text("name"),
        text("address"), text("phone"), text("email"), text("attributes"), big("balance_minor"),
        big("created_at_us"), sa.UniqueConstraint("biller_id", "number", name="accounts_number"),
        key=("biller_id", "account_id"),
    )  # fmt: skip
    identity = ("biller_id", "account_id", "service", "period", "document", "occurrence")
    table(
        "charges", text("biller_id"), big("charge_id"), big("account_id"), text("service"),
        text("period"), text("document"), sa.Column("occurrence", sa.Integer, nullable=False),
        big("amount_minor"), big("open_minor"), text("due_on"), big("act_id"),
        sa.UniqueConstraint(*identity, name="charges_identity"), key=("biller_id", "charge_id"),
    )  # fmt: skip
    partial_index("charges_open", "charges", ["biller_id", "account_id"], "open_minor > 0")
    table(
        "adjustments", text("biller_id"), big("adjustment_id"), big("account_id"),
        big("charge_id", nullable=True), big("amount_minor"), big("advance_minor"), text("as_of"),
        text("reason"), text("author"), key=("biller_id", "adjustment_id"),
    )  # fmt: skip
    op.create_index("adjustments_account", "adjustments", ["biller_id", "account_id"])


def _payments() -> None:
    table(
        "payments", text("biller_id"), text("agreement_id"), text("txn"), big("receipt"),
        big("account_id"), big("amount_minor"), text("currency"), text("service"), text("state"),
        sa.Column("attempts", sa.Integer, nullable=False), big("advance_minor"), big("payer_fee_minor"),
        big("biller_fee_minor"), text("network_time"), big("network_at_us", nullable=True),
        big("received_at_us"), text("accounting_date"), text("fields"),
        sa.UniqueConstraint("biller_id", "receipt", name="payments_receipt"),
        key=("biller_id", "agreement_id", "txn"),
    )  # fmt: skip
    op.create_index("payments_account", "payments", ["account_id", "biller_id"])
    op.create_index("payments_day", "payments", ["accounting_date", "biller_id", "agreement_id"])
    table(
        "voids", text("biller_id"), big("receipt"), big("transaction_id"), text("void_txn"),
        big("voided_at_us"), text("reason"), text("author"), key=("biller_id", "receipt"),
    )  # fmt: skip
    table(
        "allocations", text("biller_id"), big("source_id"), big("charge_id"), big("act_id"),
        big("amount_minor"), key=("biller_id", "source_id", "charge_id", "act_id"),
    )  # fmt: skip


def _ledger() -> None:
    table(
        "transactions", text("biller_id"), big("transaction_id"), text("kind"), text("accounting_date"),
        big("created_at_us"), big("reverses", nullable=True), text("reason"), text("author"),
        key=("biller_id", "transaction_id"),
    )  # fmt: skip
    table(
        "entries", text("biller_id"), big("transaction_id"), text("ledger_account"), big("amount_minor"),
        text("currency"), key=("biller_id", "transaction_id", "ledger_account"),
    )  # fmt: skip
    op.create_index("entries_ledger_account", "entries", ["biller_id", "ledger_account"])


def _records() -> None:
    table(
        "outbox", text("biller_id"), big("outbox_id"), text("kind"), text("subject"),
        big("created_at_us"), key=("biller_id", "outbox_id"),
    )  # fmt: skip
    table(
        "journal", text("biller_id"), big("journal_id"), big("at_us"), text("actor"), text("verb"),
        text("subject"), blob("digest"), text("detail"), big("position", nullable=True),
        blob("chain", nullable=True), key=("biller_id", "journal_id"),
    )  # fmt: skip
    partial_index("journal_unsealed", "journal", ["biller_id", "journal_id"], "position IS NULL")
    partial_index(
        "journal_position", "journal", ["biller_id", "position"], "position IS NOT NULL", unique=True
    )
    table(
        "imports", text("biller_id"), big("import_id"), text("kind"), text("file_name"),
        text("file_digest"), text("state"), text("summary"), text("author"), big("started_at_us"),
        big("finished_at_us", nullable=True), key=("biller_id", "import_id"),
    )  # fmt: skip
    table("ids", text("series"), big("next_id"), key=("series",))
    op.execute("INSERT INTO ids (series, next_id) VALUES ('books', 100001)")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE book_ids AS bigint START WITH 100001")


def partial_index(name: str, on: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, on, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
