"""What the books hold about clients and what they owe, for many accounts at once.

Every query goes from the accounts that are asked for to their rows, along an index.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Join, and_, case, exists, func, select, text

from kvit.domain import ledger
from kvit.domain.model import POSTED, AccountRow, OpenItem
from kvit.services.receivables.balances import REASON
from kvit.services.receivables.ports import KnownCharge, Part, Source
from kvit.storage.bulk import each_of
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

    def _from(self, column: Column[Any], values: Collection[int] | Collection[str]) -> Join:
        """From each of ``values`` to the rows of this biller that have it in ``column``."""
        each, table = each_of(self._connection, column, values), column.table
        return each.join(table, (table.c.biller_id == self._biller_id) & (column == each.c.value))

    def account_ids(self, numbers: Collection[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        ordered = sorted(numbers)
        for start in range(0, len(ordered), CHUNK):
            query = select(accounts.c.number, accounts.c.account_id).select_from(
                self._from(accounts.c.number, ordered[start : start + CHUNK])
            )
            found.update(map(tuple, self._connection.execute(query).all()))
        return found

    def accounts(self, numbers: Collection[str]) -> dict[str, AccountRow]:
        columns = [accounts.c[name] for name in columns_of("accounts")]
        query = select(*columns).select_from(self._from(accounts.c.number, numbers))
        found = map(AccountRow._make, self._connection.execute(query).all())
        return {account.number: account for account in found}

    def charges(
        self, account_ids: Collection[int], services: Collection[str], periods: Collection[str]
    ) -> list[KnownCharge]:
        connection, table = self._connection, charges.c
        named = [
            column.in_(select(each_of(connection, column, values).c.value))
            for column, values in ((table.service, services), (table.period, periods))
        ]
        query = (
            select(
                table.charge_id, table.account_id, table.service, table.period, table.document,
                table.occurrence, table.amount_minor, table.open_minor, table.due_on,
            )
            .select_from(self._from(table.account_id, account_ids))
            .where(*named)
        )  # fmt: skip
        found = list(map(KnownCharge._make, connection.execute(query).all()))
        changes = self._changes({charge.account_id for charge in found}) if found else {}
        return [
            charge._replace(amount_minor=charge.amount_minor + changes[charge.charge_id])
            if charge.charge_id in changes
            else charge
            for charge in found
        ]

    def _changes(self, account_ids: Collection[int]) -> dict[int, int]:
        """Charge -> the sum of its adjustments."""
        table = adjustments.c
        query = (
            select(table.charge_id, func.sum(table.amount_minor))
            .select_from(self._from(table.account_id, account_ids))
            .where(table.charge_id.is_not(None))
            .group_by(table.charge_id)
        )
        return {row[0]: int(row[1]) for row in self._connection.execute(query)}

    def open_charges(self, account_ids: Collection[int]) -> dict[int, list[OpenItem]]:
        found: dict[int, list[OpenItem]] = {}
        table = charges.c
        query = (
            select(table.account_id, table.charge_id, table.open_minor, table.due_on, table.service)
            .select_from(self._from(table.account_id, account_ids))
            .where(table.open_minor > text("0"))
        )
        for account_id, *item in self._connection.execute(query):
            found.setdefault(account_id, []).append(OpenItem(*item))
        return found

    def sources(self, account_ids: Collection[int], *, only_unused: bool) -> list[Source]:
        table, credit = payments.c, adjustments.c
        paid = (
            select(table.account_id, table.receipt, table.advance_minor, table.accounting_date, table.service)
            .select_from(self._from(table.account_id, account_ids))
            .where(table.state == POSTED)
        )
        credited = (
            select(credit.account_id, credit.adjustment_id, credit.advance_minor, credit.as_of)
            .select_from(self._from(credit.account_id, account_ids))
            .where(credit.charge_id.is_(None))
        )
        if only_unused:
            paid = paid.where(table.advance_minor > 0)
            credited = credited.where(credit.advance_minor > 0)
        execute = self._connection.execute
        found = [Source(account_id, True, OpenItem(*item)) for account_id, *item in execute(paid)]
        found += [Source(account_id, False, OpenItem(*item)) for account_id, *item in execute(credited)]
        return found

    def parts(self, source_ids: Collection[int], charge_ids: Collection[int]) -> list[Part]:
        table, wanted = allocations.c, set(charge_ids)
        query = (
            select(table.source_id, table.charge_id, func.sum(table.amount_minor))
            .select_from(self._from(table.source_id, source_ids))
            .group_by(table.source_id, table.charge_id)
        )
        return [
            Part(source_id, charge_id, int(amount_minor))
            for source_id, charge_id, amount_minor in self._connection.execute(query)
            if amount_minor and charge_id in wanted
        ]

    def client_sums(self, numbers: Mapping[int, str], as_of: str) -> dict[int, int]:
        account_ids = {ledger.client(number): account_id for account_id, number in numbers.items()}
        booked = entries.c
        dated = self._from(booked.ledger_account, account_ids).join(
            transactions,
            (transactions.c.biller_id == booked.biller_id)
            & (transactions.c.transaction_id == booked.transaction_id),
        )
        query = (
            select(booked.ledger_account, func.sum(booked.amount_minor))
            .select_from(dated)
            .where(_day() <= as_of)
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
