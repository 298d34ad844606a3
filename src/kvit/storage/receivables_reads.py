"""What the books hold about clients and what they owe, for many accounts at once.

Every query goes from the accounts to their rows along an index; what is asked for in steps is asked in
steps, so that no planner without statistics can walk a whole table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, select, text

from kvit.domain import ledger
from kvit.domain.model import POSTED, AccountRow, OpenItem
from kvit.services.balances_import import REASON
from kvit.services.receivables_ports import KnownCharge, Part, Source
from kvit.storage.bulk import among
from kvit.storage.rows import columns_of
from kvit.storage.schema import accounts, adjustments, allocations, charges, entries, payments, transactions

#: Keys in one query: more would only make the parameter long.
CHUNK = 10_000
_DAY_LENGTH = len("2026-10-31")


class Reads:
    """One biller's books on one open transaction."""

    def __init__(self, connection: Connection, biller_id: str) -> None:
        self._connection = connection
        self._biller_id = biller_id

    def account_ids(self, numbers: Collection[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        ordered = sorted(numbers)
        for start in range(0, len(ordered), CHUNK):
            query = select(accounts.c.number, accounts.c.account_id).where(
                accounts.c.biller_id == self._biller_id,
                among(self._connection, accounts.c.number, ordered[start : start + CHUNK]),
            )
            found.update((number, account_id) for number, account_id in self._connection.execute(query))
        return found

    def accounts(self, numbers: Collection[str]) -> dict[str, AccountRow]:
        query = select(*(accounts.c[name] for name in columns_of("accounts"))).where(
            accounts.c.biller_id == self._biller_id, among(self._connection, accounts.c.number, numbers)
        )
        return {row.number: AccountRow(*row) for row in self._connection.execute(query)}

    def charges(
        self, account_ids: Collection[int], services: Collection[str], periods: Collection[str]
    ) -> list[KnownCharge]:
        if not account_ids:
            return []
        connection, table = self._connection, charges.c
        query = select(
            table.charge_id, table.account_id, table.service, table.period, table.document, table.occurrence,
            table.amount_minor, table.open_minor, table.due_on,
        ).where(
            table.biller_id == self._biller_id,
            among(connection, table.account_id, account_ids),
            among(connection, table.service, services),
            among(connection, table.period, periods),
        )  # fmt: skip
        found = [KnownCharge(*row) for row in connection.execute(query)]
        adjusted = self._adjusted(account_ids) if found else {}
        return [
            charge._replace(amount_minor=charge.amount_minor + adjusted[charge.charge_id])
            if charge.charge_id in adjusted
            else charge
            for charge in found
        ]

    def _adjusted(self, account_ids: Collection[int]) -> dict[int, int]:
        """Charge -> the sum of its adjustments."""
        query = (
            select(adjustments.c.charge_id, func.sum(adjustments.c.amount_minor))
            .where(
                adjustments.c.biller_id == self._biller_id,
                among(self._connection, adjustments.c.account_id, account_ids),
                adjustments.c.charge_id.is_not(None),
            )
            .group_by(adjustments.c.charge_id)
        )
        return {charge_id: int(total) for charge_id, total in self._connection.execute(query)}

    def open_charges(self, account_ids: Collection[int]) -> dict[int, list[OpenItem]]:
        found: dict[int, list[OpenItem]] = {}
        if not account_ids:
            return found
        table = charges.c
        query = select(
            table.account_id, table.charge_id, table.open_minor, table.due_on, table.service
        ).where(
            table.biller_id == self._biller_id,
            among(self._connection, table.account_id, account_ids),
            table.open_minor > text("0"),
        )
        for account_id, *item in self._connection.execute(query):
            found.setdefault(account_id, []).append(OpenItem(*item))
        return found

    def sources(self, account_ids: Collection[int], *, only_unused: bool) -> list[Source]:
        table = payments.c
        paid = select(
            table.account_id, table.receipt, table.advance_minor, table.accounting_date, table.service
        ).where(
            table.biller_id == self._biller_id,
            among(self._connection, table.account_id, account_ids),
            table.state == POSTED,
        )
        credit = adjustments.c
        credited = select(credit.account_id, credit.adjustment_id, credit.advance_minor, credit.as_of).where(
            credit.biller_id == self._biller_id,
            among(self._connection, credit.account_id, account_ids),
            credit.charge_id.is_(None),
        )
        if only_unused:
            paid = paid.where(table.advance_minor > 0)
            credited = credited.where(credit.advance_minor > 0)
        execute = self._connection.execute
        found = [Source(account_id, True, OpenItem(*item)) for account_id, *item in execute(paid)]
        found += [Source(account_id, False, OpenItem(*item)) for account_id, *item in execute(credited)]
        return found

    def parts(self, source_ids: Collection[int], charge_ids: Collection[int]) -> list[Part]:
        if not source_ids:
            return []
        table, wanted = allocations.c, set(charge_ids)
        total = func.sum(table.amount_minor)
        query = (
            select(table.source_id, table.charge_id, total)
            .where(table.biller_id == self._biller_id, among(self._connection, table.source_id, source_ids))
            .group_by(table.source_id, table.charge_id)
        )
        return [
            Part(source_id, charge_id, int(amount))
            for source_id, charge_id, amount in self._connection.execute(query)
            if amount and charge_id in wanted
        ]

    def client_sums(self, numbers: Mapping[int, str], as_of: str) -> dict[int, int]:
        account_ids = {ledger.client(number): account_id for account_id, number in numbers.items()}
        booked = entries.c
        query = (
            select(booked.ledger_account, func.sum(booked.amount_minor))
            .join(
                transactions,
                (transactions.c.biller_id == booked.biller_id)
                & (transactions.c.transaction_id == booked.transaction_id),
            )
            .where(
                booked.biller_id == self._biller_id,
                among(self._connection, booked.ledger_account, account_ids),
                _day() <= as_of,
            )
            .group_by(booked.ledger_account)
        )
        return {account_ids[client]: int(total) for client, total in self._connection.execute(query)}

    def numbers_with_balance(self) -> set[str]:
        query = select(accounts.c.number).where(
            accounts.c.biller_id == self._biller_id, accounts.c.balance_minor != 0
        )
        return set(self._connection.execute(query).scalars())

    def numbers_of_length(self, length: int) -> list[str]:
        query = select(accounts.c.number).where(
            accounts.c.biller_id == self._biller_id, func.length(accounts.c.number) == length
        )
        return list(self._connection.execute(query).scalars())

    def number_lengths(self) -> dict[int, int]:
        length = func.length(accounts.c.number)
        query = select(length, func.count()).where(accounts.c.biller_id == self._biller_id).group_by(length)
        return {row[0]: row[1] for row in self._connection.execute(query)}


def _day() -> ColumnElement[str]:
    """The day that a transaction counts for: one that sets a balance, for the day of that balance."""
    against = entries.alias("against")
    sets_balance = exists().where(
        against.c.biller_id == transactions.c.biller_id,
        against.c.transaction_id == transactions.c.transaction_id,
        against.c.ledger_account == ledger.OPENING,
    )
    reason = transactions.c.reason
    is_named = func.substr(reason, 1, len(REASON)) == REASON
    return case(
        (and_(is_named, sets_balance), func.substr(reason, len(REASON) + 1, _DAY_LENGTH)),
        else_=transactions.c.accounting_date,
    )
