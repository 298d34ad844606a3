"""What SQLite may do to a batch: keep it waiting, be locked for good, be no database at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from kvit.domain.errors import DatabaseUnavailable
from kvit.domain.messages import Lookup, Post, Posted, TryLater
from kvit.domain.model import Agreement
from kvit.lanes.desk import Demand, ReadDesk, WriteDesk
from kvit.services.ports import PostingBook, Situation, Wanted
from kvit.storage import sqlite
from kvit.storage.posting_sqlite import SqliteLookups, SqlitePostings
from tests.gateway import Gateway, opened
from tests.seeding import Client, Due, agreement_of, seed

PAY = Post("t1", "a", 10)


@pytest.fixture
def books(sqlite_books_url: str) -> Iterator[Gateway]:
    with opened(sqlite_books_url) as gateway:
        yield gateway


@pytest.fixture
def agreement(books: Gateway) -> Agreement:
    return agreement_of(seed(books.database, [Client("a", [Due(1_000)])]).biller_id)


def _situation(wanted: Wanted, book: PostingBook) -> Situation:
    return book.situation(wanted)


def test_a_writer_waits_for_another_one(books: Gateway, agreement: Agreement) -> None:
    """An import holds the lock for half a second at most; a payment comes in behind it."""
    other = sqlite.connect(books.database.path)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(books.ask, agreement, PAY)
        threading.Event().wait(0.5)
        assert not waiting.done()
        other.execute("COMMIT")
        assert isinstance(waiting.result(10), Posted)
    other.close()


def test_a_lock_that_is_never_given_back_is_try_later(
    books: Gateway, agreement: Agreement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.2)
    impatient = SqlitePostings(books.database.path)
    desk = WriteDesk(impatient, books.corrections, books.clock)
    other = sqlite.connect(books.database.path)
    other.execute("BEGIN IMMEDIATE")
    began_s = time.monotonic()
    demands = [Demand(agreement, Post(f"t{place}", "a", 1)) for place in range(20)]
    results = desk(demands)
    assert results == [TryLater("database")] * 20
    assert time.monotonic() - began_s < 3, "each waited for itself"
    other.execute("ROLLBACK")
    other.close()
    assert [type(result) for result in desk(demands)] == [Posted] * 20
    impatient.close()


@pytest.mark.parametrize("text", ["", "this is not a database " * 50])
def test_a_file_that_is_no_database_is_try_later(tmp_path: Path, agreement: Agreement, text: str) -> None:
    path = tmp_path / "other.sqlite"
    path.write_text(text)
    postings, lookups = SqlitePostings(str(path)), SqliteLookups(str(path))
    with opened(f"sqlite:///{path}") as gateway:
        written = WriteDesk(postings, gateway.corrections, gateway.clock)([Demand(agreement, PAY)] * 2)
        read = ReadDesk(lookups, gateway.clock)([Demand(agreement, Lookup("1", "a"))] * 2)
    assert {type(result) for result in (*written, *read)} == {TryLater}


def test_a_database_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    postings = SqlitePostings(str(tmp_path / "no such folder" / "books.sqlite"))
    with pytest.raises(DatabaseUnavailable):
        postings.run(lambda book: book.situation(Wanted([], [], 1)))


def test_every_connection_waits_for_the_disk(books: Gateway) -> None:
    """What a power cut would try; a killed process cannot show it."""
    connection = sqlite.connect(books.database.path)
    found = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("synchronous", "journal_mode", "foreign_keys")
    }
    connection.close()
    assert found == {"synchronous": 2, "journal_mode": sqlite.journal_mode(), "foreign_keys": 1}


def test_ids_are_never_given_twice(books: Gateway) -> None:
    ids = [
        each
        for count in (1, 5, 2)
        for each in books.postings.run(partial(_situation, Wanted([], [], count))).ids
    ]
    assert ids == sorted(set(ids))
