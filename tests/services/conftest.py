"""The services on books of each engine."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import ENGINES, create_books
from tests.gateway import NOON, Gateway, opened
from tests.postgres import Cluster

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder in memory, where there is one


@pytest.fixture
def gateway(shared_gateway: Gateway) -> Gateway:
    """Books of one engine, at noon."""
    shared_gateway.clock.instant = NOON
    return shared_gateway


@pytest.fixture(scope="module", params=ENGINES)
def shared_gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """One database for all tests of a file: each makes billers of its own, and nobody else's matter.

    These are tests of logic: no machine crashes in them, so the file lies in memory if it can.
    """
    with ExitStack() as stack:
        if request.param == "sqlite":
            template: Path = request.getfixturevalue("sqlite_template")
            place = MEMORY if os.access(MEMORY, os.W_OK) else None
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="kvit-test-", dir=place))
            url = f"sqlite:///{shutil.copy(template, Path(folder) / 'books.sqlite')}"
        else:
            cluster: Cluster = request.getfixturevalue("postgres_cluster")
            url = stack.enter_context(cluster.database(cluster.template("books", create_books)))
        yield stack.enter_context(opened(url))
