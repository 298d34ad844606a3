"""Books in use: billers, clients, charges, payments, advances, changes, credits and voids, consistent.

Charges and their changes are written row by row here; payments and voids go through the services on the
database's own engine, as in production. The same arguments give the same books.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Table, insert, select, update

from kvit.domain import days, ledger
from kvit.domain.allocation import use_advances
from kvit.domain.journal import adjustment_digest, charges_digest, digest_of
from kvit.domain.messages import Post, Posted
from kvit.domain.model import (
    ACTIVE,
    AccountRow,
    AdjustmentRow,
    Agreement,
    AllocationRow,
    Biller,
    ChargeRow,
    Fee,
    JournalRow,
    OpenItem,
    TransactionRow,
)
from kvit.services.corrections import void_payment
from kvit.services.payments import post_batch
from kvit.storage import schema
from kvit.storage.billers import add_biller, take_ids, write_journal
from kvit.storage.corrections import SqlCorrections
from kvit.storage.engine import Database
from kvit.storage.posting_postgres import PostgresPostings
from kvit.storage.posting_sqlite import SqlitePostings

START = datetime(2026, 8, 3, 6, 0, tzinfo=UTC)
SERVICES = ("water", "sewerage")
FAMILIES = ("Абдрахманова", "Петров", "Құнанбаев", "Ильина", "Сәрсенова", "Ким", "Ōno", "O'Neil")
REASON = "перерасчёт"
BATCH = 250
SLICE = 1000


@dataclass(frozen=True)
class Wish:
    """How much of everything, for each biller."""

    accounts: int = 12
    months: int = 2
    payments_each: int = 3
    adjustments: int = 3
    credits: int = 2
    voids: int = 3
    seed: int = 20261123


@dataclass
class Filled:
    """What was put in."""

    billers: list[Biller] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)
    receipts: list[int] = field(default_factory=list)


class Owner(NamedTuple):
    account_id: int
    number: str


def fill(database: Database, wish: Wish | None = None, *, biller_ids: Sequence[str] = ("water",)) -> Filled:
    """Fill a database that has the newest schema and no such billers yet."""
    filled = Filled()
    for biller_id in biller_ids:
        _Filling(database, wish or Wish(), biller_id).run(filled)
    return filled


def agreement_of(biller_id: str, agreement_id: str) -> Agreement:
    return Agreement(
        agreement_id=agreement_id,
        biller_id=biller_id,
        protocol="qiwi",
        mode="live",
        currency="RUB",
        exponent=2,
        timezone="Europe/Moscow",
        fee=Fee(percent_millionths=12_000),
    )


@contextmanager
def postings_of(database: Database) -> Iterator[PostgresPostings | SqlitePostings]:
    """The hot path of the database's own engine."""
    if database.is_postgres:
        url = database.url.set(drivername="postgresql")
        postings: PostgresPostings | SqlitePostings = PostgresPostings(
            url.render_as_string(hide_password=False)
        )
    else:
        postings = SqlitePostings(database.path)
    try:
        yield postings
    finally:
        postings.close()


