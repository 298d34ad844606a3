"""Lists for people and programs; nothing here decides about money."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, func, select

from kvit.domain import days
from kvit.domain.messages import EXPIRED
from kvit.domain.model import HELD, NOBODY, POSTED, Biller
from kvit.storage.schema import accounts, holds, payments
from kvit.storage.schema_files import assignments


def payment_list(
    connection: Connection, biller: Biller, *, account: str = "", agreement: str = "", most: int | None = None
) -> list[dict[str, Any]]:
    """Payments, oldest first; with ``most`` the newest of them. Times are in the biller's zone."""
    query = (
        select(
            payments.c.agreement_id, payments.c.txn, accounts.c.number, payments.c.amount_minor,
            payments.c.currency, payments.c.state, payments.c.receipt, payments.c.received_at_us,
            payments.c.accounting_date, payments.c.advance_minor, payments.c.attempts, payments.c.service,
            payments.c.biller_fee_minor, payments.c.network_time, payments.c.account_id, payments.c.typed,
        )
        .outerjoin(accounts, _owner_of(payments))
        .where(payments.c.biller_id == biller.biller_id)
    )  # fmt: skip
    if account:
        query = query.where(accounts.c.number == account)
    if agreement:
        query = query.where(payments.c.agreement_id == agreement)
    rows = connection.execute(query.order_by(payments.c.receipt.desc()).limit(most)).all()
    return [_payment(row, biller.timezone) for row in reversed(rows)]


def suspense_list(connection: Connection, biller: Biller, now_us: int) -> list[dict[str, Any]]:
    """Money without an owner, oldest first: its age in whole days, and what is left of it."""
    gone = (
        select(func.coalesce(func.sum(assignments.c.amount_minor), 0))
        .where(assignments.c.biller_id == payments.c.biller_id, assignments.c.receipt == payments.c.receipt)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(payments, gone.label("gone_minor"))
        .where(
            payments.c.biller_id == biller.biller_id,
            payments.c.account_id == NOBODY,
            payments.c.state == POSTED,
            payments.c.amount_minor > gone,
        )
        .order_by(payments.c.receipt)
    )
    return [
        {
            "receipt": row.receipt,
            "received_at": days.from_us(row.received_at_us, biller.timezone).isoformat(),
            "age_days": (now_us - row.received_at_us) // 86_400_000_000,
            "typed": row.typed,
            "amount_minor": row.amount_minor,
            "left_minor": row.amount_minor - int(row.gone_minor),
            "currency": row.currency,
            "agreement": row.agreement_id,
            "txn": row.txn,
            "fields": json.loads(row.fields or "{}"),
        }
        for row in rows
    ]


def hold_list(
    connection: Connection, biller: Biller, now_us: int, *, every: bool = False, most: int | None = None
) -> list[dict[str, Any]]:
    """Payments that are announced and not posted; with ``every`` also those that ended. Oldest first."""
    query = (
        select(holds, accounts.c.number)
        .outerjoin(accounts, _owner_of(holds))
        .where(holds.c.biller_id == biller.biller_id)
        .order_by(holds.c.receipt.desc())
    )
    if not every:
        query = query.where(holds.c.state == HELD)
    rows = connection.execute(query.limit(most)).all()
    listed = [_hold(row, biller.timezone, now_us) for row in reversed(rows)]
    return listed if every else [row for row in listed if row["state"] == HELD]


def _hold(row: Row[Any], timezone: str, now_us: int) -> dict[str, Any]:
    is_over = row.state == HELD and row.expires_at_us is not None and now_us >= row.expires_at_us
    ends_at = days.told_at(row.expires_at_us, timezone)
    return {
        "receipt": row.receipt,
        "agreement": row.agreement_id,
        "txn": row.txn,
        "account": row.number or "",
        "typed": row.typed,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "state": EXPIRED if is_over else row.state,
        "held_at": days.from_us(row.held_at_us, timezone).isoformat(),
        "expires_at": "" if ends_at is None else ends_at.isoformat(),
        "reason": row.reason,
    }


def _owner_of(table: Table) -> ColumnElement[bool]:
    return (accounts.c.biller_id == table.c.biller_id) & (accounts.c.account_id == table.c.account_id)


def _payment(row: Row[Any], timezone: str) -> dict[str, Any]:
    return {
        "agreement": row.agreement_id,
        "txn": row.txn,
        "account": row.number or "",
        "typed": row.typed,
        "in_suspense": row.account_id == NOBODY and row.state == POSTED,
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
