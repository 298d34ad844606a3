"""Books in use: billers, clients, charges, payments, advances, changes, credits and voids.

Everything goes through the services on the database's own engine, as in production. The same arguments
give the same books, save for how an import is cut into slices.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, MetaData, insert, select, text

from kvit.domain import days
from kvit.domain.messages import Hold, Note, Post, Posted, Void
from kvit.domain.model import NOBODY, Agreement, Biller, Fee
from kvit.services.corrections import void_for_agent, void_payment
from kvit.services.intake.suspense import Act, Part, assign, send_back
from kvit.services.payments import post_batch
from kvit.services.receivables.office import accounts_job, balances_job, charges_job
from kvit.services.receivables.run import File, Job, Office, run
from kvit.services.tellings import keep_note
from kvit.storage import migrate, schema
from kvit.storage.audit import next_id
from kvit.storage.billers import add_biller
from kvit.storage.corrections import SqlCorrections
from kvit.storage.engine import Database, open_database
from kvit.storage.intake import SqlIntake
from kvit.storage.posting_postgres import PostgresPostings
from kvit.storage.posting_sqlite import SqlitePostings
from kvit.storage.receivables import SqlReceivables
from tests.bureau import Balance, Client, Owed, SteppingClock
from tests.filled_settled import close_before, settle_some

START = datetime(2026, 8, 3, 6, 0, tzinfo=UTC)
SERVICES = ("water", "sewerage")
FAMILIES = ("Абдрахманова", "Петров", "Құнанбаев", "Ильина", "Сәрсенова", "Ким", "Ōno", "O'Neil")
BATCH = 250


@dataclass(frozen=True)
class Wish:
    """How much of everything, for each biller; at least five accounts."""

    accounts: int = 12
    months: int = 2
    payments_each: int = 3
    adjustments: int = 4
    credits: int = 4
    voids: int = 3
    #: Payments that were announced first, invoices, money of nobody, notes, settlements, a closed period:
    #: what came with schema 0004 and later.
    announced: bool = True
    seed: int = 20261123


@dataclass
class Filled:
    """What was put in."""

    billers: list[Biller] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)
    receipts: list[int] = field(default_factory=list)


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


def announce(database: Database, biller_id: str, numbers: Sequence[str], now: datetime) -> None:
    """Holds in every state, a payment whose money is in suspense, and a note."""
    name = f"wallet-{biller_id}"
    agreement = replace(agreement_of(biller_id, name), may_hold=True, payer_key="")
    later = now + timedelta(minutes=1)
    corrections = SqlCorrections(database)
    with postings_of(database) as postings:

        def ask(now: datetime, *commands: Post | Hold) -> None:
            demands = [(agreement, command) for command in commands]
            postings.run(partial(post_batch, demands=demands, now=now))

        told = {"network_time": "2026-08-03T09:00:00", "fields": (("phone", "1"),)}
        holds = [
            Hold(f"{place}", number, 5_000 + place, lifetime_s=30 if place == 2 else 0, **told)  # type: ignore[arg-type]
            for place, number in enumerate(numbers[:5])
        ]
        ask(now, *holds, Post("0", "", 0, held=True))
        ask(
            later,
            Post("1", "", 0, held=True),
            Post("2", "", 0, held=True),
            Post("7", "nobody", 700, taken=True),
        )
    find_owners(database, biller_id, numbers, later)
    for command in (Void("1", reason="5"), Void("4", reason="3")):
        corrections.run(partial(void_for_agent, agreement=agreement, command=command, now=later))
    note = Note("0", "fiscal-perform", (("receipt_id", "121"),))
    corrections.run(partial(keep_note, agreement=agreement, command=note, now=later))


def find_owners(database: Database, biller_id: str, numbers: Sequence[str], now: datetime) -> None:
    """Of the money in suspense: parts of it are two clients', and one goes back."""
    with database.read() as connection:
        receipt = connection.execute(
            select(schema.payments.c.receipt).where(
                schema.payments.c.biller_id == biller_id, schema.payments.c.account_id == NOBODY
            )
        ).scalar_one()
    act = Act("found in the ledger", "clerk", now)
    parts = [Part(numbers[0], 100), Part(numbers[1], 200)]
    store = SqlIntake(database, biller_id)
    store.write(lambda book: assign(book, receipt, parts, act))
    store.write(lambda book: send_back(book, receipt, 50, act))


def fill_yesterdays(database: Database, revision: str, wish: Wish, biller_id: str = "water") -> None:
    """Fill books of an older schema: what today's services write, in the columns that there were then."""
    migrate.upgrade(database, revision)
    with tempfile.TemporaryDirectory() as folder:
        newest = open_database(f"sqlite:///{folder}/newest.sqlite")
        migrate.upgrade(newest)
        fill(newest, replace(wish, announced=False), biller_ids=(biller_id,))
        old = MetaData()
        with newest.read() as reading, database.write() as writing:
            old.reflect(writing)
            for name, table in old.tables.items():
                if name in ("alembic_version", "ids"):
                    continue
                source = schema.metadata.tables[name]
                rows = reading.execute(select(*(source.c[column.name] for column in table.c)))
                if found := [dict(row._mapping) for row in rows]:
                    writing.execute(insert(table), found)
            _set_next_id(writing, next_id(reading))
        newest.close()