class _Filling:
    def __init__(self, database: Database, wish: Wish, biller_id: str) -> None:
        self._database = database
        self._wish = wish
        self._biller = Biller(
            biller_id, f"Водоканал {biller_id}", "RUB", "Europe/Moscow", "", "", days.to_us(START)
        )
        self._random = random.Random(f"{wish.seed} {biller_id}")  # noqa: S311
        self._now = START
        self._owners: list[Owner] = []

    def run(self, filled: Filled) -> None:
        wish, biller_id = self._wish, self._biller.biller_id
        agreements = [agreement_of(biller_id, f"{name}-{biller_id}") for name in ("qiwi", "bank")]
        filled.billers.append(self._biller)
        filled.agreements.extend(agreements)
        with self._database.write() as connection:
            add_biller(connection, self._biller)
        for start in range(0, wish.accounts, SLICE):
            self._add_accounts(start, min(start + SLICE, wish.accounts))
        receipts: list[int] = []
        for month in range(wish.months):
            self._add_month(f"2026-{month % 12 + 1:02}", f"{month // 12}")
            receipts += self._pay(agreements, wish.accounts * wish.payments_each // wish.months, month)
        self._correct(receipts)
        filled.receipts.extend(receipts)

    def _tick(self) -> int:
        self._now += timedelta(seconds=self._random.randint(1, 90))
        return days.to_us(self._now)

    # --- clients and charges ---------------------------------------------------------------------

    def _add_accounts(self, start: int, stop: int) -> None:
        biller_id, now_us = self._biller.biller_id, self._tick()
        with self._database.write() as connection:
            journal_id, *ids = take_ids(connection, stop - start + 1)
            rows = [
                AccountRow(
                    biller_id, account_id, f"{place:06}", ACTIVE, f"{self._random.choice(FAMILIES)} {place}",
                    "ул. Мира, 1", "", "", '{"floor": "2"}', 0, now_us,
                )
                for place, account_id in enumerate(ids, start=start + 1)
            ]  # fmt: skip
            _add(connection, schema.accounts, rows)
            digest = digest_of("accounts", *ids)
            record = JournalRow(
                biller_id, journal_id, now_us, "cli:anna", "accounts.imported", "1", digest, ""
            )
            write_journal(connection, [record])
        self._owners.extend(Owner(row.account_id, row.number) for row in rows)

    def _add_month(self, period: str, document: str) -> None:
        for start in range(0, len(self._owners), SLICE // len(SERVICES)):
            owners = self._owners[start : start + SLICE // len(SERVICES)]
            with self._database.write() as connection:
                self._add_charges(connection, owners, period, document)

    def _add_charges(
        self, connection: Connection, owners: Sequence[Owner], period: str, document: str
    ) -> None:
        biller_id, now_us = self._biller.biller_id, self._tick()
        act_id, *ids = take_ids(connection, len(owners) * len(SERVICES) + 1)
        fresh = iter(ids)
        rows, numbers = [], {owner.account_id: owner.number for owner in owners}
        for owner in owners:
            for service in SERVICES:
                amount_minor = self._random.randint(5_000, 90_000)
                rows.append(
                    ChargeRow(
                        biller_id, next(fresh), owner.account_id, service, period, document, 1, amount_minor,
                        amount_minor, days.month_end(period), act_id,
                    )
                )  # fmt: skip
        _add(connection, schema.charges, rows)
        digest = charges_digest(rows, numbers)
        write_journal(
            connection,
            [JournalRow(biller_id, act_id, now_us, "cli:anna", "charges.imported", "1", digest, "{}")],
        )
        for row in rows:
            self._book(
                connection,
                row.charge_id,
                ledger.CHARGE,
                numbers[row.account_id],
                row.amount_minor,
                row.service,
            )
            self._change(
                connection, schema.accounts.c.account_id, row.account_id, balance_minor=row.amount_minor
            )
        for owner in owners:
            self._settle(connection, owner.account_id, act_id)

    def _book(
        self,
        connection: Connection,
        transaction_id: int,
        kind: str,
        number: str,
        amount_minor: int,
        service: str,
    ) -> None:
        biller_id, now_us = self._biller.biller_id, days.to_us(self._now)
        day = self._now.date().isoformat()
        contra = ledger.income(service) if service else ledger.OPENING
        reason = REASON if kind == ledger.ADJUSTMENT else ""
        row = TransactionRow(biller_id, transaction_id, kind, day, now_us, None, reason, "cli:anna")
        _add(connection, schema.transactions, [row])
        sides = ledger.two_sided(
            biller_id, transaction_id, ledger.client(number), contra, amount_minor, self._biller.currency
        )
        _add(connection, schema.entries, sides)

    def _settle(self, connection: Connection, account_id: int, act_id: int) -> None:
        """Let unused money settle what is open."""
        sources = [
            *self._items(connection, schema.payments.c.receipt, "advance_minor", account_id),
            *self._items(connection, schema.adjustments.c.adjustment_id, "advance_minor", account_id),
        ]
        open_charges = self._items(connection, schema.charges.c.charge_id, "open_minor", account_id)
        for source_id, charge_id, part_minor in use_advances(sources, open_charges):
            row = AllocationRow(self._biller.biller_id, source_id, charge_id, act_id, part_minor)
            _add(connection, schema.allocations, [row])
            self._change(connection, schema.charges.c.charge_id, charge_id, open_minor=-part_minor)
            self._change(connection, schema.payments.c.receipt, source_id, advance_minor=-part_minor)
            self._change(connection, schema.adjustments.c.adjustment_id, source_id, advance_minor=-part_minor)

    def _change(self, connection: Connection, key: Column[int], row_id: int, **deltas: int) -> None:
        table = key.table
        assert isinstance(table, Table)
        values = {name: table.c[name] + delta for name, delta in deltas.items()}
        where = (table.c.biller_id == self._biller.biller_id, key == row_id)
        connection.execute(update(table).where(*where).values(values))

    def _items(self, connection: Connection, key: Column[int], rest: str, account_id: int) -> list[OpenItem]:
        columns = key.table.c
        query = select(key, columns[rest]).where(
            columns.biller_id == self._biller.biller_id, columns.account_id == account_id, columns[rest] > 0
        )
        # Sorted here: asked for the order, SQLite would walk all of the biller's rows in it.
        return sorted((OpenItem(*row) for row in connection.execute(query)), key=lambda item: item.item_id)

    # --- payments --------------------------------------------------------------------------------

    def _pay(self, agreements: Sequence[Agreement], count: int, month: int) -> list[int]:
        receipts: list[int] = []
        with postings_of(self._database) as postings:
            for start in range(0, count, BATCH):
                demands = [
                    (self._random.choice(agreements), self._demand(f"{month}-{place}"))
                    for place in range(start, min(start + BATCH, count))
                ]
                self._tick()
                results = postings.run(partial(post_batch, demands=demands, now=self._now))
                receipts.extend(result.receipt for result in results if isinstance(result, Posted))
        assert len(receipts) == count
        return receipts

    def _demand(self, txn: str) -> Post:
        amount_minor = self._random.choice((10_000, 50_000, 123_456, self._random.randint(1, 300_000)))
        number = self._random.choice(self._owners).number
        service = self._random.choice(("", "", *SERVICES))
        return Post(txn=txn, number=number, amount_minor=amount_minor, service=service)

    # --- corrections -----------------------------------------------------------------------------

    def _correct(self, receipts: Sequence[int]) -> None:
        wish, biller_id = self._wish, self._biller.biller_id
        with self._database.write() as connection:
            for owner in self._random.sample(self._owners, wish.credits):
                self._adjust(connection, owner, None, -7_700, "")
            open_charges = select(
                schema.charges.c.charge_id, schema.charges.c.account_id, schema.charges.c.service
            )
            found = connection.execute(
                open_charges.where(
                    schema.charges.c.biller_id == biller_id, schema.charges.c.open_minor > 1_000
                )
                .order_by(schema.charges.c.charge_id)
                .limit(wish.adjustments)
            ).all()
            numbers = dict(self._owners)
            for place, (charge_id, account_id, service) in enumerate(found):
                owner = Owner(account_id, numbers[account_id])
                self._adjust(connection, owner, charge_id, (-900, 1_100)[place % 2], service)
        corrections = SqlCorrections(self._database)
        for receipt in self._random.sample(receipts, wish.voids):
            self._tick()
            void = partial(
                void_payment,
                biller_id=biller_id,
                receipt=receipt,
                reason="ошибка",
                author="cli:anna",
                now=self._now,
            )
            corrections.run(void)

    def _adjust(
        self, connection: Connection, owner: Owner, charge_id: int | None, amount_minor: int, service: str
    ) -> None:
        biller_id, now_us = self._biller.biller_id, self._tick()
        (adjustment_id,) = take_ids(connection, 1)
        day = self._now.date().isoformat()
        advance_minor = -amount_minor if charge_id is None else 0
        row = AdjustmentRow(
            biller_id, adjustment_id, owner.account_id, charge_id, amount_minor, advance_minor,
            day if charge_id is None else "", REASON, "cli:anna",
        )  # fmt: skip
        _add(connection, schema.adjustments, [row])
        self._book(connection, adjustment_id, ledger.ADJUSTMENT, owner.number, amount_minor, service)
        verb = "balance.credited" if charge_id is None else "charge.adjusted"
        digest = adjustment_digest(row, owner.number, day)
        subject = str(adjustment_id)
        write_journal(
            connection, [JournalRow(biller_id, adjustment_id, now_us, "cli:anna", verb, subject, digest, "")]
        )
        self._change(connection, schema.accounts.c.account_id, owner.account_id, balance_minor=amount_minor)
        if charge_id is not None:
            self._change(connection, schema.charges.c.charge_id, charge_id, open_minor=amount_minor)
        self._settle(connection, owner.account_id, adjustment_id)


def _add(connection: Connection, table: Table, rows: Iterable[Any]) -> None:
    connection.execute(insert(table), [row._asdict() for row in rows])
