"""The tables, once for both engines. ``migrations/`` makes them; a test holds the two together.

Instants are microseconds since 1970 in UTC, days ISO text, sums integers of minor units. The biller
leads every primary and unique key, so that billers can be dealt out over several databases later.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, Text, UniqueConstraint, text

from kvit.storage.schema_base import big_column as _big
from kvit.storage.schema_base import make_table as _table
from kvit.storage.schema_base import metadata as metadata
from kvit.storage.schema_base import text_column as _text
from kvit.storage.schema_files import FILES_MUTABLE
from kvit.storage.schema_relays import RELAYS_MUTABLE

billers = _table(
    "billers",
    _text("biller_id"),
    _text("name"),
    _text("currency"),
    _text("timezone"),
    _text("number_scheme"),
    _text("closed_through"),
    _big("created_at_us"),
    key=("biller_id",),
)

# The directory of doors: an agreement id is unique in the installation, so it alone is its unique key.
agreements = _table(
    "agreements",
    _text("biller_id"),
    _text("agreement_id"),
    _text("protocol"),
    _text("mode"),
    _text("spec"),
    Column("secrets", LargeBinary, nullable=False),
    _big("version"),
    _big("applied_at_us"),
    UniqueConstraint("agreement_id", name="agreements_door"),
    key=("biller_id", "agreement_id"),
)

accounts = _table(
    "accounts",
    _text("biller_id"),
    _big("account_id"),
    _text("number"),
    _text("status"),
    _text("name"),
    _text("address"),
    _text("phone"),
    _text("email"),
    _text("attributes"),
    _big("balance_minor"),
    _big("created_at_us"),
    UniqueConstraint("biller_id", "number", name="accounts_number"),
    key=("biller_id", "account_id"),
)

charges = _table(
    "charges",
    _text("biller_id"),
    _big("charge_id"),
    _big("account_id"),
    _text("service"),
    _text("period"),
    _text("document"),
    Column("occurrence", Integer, nullable=False),
    _big("amount_minor"),
    _big("open_minor"),
    _text("due_on"),
    _big("act_id"),
    UniqueConstraint(
        "biller_id", "account_id", "service", "period", "document", "occurrence", name="charges_identity"
    ),
    key=("biller_id", "charge_id"),
)
Index(
    "charges_document",
    charges.c.biller_id,
    charges.c.document,
    sqlite_where=charges.c.document != text("''"),
    postgresql_where=charges.c.document != text("''"),
)
Index(
    "charges_open",
    charges.c.biller_id,
    charges.c.account_id,
    sqlite_where=charges.c.open_minor > text("0"),
    postgresql_where=charges.c.open_minor > text("0"),
)

adjustments = _table(
    "adjustments",
    _text("biller_id"),
    _big("adjustment_id"),
    _big("account_id"),
    _big("charge_id", nullable=True),
    _big("amount_minor"),
    _big("advance_minor"),
    _text("as_of"),
    _text("reason"),
    _text("author"),
    key=("biller_id", "adjustment_id"),
)
Index("adjustments_account", adjustments.c.biller_id, adjustments.c.account_id)

payments = _table(
    "payments",
    _text("biller_id"),
    _text("agreement_id"),
    _text("txn"),
    _big("receipt"),
    _big("account_id"),
    _big("amount_minor"),
    _text("currency"),
    _text("service"),
    _text("state"),
    Column("attempts", Integer, nullable=False),
    _big("advance_minor"),
    _big("payer_fee_minor"),
    _big("biller_fee_minor"),
    _text("network_time"),
    _big("network_at_us", nullable=True),
    _big("received_at_us"),
    _text("accounting_date"),
    _text("fields"),
    Column("typed", Text, nullable=False, server_default=""),
    Column("service_code", Text, nullable=False, server_default=""),
    UniqueConstraint("biller_id", "receipt", name="payments_receipt"),
    key=("biller_id", "agreement_id", "txn"),
)
# These two do not begin like the primary key: without statistics PostgreSQL takes them for just as good a
# way to one payment, and walks all payments of the agreement.
Index("payments_account", payments.c.account_id, payments.c.biller_id)
Index("payments_day", payments.c.accounting_date, payments.c.biller_id, payments.c.agreement_id)

holds = _table(
    "holds",
    _text("biller_id"),
    _text("agreement_id"),
    _text("txn"),
    _big("receipt"),
    _big("account_id"),
    _big("amount_minor"),
    _text("currency"),
    _text("service"),
    _text("state"),
    Column("attempts", Integer, nullable=False),
    _text("network_time"),
    _big("network_at_us", nullable=True),
    _big("held_at_us"),
    _big("expires_at_us", nullable=True),
    _big("ended_at_us", nullable=True),
    _text("reason"),
    _text("void_txn"),
    _text("targets"),
    _text("fields"),
    _text("typed"),
    _text("service_code"),
    _big("act_id"),
    _big("end_act_id", nullable=True),
    UniqueConstraint("biller_id", "receipt", name="holds_receipt"),
    key=("biller_id", "agreement_id", "txn"),
)
Index(
    "holds_standing",
    holds.c.biller_id,
    holds.c.typed,
    sqlite_where=holds.c.state == text("'held'"),
    postgresql_where=holds.c.state == text("'held'"),
)
Index("holds_network", holds.c.network_at_us, holds.c.biller_id, holds.c.agreement_id)

notes = _table(
    "notes",
    _text("biller_id"),
    _big("receipt"),
    _big("note_id"),
    _text("kind"),
    _big("noted_at_us"),
    _text("fields"),
    key=("biller_id", "receipt", "note_id"),
)

voids = _table(
    "voids",
    _text("biller_id"),
    _big("receipt"),
    _big("transaction_id"),
    _text("void_txn"),
    _big("voided_at_us"),
    _text("reason"),
    _text("author"),
    key=("biller_id", "receipt"),
)

allocations = _table(
    "allocations",
    _text("biller_id"),
    _big("source_id"),
    _big("charge_id"),
    _big("act_id"),
    _big("amount_minor"),
    key=("biller_id", "source_id", "charge_id", "act_id"),
)

transactions = _table(
    "transactions",
    _text("biller_id"),
    _big("transaction_id"),
    _text("kind"),
    _text("accounting_date"),
    _big("created_at_us"),
    _big("reverses", nullable=True),
    _text("reason"),
    _text("author"),
    key=("biller_id", "transaction_id"),
)

entries = _table(
    "entries",
    _text("biller_id"),
    _big("transaction_id"),
    _text("ledger_account"),
    _big("amount_minor"),
    _text("currency"),
    key=("biller_id", "transaction_id", "ledger_account"),
)
Index("entries_ledger_account", entries.c.biller_id, entries.c.ledger_account)

outbox = _table(
    "outbox",
    _text("biller_id"),
    _big("outbox_id"),
    _text("kind"),
    _text("subject"),
    _big("created_at_us"),
    key=("biller_id", "outbox_id"),
)

journal = _table(
    "journal",
    _text("biller_id"),
    _big("journal_id"),
    _big("at_us"),
    _text("actor"),
    _text("verb"),
    _text("subject"),
    Column("digest", LargeBinary, nullable=False),
    _text("detail"),
    _big("position", nullable=True),
    Column("chain", LargeBinary, nullable=True),
    key=("biller_id", "journal_id"),
)
Index(
    "journal_unsealed",
    journal.c.biller_id,
    journal.c.journal_id,
    sqlite_where=journal.c.position.is_(None),
    postgresql_where=journal.c.position.is_(None),
)
Index(
    "journal_position",
    journal.c.biller_id,
    journal.c.position,
    unique=True,
    sqlite_where=journal.c.position.is_not(None),
    postgresql_where=journal.c.position.is_not(None),
)

imports = _table(
    "imports",
    _text("biller_id"),
    _big("import_id"),
    _text("kind"),
    _text("file_name"),
    _text("file_digest"),
    _text("state"),
    _text("summary"),
    _text("author"),
    _big("started_at_us"),
    _big("finished_at_us", nullable=True),
    Column("agreement_id", Text, nullable=False, server_default=""),
    Column("format", Text, nullable=False, server_default=""),
    key=("biller_id", "import_id"),
)

# Where SQLite takes fresh ids from (PostgreSQL has a sequence, which no two writers wait for).
ids = _table("ids", _text("series"), _big("next_id"), key=("series",))

#: What the database refuses to change, by table: every column but these.
MUTABLE: dict[str, tuple[str, ...]] = {
    "charges": ("open_minor",),
    "adjustments": ("advance_minor",),
    "payments": ("state", "attempts", "advance_minor"),
    "holds": ("state", "attempts", "ended_at_us", "reason", "void_txn", "end_act_id"),
    "notes": (),
    "voids": (),
    "allocations": (),
    "transactions": (),
    "entries": (),
    "outbox": (),
    "journal": ("position", "chain"),
    **FILES_MUTABLE,
    **RELAYS_MUTABLE,
}
