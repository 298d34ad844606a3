"""R7: PostgreSQL is killed under load; agents hear "come later" or nothing, never a final no."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.clusters import PROC, kill_postgres, start_postgres
from tests.faults.conftest import Seen, load
from tests.faults.paying import books_of, durable_cluster, paying
from tests.postgres import Cluster

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PROC.exists(), reason="its processes are found in /proc"),
]

KILLS = load(1, 5)
PAYMENTS = load(300, 50_000)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with durable_cluster() as cluster:
        yield cluster


@pytest.mark.timeout(400)
def test_postgres_is_killed_under_load(
    cluster: Cluster, tmp_path: Path, request: pytest.FixtureRequest, seen: Seen
) -> None:
    """The server goes on by itself as soon as the database is back."""
    with books_of("postgres", tmp_path, request) as installation:
        installation.start()
        with paying(installation) as told:
            for kill in range(1, KILLS + 1):
                told.wait_until(lambda goal=kill: told.paid >= PAYMENTS * goal // (KILLS + 1), 100)  # type: ignore[misc]
                kill_postgres(cluster)
                later = told.told_later
                told.wait_until(lambda later=later: told.told_later > later)  # type: ignore[misc]
                time.sleep(0.3)
                start_postgres(cluster)
                told.wait_for_more(1)
            told.wait_until(lambda: told.paid >= PAYMENTS, 100)
        assert told.unanswered == 0, "the server itself was never away"
        deadline_s = time.monotonic() + 10
        while not installation.is_ready():
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
        seen(kills=KILLS, payments=told.paid, told_later=told.told_later)
