"""Voids, and tellings of what became of a payment: one transaction each, in the one lock order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from sqlalchemy import func, insert, or_, select, update

from kvit.domain.errors import DatabaseUnavailable
from kvit.domain.model import (
    NOBODY,
    VOIDED,
    EntryRow,
    OpenItem,
    PaymentKey,
)
from kvit.services.corrections_ports import CorrectionBook, PaymentCase, ReallocationPlan, VoidPlan
from kvit.storage import billers
from kvit.storage.engine import RETRIES, Database, is_retryable
from kvit.storage.periods import hold_open
from kvit.storage.schema import (
    accounts,
    adjustments,
    allocations,
    charges,
    entries,
    journal,
    outbox,
    payments,
    transactions,
    voids,
)
from kvit.storage.schema_files import assignments
from kvit.storage.tellings import SqlTellingBook, is_payment

T = TypeVar("T")


class SqlCorrections:
    """Runs a correction in one transaction; again when the database broke it off for a neighbour's sake."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self, work: Callable[[CorrectionBook], T]) -> T:
        """The result of ``work`` once it is committed. Raises ``DatabaseUnavailable``."""
        for _ in range(RETRIES):
            try:
                with self._database.write() as connection:
                    return work(SqlCorrectionBook(connection))
            except Exception as error:
                if not is_retryable(error):
                    raise
        raise DatabaseUnavailable("the database kept breaking the transaction off; try again")


