"""R5 and R7: the server or the database is killed under load; what was confirmed is there, once each."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kvit.domain.messages import Post
from tests import postgres
from tests.conftest import create_books
from tests.missing import missing
from tests.postgres import DURABLE, Cluster, PostgresUnavailable, running_cluster
from tests.proof.serving import Installation, installed
from tests.proof.terminals import Answer, Terminal, pay_target, run_terminals
from tests.seeding import Client, Due

pytestmark = pytest.mark.slow

CLIENTS = [Client(f"{place:07}", [Due(100_000)]) for place in range(100)]
KILLS = 3
TERMINALS = 16
READY_S = 3.0
FINISH_TIMEOUT_S = 30.0
#: A worker that dies while its supervisor is asking how it is, is missed only when that question times out.
REPLACED_TIMEOUT_S = 45.0
#: Between two payments of a terminal.
PAUSE_S = 0.02
PROC = Path("/proc")
_WORKER_BEGAN = re.compile(r"Started server process \[([0-9]+)\]")


@pytest.fixture(scope="module")
def durable_cluster() -> Iterator[Cluster]:
    """A PostgreSQL of this file's own that keeps its promises, to be killed."""
    try:
        with running_cluster(DURABLE) as cluster:
            yield cluster
    except PostgresUnavailable as reason:
        missing(str(reason))


def endless(chance: random.Random, is_enough: Callable[[], bool]) -> Iterator[Post]:
    """One payment after another, each with an id of its own."""
    for place in itertools.count(1):
        if is_enough():
            return
        yield Post(f"{place:06}", chance.choice(CLIENTS).number, chance.randint(1, 5_000))


def pay_under(installation: Installation, deeds: Sequence[Callable[[], None]]) -> tuple[int, int]:
    """Pay while ``deeds`` happen, then check all books; how often nobody answered, or "later"."""
    chance = random.Random(7)  # noqa: S311
    agreement_id = installation.agreements[0].agreement_id
    before = installation.balances()
    enough, given_up = threading.Event(), threading.Event()
    begun = itertools.count()

    async def ask(terminal: Terminal, post: Post) -> Answer:
        next(begun)
        await asyncio.sleep(PAUSE_S)
        return await terminal.ask_until_final(pay_target(agreement_id, post), given_up.is_set)

    with ThreadPoolExecutor(1) as threads:
        works = endless(chance, enough.is_set)
        paying = threads.submit(run_terminals, installation.port, TERMINALS, works, ask)
        try:
            for deed in (*deeds, enough.set):
                time.sleep(chance.uniform(0.4, 1.0))
                assert not paying.done(), paying.exception()
                deed()
            told, terminals = paying.result(FINISH_TIMEOUT_S)
        finally:
            enough.set()
            given_up.set()
    wanted = [post for post, _ in told]
    assert len(wanted) == next(begun) > 100 * len(deeds)
    assert {answer.code for _, answer in told} == {"0"}, "a final no for a good payment"
    rows = {row["txn"]: row for row in installation.gateway.rows("payments", installation.town.biller_id)}
    assert len(rows) == len(wanted)
    for post, answer in told:
        row = rows[post.txn]
        assert row["amount_minor"] == post.amount_minor
        assert f"<prv_txn>{row['receipt']}</prv_txn>".encode() in answer.body
    after = installation.balances()
    assert sum(before.values()) - sum(after.values()) == sum(post.amount_minor for post in wanted)
    assert installation.gateway.findings(installation.town.biller_id) == []
    audited = installation.audit()
    assert (audited["findings"], audited["payments"]) == ([], len(wanted))
    return sum(t.unanswered for t in terminals), sum(t.told_later for t in terminals)


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_the_server_is_killed_under_load(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with contextlib.ExitStack() as stack:
        if engine == "sqlite":
            url = f"sqlite:///{tmp_path / 'books.sqlite'}"
            create_books(url)
        else:
            cluster: Cluster = request.getfixturevalue("durable_cluster")
            url = stack.enter_context(cluster.database(cluster.template("books", create_books)))
        installation = stack.enter_context(installed(url, tmp_path, CLIENTS))
        starts = [installation.start()]

        def kill_and_start() -> None:
            installation.kill()
            starts.append(installation.start())

        unanswered, _ = pay_under(installation, [kill_and_start] * KILLS)
        assert len(starts) == 1 + KILLS
        assert unanswered > 0, "nobody was cut off, so nothing was tried"
        # The machine may be busy, and its load is ours: the quickest start is what the server can do.
        assert min(starts) < READY_S, starts


def test_the_server_is_stopped_under_load(tmp_path: Path) -> None:
    """An operator's stop answers what is committed, refuses what is not, and ends by itself."""
    url = f"sqlite:///{tmp_path / 'books.sqlite'}"
    create_books(url)
    with installed(url, tmp_path, CLIENTS) as installation:
        installation.start()

        def stop_and_start() -> None:
            assert installation.stop() == 0
            installation.start()

        pay_under(installation, [stop_and_start])


@pytest.mark.skipif(not PROC.exists(), reason="workers are found in /proc")
def test_one_of_two_workers_is_killed_under_load(durable_cluster: Cluster, tmp_path: Path) -> None:
    """The other one goes on, and a new one takes its place by itself."""
    with (
        durable_cluster.database(durable_cluster.template("books", create_books)) as url,
        installed(url, tmp_path, CLIENTS) as installation,
    ):
        installation.start("--workers", "2")
        killed: list[int] = []

        def kill_one() -> None:
            killed.append(wait_for_workers(installation, killed)[0])  # the oldest: in the end none is spared
            os.kill(killed[-1], signal.SIGKILL)

        unanswered, _ = pay_under(installation, [kill_one] * KILLS)
        assert unanswered > 0, "nobody was cut off, so nothing was tried"
        wait_for_workers(installation, killed)


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


def kill_postgres(cluster: Cluster) -> None:
    """Every process of the server at once, as when the machine dies: nobody says goodbye."""
    postmaster = cluster.process.pid
    family = [postmaster, *children_of(postmaster)]
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    cluster.process.wait(20)
    while any((PROC / str(pid)).exists() for pid in family[1:]):
        time.sleep(0.01)


def children_of(parent: int) -> list[int]:
    found = []
    for stat in PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def start_postgres(cluster: Cluster) -> None:
    """The same cluster again, on its old port."""
    programs = Path(str(cluster.process.args[0])).parent  # type: ignore[index]
    settings = {**postgres._fixed_settings(cluster.port), **DURABLE}
    log = cluster.folder / "server.log"
    cluster.process = postgres._launch(programs, cluster.folder, postgres.find_owner(), log, settings)
    assert postgres._answers(cluster)


@pytest.mark.skipif(not PROC.exists(), reason="its processes are found in /proc")
def test_postgres_is_killed_under_load(durable_cluster: Cluster, tmp_path: Path) -> None:
    """Agents hear "come later" or nothing, never a final no; the server goes on by itself."""
    cluster = durable_cluster

    def kill_and_start() -> None:
        kill_postgres(cluster)
        time.sleep(0.5)
        start_postgres(cluster)

    with (
        cluster.database(cluster.template("books", create_books)) as url,
        installed(url, tmp_path, CLIENTS) as installation,
    ):
        installation.start()
        unanswered, told_later = pay_under(installation, [kill_and_start])
        assert told_later > 0, "the database was away, and nobody was told to come later"
        assert unanswered == 0, "the server itself was never away"
        deadline_s = time.monotonic() + 10
        while not installation.is_ready():
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
