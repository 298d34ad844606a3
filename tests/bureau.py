"""A biller's office for tests: takes in what is owed, takes payments, and looks at the books."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from kvit.domain import days
from kvit.domain.messages import Post, Posted, Result
from kvit.domain.model import Agreement, Biller
from kvit.services.corrections import void_payment
from kvit.services.payments import post_batch
from kvit.services.receivables.office import account_page, accounts_job, balances_job, charges_job
from kvit.services.receivables.run import File, Job, Office, Outcome, Tally, look, run
from kvit.storage.account_pages import SqlAccountPages
from kvit.storage.billers import add_biller
from kvit.storage.corrections import SqlCorrections
from kvit.storage.engine import Database, open_database
from kvit.storage.posting_postgres import PostgresPostings
from kvit.storage.posting_sqlite import SqlitePostings
from kvit.storage.receivables import SqlReceivables
from tests.books_check import check_books

BILLER = Biller("water", "Горводоканал", "RUB", "Europe/Moscow", "none", "", 0)
AGREEMENT = Agreement("qiwi", "water", "qiwi", "test", "RUB", 2, "Europe/Moscow")
START = datetime(2026, 10, 20, 9, 0, tzinfo=UTC)


class Client(NamedTuple):
    """A row of a file of clients."""

    line: int
    number: str
    name: str | None = None
    address: str | None = None
    phone: str | None = None
    email: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()


class Owed(NamedTuple):
    """A row of a file of charges."""

    line: int
    number: str
    amount_minor: int
    service: str = ""
    period: str = ""
    document: str = ""
    due: str = ""


class Balance(NamedTuple):
    """A row of a file of balances."""

    line: int
    number: str
    amount_minor: int
    service: str = ""


@dataclass
class SteppingClock:
    """Goes on by a second each time that it is asked."""

    at: datetime = START

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@dataclass
class Bureau:
    database: Database
    biller: Biller = BILLER
    clock: SteppingClock = field(default_factory=SteppingClock)
    txn: int = 0

    def __post_init__(self) -> None:
        self.store = SqlReceivables(self.database, self.biller.biller_id)
        url = self.database.url
        self.postings: PostgresPostings | SqlitePostings = (
            PostgresPostings(url.set(drivername="postgresql").render_as_string(hide_password=False))
            if self.database.is_postgres
            else SqlitePostings(self.database.path)
        )

    @property
    def office(self) -> Office:
        return Office(self.store, self.clock, "cli:anna", lambda done: None)

    def clients(self, *numbers: str) -> Outcome:
        return self.accounts(
            [Client(line, number, "Клиент " + number) for line, number in enumerate(numbers, 2)]
        )

    def accounts(self, rows: Sequence[Client]) -> Outcome:
        return self._run(accounts_job(self.store, self.biller, rows), rows)

    def charges(self, rows: Sequence[Owed]) -> Outcome:
        return self._run(charges_job(self.store, rows), rows)

    def charge(self, number: str, amount_minor: int, **columns: str) -> Outcome:
        return self.charges([Owed(2, number, amount_minor, **columns)])

    def balances(self, rows: Sequence[Balance], as_of: str) -> Outcome:
        job = balances_job(self.store, self.biller, rows, as_of, self.clock.at)
        return self._run(job, rows)

    def look_at(self, rows: Sequence[Owed]) -> Tally:
        return look(self.office, charges_job(self.store, rows), _file(rows))

    def _run(self, job: Job, rows: Sequence[tuple[Any, ...]]) -> Outcome:
        assert not job.errors, job.errors
        return run(self.office, job, _file(rows))

    def pay(self, number: str, amount_minor: int, *, service: str = "", at: str = "") -> Result:
        self.txn += 1
        command = Post(str(self.txn), number, amount_minor, service=service, network_time=at)
        now = self.clock.now()
        return self.postings.run(lambda book: post_batch(book, [(AGREEMENT, command)], now))[0]

    def paid(self, number: str, amount_minor: int, *, service: str = "", at: str = "") -> int:
        """The receipt of a payment that must succeed."""
        result = self.pay(number, amount_minor, service=service, at=at)
        assert isinstance(result, Posted), result
        return result.receipt

    def void(self, receipt: int) -> None:
        now = self.clock.now()
        SqlCorrections(self.database).run(
            lambda book: void_payment(book, self.biller.biller_id, receipt, "by mistake", "cli:anna", now)
        )

    def page(self, number: str) -> dict[str, Any]:
        with self.database.read() as connection:
            return account_page(SqlAccountPages(connection, self.biller.biller_id), self.biller, number)

    def open_sums(self, number: str) -> list[int]:
        return [charge["open_minor"] for charge in self.page(number)["charges"]]

    def due(self, number: str) -> int:
        """Above zero is owed, below zero is paid in advance."""
        page = self.page(number)
        owed_minor: int = page["due_minor"] - page["advance_minor"]
        return owed_minor

    def check(self) -> None:
        assert check_books(self.database) == []

    def close(self) -> None:
        self.postings.close()
        self.database.close()


@contextmanager
def bureau_at(url: str, biller: Biller = BILLER) -> Iterator[Bureau]:
    """A bureau on a database with the newest schema; the books are checked when it closes in peace."""
    database = open_database(url)
    with database.write() as connection:
        add_biller(connection, biller._replace(created_at_us=days.to_us(START)))
    bureau = Bureau(database, biller)
    try:
        with bureau.store.at_work():
            yield bureau
        bureau.check()
    finally:
        bureau.close()


def _file(rows: Sequence[tuple[Any, ...]]) -> File:
    return File("list.csv", hashlib.sha256(repr(rows).encode()).hexdigest())
