"""Small books made to order: a biller, clients, and charges with sums and days of the test's choosing.

Rows are written as they are, without what the services do; everything later goes through the services.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, update

from kvit.domain import days, ledger
from kvit.domain.journal import charges_digest, digest_of
from kvit.domain.model import (
    ACTIVE,
    AccountRow,
    Agreement,
    Biller,
    ChargeRow,
    Fee,
    JournalRow,
    TransactionRow,
)
from kvit.storage import schema
from kvit.storage.billers import add_biller, take_ids, write_journal
from kvit.storage.engine import Database

MADE_AT = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
ZONE = "Europe/Moscow"
_numbers = itertools.count(1)


class Due(NamedTuple):
    """One charge to be made."""

    amount_minor: int
    due_on: str = "2026-10-31"
    service: str = "water"
    document: str = ""


@dataclass(frozen=True)
class Client:
    """One account to be made."""

    number: str
    charges: Sequence[Due] = ()
    status: str = ACTIVE
    name: str = "Ахметова Айгүл Серікқызы"


@dataclass(frozen=True)
class Town:
    """A biller with what was made for it: ids by number, and the charges of each number in order."""

    biller_id: str
    account_ids: Mapping[str, int] = field(default_factory=dict)
    charge_ids: Mapping[str, Sequence[int]] = field(default_factory=dict)


def fresh_biller_id() -> str:
    """A biller that no other test has, so that many may share one database."""
    return f"b{next(_numbers)}"


def agreement_of(biller_id: str, name: str = "qiwi", **changes: object) -> Agreement:
    """A live agreement in roubles; ``changes`` are fields of ``Agreement``."""
    values: dict[str, Any] = {
        "agreement_id": f"{name}-{biller_id}", "biller_id": biller_id, "protocol": "qiwi", "mode": "live",
        "currency": "RUB", "exponent": 2, "timezone": ZONE, "fee": Fee(percent_millionths=12_000),
    }  # fmt: skip
    return Agreement(**(values | changes))


def seed(
    database: Database, clients: Iterable[Client], *, biller_id: str = "", closed_through: str = ""
) -> Town:
    """Make a biller with these clients and charges, balanced entries and journal records included."""
    biller_id = biller_id or fresh_biller_id()
    made_at_us = days.to_us(MADE_AT)
    with database.write() as connection:
        add_biller(
            connection, Biller(biller_id, "Водоканал", "RUB", ZONE, "none", closed_through, made_at_us)
        )
        return _add_clients(connection, biller_id, list(clients))


def _add_clients(connection: Connection, biller_id: str, clients: Sequence[Client]) -> Town:
    made_at_us = days.to_us(MADE_AT)
    charges_count = sum(len(client.charges) for client in clients)
    account_act_id, act_id, *ids = take_ids(connection, 2 + len(clients) + charges_count)
    fresh = iter(ids)
    accounts = [
        AccountRow(
            biller_id, next(fresh), client.number, client.status, client.name, "", "", "", "",
            sum(due.amount_minor for due in client.charges), made_at_us,
        )
        for client in clients
    ]  # fmt: skip
    account_ids = {account.number: account.account_id for account in accounts}
    charges, charge_ids = [], {}
    for client in clients:
        own = [
            ChargeRow(
                biller_id, next(fresh), account_ids[client.number], due.service, due.due_on[:7], due.document,
                place,
                due.amount_minor, due.amount_minor, due.due_on, act_id,
            )
            for place, due in enumerate(client.charges, 1)
        ]  # fmt: skip
        charges += own
        charge_ids[client.number] = [charge.charge_id for charge in own]
    _add(connection, "accounts", accounts)
    _add(connection, "charges", charges)
    numbers = {account.account_id: account.number for account in accounts}
    _book_charges(connection, charges, numbers)
    records = [(account_act_id, "accounts.imported", digest_of("accounts", *account_ids))]
    if charges:
        records.append((act_id, "charges.imported", charges_digest(charges, numbers)))
    write_journal(
        connection,
        [
            JournalRow(biller_id, record_id, made_at_us, "cli:anna", verb, "1", digest, "")
            for record_id, verb, digest in records
        ],
    )
    return Town(biller_id, account_ids, charge_ids)


def _book_charges(connection: Connection, charges: Sequence[ChargeRow], numbers: Mapping[int, str]) -> None:
    made_at_us, day = days.to_us(MADE_AT), MADE_AT.date().isoformat()
    transactions = [
        TransactionRow(
            charge.biller_id, charge.charge_id, ledger.CHARGE, day, made_at_us, None, "", "cli:anna"
        )
        for charge in charges
    ]
    entries = [
        entry
        for charge in charges
        for entry in ledger.two_sided(
            charge.biller_id, charge.charge_id, ledger.client(numbers[charge.account_id]),
            ledger.income(charge.service), charge.amount_minor, "RUB",
        )
    ]  # fmt: skip
    _add(connection, "transactions", transactions)
    _add(connection, "entries", entries)


def set_account(database: Database, town: Town, number: str, **values: object) -> None:
    """Change columns of an account that may change, as `kvit account set` does."""
    columns = schema.accounts.c
    with database.write() as connection:
        connection.execute(
            update(schema.accounts)
            .where(columns.biller_id == town.biller_id, columns.number == number)
            .values(**values)
        )


def _add(connection: Connection, table: str, rows: Sequence[Any]) -> None:
    if rows:
        connection.execute(insert(schema.metadata.tables[table]), [row._asdict() for row in rows])
