"""Lists for people and programs; nothing here decides about money."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from kvit.domain import days
from kvit.domain.model import Biller
from kvit.storage.schema import accounts, payments


def payment_list(
    connection: Connection, biller: Biller, *, account: str = "", agreement: str = "", most: int | None = None
) -> list[dict[str, Any]]:
    """Payments, oldest first; with ``most`` the newest of them. Times are in the biller's zone."""
    query = (
        select(
            payments.c.agreement_id, payments.c.txn, accounts.c.number, payments.c.amount_minor,
            payments.c.currency, payments.c.state, payments.c.receipt, payments.c.received_at_us,
            payments.c.accounting_date, payments.c.advance_minor, payments.c.attempts, payments.c.service,
            payments.c.biller_fee_minor, payments.c.network_time,
        )
        .join(
            accounts,
            (accounts.c.biller_id == payments.c.biller_id) & (accounts.c.account_id == payments.c.account_id),
        )
        .where(payments.c.biller_id == biller.biller_id)
    )  # fmt: skip
    if account:
        query = query.where(accounts.c.number == account)
    if agreement:
        query = query.where(payments.c.agreement_id == agreement)
    rows = connection.execute(query.order_by(payments.c.receipt.desc()).limit(most)).all()
    return [_payment(row, biller.timezone) for row in reversed(rows)]


def _payment(row: Row[Any], timezone: str) -> dict[str, Any]:
    return {
        "agreement": row.agreement_id,
        "txn": row.txn,
        "account": row.number,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "state": row.state,
        "receipt": row.receipt,
        "received_at": days.from_us(row.received_at_us, timezone).isoformat(),
        "accounting_date": row.accounting_date,
        "advance_minor": row.advance_minor,
        "biller_fee_minor": row.biller_fee_minor,
        "attempts": row.attempts,
        "service": row.service,
        "network_time": row.network_time,
    }
