"""The services on books of each engine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import ENGINES, create_books
from tests.gateway import Gateway, opened
from tests.postgres import Cluster


@pytest.fixture(scope="module", params=ENGINES)
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One database for all tests of a file: each makes billers of its own, and nobody else's matter."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            template: Path = request.getfixturevalue("sqlite_template")
            path = tmp_path_factory.mktemp("gateway") / "books.sqlite"
            shutil.copy(template, path)
            url = f"sqlite:///{path}"
        else:
            cluster: Cluster = request.getfixturevalue("postgres_cluster")
            url = stack.enter_context(cluster.database(cluster.template("books", create_books)))
        yield stack.enter_context(opened(url))
