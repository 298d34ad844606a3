"""R14 between agents and kvit: a line that is half dead harms nobody but the agent at its other end."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from kvit.config import Limits, Settings
from kvit.domain.messages import Post
from kvit.main import SystemClock
from tests.conftest import create_books
from tests.faults.conftest import FULL, Seen, load
from tests.faults.inside import serving_inside
from tests.faults.proxy import FINE, Fault, Proxy, Weather, weathered
from tests.faults.resources import Held, gives_back, held_by, needs_proc
from tests.faults.steady import Told, steady
from tests.proof import terminals
from tests.proof.serving import KVIT, Installation, installed
from tests.proof.terminals import Answer, Terminal, pay_target, run_terminals
from tests.seeding import Client, Due

pytestmark = [needs_proc, pytest.mark.timeout(load(180, 600))]

CLIENTS = [Client(f"{place:07}", [Due(1_000_000)]) for place in range(50)]
TERMINALS = load(16, 128)
#: What the server grants, and how long an agent waits: short in the fast load, since all of it is waited for.
HEAD_TIMEOUT_S = load(1.0, 5.0)
PATIENCE_S = load(0.7, 8.0)
LATENCY_S = load(0.2, 5.0)
DRIP_S = load(0.05, 1.0)
SETTINGS = f"""
[limits]
head_timeout_s = {HEAD_TIMEOUT_S}
body_timeout_s = {HEAD_TIMEOUT_S}
keep_alive_s = {load(2.0, 10.0)}
"""
#: SQLite keeps a few open files of closed connections for the next ones; lines are many more.
SPARE_FILES = 4
GIVEN_BACK_S = load(6.0, 30.0)
_txns = itertools.count(100_001)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder: Path = tmp_path_factory.mktemp("served")
    url = f"sqlite:///{folder / 'books.sqlite'}"
    create_books(url)
    (folder / "kvit.toml").write_text(SETTINGS, encoding="utf-8")
    with installed(url, folder, CLIENTS, names=("sick", "well")) as installation:
        installation.start(program=("env", f"KVIT_CONFIG={folder / 'kvit.toml'}", KVIT, "serve"))
        yield installation


@pytest.fixture(scope="module")
def at_rest(served: Installation) -> Held:
    """What the server holds once it has served somebody, and nobody is connected."""
    assert served.process
    with weathered(served.port) as proxy:
        sizes_of(served, proxy)
    time.sleep(1)
    return held_by(served.process.pid)


@pytest.fixture
def proxy(served: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    monkeypatch.setattr(terminals, "TIMEOUT_S", PATIENCE_S)
    with weathered(served.port) as proxy:
        yield proxy


def pay_through(
    served: Installation, proxy: Proxy, weathers: Sequence[Weather], terminals_count: int = TERMINALS
) -> list[Terminal]:
    """Pay, each time on a new connection, until each weather has had one; every payment is there once."""
    agreement_id = served.agreements[0].agreement_id
    chance = random.Random(len(weathers))  # noqa: S311
    before = len(payments_of(served, agreement_id))
    proxy.plan(weathers)
    given_up = threading.Event()

    def payments() -> Iterator[Post]:
        while proxy.upcoming:
            yield Post(str(next(_txns)), chance.choice(CLIENTS).number, chance.randint(1, 500))

    async def pay(terminal: Terminal, post: Post) -> Answer:
        await terminal.close()
        return await terminal.ask_until_final(pay_target(agreement_id, post), given_up.is_set)

    told, used = run_terminals(proxy.port, terminals_count, payments(), pay)
    assert {answer.code for _, answer in told} == {"0"}, "a final no for a good payment"
    rows = payments_of(served, agreement_id)
    assert len(rows) == before + len(told)
    for post, answer in told:
        assert rows[post.txn]["amount_minor"] == post.amount_minor
        assert f"<prv_txn>{rows[post.txn]['receipt']}</prv_txn>".encode() in answer.body
    assert served.gateway.findings(served.town.biller_id) == []
    return used


def payments_of(served: Installation, agreement_id: str) -> dict[str, Mapping[str, Any]]:
    rows = served.gateway.rows("payments", served.town.biller_id)
    return {row["txn"]: row for row in rows if row["agreement_id"] == agreement_id}


def sizes_of(served: Installation, proxy: Proxy) -> tuple[int, int]:
    """Bytes of a request and of its answer."""
    before = tuple(proxy.passed)
    pay_through(served, proxy, [Weather()], 1)
    return proxy.passed[0] - before[0], proxy.passed[1] - before[1]


def weathers_of(kind: str, request: int, answer: int) -> list[Weather]:
    """As many as the load wants; of resets one for each byte."""
    count = load(24, 200)
    cuts = [(0, at) for at in range(request + 1)] + [(1, at) for at in range(answer + 1)]
    step = load(len(cuts) // 48, 1)
    if kind == "reset":
        faults = [(way, Fault(reset_after=at)) for way, at in cuts[::step]]
    elif kind == "stalled":
        faults = [(way, Fault(stall_after=at)) for way, at in cuts[:: len(cuts) // count]]
    elif kind == "half closed":
        faults = [(way, Fault(half_close_after=at)) for way, at in cuts[:: len(cuts) // count]]
    elif kind == "late":
        faults = [(place % 2, Fault(latency_s=LATENCY_S)) for place in range(count)]
    else:
        faults = [(place % 2, Fault(drip_s=DRIP_S)) for place in range(count)]
    return [Weather(FINE, fault) if way else Weather(fault, FINE) for way, fault in faults]


KINDS = ["reset", "stalled", "half closed", "late", "dripping"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_that_is_half_dead(
    served: Installation, at_rest: Held, proxy: Proxy, seen: Seen, kind: str
) -> None:
    """Everything is booked once, and the server gets rid of what hangs by itself, with nobody's help."""
    assert served.process
    weathers = weathers_of(kind, *sizes_of(served, proxy))
    used = pay_through(served, proxy, weathers)
    most = at_rest._replace(descriptors=at_rest.descriptors + SPARE_FILES)
    left = gives_back(served.process.pid, most, GIVEN_BACK_S)
    assert left.descriptors <= most.descriptors, f"held {at_rest} at rest"
    assert left.threads <= at_rest.threads, f"held {at_rest} at rest"
    proxy.calm()  # what comes only now was given up long ago
    time.sleep(0.2)
    assert served.gateway.findings(served.town.biller_id) == []
    unanswered = sum(terminal.unanswered for terminal in used)
    assert unanswered > 0 or kind == "late"
    seen(lines=len(weathers), unanswered=unanswered, descriptors=left.descriptors, threads=left.threads)


