"""A lane's promises: order, no timer, bounded queues, deadlines, and an end that answers everybody."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from kvit.domain.messages import NoSuchTxn, Result, TryLater
from kvit.lanes.lane import Lane, LaneLimits

WIDE = LaneLimits(queue_max=1_000, owner_max=1_000, batch_max=1_000, deadline_s=30)
PATIENCE_S = 10.0


class Bench:
    """Work that answers each demand with its own name, and can be held up."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.fails = False

    def __call__(self, demands: Sequence[str]) -> Sequence[Result]:
        self.batches.append(list(demands))
        assert self.gate.wait(PATIENCE_S)
        if self.fails:
            raise RuntimeError("the work broke")
        return [NoSuchTxn(demand) for demand in demands]

    @property
    def done(self) -> list[str]:
        return [demand for batch in self.batches for demand in batch]


@asynccontextmanager
async def lane_of(bench: Bench, limits: LaneLimits = WIDE) -> AsyncIterator[Lane[str]]:
    lane: Lane[str] = Lane("test", [bench], limits)
    lane.start()
    try:
        yield lane
    finally:
        bench.gate.set()
        await lane.close(PATIENCE_S)


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 30))


async def asked(lane: Lane[str], names: Sequence[str], owner: str = "qiwi") -> list[asyncio.Task[Result]]:
    """One caller for each name, in order, all of them waiting now."""
    tasks = [asyncio.create_task(lane.ask(owner, name)) for name in names]
    await asyncio.sleep(0)
    return tasks


