"""Payments and their reversals for the accounting program, streamed from one snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Integer, Select, func, literal, select

from kvit.domain.exports import PAYMENT, REVERSAL, PaidEntry
from kvit.storage.engine import Database
from kvit.storage.schema import accounts, payments, transactions, voids
from kvit.storage.snapshot import snapshot

SLICE_ROWS = 2_000


@contextmanager
def paid_entries(
    database: Database, biller_id: str, first_day: str, last_day: str, agreement_id: str = ""
) -> Iterator[Iterator[Sequence[PaidEntry]]]:
    """Entries booked on these days, payments first, each kind by its id; reversals are booked when made."""
    with snapshot(database) as connection:
        yield _entries(
            connection,
            [
                _payments(biller_id, agreement_id).where(
                    payments.c.accounting_date >= first_day, payments.c.accounting_date <= last_day
                ),
                _reversals(biller_id, agreement_id).where(
                    transactions.c.accounting_date >= first_day, transactions.c.accounting_date <= last_day
                ),
            ],
        )


def _entries(connection: Connection, queries: Sequence[Select[Any]]) -> Iterator[Sequence[PaidEntry]]:
    for query in queries:
        result = connection.execution_options(yield_per=SLICE_ROWS).execute(query)
        for rows in result.partitions():
            yield [PaidEntry(*row) for row in rows]


def _payments(biller_id: str, agreement_id: str) -> Select[Any]:
    table = payments.c
    query = (
        select(
            table.receipt, literal(PAYMENT), table.accounting_date, func.coalesce(accounts.c.number, ""),
            func.coalesce(accounts.c.name, ""), table.amount_minor, table.biller_fee_minor,
            table.agreement_id, table.txn, table.service, table.typed, table.network_time,
            literal(0, Integer),
        )
        .outerjoin(accounts, _owner())
        .where(table.biller_id == biller_id)
        .order_by(table.receipt)
    )  # fmt: skip
    return query.where(table.agreement_id == agreement_id) if agreement_id else query


def _reversals(biller_id: str, agreement_id: str) -> Select[Any]:
    table = payments.c
    query = (
        select(
            voids.c.transaction_id, literal(REVERSAL), transactions.c.accounting_date,
            func.coalesce(accounts.c.number, ""), func.coalesce(accounts.c.name, ""), -table.amount_minor,
            -table.biller_fee_minor, table.agreement_id, table.txn, table.service, table.typed,
            table.network_time, table.receipt,
        )
        .select_from(voids)
        .join(
            transactions,
            (transactions.c.biller_id == voids.c.biller_id)
            & (transactions.c.transaction_id == voids.c.transaction_id),
        )
        .join(payments, (table.biller_id == voids.c.biller_id) & (table.receipt == voids.c.receipt))
        .outerjoin(accounts, _owner())
        .where(voids.c.biller_id == biller_id)
        .order_by(voids.c.transaction_id)
    )  # fmt: skip
    return query.where(table.agreement_id == agreement_id) if agreement_id else query


def _owner() -> Any:  # noqa: ANN401 - an expression of SQLAlchemy
    return (accounts.c.biller_id == payments.c.biller_id) & (accounts.c.account_id == payments.c.account_id)
