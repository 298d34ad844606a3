"""R14 between kvit and PostgreSQL: whatever the line does, no agent hears a wrong word, then all is well."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kvit.domain.messages import Post
from tests.conftest import create_books
from tests.faults.conftest import Seen, load
from tests.faults.proxy import FINE, Fault, Proxy, Weather, weathered
from tests.faults.resources import Held, gives_back, held_by, needs_proc
from tests.postgres import Cluster
from tests.proof.serving import KVIT, Installation, installed
from tests.proof.terminals import Answer, Terminal, check_target, pay_target, run_terminals
from tests.seeding import Client, Due

pytestmark = [needs_proc, pytest.mark.timeout(load(180, 600))]

CLIENTS = [Client(f"{place:07}", [Due(1_000_000)]) for place in range(50)]
TERMINALS = 16
#: When an agent is told to come later. Nobody waits for a database for longer than that.
DEADLINE_S = load(0.5, 2.0)
LATENCY_S = load(0.1, 5.0)
DRIP_S = load(0.05, 1.0)
#: What runs beside the payments takes a connection each from a pool, now one and now several.
SPARE_CONNECTIONS = 3
#: Each dead line costs a deadline, one in the middle of a greeting what a greeting may take.
DEAD_TIMEOUT_S = 90.0
DEAD_LINES = load(4, 6)
FINISH_TIMEOUT_S = 60.0
_txns = itertools.count(100_001)


@pytest.fixture(scope="module")
def line(
    postgres_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Installation, Proxy]]:
    """A server whose way to its database goes through the weather; we look at the books directly."""
    folder: Path = tmp_path_factory.mktemp("served")
    settings = folder / "kvit.toml"
    settings.write_text(f"[limits]\ndeadline_s = {DEADLINE_S}\n", encoding="utf-8")
    with (
        postgres_cluster.database(postgres_cluster.template("books", create_books)) as url,
        weathered(postgres_cluster.port) as proxy,
        installed(url, folder, CLIENTS) as installation,
    ):
        installation.url = url.replace(f":{postgres_cluster.port}/", f":{proxy.port}/")
        installation.start(program=("env", f"KVIT_CONFIG={settings}", KVIT, "serve"))
        installation.url = url
        yield installation, proxy


@pytest.fixture(scope="module")
def at_rest(line: tuple[Installation, Proxy]) -> Held:
    """What the server holds with every lane and every helper at work."""
    installation, _ = line
    pay_under(installation, lambda: time.sleep(2.5))
    assert installation.process
    return held_by(installation.process.pid)


def pay_under(installation: Installation, deed: Callable[[], object]) -> list[Terminal]:
    """Pay and ask while ``deed`` happens; then all of it is final, and in the books once."""
    agreement_id = installation.agreements[0].agreement_id
    chance = random.Random(3)  # noqa: S311
    before = stored(installation)
    enough, given_up = threading.Event(), threading.Event()

    def payments() -> Iterator[Post]:
        while not enough.is_set():
            yield Post(str(next(_txns)), chance.choice(CLIENTS).number, chance.randint(1, 500))

    async def pay(terminal: Terminal, post: Post) -> Answer:
        await asyncio.sleep(0.01)
        await terminal.ask_until_final(check_target(agreement_id, post.number), given_up.is_set)
        return await terminal.ask_until_final(pay_target(agreement_id, post), given_up.is_set)

    with ThreadPoolExecutor(1) as threads:
        paying = threads.submit(run_terminals, installation.port, TERMINALS, payments(), pay)
        try:
            deed()
            assert not paying.done(), paying.exception()
            enough.set()
            told, terminals = paying.result(FINISH_TIMEOUT_S)
        finally:
            enough.set()
            given_up.set()
    assert {answer.code for _, answer in told} == {"0"}, "a final no for a good payment"
    rows = {row["txn"]: row for row in installation.gateway.rows("payments", installation.town.biller_id)}
    assert len(rows) == before + len(told)
    for post, answer in told:
        assert rows[post.txn]["amount_minor"] == post.amount_minor
        assert f"<prv_txn>{rows[post.txn]['receipt']}</prv_txn>".encode() in answer.body
    assert installation.gateway.findings(installation.town.biller_id) == []
    return terminals


def stored(installation: Installation) -> int:
    return len(installation.gateway.rows("payments", installation.town.biller_id))


def faults_of(kind: str) -> Iterator[tuple[Weather, float]]:
    """What the line does next, and for how long: cut at any byte of a batch, or in the way of all of them."""
    chance = random.Random(5)  # noqa: S311
    too_long_s = DEADLINE_S + 0.5
    rounds, seconds = {
        "reset": (load(20, 200), load(0.05, 0.1)),
        "half closed": (load(20, 200), load(0.05, 0.1)),
        "stalled": (load(4, 20), too_long_s),
        "late": (load(4, 6), load(0.5, 3 * LATENCY_S)),
        "dripping": (load(4, 8), too_long_s),
    }[kind]
    for place in range(rounds):
        at = chance.randrange(4_000)
        fault = {
            "reset": Fault(reset_after=at),
            "half closed": Fault(half_close_after=at),
            "stalled": Fault(stall_after=at),
            "late": Fault(latency_s=LATENCY_S),
            "dripping": Fault(drip_s=DRIP_S),
        }[kind]
        yield (Weather(FINE, fault) if place % 2 else Weather(fault, FINE)), seconds


@pytest.mark.parametrize("kind", ["reset", "half closed", "stalled", "late", "dripping"])
def test_a_line_that_is_half_dead(
    line: tuple[Installation, Proxy], at_rest: Held, seen: Seen, kind: str
) -> None:
    installation, proxy = line
    assert installation.process
    count, before = 0, stored(installation)

    def suffer() -> None:
        nonlocal count
        for weather, seconds in faults_of(kind):
            proxy.suffer(*weather)
            time.sleep(seconds)
            proxy.calm()
            time.sleep(0.05)
            count += 1

    terminals = pay_under(installation, suffer)
    assert sum(terminal.unanswered for terminal in terminals) == 0, "the server itself was never away"
    told_later = sum(terminal.told_later for terminal in terminals)
    assert told_later > 0 or kind == "late", "nothing was tried"
    most = at_rest._replace(descriptors=at_rest.descriptors + SPARE_CONNECTIONS)
    left = gives_back(installation.process.pid, most, 10)
    assert left.threads <= most.threads, f"held {at_rest} at rest"
    assert left.descriptors <= most.descriptors, f"held {at_rest} at rest"
    seen(
        faults=count,
        payments=stored(installation) - before,
        told_later=told_later,
        descriptors=left.descriptors,
        threads=left.threads,
    )


@pytest.mark.parametrize("at", load([1_200], [0, 200, 1_200, 2_400]))
def test_lines_that_are_dead_for_good_are_left(
    line: tuple[Installation, Proxy], at_rest: Held, seen: Seen, at: int
) -> None:
    """Something in between acknowledges everything and hands on nothing; over new lines all goes on."""
    installation, proxy = line
    assert installation.process
    began_s, lasted_s = time.monotonic(), 0.0

    def suffer() -> None:
        nonlocal lasted_s
        proxy.suffer(Fault(reset_after=0))
        time.sleep(0.3)
        # As many as the lanes have, and more; nothing lifts them while this goes on. No connection is made
        # in between, which would live on and spare its lane the dead ones.
        proxy.calm([Weather(FINE, Fault(stall_after=at)) for _ in range(DEAD_LINES)])
        enough = stored(installation) + 200
        while stored(installation) < enough or len(proxy.upcoming) > DEAD_LINES - 3:
            assert time.monotonic() < began_s + DEAD_TIMEOUT_S, proxy.upcoming
            time.sleep(0.1)
        lasted_s = time.monotonic() - began_s

    terminals = pay_under(installation, suffer)
    told_later = sum(terminal.told_later for terminal in terminals)
    assert told_later > 0, "nothing was tried"
    proxy.plan([])
    most = at_rest._replace(descriptors=at_rest.descriptors + SPARE_CONNECTIONS)
    left = gives_back(installation.process.pid, most, 10)
    assert left.descriptors <= most.descriptors
    seen(dead_lines=DEAD_LINES, lasted_s=round(lasted_s, 1), told_later=told_later)