class SqlCorrectionBook(SqlTellingBook):
    """One open write transaction."""

    _held_open = ""

    def find(
        self, biller_id: str, *, receipt: int = 0, agreement_id: str = "", txn: str = ""
    ) -> PaymentKey | None:
        self._hold_open(biller_id)
        return super().find(biller_id, receipt=receipt, agreement_id=agreement_id, txn=txn)

    def _hold_open(self, biller_id: str) -> None:
        """Once, before any account is locked: a close that waits keeps later ones waiting."""
        if self._held_open != biller_id:
            hold_open(self._connection, biller_id)
            self._held_open = biller_id

    def payment_case(self, key: PaymentKey) -> PaymentCase:
        self._hold_open(key.biller_id)
        payment = self._payment(key)
        biller_id, account_id, receipt = key.biller_id, payment.account_id, payment.receipt
        if account_id == NOBODY:  # there is no account to be locked
            self._connection.execute(select(payments.c.receipt).where(*is_payment(key)).with_for_update())
        self._connection.execute(
            select(accounts.c.account_id)
            .where(accounts.c.biller_id == biller_id, accounts.c.account_id == account_id)
            .with_for_update(key_share=True)
        )
        biller = billers.find_biller(self._connection, biller_id)
        shares = self._shares(biller_id, receipt)
        return PaymentCase(
            key=key,
            payment=self._payment(key),
            void=self._void(biller_id, receipt),
            entries=self._entries(biller_id, receipt),
            shares=shares,
            charges=self._charges(biller_id, account_id, [charge_id for charge_id, _ in shares]),
            sources=self._sources(biller_id, account_id, receipt),
            advance_minor=self._connection.execute(
                select(payments.c.advance_minor).where(*is_payment(key))
            ).scalar_one(),
            closed_through=biller.closed_through if biller else "",
            timezone=biller.timezone if biller else "UTC",
            assigned_minor=0 if account_id != NOBODY else self.assigned_minor(biller_id, receipt),
        )

    def assigned_minor(self, biller_id: str, receipt: int) -> int:
        """How much of a payment in suspense was assigned or sent back."""
        query = select(func.coalesce(func.sum(assignments.c.amount_minor), 0)).where(
            assignments.c.biller_id == biller_id, assignments.c.receipt == receipt
        )
        return int(self._connection.execute(query).scalar_one())

    def write_void(self, plan: VoidPlan) -> None:
        execute, biller_id = self._connection.execute, plan.key.biller_id
        execute(
            update(payments)
            .where(*is_payment(plan.key))
            .values(state=VOIDED, advance_minor=payments.c.advance_minor + plan.advance_minor)
        )
        execute(insert(voids), plan.void._asdict())
        execute(insert(transactions), plan.transaction._asdict())
        execute(insert(entries), [entry._asdict() for entry in plan.entries])
        if plan.allocations:
            execute(insert(allocations), [row._asdict() for row in plan.allocations])
        execute(
            update(accounts)
            .where(accounts.c.biller_id == biller_id, accounts.c.account_id == plan.balance.row_id)
            .values(balance_minor=accounts.c.balance_minor + plan.balance.delta_minor)
        )
        self._change_open_sums(biller_id, plan.open_sums)
        for source_id, delta_minor in sorted(plan.advances.items()):
            self._change_advance(biller_id, source_id, delta_minor)
        execute(insert(outbox), plan.outbox._asdict())
        execute(insert(journal), plan.journal._asdict())

    def write_reallocation(self, plan: ReallocationPlan) -> None:
        self._connection.execute(
            update(payments)
            .where(*is_payment(plan.key))
            .values(advance_minor=payments.c.advance_minor + plan.advance_minor)
        )
        self._connection.execute(insert(allocations), [row._asdict() for row in plan.allocations])
        self._change_open_sums(plan.key.biller_id, plan.open_sums)
        self._connection.execute(insert(journal), plan.journal._asdict())

    def _entries(self, biller_id: str, transaction_id: int) -> list[EntryRow]:
        rows = self._connection.execute(
            select(entries).where(
                entries.c.biller_id == biller_id, entries.c.transaction_id == transaction_id
            )
        )
        return [EntryRow(*row) for row in rows]

    def _shares(self, biller_id: str, receipt: int) -> list[tuple[int, int]]:
        total = func.sum(allocations.c.amount_minor)
        rows = self._connection.execute(
            select(allocations.c.charge_id, total)
            .where(allocations.c.biller_id == biller_id, allocations.c.source_id == receipt)
            .group_by(allocations.c.charge_id)
            .having(total != 0)
            .order_by(allocations.c.charge_id)
        )
        return [(charge_id, int(amount)) for charge_id, amount in rows]

    def _charges(self, biller_id: str, account_id: int, also: list[int]) -> list[OpenItem]:
        rows = self._connection.execute(
            select(charges.c.charge_id, charges.c.open_minor, charges.c.due_on, charges.c.service).where(
                charges.c.biller_id == biller_id,
                charges.c.account_id == account_id,
                or_(charges.c.open_minor > 0, charges.c.charge_id.in_(also)),
            )
        )
        return [OpenItem(*row) for row in rows]

    def _sources(self, biller_id: str, account_id: int, receipt: int) -> list[OpenItem]:
        """The account's other payments and credits with an unused rest."""
        paid = select(
            payments.c.receipt, payments.c.advance_minor, payments.c.accounting_date, payments.c.service
        )
        credited = select(adjustments.c.adjustment_id, adjustments.c.advance_minor, adjustments.c.as_of)
        rows = [
            OpenItem(*row)
            for row in self._connection.execute(
                paid.where(
                    payments.c.biller_id == biller_id,
                    payments.c.account_id == account_id,
                    payments.c.receipt != receipt,
                    payments.c.advance_minor > 0,
                )
            )
        ]
        rows += [
            OpenItem(*row)
            for row in self._connection.execute(
                credited.where(
                    adjustments.c.biller_id == biller_id,
                    adjustments.c.account_id == account_id,
                    adjustments.c.advance_minor > 0,
                )
            )
        ]
        return rows

    def _change_open_sums(self, biller_id: str, deltas: Mapping[int, int]) -> None:
        for charge_id, delta_minor in sorted(deltas.items()):
            self._connection.execute(
                update(charges)
                .where(charges.c.biller_id == biller_id, charges.c.charge_id == charge_id)
                .values(open_minor=charges.c.open_minor + delta_minor)
            )

    def _change_advance(self, biller_id: str, source_id: int, delta_minor: int) -> None:
        changed = self._connection.execute(
            update(payments)
            .where(payments.c.biller_id == biller_id, payments.c.receipt == source_id)
            .values(advance_minor=payments.c.advance_minor + delta_minor)
        )
        if changed.rowcount == 0:
            self._connection.execute(
                update(adjustments)
                .where(adjustments.c.biller_id == biller_id, adjustments.c.adjustment_id == source_id)
                .values(advance_minor=adjustments.c.advance_minor + delta_minor)
            )
