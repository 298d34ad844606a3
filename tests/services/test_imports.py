"""Whole files: nothing where a row is wrong, all of it however often it breaks off, and others get in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.engine import Engine

from kvit.domain.errors import DatabaseUnavailable
from kvit.services.receivables.office import charges_job, unfinished
from kvit.services.receivables.ports import ReceivablesBook
from kvit.services.receivables.run import File, Office, run
from kvit.storage import schema
from kvit.storage.engine import open_database
from kvit.storage.receivables import SqlReceivables
from tests.bureau import Bureau, Owed, SteppingClock, bureau_at

T = TypeVar("T")

NUMBERS = [str(1000 + place) for place in range(300)]
ROWS = [Owed(place + 2, number, 1000 + place, "water", "2026-09") for place, number in enumerate(NUMBERS)]


@pytest.fixture
def bureau(books_url: str) -> Iterator[Bureau]:
    with bureau_at(books_url) as bureau:
        bureau.clients(*NUMBERS)
        yield bureau


def charge_count(bureau: Bureau) -> int:
    with bureau.database.read() as connection:
        return connection.execute(select(func.count()).select_from(schema.charges)).scalar_one()


def test_unknown_numbers_and_contradictions_are_errors_with_their_lines(bureau: Bureau) -> None:
    rows = [
        Owed(2, "1000", 100, document="A"),
        Owed(3, "nobody", 100),
        Owed(4, "1000", 100, document="A"),
        Owed(5, "1000", 200, document="A"),
        Owed(6, "1001", -1),
        Owed(7, "1001", 100, document="A"),
    ]
    job = charges_job(bureau.store, rows)
    assert [(error.line, error.column, error.value) for error in job.errors] == [
        (3, "number", "nobody"), (5, "document", "A"), (6, "amount", "-1"),
    ]  # fmt: skip
    assert "line 2" in job.errors[1].reason
    assert job.repeated == 1


def test_a_dry_run_says_what_would_change_and_changes_nothing(bureau: Bureau) -> None:
    bureau.charges(ROWS[:100])
    before = [bureau.page(number) for number in NUMBERS[:2]]
    changed = [ROWS[0]._replace(amount_minor=5), *ROWS[1:]]
    tally = bureau.look_at(changed)
    assert (tally.new, tally.adjusted, tally.unchanged) == (200, 1, 99)
    assert [(each.line, each.number) for each in tally.examples["adjusted"]] == [(2, "1000")]
    assert "10.00 -> 0.05" in tally.examples["adjusted"][0].text
    assert [bureau.page(number) for number in NUMBERS[:2]] == before
    assert charge_count(bureau) == 100
    assert bureau.charges(changed).tally.new == 200


class Broken(Exception):
    """The process ended here."""


class BreakingStore(SqlReceivables):
    """Breaks off after some writes; a little slow, so that the slices stay small."""

    writes_left = 2

    @property
    def held_s(self) -> float:
        return 1.0

    def rest(self) -> None:
        return

    def write(self, work: Callable[[ReceivablesBook], T]) -> T:
        if self.writes_left == 0:
            raise Broken
        self.writes_left -= 1
        return super().write(work)


def test_an_import_that_broke_off_is_completed_by_the_same_file(bureau: Bureau) -> None:
    store = BreakingStore(bureau.database, bureau.biller.biller_id)
    file = File("charges.csv", "ab12")
    with pytest.raises(Broken):
        run(Office(store, bureau.clock, "cli:anna", lambda done: None), charges_job(store, ROWS), file)
    assert 0 < charge_count(bureau) < len(ROWS)
    (row,) = unfinished(bureau.store)
    assert (row.kind, row.file_name, row.author) == ("charges", "charges.csv", "cli:anna")

    other = run(bureau.office, charges_job(bureau.store, ROWS[:1]), File("other.csv", "cd34"))
    assert not other.resumed
    assert len(unfinished(bureau.store)) == 1
    outcome = run(bureau.office, charges_job(bureau.store, ROWS), file)
    assert (outcome.resumed, outcome.import_id) == (True, row.import_id)
    assert outcome.tally.new + outcome.tally.unchanged == len(ROWS)
    assert unfinished(bureau.store) == []
    assert charge_count(bureau) == len(ROWS)


def test_two_imports_of_one_file_at_once_charge_once(bureau: Bureau) -> None:
    def work() -> int:
        database = open_database(address(bureau))
        try:
            store = SqlReceivables(database, bureau.biller.biller_id)
            office = Office(store, SteppingClock(), "cli:anna", lambda done: None)
            return run(office, charges_job(store, ROWS), File("a.csv", "ab")).tally.new
        finally:
            database.close()

    assert sum(at_once([work, work, work])) == len(ROWS) == charge_count(bureau)


def test_payments_get_in_between_and_every_sum_is_right(bureau: Bureau) -> None:
    done = threading.Event()

    def pay() -> int:
        payer = Bureau(open_database(address(bureau)), bureau.biller, txn=10_000)
        count = 0
        try:
            while not done.is_set():
                payer.paid(NUMBERS[count % len(NUMBERS)], 700)
                count += 1
        finally:
            payer.close()
        return count

    def charge() -> int:
        try:
            for change in range(2):
                bureau.charges(
                    [row._replace(amount_minor=row.amount_minor + 300 * (change % 2)) for row in ROWS]
                )
        finally:
            done.set()
        return 0

    paid_minor = 700 * sum(at_once([pay, charge]))
    assert paid_minor > 0
    owed_minor = sum(row.amount_minor + 300 for row in ROWS)
    assert sum(bureau.due(number) for number in NUMBERS) == owed_minor - paid_minor


def test_a_deadlock_is_run_again(postgres_books_url: str) -> None:
    with bureau_at(postgres_books_url) as bureau:
        bureau.clients("1", "2")
        ids = bureau.store.read(lambda book: book.account_ids(["1", "2"]))
        both = threading.Barrier(2, timeout=30)
        runs: list[str] = []

        def cross(first: str, second: str) -> int:
            def work(book: ReceivablesBook) -> int:
                runs.append(first)
                book.lock_accounts([ids[first]])
                if len(runs) <= 2:
                    both.wait()
                book.lock_accounts([ids[second]])
                return 1

            return SqlReceivables(bureau.database, bureau.biller.biller_id).write(work)

        assert at_once([lambda: cross("1", "2"), lambda: cross("2", "1")]) == [1, 1]
        assert len(runs) > 2


def test_what_keeps_failing_is_said(bureau: Bureau) -> None:
    with pytest.raises(DatabaseUnavailable):
        bureau.store.write(refuse)


def refuse(_book: ReceivablesBook) -> None:
    raise DatabaseUnavailable("gone")


def test_on_sqlite_every_query_goes_along_an_index(sqlite_books_url: str) -> None:
    """None may walk through all rows of the biller for a few accounts."""
    with bureau_at(sqlite_books_url) as bureau:
        bureau.clients(*NUMBERS[:3])
        seen: list[tuple[str, object]] = []

        def remember(
            _connection: object, _cursor: object, statement: str, parameters: object, *_rest: object
        ) -> None:
            if statement.startswith("SELECT") and "json_each" in statement:
                seen.append((statement, parameters))

        event.listen(Engine, "before_cursor_execute", remember)
        try:
            bureau.charges(ROWS[:3])
            bureau.paid(NUMBERS[0], 900)
            bureau.charges([ROWS[0]._replace(amount_minor=1), *ROWS[1:3]])
            bureau.page(NUMBERS[0])
            ids = bureau.store.read(lambda book: book.account_ids(NUMBERS[:3]))
            as_numbers = {account_id: number for number, account_id in ids.items()}
            bureau.store.read(lambda book: book.client_sums(as_numbers, "2026-10-01"))
        finally:
            event.remove(Engine, "before_cursor_execute", remember)
        assert len({statement for statement, _ in seen}) >= 9
        with bureau.database.read() as connection:
            for statement, parameters in seen:
                plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters).all()  # type: ignore[arg-type]
                walks = [row[3] for row in plan if row[3].endswith("(biller_id=?)")]
                assert walks == [], statement


def address(bureau: Bureau) -> str:
    url = bureau.database.url
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False)


def at_once(works: list[Callable[[], int]]) -> list[int]:
    """What each of ``works`` returns, all run at the same time; what one of them raises, is raised."""
    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result(120) for future in [pool.submit(work) for work in works]]
