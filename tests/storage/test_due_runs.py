"""The rows of scheduled runs: written first, run once, changed only by who knows how they stand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kvit.domain.file_rows import DueRunRow
from kvit.services.schedule.runs import Ended
from kvit.storage.due_runs import SqlRunBook
from kvit.storage.engine import open_database

ROW = DueRunRow("water", "bank", "fetch", 1_000, "one", 1_001, "running", "", None)

KEYS = [("water", "bank", job) for job in ("fetch", "send", "expect")]


@pytest.fixture
def book(books_url: str) -> Iterator[SqlRunBook]:
    database = open_database(books_url)
    try:
        yield SqlRunBook(database)
    finally:
        database.close()


def test_whoever_writes_the_row_first_has_it(book: SqlRunBook) -> None:
    assert book.claim(ROW)
    assert not book.claim(ROW._replace(runner="other"))
    assert book.claim(ROW._replace(due_at_us=2_000))
    assert book.claim(ROW._replace(job="send"))
    assert {key: row.due_at_us for key, row in book.newest(KEYS).items()} == {
        ("water", "bank", "fetch"): 2_000, ("water", "bank", "send"): 1_000,
    }  # fmt: skip


def test_a_row_is_changed_by_who_knows_how_it_stands(book: SqlRunBook) -> None:
    book.claim(ROW)
    taken_over = ROW._replace(detail="taken over by two")
    assert book.change(ROW, Ended("running", taken_over.detail), None)
    assert not book.change(ROW, Ended("running", "taken over by three"), None)
    assert not book.change(ROW, Ended("done", "the first one was only slow"), 2_000)
    assert book.change(taken_over, Ended("done", "x" * 1_000), 3_000)
    (row,) = book.runs_of("water", "bank", 10)
    assert row == ROW._replace(state="done", detail="x" * 500, ended_at_us=3_000)
