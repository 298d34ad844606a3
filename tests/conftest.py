"""What every test may ask for: databases of both engines, and a browser."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.missing import missing
from tests.postgres import Cluster, PostgresUnavailable, running_cluster

ENGINES = ("sqlite", "postgres")
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: A browser that asks nobody but the pages under test for anything.
CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# The machine may be busy: a slow example is not a wrong one. A failure prints how to repeat it.
hypothesis.settings.register_profile(
    "kvit", deadline=None, print_blob=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("kvit")


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """The session's own PostgreSQL server, started by the first test that wants it."""
    try:
        with running_cluster() as cluster:
            yield cluster
    except PostgresUnavailable as reason:
        missing(str(reason))


@pytest.fixture
def postgres_url(postgres_cluster: Cluster) -> Iterator[str]:
    """The address of a new, empty PostgreSQL database; it is dropped after the test."""
    with postgres_cluster.database() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of a SQLite database whose file does not exist yet."""
    return f"sqlite:///{tmp_path / 'kvit.sqlite'}"


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a new, empty database: the test runs once on each engine."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def create_books(url: str) -> None:
    """Bring an empty database to the newest schema, and let go of it."""
    from kvit.storage.engine import open_database
    from kvit.storage.migrate import upgrade

    database = open_database(url)
    try:
        upgrade(database)
    finally:
        database.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the newest schema and nothing in it, to be copied and not to be opened."""
    path = tmp_path_factory.mktemp("template") / "kvit.sqlite"
    create_books(f"sqlite:///{path}")
    assert [each.name for each in path.parent.iterdir()] == [path.name], "the file is not the whole database"
    return path


@pytest.fixture
def sqlite_books_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of an SQLite database with the newest schema and nothing in it."""
    path = tmp_path / "books.sqlite"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_books_url(postgres_cluster: Cluster) -> Iterator[str]:
    """The address of a PostgreSQL database with the newest schema and nothing in it."""
    with postgres_cluster.database(postgres_cluster.template("books", create_books)) as url:
        yield url


@pytest.fixture(params=ENGINES)
def books_url(request: pytest.FixtureRequest) -> str:
    """The address of a new database with the newest schema, copied, on each engine."""
    url: str = request.getfixturevalue(f"{request.param}_books_url")
    return url


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The installed Chromium, to be driven by playwright with ``CHROMIUM_FLAGS``."""
    if importlib.util.find_spec("playwright") is None:
        missing("no playwright: install requirements/dev.txt")
    driver = subprocess.run(
        [sys.executable, "-m", "playwright", "--version"], capture_output=True, text=True, check=False
    )
    if driver.returncode != 0:
        missing(f"playwright does not run: {driver.stderr.strip()}")
    wish = os.environ.get("KVIT_TEST_CHROMIUM")
    for name in (wish,) if wish else CHROMIUM_NAMES:
        path = shutil.which(name)
        if path:
            return path
    return missing("no Chromium: install it (Debian: apt-get install chromium fonts-noto-core libatomic1)")