def others_told(served: Installation, proxy: Proxy, weathers: Sequence[Weather]) -> Told:
    """What the well agent is told while the sick one has such lines, for long enough to count."""
    number, agreement_id = CLIENTS[0].number, served.agreements[1].agreement_id
    with steady(served.port, agreement_id, number, int(f"9{next(_txns)}00000"), 100) as well:
        well.begin()
        end_s = time.monotonic() + 8
        while time.monotonic() < end_s:
            pay_through(served, proxy, weathers)
            proxy.calm()
    return well.told


@pytest.mark.skipif(not FULL, reason="a ratio of times needs the whole load: make faults")
@pytest.mark.parametrize("kind", KINDS)
def test_the_others_hardly_notice(served: Installation, proxy: Proxy, seen: Seen, kind: str) -> None:
    """Against the same agent with healthy lines. The machine is noisy: one good run of three is enough."""
    weathers = weathers_of(kind, *sizes_of(served, proxy))
    ratios: list[float] = []
    while len(ratios) < 3 and not (ratios and ratios[-1] < 2):
        waits_s = []
        for each in ([Weather()] * len(weathers), weathers):
            told = others_told(served, proxy, each)
            assert told.count() == told.count("0") > 500, told.waits_s.keys()
            waits_s.append(told.quantile_s(0.99))
        ratios.append(waits_s[1] / waits_s[0])
        seen(p99_ratio=round(ratios[-1], 2), p99_ms=round(waits_s[1] * 1000, 1), tries=len(ratios))
    assert ratios[-1] < 2, ratios


def test_no_task_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: Seen) -> None:
    """Of requests whose agents are gone. Seen from within, since no kernel counts an event loop's tasks."""
    monkeypatch.setattr(terminals, "TIMEOUT_S", 0.3)
    url = f"sqlite:///{tmp_path / 'books.sqlite'}"
    create_books(url)
    limits = Limits(head_timeout_s=0.5, body_timeout_s=0.5, keep_alive_s=1)
    settings = Settings(database=url, data=str(tmp_path), limits=limits)
    with (
        installed(url, tmp_path, CLIENTS, names=("sick", "well")) as installation,
        serving_inside(installation, SystemClock(), settings) as inside,
        weathered(installation.port) as proxy,
    ):
        size = sizes_of(installation, proxy)
        before = inside.tasks()
        weathers = [weather for kind in KINDS for weather in weathers_of(kind, *size)]
        pay_through(installation, proxy, weathers)
        give_up_s = time.monotonic() + GIVEN_BACK_S
        while (left := inside.tasks()) > before:
            assert time.monotonic() < give_up_s, f"{left} tasks, and {before} at rest"
            time.sleep(0.05)
    seen(lines=len(weathers), tasks=left)
