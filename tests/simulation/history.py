"""One history from beginning to end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulation.agents import Agents, NeverFinal
from tests.simulation.checks import final_findings
from tests.simulation.loop import StandsStill, VirtualLoop, WallClock
from tests.simulation.office import Office
from tests.simulation.plan import Deed, Plan, dice, make_plan
from tests.simulation.process import Process
from tests.simulation.store import Store
from tests.simulation.towns import Towns
from tests.simulation.trace import Trace
from tests.simulation.wire import Wire
from tests.simulation.witness import Witness
from tests.simulation.world import World

#: No history goes on for longer than this.
_END_S = 600.0


@dataclass
class Told:
    """What became of one seed. ``failures`` is empty when all is well."""

    seed: int
    failures: list[str]
    counts: Counter[str]
    highest: dict[str, int]
    trace: Trace = field(repr=False)


class Theatre:
    """A folder in memory where one history after another is played."""

    def __init__(self, folder: Path) -> None:
        self._towns = Towns(folder)
        self._store = Store(folder)

    def play(self, seed: int) -> Told:
        plan = make_plan(seed)
        loop = VirtualLoop()
        trace = Trace(loop)
        try:
            with self._store.installed(self._towns.file(plan.town)) as observer:
                world = World(plan, loop, trace, self._store, observer, WallClock(loop))
                _play(world)
        finally:
            loop.close()
        return Told(seed, trace.failures, trace.counts, trace.highest, trace)

    def close(self) -> None:
        self._store.database.close()


def _play(world: World) -> None:
    loop, trace = world.loop, world.trace
    loop.set_exception_handler(lambda _, context: trace.fail(f"nobody caught: {context}"))
    stage = _Stage(world)
    try:
        loop.run_until_complete(stage.story())
    except StandsStill:
        trace.fail("somebody waits for what will never come")
    finally:
        loop.run_until_complete(_sweep())
    if not trace.failures:
        for finding in final_findings(world, stage.witness):
            trace.fail(finding)


async def _all_of(parts: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.gather(*parts)


async def _sweep() -> None:
    """End what is still going on."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


class _Stage:
    """Who takes part."""

    def __init__(self, world: World) -> None:
        plan: Plan = world.plan
        self._world = world
        self.witness = Witness(world)
        self._office = Office(world, self.witness, dice(plan.seed, "office"))
        self._wire = Wire(world, self.witness, dice(plan.seed, "wire"))
        self._agents = Agents(world, self._wire, dice(plan.seed, "agents"))
        self._store_chance = dice(plan.seed, "store")
        self._is_serving = asyncio.Event()

    async def story(self) -> None:
        """Everybody does what is planned; then what is still under way arrives, and the server stops."""
        world, plan = self._world, self._world.plan
        world.trace.note(
            "history", "seed {}: {}, {} billers, {} agreements, faults until {:.3f}", plan.seed,
            plan.weather.name, len(plan.billers), len(plan.agreements), plan.quiet_s,
        )  # fmt: skip
        self._start()
        parts = [
            *(asyncio.create_task(self._agents.pay(payment)) for payment in plan.payments),
            *(asyncio.create_task(self._do(deed)) for deed in plan.deeds),
        ]
        everything = asyncio.create_task(_all_of(parts))
        await asyncio.wait(
            [everything, world.trace.stop], timeout=_END_S, return_when=asyncio.FIRST_COMPLETED
        )
        if not everything.done():
            if not world.trace.stop.done():
                world.trace.fail(f"not over after {_END_S} s")
            return
        error = everything.exception()
        if error is not None:
            world.trace.fail(str(error) if isinstance(error, NeverFinal) else f"raised {error!r}")
            return
        await self._wire.is_idle.wait()
        await self._is_serving.wait()
        if world.process is not None and not world.process.is_stopping:
            await world.process.stop()

    async def _do(self, deed: Deed) -> None:
        await asyncio.sleep(deed.at_s)
        process = self._world.process
        self._world.trace.counts["deed: " + deed.what] += 1
        if deed.what == "kill":
            if process is not None:
                process.die("killed")
        elif deed.what == "restart":
            if process is not None and not process.is_stopping:
                await process.stop()
        else:
            self._office.do(deed.what)

    def _start(self) -> None:
        world = self._world
        world.trace.note("process", "serves")
        self._is_serving.set()
        world.process = Process(world, self.witness, self._office, self._store_chance, self._ended)

    def _ended(self) -> None:
        world = self._world
        world.process = None
        self._is_serving.clear()
        world.loop.call_later(self._store_chance.uniform(0.05, 2.5), self._start)


def play_all(seeds: Sequence[int], folder: Path) -> list[Told]:
    """Several seeds one after the other; meant for tests."""
    theatre = Theatre(folder)
    try:
        return [theatre.play(seed) for seed in seeds]
    finally:
        theatre.close()
