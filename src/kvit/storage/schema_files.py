"""The tables about files, once for both engines: what came and went, and what became of every line.

``migrations/`` makes them. Each has a row type in ``kvit.domain.file_rows``.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, text

from kvit.storage.schema_base import big_column as _big
from kvit.storage.schema_base import make_table as _table
from kvit.storage.schema_base import text_column as _text

file_parts = _table(
    "file_parts",
    _text("biller_id"),
    _text("digest"),
    _big("part"),
    Column("content", LargeBinary, nullable=False),
    key=("biller_id", "digest", "part"),
)

money_lines = _table(
    "money_lines",
    _text("biller_id"),
    _text("source"),
    _text("line_key"),
    _big("import_id"),
    _big("line"),
    _text("kind"),
    _text("day"),
    _text("at"),
    _text("direction"),
    _big("amount_minor"),
    _text("currency"),
    _text("file_number"),
    _text("payer"),
    _text("payer_account"),
    _text("text"),
    _text("service"),
    _text("document"),
    _big("fee_minor", nullable=True),
    _big("net_minor", nullable=True),
    _text("raw"),
    _text("state"),
    _text("number"),
    _text("rule"),
    _text("reason"),
    _big("receipt", nullable=True),
    _big("generation"),
    key=("biller_id", "source", "line_key"),
)
Index("money_lines_import", money_lines.c.biller_id, money_lines.c.import_id, money_lines.c.line)
Index("money_lines_day", money_lines.c.biller_id, money_lines.c.source, money_lines.c.day)
Index(
    "money_lines_receipt",
    money_lines.c.biller_id,
    money_lines.c.receipt,
    money_lines.c.kind,
    unique=True,
    sqlite_where=text("receipt IS NOT NULL"),
    postgresql_where=text("receipt IS NOT NULL"),
)
Index(
    "money_lines_waiting",
    money_lines.c.biller_id,
    money_lines.c.state,
    sqlite_where=text("state IN ('quarantine', 'lump')"),
    postgresql_where=text("state IN ('quarantine', 'lump')"),
)
Index(
    "money_lines_payer",
    money_lines.c.biller_id,
    money_lines.c.payer_account,
    sqlite_where=text("payer_account <> '' AND kind = 'statement'"),
    postgresql_where=text("payer_account <> '' AND kind = 'statement'"),
)

line_acts = _table(
    "line_acts",
    _text("biller_id"),
    _big("act_id"),
    _text("source"),
    _text("line_key"),
    _text("verb"),
    _text("state"),
    _big("receipt", nullable=True),
    _text("reason"),
    _text("author"),
    _big("at_us"),
    key=("biller_id", "act_id"),
)
Index("line_acts_line", line_acts.c.biller_id, line_acts.c.source, line_acts.c.line_key)

assignments = _table(
    "assignments",
    _text("biller_id"),
    _big("assignment_id"),
    _big("receipt"),
    _text("kind"),
    _big("account_id"),
    _big("amount_minor"),
    _text("reason"),
    _text("author"),
    _big("at_us"),
    key=("biller_id", "assignment_id"),
)
Index("assignments_receipt", assignments.c.biller_id, assignments.c.receipt)

settlements = _table(
    "settlements",
    _text("biller_id"),
    _big("settlement_id"),
    _text("agreement_id"),
    _text("source"),
    _text("line_key"),
    _text("first_day"),
    _text("last_day"),
    _big("gross_minor"),
    _big("fee_minor"),
    _big("net_minor"),
    _big("difference_minor"),
    _text("reason"),
    _text("author"),
    _big("at_us"),
    _text("state"),
    key=("biller_id", "settlement_id"),
)
Index("settlements_day", settlements.c.biller_id, settlements.c.agreement_id, settlements.c.last_day)

resolutions = _table(
    "resolutions",
    _text("biller_id"),
    _big("resolution_id"),
    _text("agreement_id"),
    _text("day"),
    _text("finding"),
    _text("remedy"),
    _text("reason"),
    _text("author"),
    _big("at_us"),
    key=("biller_id", "resolution_id"),
)
Index("resolutions_day", resolutions.c.biller_id, resolutions.c.agreement_id, resolutions.c.day)

matching_rules = _table(
    "matching_rules",
    _text("biller_id"),
    _text("rule"),
    _big("place"),
    _text("spec"),
    _text("state"),
    _text("author"),
    _big("changed_at_us"),
    key=("biller_id", "rule"),
)

debt_registers = _table(
    "debt_registers",
    _text("biller_id"),
    _text("agreement_id"),
    _big("register_number"),
    _text("rows_kind"),
    _text("contents"),
    _big("base_number"),
    _text("format"),
    _text("file_name"),
    _text("file_digest"),
    _text("rows_digest"),
    _big("row_count"),
    _big("total_minor"),
    _big("as_of_us"),
    _text("author"),
    _big("made_at_us"),
    _text("state"),
    _big("sent_at_us", nullable=True),
    _big("decided_at_us", nullable=True),
    _text("comment"),
    key=("biller_id", "agreement_id", "register_number"),
)

debt_rejects = _table(
    "debt_rejects",
    _text("biller_id"),
    _text("agreement_id"),
    _big("register_number"),
    _big("row_number"),
    _text("row_key"),
    _text("reason"),
    key=("biller_id", "agreement_id", "register_number", "row_number"),
)

presets = _table(
    "presets",
    _text("biller_id"),
    _text("name"),
    _text("spec"),
    _text("author"),
    _big("changed_at_us"),
    key=("biller_id", "name"),
)

channel_files = _table(
    "channel_files",
    _text("biller_id"),
    _text("agreement_id"),
    _text("direction"),
    _text("remote_name"),
    _text("digest"),
    _big("size_bytes"),
    _big("began_at_us"),
    _text("state"),
    _text("detail"),
    _big("ended_at_us", nullable=True),
    key=("biller_id", "agreement_id", "direction", "remote_name", "digest"),
)

due_runs = _table(
    "due_runs",
    _text("biller_id"),
    _text("agreement_id"),
    _text("job"),
    _big("due_at_us"),
    _text("runner"),
    _big("began_at_us"),
    _text("state"),
    _text("detail"),
    _big("ended_at_us", nullable=True),
    key=("biller_id", "agreement_id", "job", "due_at_us"),
)

#: What the database lets be changed, by table: every column but these is refused.
FILES_MUTABLE: dict[str, tuple[str, ...]] = {
    "file_parts": (),
    "money_lines": (
        "import_id",
        "line",
        "payer",
        "payer_account",
        "text",
        "raw",
        "state",
        "number",
        "rule",
        "reason",
        "receipt",
        "generation",
    ),
    "line_acts": (),
    "assignments": (),
    "settlements": ("state",),
    "resolutions": (),
    "debt_registers": ("state", "sent_at_us", "decided_at_us", "comment"),
    "debt_rejects": (),
    "channel_files": ("state", "detail", "ended_at_us"),
    "due_runs": ("state", "detail", "ended_at_us"),
}
