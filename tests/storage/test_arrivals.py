"""Is a day's register here? By its lines, by the days it names, or as an empty one that came afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import insert

from kvit.domain.file_rows import ChannelFileRow
from kvit.storage.arrivals import has_register
from kvit.storage.engine import Database, open_database
from kvit.storage.schema import imports
from kvit.storage.schema_files import channel_files

KEY = ("water", "bank")
DAY, OVER = "2026-11-20", 1_000_000


@pytest.fixture
def database(books_url: str) -> Iterator[Database]:
    opened = open_database(books_url)
    try:
        yield opened
    finally:
        opened.close()


def add_import(database: Database, number: int, started_at_us: int, **values: str) -> None:
    days = {name: values.pop(name) for name in ("first_day", "last_day") if name in values}
    row = {
        "biller_id": "water", "import_id": number, "kind": "register", "file_name": "r", "file_digest": "d",
        "state": "finished", "summary": json.dumps({"rows": 0} | days), "author": "ann",
        "started_at_us": started_at_us, "finished_at_us": started_at_us, "agreement_id": "bank",
        "format": "qiwi",
    } | values  # fmt: skip
    with database.write() as connection:
        connection.execute(insert(imports), row)


def is_here(database: Database) -> bool:
    with database.read() as connection:
        return has_register(connection, KEY, DAY, OVER)


def test_nothing_came(database: Database) -> None:
    assert not is_here(database)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(DAY, DAY, True), ("2026-11-19", "2026-11-21", True), ("2026-11-21", "2026-11-21", False)],
)
def test_a_register_is_of_the_days_it_names(
    database: Database, first: str, last: str, expected: bool
) -> None:
    add_import(database, 1, OVER + 1, first_day=first, last_day=last)
    assert is_here(database) is expected


def test_an_empty_one_is_of_the_day_before_it_came(database: Database) -> None:
    add_import(database, 1, OVER - 1)
    assert not is_here(database)
    add_import(database, 2, OVER)
    assert is_here(database)


@pytest.mark.parametrize("other", [{"kind": "statement"}, {"agreement_id": "x"}, {"state": "undone"}])
def test_what_is_none(database: Database, other: dict[str, str]) -> None:
    add_import(database, 1, OVER + 1, **other)
    assert not is_here(database)


def test_an_empty_one_that_came_again_with_the_same_bytes(database: Database) -> None:
    add_import(database, 1, OVER - 500)
    for at_us, expected in ((OVER - 1, False), (OVER, True)):
        row = ChannelFileRow(*KEY, "in", f"{at_us}.csv", "d", 1, at_us, "done", "duplicate", at_us)
        with database.write() as connection:
            connection.execute(insert(channel_files), row._asdict())
        assert is_here(database) is expected
