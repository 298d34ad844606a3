"""The database itself refuses to change or delete what is in the books."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

#: By table: the columns that no statement may change. The rest of each table is derived sums and states.
FROZEN: dict[str, tuple[str, ...]] = {
    "charges": (
        "biller_id", "charge_id", "account_id", "service", "period", "document", "occurrence",
        "amount_minor", "due_on", "act_id",
    ),
    "adjustments": (
        "biller_id", "adjustment_id", "account_id", "charge_id", "amount_minor", "as_of", "reason", "author",
    ),
    "payments": (
        "biller_id", "agreement_id", "txn", "receipt", "account_id", "amount_minor", "currency", "service",
        "payer_fee_minor", "biller_fee_minor", "network_time", "network_at_us", "received_at_us",
        "accounting_date", "fields",
    ),
    "voids": (
        "biller_id", "receipt", "transaction_id", "void_txn", "voided_at_us", "reason", "author",
    ),
    "allocations": ("biller_id", "source_id", "charge_id", "act_id", "amount_minor"),
    "transactions": (
        "biller_id", "transaction_id", "kind", "accounting_date", "created_at_us", "reverses", "reason",
        "author",
    ),
    "entries": ("biller_id", "transaction_id", "ledger_account", "amount_minor", "currency"),
    "outbox": ("biller_id", "outbox_id", "kind", "subject", "created_at_us"),
    "journal": ("biller_id", "journal_id", "at_us", "actor", "verb", "subject", "digest"),
}  # fmt: skip


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _postgres()
    else:
        _sqlite()


def _postgres() -> None:
    op.execute(
        "CREATE FUNCTION books_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'kvit: % on % is refused: the books are only added to', TG_OP, TG_TABLE_NAME "
        "USING ERRCODE = 'restrict_violation'; END $$"
    )
    for name, columns in FROZEN.items():
        frozen = ", ".join(columns)
        op.execute(
            f"CREATE TRIGGER {name}_no_update BEFORE UPDATE OF {frozen} ON {name} "
            "FOR EACH ROW EXECUTE FUNCTION books_refuse()"
        )
        op.execute(
            f"CREATE TRIGGER {name}_no_delete BEFORE DELETE ON {name} "
            "FOR EACH ROW EXECUTE FUNCTION books_refuse()"
        )
        op.execute(
            f"CREATE TRIGGER {name}_no_truncate BEFORE TRUNCATE ON {name} "
            "FOR EACH STATEMENT EXECUTE FUNCTION books_refuse()"
        )
    op.execute(
        "CREATE TRIGGER journal_sealed BEFORE UPDATE OF position, chain ON journal FOR EACH ROW "
        "WHEN (OLD.position IS NOT NULL) EXECUTE FUNCTION books_refuse()"
    )


def _sqlite() -> None:
    for name, columns in FROZEN.items():
        frozen = ", ".join(columns)
        refuse = f"SELECT RAISE(ABORT, 'kvit: {name} is only added to'); END"
        op.execute(f"CREATE TRIGGER {name}_no_update BEFORE UPDATE OF {frozen} ON {name} BEGIN {refuse}")
        op.execute(f"CREATE TRIGGER {name}_no_delete BEFORE DELETE ON {name} BEGIN {refuse}")
    op.execute(
        "CREATE TRIGGER journal_sealed BEFORE UPDATE OF position, chain ON journal "
        "WHEN OLD.position IS NOT NULL BEGIN SELECT RAISE(ABORT, 'kvit: journal is sealed'); END"
    )
