"""R10: what SQLite leaves unknown is "come later"; the repeat decides, and it is there once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kvit.domain.messages import TryLater
from kvit.storage import sqlite
from kvit.storage.posting_sqlite import SqlitePostings
from tests.faults.conftest import Seen, load
from tests.faults.counter import Counter
from tests.gateway import Gateway, opened


@pytest.fixture
def books(sqlite_books_url: str) -> Iterator[Gateway]:
    with opened(sqlite_books_url) as books:
        yield books


@contextmanager
def lock_held(books: Gateway) -> Iterator[Callable[[], object]]:
    """Somebody else's write transaction, until it is let go."""
    other = sqlite.connect(books.database.path)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield lambda: sqlite.roll_back(other)
    finally:
        sqlite.roll_back(other)
        other.close()


@pytest.fixture
def lane_connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every connection that a lane makes, the newest last."""
    made: list[Any] = []
    connect = sqlite.connect

    def remembering(*values: Any, **named: Any) -> Any:  # noqa: ANN401
        connection = connect(*values, **named)
        if threading.current_thread().name.startswith("lane-"):
            made.append(connection)
        return connection

    monkeypatch.setattr(sqlite, "connect", remembering)
    return made


def test_sqlite_is_locked_for_longer_than_it_waits(
    books: Gateway, seen: Seen, lane_connections: list[Any]
) -> None:
    counter = Counter(books, SqlitePostings(books.database.path))
    rounds = load(5, 30)
    for _ in range(rounds):
        counter.ask(counter.demands(1))
        lane_connections[-1].execute("PRAGMA busy_timeout = 50").fetchall()
        demands = counter.demands(3)
        with lock_held(books):
            results = counter.ask(demands)
        assert results == [TryLater("database")] * 3
        counter.settle(demands, results)
    counter.check(seen)
    assert (counter.unknown, counter.booked_all_the_same) == (3 * rounds, 0)


def test_sqlite_is_locked_for_longer_than_an_agent_waits(books: Gateway, seen: Seen) -> None:
    counter = Counter(books, SqlitePostings(books.database.path))
    rounds = load(3, 30)
    for _ in range(rounds):
        demands = counter.demands(3)
        with lock_held(books) as let_go:
            results = counter.ask(demands, deadline_s=0.1, afterwards=let_go)
        assert results == [TryLater("too slow")] * 3
        counter.settle(demands, results)
    counter.check(seen)
    assert counter.booked_all_the_same == 3 * rounds


def test_sqlite_is_interrupted_at_any_step(books: Gateway, seen: Seen, lane_connections: list[Any]) -> None:
    """The library's own way of cancelling a statement, after so many steps of its machine."""
    counter = Counter(books, SqlitePostings(books.database.path))
    counter.ask(counter.demands(3))
    steps = Steps()
    lane_connections[-1].set_progress_handler(steps, 1)
    counter.ask(counter.demands(3))
    cuts = load(30, 150)
    for place in range(cuts):
        left = Steps(steps.count * place // cuts)
        lane_connections[-1].set_progress_handler(left, 1)
        demands = counter.demands(3)
        results = counter.ask(demands)
        # Where an interrupted statement looks like one without rows, the batch runs again one by one.
        assert isinstance(results[0], TryLater), place
        counter.settle(demands, results)
    counter.check(seen)
    assert counter.unknown > 2 * cuts


class Steps:
    """Counts the machine's steps, and breaks off at the last one that is left."""

    def __init__(self, left: int = 10**9) -> None:
        self.count, self._left = 0, left

    def __call__(self) -> int:
        self.count += 1
        return self.count > self._left
