"""R17: a hold comes to its end at the very moment that it is posted, released or asked about.

Whether it has is decided by time alone: nothing has to run for it. What was said once is never taken back:
posted stays posted, ended stays ended, also when the clock wavers or steps back.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import pytest

from kvit.domain.messages import (
    EXPIRED,
    Command,
    Held,
    Hold,
    Post,
    Posted,
    Result,
    Status,
    Void,
    Voided,
)
from kvit.domain.model import Agreement
from kvit.lanes.desk import Demand, WriteDesk
from kvit.storage.corrections import SqlCorrections
from kvit.storage.engine import open_database
from tests.faults.conftest import Seen, load
from tests.gateway import NOON, Gateway, HandClock, postings_of
from tests.seeding import Client, Due, Town, agreement_of, seed

LIFETIME_S = 43_200
END = NOON + timedelta(seconds=LIFETIME_S)
MS = timedelta(milliseconds=1)
HOLDS = load(150, 2_000)
RACES = load(8, 100)


@dataclass
class Holding:
    gateway: Gateway
    town: Town
    agreement: Agreement

    def hold(self, txn: str) -> Held:
        self.gateway.clock.instant = NOON
        held = self.gateway.ask(self.agreement, Hold(txn, "a", 10, lifetime_s=LIFETIME_S))
        assert isinstance(held, Held)
        assert held.expires_at == END
        return held

    def states(self) -> dict[str, str]:
        rows = self.gateway.rows("holds", self.town.biller_id)
        return {row["txn"]: row["state"] for row in rows}

    def posted(self) -> set[str]:
        return {row["txn"] for row in self.gateway.rows("payments", self.town.biller_id)}


@pytest.fixture
def holding(gateway: Gateway) -> Iterator[Holding]:
    town = seed(gateway.database, [Client("a", [Due(100_000)])])
    yield Holding(gateway, town, agreement_of(town.biller_id, "wallet", may_hold=True))
    assert gateway.findings(town.biller_id) == []


def post(txn: str) -> Post:
    return Post(txn, "", 0, held=True)


@pytest.mark.parametrize("first", ["post", "void", "status", "hold"])
@pytest.mark.parametrize("after_ms", [-1, 0, 1, 86_400_000])
def test_at_its_end(holding: Holding, after_ms: int, first: str) -> None:
    """A millisecond before, at and after it, a day later; then everything again with the clock put back."""
    held = holding.hold("1")
    commands: dict[str, Command] = {
        "post": post("1"), "void": Void("1"), "status": Status("1"),
        "hold": Hold("1", "a", 10, lifetime_s=LIFETIME_S),
    }  # fmt: skip
    holding.gateway.clock.instant = END + after_ms * MS
    answer = holding.gateway.ask(holding.agreement, commands[first])
    if after_ms < 0:
        kind = {"post": Posted, "void": Voided, "status": Held, "hold": Held}[first]
        assert isinstance(answer, kind)
        return
    assert isinstance(answer, Voided)
    assert (answer.reason, answer.at, answer.receipt, answer.posted) == (EXPIRED, END, held.receipt, None)
    for step_back in (timedelta(), 2 * MS, timedelta(days=1)):
        holding.gateway.clock.instant = END - step_back
        for command in commands.values():
            again = holding.gateway.ask(holding.agreement, command)
            assert isinstance(again, Voided)
            assert (again.reason, again.at, again.repeat) == (EXPIRED, END, True)
    assert holding.states() == {"1": "expired"}
    assert holding.posted() == set()


def test_the_clock_wavers_about_the_end(holding: Holding, seen: Seen) -> None:
    """Many holds, posted and released in batches by a clock that goes to and fro over their end."""
    chance = random.Random(17)  # noqa: S311
    gateway = holding.gateway
    txns = [f"{place:05}" for place in range(HOLDS)]
    desk = WriteDesk(gateway.postings, gateway.corrections, gateway.clock)
    gateway.clock.instant = NOON
    for start in range(0, HOLDS, 64):
        desk([
            Demand(holding.agreement, Hold(txn, "a", 10, lifetime_s=LIFETIME_S))
            for txn in txns[start : start + 64]
        ])  # fmt: skip
    asked = [(txn, chance.choice((post(txn), post(txn), Void(txn)))) for txn in txns for _ in range(4)]
    asked.sort(key=lambda pair: int(pair[0]) + chance.uniform(0, 40))
    told: dict[str, str] = {}
    steps: Counter[str] = Counter()
    while asked:
        size = chance.randint(1, 40)
        batch, asked = asked[:size], asked[size:]
        after_ms = chance.choice((-2, -1, 0, 1))
        gateway.clock.instant = END + after_ms * MS
        results = desk([Demand(holding.agreement, command) for _, command in batch])
        for (txn, command), result in zip(batch, results, strict=True):
            state = state_of(result)
            known = told.get(txn)
            if known == "posted" and isinstance(command, Void):
                assert state == "voided"
            elif known is not None:
                assert state == known, (txn, command, after_ms)
            elif after_ms < 0:
                assert state == ("released" if isinstance(command, Void) else "posted")
            else:
                assert state == "expired"
            told[txn] = state
            steps[state] += 1
    assert holding.posted() == {txn for txn, state in told.items() if state in ("posted", "voided")}
    stored = holding.states()
    for txn, state in told.items():
        assert stored[txn] == ("posted" if state == "voided" else state)
    assert min(steps[state] for state in ("posted", "released", "expired", "voided")) > 0
    seen(holds=HOLDS, **{state: steps[state] for state in sorted(steps)})


def state_of(result: Result) -> str:
    if isinstance(result, Posted):
        return "posted"
    assert isinstance(result, Voided), result
    if result.posted is not None:
        return "voided"
    return "expired" if result.reason == EXPIRED else "released"


def test_post_and_release_at_once(holding: Holding, seen: Seen) -> None:
    """Rivals on connections of their own, in the same moment: one of them decides, and all are told that."""
    rivals: list[Callable[[str], Command]] = [post, post, Void, Void, Status]
    decided: Counter[str] = Counter()
    with ThreadPoolExecutor(len(rivals)) as threads:
        for race in range(RACES):
            txn = f"{race:04}"
            holding.hold(txn)
            together = threading.Barrier(len(rivals))
            work = [threads.submit(_alone, holding, rival, txn, together) for rival in rivals]
            results = [one.result() for one in work]
            states = {state_of(result) for result in results[:4]}
            decided[holding.states()[txn]] += 1
            if holding.states()[txn] == "released":
                assert states == {"released"}
                assert txn not in holding.posted()
            else:
                assert holding.states()[txn] == "posted"
                assert states <= {"posted", "voided"}, results
    seen(races=RACES, **dict(decided))


def _alone(holding: Holding, make: Callable[[str], Command], txn: str, together: threading.Barrier) -> Result:
    url = holding.gateway.database.url.render_as_string(hide_password=False)
    database = open_database(url)
    postings = postings_of(database)
    try:
        desk = WriteDesk(postings, SqlCorrections(database), HandClock(NOON))
        together.wait(30)
        (result,) = desk([Demand(holding.agreement, make(txn))])
        return result
    finally:
        postings.close()
        database.close()
