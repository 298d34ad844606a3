"""The tables about relays, once for both engines. Each has a row type in ``kvit.domain.relay_rows``."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, text

from kvit.storage.schema_base import big_column as _big
from kvit.storage.schema_base import make_table as _table
from kvit.storage.schema_base import text_column as _text

relays = _table(
    "relays",
    _text("biller_id"),
    _text("relay_id"),
    _big("relay_number"),
    _text("url"),
    Column("secrets", LargeBinary, nullable=False),
    _text("office_id"),
    _big("generation"),
    _text("host"),
    _big("paired_at_us"),
    _big("last_pull_at_us", nullable=True),
    _big("clock_offset_us", nullable=True),
    _big("queue_rows"),
    key=("biller_id", "relay_id"),
)

relay_epochs = _table(
    "relay_epochs",
    _text("biller_id"),
    _text("relay_id"),
    _text("epoch"),
    _text("state"),
    _big("pulled_through"),
    _big("acked_through"),
    _big("high_water"),
    _big("seen_at_us"),
    key=("biller_id", "relay_id", "epoch"),
)

relay_rows = _table(
    "relay_rows",
    _text("biller_id"),
    _text("relay_id"),
    _text("epoch"),
    _big("sequence"),
    _text("kind"),
    _text("agreement_id"),
    _text("txn"),
    _big("receipt"),
    _text("number"),
    _big("amount_minor"),
    _text("currency"),
    _big("relayed_at_us"),
    _text("content"),
    _big("taken_at_us"),
    _text("state"),
    _text("reason"),
    key=("biller_id", "relay_id", "epoch", "sequence"),
)
Index("relay_rows_txn", relay_rows.c.biller_id, relay_rows.c.agreement_id, relay_rows.c.txn)
Index("relay_rows_receipt", relay_rows.c.biller_id, relay_rows.c.receipt)
Index(
    "relay_rows_waiting",
    relay_rows.c.biller_id,
    relay_rows.c.relay_id,
    sqlite_where=text("state = 'quarantine'"),
    postgresql_where=text("state = 'quarantine'"),
)

relay_doors = _table(
    "relay_doors",
    _text("biller_id"),
    _text("agreement_id"),
    _text("relay_id"),
    _text("state"),
    _big("version"),
    _big("snapshot_version"),
    _big("as_of_us"),
    _big("changed_at_us"),
    key=("biller_id", "agreement_id"),
)

relay_told = _table(
    "relay_told",
    _text("biller_id"),
    _text("relay_id"),
    _text("agreement_id"),
    _text("number"),
    _text("told"),
    key=("biller_id", "relay_id", "agreement_id", "number"),
)

relay_alarms = _table(
    "relay_alarms",
    _text("biller_id"),
    _text("relay_id"),
    _text("alarm"),
    _big("raised_at_us"),
    _text("detail"),
    _big("seen_at_us"),
    _big("cleared_at_us", nullable=True),
    key=("biller_id", "relay_id", "alarm", "raised_at_us"),
)

#: What the database lets be changed, by table: every column but these is refused.
RELAYS_MUTABLE: dict[str, tuple[str, ...]] = {
    "relay_epochs": ("state", "pulled_through", "acked_through", "high_water"),
    "relay_rows": ("state", "reason"),
    "relay_alarms": ("detail", "seen_at_us", "cleared_at_us"),
}