def _set_next_id(connection: Connection, next_id: int) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT setval('book_ids', :next_id, false)"), {"next_id": next_id})
    connection.execute(text("UPDATE ids SET next_id = :next_id"), {"next_id": next_id})


class _Hurried(SqlReceivables):
    """Nobody else waits for the database."""

    def rest(self) -> None:
        pass


class _Filling:
    def __init__(self, database: Database, wish: Wish, biller_id: str) -> None:
        self._database = database
        self._wish = wish
        self._biller = Biller(
            biller_id, f"Водоканал {biller_id}", "RUB", "Europe/Moscow", "none", "", days.to_us(START)
        )
        self._store = _Hurried(database, biller_id)
        self._random = random.Random(f"{wish.seed} {biller_id}")  # noqa: S311
        self._clock = SteppingClock(START)
        self._numbers = [f"{place:06}" for place in range(1, wish.accounts + 1)]

    def run(self, filled: Filled) -> None:
        wish, biller_id = self._wish, self._biller.biller_id
        agreements = [agreement_of(biller_id, f"{name}-{biller_id}") for name in ("qiwi", "bank")]
        with self._database.write() as connection:
            add_biller(connection, self._biller)
        if wish.announced:
            close_before(self._database, biller_id, START)
        clients = [
            Client(line, number, f"{self._random.choice(FAMILIES)} {line}", attributes=(("этаж", "2"),))
            for line, number in enumerate(self._numbers, start=2)
        ]
        self._take_in(accounts_job(self._store, self._biller, clients))
        charges: list[Owed] = []
        receipts: list[int] = []
        for month in range(wish.months):
            charges = self._charges(month)
            self._take_in(charges_job(self._store, charges))
            receipts += self._pay(agreements, wish.accounts * wish.payments_each // wish.months, month)
        self._correct(charges, receipts)
        if wish.announced:
            announce(self._database, biller_id, self._numbers, self._clock.now())
            settle_some(self._database, agreements[0], self._clock.now())
        filled.billers.append(self._biller)
        filled.agreements.extend(agreements)
        filled.receipts.extend(receipts)

    def _take_in(self, job: Job) -> None:
        assert not job.errors, job.errors
        office = Office(self._store, self._clock, "cli:anna", lambda done: None)
        self._clock.at += timedelta(hours=self._random.randint(1, 20))
        run(office, job, File(f"{job.kind}.csv", f"{self._clock.at}"))

    def _charges(self, month: int) -> list[Owed]:
        period = f"{2025 + month // 12}-{month % 12 + 1:02}"
        lines = [(number, service) for number in self._numbers for service in SERVICES]
        return [
            Owed(line, number, self._random.randint(5_000, 90_000), service, period, f"act {line}")
            for line, (number, service) in enumerate(lines, start=2)
        ]

    # --- payments --------------------------------------------------------------------------------

    def _pay(self, agreements: Sequence[Agreement], count: int, month: int) -> list[int]:
        receipts: list[int] = []
        with postings_of(self._database) as postings:
            for start in range(0, count, BATCH):
                demands = [
                    (self._random.choice(agreements), self._demand(f"{month}-{place}"))
                    for place in range(start, min(start + BATCH, count))
                ]
                results = postings.run(partial(post_batch, demands=demands, now=self._clock.now()))
                receipts.extend(result.receipt for result in results if isinstance(result, Posted))
        assert len(receipts) == count
        return receipts

    def _demand(self, txn: str) -> Post:
        amount_minor = self._random.choice((10_000, 50_000, 123_456, self._random.randint(1, 300_000)))
        service = self._random.choice(("", "", *SERVICES))
        return Post(txn, self._random.choice(self._numbers), amount_minor, service=service)

    # --- corrections -----------------------------------------------------------------------------

    def _correct(self, charges: Sequence[Owed], receipts: Sequence[int]) -> None:
        wish, biller_id = self._wish, self._biller.biller_id
        changed: list[Any] = [
            owed._replace(amount_minor=owed.amount_minor + (-4_900, 1_100)[place % 2])
            for place, owed in enumerate(self._random.sample(charges, wish.adjustments))
        ]
        self._take_in(charges_job(self._store, changed))
        numbers = self._random.sample(self._numbers, wish.credits + 1)
        # One client owes more than any charge says, the others have paid in advance elsewhere.
        balances = [
            Balance(line, number, 9_000_000 if line == 2 else -9_000_000)
            for line, number in enumerate(numbers, start=2)
        ]
        today = self._clock.now().date().isoformat()
        self._take_in(balances_job(self._store, self._biller, balances, today, self._clock.now()))
        corrections = SqlCorrections(self._database)
        for receipt in self._random.sample(receipts, wish.voids):
            void = partial(
                void_payment,
                biller_id=biller_id,
                receipt=receipt,
                reason="ошибка",
                author="cli:anna",
                now=self._clock.now(),
            )
            corrections.run(void)
