"""R15: one agent asks ten times what can be done; the others are served, and it hears "later" at once."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from kvit.domain.messages import Post
from tests.conftest import create_books
from tests.faults.conftest import Seen, load
from tests.faults.proxy import Fault, weathered
from tests.faults.resources import memory_mb, needs_proc
from tests.faults.steady import Told, steady
from tests.postgres import Cluster
from tests.proof.serving import KVIT, Installation, installed
from tests.proof.terminals import Terminal, pay_target, run_terminals
from tests.seeding import Client, Due

pytestmark = [needs_proc, pytest.mark.timeout(load(120, 240))]

#: The capacity is made small and known: so few in a batch, and a database that is so far away.
SETTINGS = "[limits]\nqueue_max = 128\nqueue_share_percent = 50\nbatch_max = 8\nwrite_lanes = 2\n"
DISTANCE_S = 0.025
CONNECTIONS = 300
SECONDS = {"postgres": load(3.0, 60.0), "sqlite": load(3.0, 15.0)}
POLITE = ("one", "two", "three")
A_SECOND = 10.0
MEMORY_MB_MAX = 40.0
GREEDY = Client("0000000", [Due(10_000_000)])
CLIENTS = [GREEDY, *(Client(f"000000{place}", [Due(100_000)]) for place in range(1, 4))]


@contextmanager
def served(engine: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Installation]:
    settings = folder / "kvit.toml"
    settings.write_text(SETTINGS, encoding="utf-8")
    start = ("env", f"KVIT_CONFIG={settings}", KVIT, "serve")
    names = ("greedy", *POLITE)
    if engine == "sqlite":
        url = f"sqlite:///{folder / 'books.sqlite'}"
        create_books(url)
        with installed(url, folder, CLIENTS, names=names) as installation:
            installation.start(program=start)
            yield installation
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    with (
        cluster.database(cluster.template("books", create_books)) as url,
        weathered(cluster.port) as line,
        installed(url, folder, CLIENTS, names=names) as installation,
    ):
        installation.url = url.replace(f":{cluster.port}/", f":{line.port}/")
        installation.start(program=start)
        installation.url = url
        line.suffer(Fault(latency_s=DISTANCE_S), Fault(latency_s=DISTANCE_S))
        yield installation


def pay_greedily(installation: Installation, is_over: Callable[[], bool]) -> Told:
    """Each connection asks again as soon as it is answered, whatever the answer is, with a new payment."""
    told, txns = Told(), itertools.count(10**8)
    agreement_id = installation.agreements[0].agreement_id

    async def ask_on(terminal: Terminal, _place: int) -> None:
        while not is_over():
            began_s = time.monotonic()
            target = pay_target(agreement_id, Post(str(next(txns)), GREEDY.number, 1))
            code = (await terminal.ask(target)).code
            told.waits_s.setdefault(code, []).append(time.monotonic() - began_s)

    run_terminals(installation.port, CONNECTIONS, range(CONNECTIONS), ask_on)
    return told


def most_memory_mb(pid: int, seconds: float) -> float:
    end_s, most = time.monotonic() + seconds, 0.0
    while time.monotonic() < end_s:
        most = max(most, memory_mb(pid))
        time.sleep(0.1)
    return most


@pytest.mark.parametrize("engine", ["postgres", "sqlite"])
def test_one_greedy_agent(engine: str, tmp_path: Path, request: pytest.FixtureRequest, seen: Seen) -> None:
    """On PostgreSQL the database is what is slow; on SQLite it is the machine, which is full."""
    with served(engine, tmp_path, request) as installation, ThreadPoolExecutor(1) as threads:
        assert installation.process
        pid = installation.process.pid
        enough = threading.Event()
        with ExitStack() as stack:
            polite = [
                stack.enter_context(
                    steady(
                        installation.port,
                        agreement.agreement_id,
                        CLIENTS[place].number,
                        place * 10**6,
                        A_SECOND,
                    )
                )
                for place, agreement in enumerate(installation.agreements[1:], 1)
            ]
            stack.callback(enough.set)
            asking = threads.submit(pay_greedily, installation, enough.is_set)
            time.sleep(1)  # all connections are open, and the queue is full
            before_mb = memory_mb(pid)
            for agent in polite:
                agent.begin()
            most_mb = most_memory_mb(pid, SECONDS[engine])
            enough.set()
        greedy = asking.result(60)
        check_books(installation, greedy, [agent.told for agent in polite])
    served_there = sum(agent.told.count("0") for agent in polite)
    offered, done = greedy.count(), greedy.count("0") + served_there
    later_s = sorted(greedy.waits_s["1"])
    seen(
        offered_a_second=round(offered / (SECONDS[engine] + 1)),
        done_a_second=round(done / (SECONDS[engine] + 1)),
        others_served=f"{served_there}/{sum(agent.told.count() for agent in polite)}",
        others_p99_s=round(max(agent.told.quantile_s(0.99) for agent in polite), 2),
        later_p99_s=round(later_s[int(len(later_s) * 0.99)], 3),
        later_slowest_s=round(later_s[-1], 3),
        memory_mb=f"{before_mb:.0f} to {most_mb:.0f}",
    )
    for agent in polite:
        assert agent.told.count("0") >= 0.9 * agent.told.count(), agent.told.waits_s.keys()
        assert agent.told.count() >= 0.9 * SECONDS[engine] * A_SECOND
    assert greedy.waits_s.keys() == {"0", "1"}, "a final no for a good payment"
    assert later_s[int(len(later_s) * 0.99)] < 1
    assert most_mb - before_mb < MEMORY_MB_MAX
    if engine == "postgres":
        assert offered >= 10 * done, "that was no overload"


def check_books(installation: Installation, greedy: Told, polite: list[Told]) -> None:
    """What was confirmed is there, and nothing else is, save for what was still under way."""
    rows = installation.gateway.rows("payments", installation.town.biller_id)
    confirmed = greedy.count("0") + sum(told.count("0") for told in polite)
    assert confirmed <= len(rows) <= confirmed + greedy.count("1") + sum(told.count("1") for told in polite)
    assert {row["amount_minor"] for row in rows} == {1}
    assert installation.gateway.findings(installation.town.biller_id) == []
