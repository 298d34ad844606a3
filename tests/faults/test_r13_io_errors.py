"""R13: the disk says EIO: what was confirmed is there, what was not is not there twice."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tests.faults.clusters import PROC, children_of, process_of
from tests.faults.conftest import Seen, load
from tests.faults.paying import books_of, durable_cluster, pay_on, paying
from tests.faults.tracing import Injection, injected, need_strace
from tests.postgres import Cluster

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PROC.exists(), reason="strace is of Linux"),
]

#: At least so many calls fail in each test.
POINTS = load(3, 50)
#: Calls that fail before the tracer goes, the server is killed, and another place is chosen.
POINTS_A_ROUND = load(3, 10)
POINTS_POSTGRES = load(1, 20)
POINTS_CHECKPOINT = load(1, 10)
KILLS = load(2, 20)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with durable_cluster() as cluster:
        yield cluster


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("calls", "fault"),
    [("fdatasync,fsync", "error=EIO"), ("pwrite64", "error=EIO"), ("pwrite64", "error=ENOSPC")],
)
def test_sqlite_meets_errors_of_the_disk(
    calls: str, fault: str, tmp_path: Path, request: pytest.FixtureRequest, seen: Seen
) -> None:
    """Each round ends with a kill: what a failed commit left in the file must not come to life wrongly."""
    need_strace()
    chance, points, later = random.Random(13), 0, 0  # noqa: S311
    with books_of("sqlite", tmp_path, request) as installation:
        installation.start()
        with paying(installation) as told:
            while points < POINTS or not later:  # an error while the log is folded back is nobody's answer
                assert installation.process
                injection = Injection(calls, fault, f"{chance.randint(1, 40)}+{chance.randint(2, 60)}")
                before = told.told_later
                with injected([installation.process.pid], injection, tmp_path) as trace:
                    told.wait_until(lambda t=trace: len(t.injected) >= POINTS_A_ROUND)  # type: ignore[misc]
                told.wait_for_more(50)  # the same process has recovered
                points += len(trace.injected)
                later += told.told_later - before
                installation.kill()
                installation.start()
        assert "disk I/O error" in installation.log() or "disk is full" in installation.log()
        seen(points=points, payments=told.paid, told_later=later, cut_off=told.unanswered)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("calls", ["fdatasync", "pwrite64"])
def test_postgres_meets_errors_of_the_disk(
    calls: str, cluster: Cluster, tmp_path: Path, request: pytest.FixtureRequest, seen: Seen
) -> None:
    """It stops itself rather than trust a file that it could not write, recovers, and goes on."""
    need_strace()
    chance, points, starts = random.Random(13), 0, 0  # noqa: S311
    panics = panics_of(cluster)
    with books_of("postgres", tmp_path, request) as installation:
        installation.start()
        with paying(installation) as told:
            while points < POINTS_POSTGRES or not told.told_later:  # one outside a commit is nobody's answer
                pids = [cluster.process.pid, *children_of(cluster.process.pid)]
                injection = Injection(calls, "error=EIO", str(chance.randint(1, 30)))
                with injected(pids, injection, tmp_path) as trace:
                    told.wait_until(lambda t=trace: bool(t.injected))  # type: ignore[misc]
                points += len(trace.injected)
                starts += pay_on(told, cluster, 50)
        assert told.unanswered == 0
        seen(
            points=points, panics=panics_of(cluster) - panics, started_by_us=starts, payments=told.paid,
            told_later=told.told_later,
        )  # fmt: skip


def panics_of(cluster: Cluster) -> int:
    return (cluster.folder / "server.log").read_text(errors="replace").count("PANIC:")


@pytest.mark.timeout(200)
def test_postgres_cannot_make_its_tables_durable(
    cluster: Cluster, tmp_path: Path, request: pytest.FixtureRequest, seen: Seen
) -> None:
    """A failed fsync of a table at a checkpoint: the change is still in its log, so it starts from there."""
    need_strace()
    points, panics = 0, panics_of(cluster)
    with books_of("postgres", tmp_path, request) as installation:
        installation.start()
        with paying(installation) as told:
            while points < POINTS_CHECKPOINT:
                told.wait_for_more(100)
                pid = process_of(cluster, "checkpointer")
                with injected([pid], Injection("fsync", "error=EIO", "1"), tmp_path) as trace:
                    with suppress(psycopg.Error):
                        cluster.execute("CHECKPOINT")
                    told.wait_until(lambda t=trace: bool(t.injected))  # type: ignore[misc]
                points += len(trace.injected)
                told.wait_for_more(100)
        assert told.unanswered == 0
        assert panics_of(cluster) - panics == points
        seen(points=points, panics=points, payments=told.paid, told_later=told.told_later)


@pytest.mark.timeout(200)
def test_sqlite_dies_within_a_commit(tmp_path: Path, request: pytest.FixtureRequest, seen: Seen) -> None:
    """Killed at a write or a sync of the file: what is written of a commit counts whole, or not at all."""
    need_strace()
    chance = random.Random(13)  # noqa: S311
    with books_of("sqlite", tmp_path, request) as installation:
        installation.start()
        with paying(installation) as told:
            for _ in range(KILLS):
                assert installation.process
                injection = Injection("pwrite64,fdatasync,fsync", "signal=KILL", str(chance.randint(1, 60)))
                with injected([installation.process.pid], injection, tmp_path):
                    assert installation.process.wait(20) == -signal.SIGKILL
                installation.kill()
                installation.start()
                told.wait_for_more(50)
        assert told.unanswered >= KILLS
        seen(kills=KILLS, payments=told.paid, cut_off=told.unanswered)