async def until(holds: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < give_up_s, "it did not happen in time"
        await asyncio.sleep(0.01)


def test_a_lone_caller_waits_for_nobody() -> None:
    async def story() -> None:
        bench = Bench()
        async with lane_of(bench) as lane:
            began_s = time.monotonic()
            for place in range(50):
                assert await lane.ask("qiwi", str(place)) == NoSuchTxn(str(place))
            assert time.monotonic() - began_s < 2, "there is no timer to wait for"
        assert bench.batches == [[str(place)] for place in range(50)]

    run(story)


def test_a_batch_is_what_has_gathered_and_answers_come_in_order() -> None:
    async def story() -> None:
        bench = Bench()
        bench.gate.clear()
        async with lane_of(bench, LaneLimits(1_000, 1_000, 40, 30)) as lane:
            tasks = await asked(lane, ["first"])
            await until(lambda: bool(bench.batches))
            names = [str(place) for place in range(100)]
            tasks += await asked(lane, names)
            bench.gate.set()
            results = await asyncio.gather(*tasks)
        assert results == [NoSuchTxn(name) for name in ("first", *names)]
        assert bench.batches == [["first"], names[:40], names[40:80], names[80:]]

    run(story)


def test_a_full_lane_says_so_at_once_and_loses_nothing() -> None:
    async def story() -> None:
        bench = Bench()
        bench.gate.clear()
        async with lane_of(bench, LaneLimits(10, 10, 4, 30)) as lane:
            tasks = await asked(lane, ["first"])
            await until(lambda: bool(bench.batches))
            tasks += await asked(lane, [str(place) for place in range(9)])
            began_s = time.monotonic()
            for _ in range(20):
                assert await lane.ask("other", "one too many") == TryLater("busy")
            assert time.monotonic() - began_s < 1
            bench.gate.set()
            assert [type(result) for result in await asyncio.gather(*tasks)] == [NoSuchTxn] * 10
            assert await lane.ask("other", "later") == NoSuchTxn("later")
        assert "one too many" not in bench.done

    run(story)


def test_one_owner_leaves_room_for_others() -> None:
    async def story() -> None:
        bench = Bench()
        bench.gate.clear()
        async with lane_of(bench, LaneLimits(10, 5, 100, 30)) as lane:
            greedy = await asked(lane, [str(place) for place in range(8)], "greedy")
            await until(lambda: sum(task.done() for task in greedy) == 3)
            modest = await asked(lane, ["a", "b", "c", "d", "e"], "modest")
            await asyncio.sleep(0.05)
            assert not any(task.done() for task in modest)
            bench.gate.set()
            assert [type(result) for result in await asyncio.gather(*modest)] == [NoSuchTxn] * 5
            results = await asyncio.gather(*greedy)
            assert results == [NoSuchTxn(str(place)) for place in range(5)] + [TryLater("busy")] * 3
            assert await lane.ask("greedy", "again") == NoSuchTxn("again")

    run(story)


def test_whoever_waits_too_long_is_told_to_come_later() -> None:
    """The one under way and those behind it; what is then still waiting is not done behind their backs."""

    async def story() -> None:
        bench = Bench()
        bench.gate.clear()
        async with lane_of(bench, LaneLimits(100, 100, 100, 0.3)) as lane:
            tasks = await asked(lane, ["under way"])
            await until(lambda: bool(bench.batches))
            tasks += await asked(lane, ["behind", "behind too"])
            began_s = time.monotonic()
            assert await asyncio.gather(*tasks) == [TryLater("too slow")] * 3
            assert 0.2 < time.monotonic() - began_s < 1.3
            bench.gate.set()
            assert await lane.ask("qiwi", "after") == NoSuchTxn("after")
        assert bench.done == ["under way", "after"]

    run(story)


def test_a_caller_that_leaves_disturbs_nobody() -> None:
    async def story() -> None:
        bench = Bench()
        bench.gate.clear()
        async with lane_of(bench, LaneLimits(6, 6, 100, 30)) as lane:
            under_way = await asked(lane, ["a", "b"])
            await until(lambda: bool(bench.batches))
            behind = await asked(lane, ["c", "d"])
            for task in (under_way[0], behind[0]):
                task.cancel()
            await asyncio.gather(under_way[0], behind[0], return_exceptions=True)
            late = await asked(lane, ["e", "f"])
            bench.gate.set()
            results = await asyncio.gather(under_way[1], behind[1], *late)
            assert results == [NoSuchTxn(name) for name in "bdef"]
        assert bench.done == ["a", "b", "d", "e", "f"], "a demand that nobody waits for is not begun"

    run(story)


def test_work_that_breaks_is_try_later_and_the_lane_goes_on() -> None:
    async def story() -> None:
        bench = Bench()
        async with lane_of(bench) as lane:
            bench.fails = True
            assert await asyncio.gather(*await asked(lane, ["a", "b"])) == [TryLater("failed")] * 2
            bench.fails = False
            assert await lane.ask("qiwi", "c") == NoSuchTxn("c")

    run(story)


def test_the_end_answers_what_is_under_way_and_what_waits() -> None:
    async def story() -> None:
        bench = Bench()
        bench.gate.clear()
        lane: Lane[str] = Lane("test", [bench], WIDE)
        lane.start()
        tasks = await asked(lane, ["under way"])
        await until(lambda: bool(bench.batches))
        tasks += await asked(lane, ["behind", "behind too"])
        closing = asyncio.create_task(lane.close(PATIENCE_S))
        await asyncio.sleep(0)
        assert await lane.ask("qiwi", "too late") == TryLater("shutting down")
        await asyncio.sleep(0.05)
        assert not closing.done()
        bench.gate.set()
        await closing
        assert [task.result() for task in tasks] == [
            NoSuchTxn(n) for n in ("under way", "behind", "behind too")
        ]
        assert "too late" not in bench.done

    run(story)


def test_the_end_does_not_wait_for_ever() -> None:
    async def story() -> None:
        bench = Bench()
        bench.gate.clear()
        lane: Lane[str] = Lane("test", [bench], WIDE)
        lane.start()
        tasks = await asked(lane, ["stuck"])
        await until(lambda: bool(bench.batches))
        tasks += await asked(lane, ["behind"])
        began_s = time.monotonic()
        await lane.close(0.2)
        assert time.monotonic() - began_s < 2
        assert await asyncio.gather(*tasks) == [TryLater("shutting down")] * 2
        bench.gate.set()
        await asyncio.sleep(0.05)
        assert bench.done == ["stuck"]

    run(story)


def test_the_end_of_a_lane_that_never_had_anything_to_do() -> None:
    async def story() -> None:
        lane: Lane[str] = Lane("test", [Bench(), Bench()], WIDE)
        assert await lane.ask("qiwi", "before the start") == TryLater("shutting down")
        lane.start()
        await lane.close(PATIENCE_S)

    run(story)


@pytest.mark.parametrize("works", [2, 3])
def test_several_works_share_one_queue(works: int) -> None:
    """While one hangs the others go on; nothing is done twice, nothing is left."""

    async def story() -> None:
        benches = [Bench() for _ in range(works)]
        lane: Lane[str] = Lane("test", benches, LaneLimits(1_000, 1_000, 3, 30))
        lane.start()
        benches[0].gate.clear()
        names = [str(place) for place in range(60)]
        tasks = await asked(lane, names)
        await until(lambda: sum(task.done() for task in tasks) >= 57)
        benches[0].gate.set()
        assert await asyncio.gather(*tasks) == [NoSuchTxn(name) for name in names]
        done = [name for bench in benches for name in bench.done]
        assert sorted(done, key=int) == names
        await lane.close(PATIENCE_S)

    run(story)
