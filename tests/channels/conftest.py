"""A database of each engine for the books of channels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kvit.storage.engine import Database, open_database


@pytest.fixture
def database(books_url: str) -> Iterator[Database]:
    opened = open_database(books_url)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def quick(sqlite_books_url: str) -> Iterator[Database]:
    """SQLite alone, for what does not depend on the engine."""
    opened = open_database(sqlite_books_url)
    try:
        yield opened
    finally:
        opened.close()
