"""Files: what came and went, lines of registers and statements, and what became of each of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kvit.storage.migrations.versions.v0001_books import big, blob, partial_index, table, text

revision = "0005"
down_revision = "0004"

#: The columns that no statement may change, of the new tables. What tells of people can be erased.
NEWLY_FROZEN: dict[str, tuple[str, ...]] = {
    "file_parts": ("biller_id", "digest", "part", "content"),
    "money_lines": (
        "biller_id", "source", "line_key", "kind", "day", "at", "direction",
        "amount_minor", "currency", "file_number", "service", "document", "fee_minor", "net_minor",
    ),
    "line_acts": (
        "biller_id", "act_id", "source", "line_key", "verb", "state", "receipt", "reason", "author", "at_us",
    ),
    "assignments": (
        "biller_id", "assignment_id", "receipt", "kind", "account_id", "amount_minor", "reason", "author",
        "at_us",
    ),
    "settlements": (
        "biller_id", "settlement_id", "agreement_id", "source", "line_key", "first_day", "last_day",
        "gross_minor", "fee_minor", "net_minor", "difference_minor", "reason", "author", "at_us",
    ),
    "resolutions": (
        "biller_id", "resolution_id", "agreement_id", "day", "finding", "remedy", "reason", "author", "at_us",
    ),
    "debt_registers": (
        "biller_id", "agreement_id", "register_number", "rows_kind", "contents", "base_number", "format",
        "file_name",
        "file_digest", "rows_digest", "row_count", "total_minor", "as_of_us", "author", "made_at_us",
    ),
    "debt_rejects": ("biller_id", "agreement_id", "register_number", "row_number", "row_key", "reason"),
    "channel_files": (
        "biller_id", "agreement_id", "direction", "remote_name", "digest", "size_bytes", "began_at_us",
    ),
    "due_runs": ("biller_id", "agreement_id", "job", "due_at_us", "runner", "began_at_us"),
}  # fmt: skip

#: As in version 0003.
SHAPES = (
    ("money_lines", "money_lines", "1000000 1000000 100000 1"),
    ("money_lines", "money_lines_import", "1000000 1000000 20000 1"),
    ("money_lines", "money_lines_day", "1000000 1000000 100000 2000"),
    ("money_lines", "money_lines_receipt", "1000000 1000000 1 1"),
    ("money_lines", "money_lines_waiting", "1000 1000 500"),
    ("money_lines", "money_lines_payer", "200000 200000 3"),
    ("line_acts", "line_acts", "10000 10000 1"),
    ("line_acts", "line_acts_line", "10000 10000 5000 1"),
    ("assignments", "assignments", "1000 1000 1"),
    ("assignments", "assignments_receipt", "1000 1000 2"),
    ("settlements", "settlements", "10000 10000 1"),
    ("settlements", "settlements_day", "10000 10000 2000 2"),
    ("resolutions", "resolutions", "1000 1000 1"),
    ("resolutions", "resolutions_day", "1000 1000 500 2"),
    ("matching_rules", "matching_rules", "5 5 1"),
    ("file_parts", "file_parts", "50000 50000 20 1"),
    ("debt_registers", "debt_registers", "5000 5000 1000 1"),
    ("debt_rejects", "debt_rejects", "5000 5000 1000 20 1"),
    ("presets", "presets", "20 20 1"),
    ("channel_files", "channel_files", "20000 20000 5000 2500 1 1"),
    ("due_runs", "due_runs", "100000 100000 20000 10000 1"),
)


def upgrade() -> None:
    _lines()
    _acts()
    _registers()
    _ways()
    for name in ("agreement_id", "format"):
        op.add_column("imports", sa.Column(name, sa.Text, nullable=False, server_default=""))
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgres()
    else:
        _guard_sqlite()


def _lines() -> None:
    table(
        "file_parts", text("biller_id"), text("digest"), big("part"), blob("content"),
        key=("biller_id", "digest", "part"),
    )  # fmt: skip
    table(
        "money_lines", text("biller_id"), text("source"), text("line_key"), big("import_id"), big("line"),
        text("kind"), text("day"), text("at"), text("direction"), big("amount_minor"), text("currency"),
        text("file_number"), text("payer"), text("payer_account"), text("text"), text("service"),
        text("document"), big("fee_minor", nullable=True), big("net_minor", nullable=True), text("raw"),
        text("state"), text("number"), text("rule"), text("reason"), big("receipt", nullable=True),
        big("generation"), key=("biller_id", "source", "line_key"),
    )  # fmt: skip
    op.create_index("money_lines_import", "money_lines", ["biller_id", "import_id", "line"])
    op.create_index("money_lines_day", "money_lines", ["biller_id", "source", "day"])
    partial_index(
        "money_lines_receipt",
        "money_lines",
        ["biller_id", "receipt", "kind"],
        "receipt IS NOT NULL",
        unique=True,
    )
    partial_index(
        "money_lines_waiting", "money_lines", ["biller_id", "state"], "state IN ('quarantine', 'lump')"
    )
    partial_index(
        "money_lines_payer", "money_lines", ["biller_id", "payer_account"],
        "payer_account <> '' AND kind = 'statement'",
    )  # fmt: skip


def _acts() -> None:
    table(
        "line_acts", text("biller_id"), big("act_id"), text("source"), text("line_key"), text("verb"),
        text("state"), big("receipt", nullable=True), text("reason"), text("author"), big("at_us"),
        key=("biller_id", "act_id"),
    )  # fmt: skip
    op.create_index("line_acts_line", "line_acts", ["biller_id", "source", "line_key"])
    table(
        "assignments", text("biller_id"), big("assignment_id"), big("receipt"), text("kind"),
        big("account_id"), big("amount_minor"), text("reason"), text("author"), big("at_us"),
        key=("biller_id", "assignment_id"),
    )  # fmt: skip
    op.create_index("assignments_receipt", "assignments", ["biller_id", "receipt"])
    table(
        "settlements", text("biller_id"), big("settlement_id"), text("agreement_id"), text("source"),
        text("line_key"), text("first_day"), text("last_day"), big("gross_minor"), big("fee_minor"),
        big("net_minor"), big("difference_minor"), text("reason"), text("author"), big("at_us"),
        text("state"), key=("biller_id", "settlement_id"),
    )  # fmt: skip
    op.create_index("settlements_day", "settlements", ["biller_id", "agreement_id", "last_day"])
    table(
        "resolutions", text("biller_id"), big("resolution_id"), text("agreement_id"), text("day"),
        text("finding"), text("remedy"), text("reason"), text("author"), big("at_us"),
        key=("biller_id", "resolution_id"),
    )  # fmt: skip
    op.create_index("resolutions_day", "resolutions", ["biller_id", "agreement_id", "day"])
    table(
        "matching_rules", text("biller_id"), text("rule"), big("place"), text("spec"), text("state"),
        text("author"), big("changed_at_us"), key=("biller_id", "rule"),
    )  # fmt: skip


def _registers() -> None:
    table(
        "debt_registers", text("biller_id"), text("agreement_id"), big("register_number"), text("rows_kind"),
        text("contents"), big("base_number"), text("format"), text("file_name"), text("file_digest"),
        text("rows_digest"), big("row_count"), big("total_minor"), big("as_of_us"), text("author"),
        big("made_at_us"), text("state"), big("sent_at_us", nullable=True),
        big("decided_at_us", nullable=True), text("comment"), key=("biller_id", "agreement_id",
        "register_number"),
    )  # fmt: skip
    table(
        "debt_rejects", text("biller_id"), text("agreement_id"), big("register_number"), big("row_number"),
        text("row_key"), text("reason"), key=("biller_id", "agreement_id", "register_number", "row_number"),
    )  # fmt: skip
    table(
        "presets", text("biller_id"), text("name"), text("spec"), text("author"), big("changed_at_us"),
        key=("biller_id", "name"),
    )  # fmt: skip


def _ways() -> None:
    table(
        "channel_files", text("biller_id"), text("agreement_id"), text("direction"), text("remote_name"),
        text("digest"), big("size_bytes"), big("began_at_us"), text("state"), text("detail"),
        big("ended_at_us", nullable=True),
        key=("biller_id", "agreement_id", "direction", "remote_name", "digest"),
    )  # fmt: skip
    table(
        "due_runs", text("biller_id"), text("agreement_id"), text("job"), big("due_at_us"), text("runner"),
        big("began_at_us"), text("state"), text("detail"), big("ended_at_us", nullable=True),
        key=("biller_id", "agreement_id", "job", "due_at_us"),
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
