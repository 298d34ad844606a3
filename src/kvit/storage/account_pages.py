"""One account with its charges and payments, for people and programs."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from kvit.domain.model import AccountRow
from kvit.services.receivables import ChargeView, PaymentView
from kvit.storage.rows import columns_of
from kvit.storage.schema import accounts, adjustments, charges, payments


class SqlAccountPages:
    """One snapshot of one biller's books."""

    def __init__(self, connection: Connection, biller_id: str) -> None:
        self._connection = connection
        self._biller_id = biller_id

    def account(self, number: str) -> AccountRow | None:
        row = self._connection.execute(
            select(*(accounts.c[name] for name in columns_of("accounts"))).where(
                accounts.c.biller_id == self._biller_id, accounts.c.number == number
            )
        ).one_or_none()
        return None if row is None else AccountRow(*row)

    def charges(self, account_id: int) -> list[ChargeView]:
        changes = (
            select(adjustments.c.charge_id, func.sum(adjustments.c.amount_minor).label("delta"))
            .where(adjustments.c.biller_id == self._biller_id, adjustments.c.account_id == account_id)
            .group_by(adjustments.c.charge_id)
        )
        deltas = {charge_id: int(delta) for charge_id, delta in self._connection.execute(changes)}
        table = charges.c
        rows = self._connection.execute(
            select(
                table.charge_id, table.service, table.period, table.document, table.amount_minor,
                table.open_minor, table.due_on,
            )
            .where(table.biller_id == self._biller_id, table.account_id == account_id)
            .order_by(table.due_on, table.charge_id)
        )  # fmt: skip
        return [
            ChargeView(service, period, document, amount_minor + deltas.get(charge_id, 0), open_minor, due)
            for charge_id, service, period, document, amount_minor, open_minor, due in rows
        ]

    def payments(self, account_id: int) -> list[PaymentView]:
        table = payments.c
        rows = self._connection.execute(
            select(
                table.agreement_id, table.txn, table.amount_minor, table.state, table.receipt,
                table.received_at_us, table.accounting_date,
            )
            .where(table.biller_id == self._biller_id, table.account_id == account_id)
            .order_by(table.received_at_us, table.receipt)
        )  # fmt: skip
        return [PaymentView(*row) for row in rows]
