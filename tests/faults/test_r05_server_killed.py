"""R5: the server is killed under load; what was confirmed is there, once each, and it starts by itself."""

from __future__ import annotations

import os
import random
import re
import signal
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import ENGINES
from tests.faults.conftest import Seen, load
from tests.faults.paying import books_of, durable_cluster, paying
from tests.postgres import Cluster
from tests.proof.serving import Installation

pytestmark = pytest.mark.slow

KILLS = load(2, 20)
PAYMENTS = load(500, 20_000)
READY_S = 3.0
#: A worker that dies while its supervisor is asking how it is, is missed only when that question times out.
REPLACED_TIMEOUT_S = 45.0
PROC = Path("/proc")
_WORKER_BEGAN = re.compile(r"Started server process \[([0-9]+)\]")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with durable_cluster() as cluster:
        yield cluster


@pytest.mark.timeout(400)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_server_is_killed_under_load(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest, seen: Seen
) -> None:
    chance = random.Random(5)  # noqa: S311
    with books_of(engine, tmp_path, request) as installation:
        starts = [installation.start()]
        with paying(installation) as told:
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.3, 1.2))
                told.wait_for_more(1)
                installation.kill()
                starts.append(installation.start())
            told.wait_until(lambda: told.paid >= PAYMENTS, 200)
        assert told.unanswered >= KILLS, "nobody was cut off, so nothing was tried"
        # The machine may be busy, and its load is ours: one slow start is not what the server can do.
        assert statistics.median(starts) < READY_S, starts
        seen(kills=KILLS, payments=told.paid, cut_off=told.unanswered, slowest_start_s=round(max(starts), 2))


def test_the_server_is_stopped_under_load(tmp_path: Path, request: pytest.FixtureRequest, seen: Seen) -> None:
    """An operator's stop answers what is committed, refuses what is not, and ends by itself."""
    stops = load(1, 5)
    with books_of("sqlite", tmp_path, request) as installation:
        installation.start()
        with paying(installation) as told:
            for _ in range(stops):
                told.wait_for_more(100)
                assert installation.stop() == 0
                installation.start()
            told.wait_for_more(100)
        seen(stops=stops, payments=told.paid)


@pytest.mark.skipif(not PROC.exists(), reason="whether a worker lives is found in /proc")
@pytest.mark.timeout(400)
def test_one_of_two_workers_is_killed_under_load(
    tmp_path: Path, request: pytest.FixtureRequest, seen: Seen
) -> None:
    """The other one goes on, and a new one takes its place by itself."""
    kills = load(2, 10)
    with books_of("postgres", tmp_path, request) as installation:
        installation.start("--workers", "2")
        killed: list[int] = []
        with paying(installation) as told:
            for _ in range(kills):
                told.wait_for_more(100)
                killed.append(wait_for_workers(installation, killed)[0])  # the oldest: none is spared
                os.kill(killed[-1], signal.SIGKILL)
            told.wait_for_more(100)
        assert told.unanswered > 0, "nobody was cut off, so nothing was tried"
        wait_for_workers(installation, killed)
        seen(kills=kills, payments=told.paid, cut_off=told.unanswered)


def wait_for_workers(installation: Installation, killed: Sequence[int]) -> list[int]:
    """The two workers that serve and were not killed, in the order in which they began."""
    give_up_s = time.monotonic() + REPLACED_TIMEOUT_S
    while True:
        began = [int(pid) for pid in _WORKER_BEGAN.findall(installation.log())]
        alive = [pid for pid in began if pid not in killed and (PROC / str(pid)).exists()]
        if len(alive) == 2:
            return alive
        assert time.monotonic() < give_up_s, installation.log()[-4000:]
        time.sleep(0.05)
