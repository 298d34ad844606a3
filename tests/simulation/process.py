"""The gateway's process: doors and lanes as in a real one, and its jobs in the simulation's time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random
from typing import Any

from kvit.domain.messages import Lookup, Post, Result
from kvit.domain.model import Agreement
from kvit.lanes.desk import Demand, QuickReads, ReadDesk, WriteDesk
from kvit.lanes.lane import Lane, Work
from kvit.storage.corrections import SqlCorrections
from kvit.storage.posting_sqlite import QuickSqliteLookups, SqliteLookups, SqlitePostings
from kvit.web.agents import AgentsDoor, Lanes
from kvit.web.doors import Networks
from kvit.web.traffic import TrafficLog
from tests.simulation import faults
from tests.simulation.batches import Batch
from tests.simulation.faults import Fate, ProcessDied
from tests.simulation.office import Office
from tests.simulation.witness import Witness
from tests.simulation.world import World

_BODY_BYTES_MAX = 65_536
_STOP_PATIENCE_S = 0.3


class Process:
    """Serves until it dies or is stopped; what it had open is then closed, and nothing more is said."""

    def __init__(
        self, world: World, witness: Witness, office: Office, chance: Random, ended: Callable[[], None]
    ) -> None:
        self._world = world
        self._witness = witness
        self._office = office
        self._chance = chance
        self._ended = ended
        self._tasks: list[asyncio.Task[Any]] = []
        #: Who is told that the connection broke when the process ends before it has answered.
        self._callers: dict[asyncio.Task[Any], Callable[[], None]] = {}
        self.is_alive = True
        self.is_open = True
        self.is_stopping = False
        self._lanes = self._make_lanes()
        self._door = AgentsDoor(
            world.directory, self._lanes, _BODY_BYTES_MAX, Networks(()), world.clock, TrafficLog()
        )
        world.loop.jobs = self._job
        world.loop.noted = self._tasks
        self._lanes.read.start()
        self._lanes.write.start()
        world.loop.noted = None

    def _make_lanes(self) -> Lanes:
        plan, store, clock = self._world.plan, self._world.store, self._world.clock
        readers = [
            self._watched("read", ReadDesk(SqliteLookups(store.path), clock)) for _ in range(plan.readers)
        ]
        writer = WriteDesk(SqlitePostings(store.path), SqlCorrections(store.database), clock)
        read = Lane("read", readers, plan.limits)
        write = Lane("write", [self._watched("write", writer)], plan.limits)
        return Lanes(read, write, self._at_once()) if plan.is_quick else Lanes(read, write)

    def _at_once(self) -> Callable[[Agreement, Lookup, datetime], Result | None]:
        """Checks on the spot, which may meet faults and be slow as well."""
        store, chance, weather = self._world.store, self._chance, self._world.plan.weather
        lag_s = 0.0

        def monotonic_s() -> float:
            nonlocal lag_s
            if not self._world.is_quiet and chance.random() < weather.sluggish:
                lag_s += 0.05
            return self._world.loop.time() + lag_s

        quick = QuickReads(QuickSqliteLookups(store.path), monotonic_s)

        def check(agreement: Agreement, command: Lookup, now: datetime) -> Result | None:
            fate = (
                None if self._world.is_quiet or chance.random() >= weather.faulty else faults.draw(chance, 1)
            )
            store.fate = fate
            result = None
            try:
                result = quick(agreement, command, now)
            finally:
                store.fate = None
                self._witness.checked_at_once(command, result, fate)
            return result

        return check

    def serve(self, scope: dict[str, Any], receive: Any, send: Any, broken: Callable[[], None]) -> None:  # noqa: ANN401
        """One request at the door; ``broken`` is called should it never be answered."""

        async def say(message: Any) -> None:  # noqa: ANN401
            if self.is_alive:
                await send(message)

        async def work() -> None:
            try:
                await self._door(scope, receive, say)
            except ProcessDied:
                self.die("in the middle of an answer")
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what was looked for
                self._world.trace.fail(f"the door raised {error!r}")
            else:
                del self._callers[task]

        task = self._world.loop.create_task(work())
        self._callers[task] = broken

    def die(self, why: str) -> None:
        """At once: whatever ran is gone, whatever was not committed is rolled back."""
        self._world.trace.note("process", "dies: {}", why)
        self._world.trace.counts["process died"] += 1
        self._end()

    async def stop(self) -> None:
        """As an operator would: what waits is answered; who still comes in may meet a closed lane."""
        self.is_stopping, self.is_open = True, self._chance.random() < 0.5
        self._world.trace.note("process", "is asked to stop")
        await asyncio.gather(
            self._lanes.read.close(_STOP_PATIENCE_S), self._lanes.write.close(_STOP_PATIENCE_S)
        )
        await asyncio.sleep(0.01)
        if self.is_alive:
            self._end()
            self._world.trace.note("process", "has stopped")

    def _end(self) -> None:
        self.is_alive = self.is_open = False
        self._world.store.abandon()
        for task in (*self._tasks, *self._callers):
            task.cancel()
        for broken in self._callers.values():
            broken()
        self._callers.clear()
        self._ended()

    # --- jobs -----------------------------------------------------------------------------------------

    def _job(self, work: Callable[[], Any]) -> asyncio.Future[Any]:
        """A job begins a little later, and its result is known a little later again."""
        loop, future = self._world.loop, self._world.loop.create_future()
        begin_s, end_s = self._delay_s(), self._delay_s()

        def run() -> None:
            if not self.is_alive:
                return
            try:
                result = work()
            except ProcessDied:
                self.die("in the middle of a job")
                return
            loop.call_later(end_s, finish, result)

        def finish(result: object) -> None:
            if self.is_alive and not future.done():
                future.set_result(result)

        loop.call_later(begin_s, run)
        return future

    def _delay_s(self) -> float:
        is_slow = not self._world.is_quiet and self._chance.random() < self._world.plan.weather.sluggish
        return self._chance.uniform(0.3, 4.0) if is_slow else self._chance.uniform(0.001, 0.03)

    def _watched(self, name: str, desk: Work[Demand]) -> Work[Demand]:
        def work(demands: Sequence[Demand]) -> Sequence[Result]:
            store, fate = self._world.store, self._fate(name, demands)
            known = self._witness.job_begins(demands)
            store.fate = fate
            try:
                results = desk(demands)
            except ProcessDied:
                self._witness.job_died(name, demands, fate)
                raise
            finally:
                store.fate = None
                self._witness.look()
            self._witness.job_done(name, Batch(demands, results, known), fate)
            return results

        return work

    def _fate(self, name: str, demands: Sequence[Demand]) -> Fate | None:
        chance, weather = self._chance, self._world.plan.weather
        if self._world.is_quiet:
            return None
        fate = faults.draw(chance) if chance.random() < weather.faulty else Fate()
        if name == "write":
            posts = [demand for demand in demands if isinstance(demand.command, Post)]
            if posts and chance.random() < weather.neighbour:
                other = chance.choice(posts)
                fate.neighbour = lambda: self._office.neighbour(other)
            if len(posts) > 1 and chance.random() < weather.faulty:
                fate.poison = getattr(chance.choice(posts).command, "txn", "")
        return fate
