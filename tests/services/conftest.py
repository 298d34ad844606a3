"""The services on books of each engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway import Gateway, opened


@pytest.fixture
def gateway(books_url: str) -> Iterator[Gateway]:
    with opened(books_url) as found:
        yield found
