"""One account with its charges and payments, for people and programs."""

from __future__ import annotations

from sqlalchemy import func, select

from kvit.domain.model import AccountRow
from kvit.services.receivables.office import ChargeView, PaymentView
from kvit.storage.receivables_reads import Reads
from kvit.storage.schema import adjustments, charges, payments


class SqlAccountPages(Reads):
    """One snapshot of one biller's books."""

    def account(self, number: str) -> AccountRow | None:
        return self.accounts([number]).get(number)

    def charge_views(self, account_id: int) -> list[ChargeView]:
        change = adjustments.c
        changes = self._connection.execute(
            select(change.charge_id, func.sum(change.amount_minor))
            .select_from(self._from(change.account_id, [account_id]))
            .group_by(change.charge_id)
        )
        deltas = {charge_id: int(delta_minor) for charge_id, delta_minor in changes}
        table = charges.c
        rows = self._connection.execute(
            select(
                table.charge_id, table.service, table.period, table.document, table.amount_minor,
                table.open_minor, table.due_on,
            )
            .select_from(self._from(table.account_id, [account_id]))
            .order_by(table.due_on, table.charge_id)
        )  # fmt: skip
        return [
            ChargeView(
                charge_id, service, period, document, amount_minor + deltas.get(charge_id, 0), open_minor, due
            )
            for charge_id, service, period, document, amount_minor, open_minor, due in rows
        ]

    def payment_views(self, account_id: int) -> list[PaymentView]:
        table = payments.c
        rows = self._connection.execute(
            select(
                table.agreement_id, table.txn, table.amount_minor, table.state, table.receipt,
                table.received_at_us, table.accounting_date,
            )
            .select_from(self._from(table.account_id, [account_id]))
            .order_by(table.received_at_us, table.receipt)
        )  # fmt: skip
        return [PaymentView(*row) for row in rows]
