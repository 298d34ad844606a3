"""A lane: many callers, one database. It gathers what waits and works on it as one batch.

There is no timer: a batch is whatever has gathered while the last one ran, so a lone caller waits for
nobody. Every limit answers "try later" rather than growing: the queue, one owner's part of it, the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from kvit.domain.messages import Result, TryLater

D = TypeVar("D")

#: A batch of demands -> their results, in order; runs in a thread of the lane's own and should not raise.
Work = Callable[[Sequence[D]], Sequence[Result]]

_log = logging.getLogger("kvit.lanes")

#: How often waiting demands are looked through for such that have waited too long.
_SWEEP_S = 0.25


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """``queue_max`` demands wait or are worked on at most, ``owner_max`` of them of one owner."""

    queue_max: int
    owner_max: int
    batch_max: int
    deadline_s: float


@dataclass(slots=True, eq=False)
class _Waiting(Generic[D]):
    owner: str
    demand: D
    answer: asyncio.Future[Result]
    expires_at_s: float


class Lane(Generic[D]):
    """Runs ``works`` side by side, each in its own thread with its own connection."""

    def __init__(self, name: str, works: Sequence[Work[D]], limits: LaneLimits) -> None:
        self.name = name
        self._works = works
        self._limits = limits
        self._queue: deque[_Waiting[D]] = deque()
        self._under_way: set[_Waiting[D]] = set()
        self._owned: dict[str, int] = {}
        self._open = False
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._threads = ThreadPoolExecutor(len(works), thread_name_prefix=f"lane-{name}")

    def start(self) -> None:
        """Begin to take demands. Must be called on the running event loop."""
        self._open = True
        self._tasks = [asyncio.create_task(self._run(work)) for work in self._works]
        self._tasks.append(asyncio.create_task(self._sweep()))

    async def ask(self, owner: str, demand: D) -> Result:
        """The result of ``demand``, or ``TryLater`` when the lane is full, closed or too slow."""
        if not self._open:
            return TryLater("shutting down")
        owned = self._owned.get(owner, 0)
        if (
            len(self._queue) + len(self._under_way) >= self._limits.queue_max
            or owned >= self._limits.owner_max
        ):
            return TryLater("busy")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(owner, demand, loop.create_future(), loop.time() + self._limits.deadline_s)
        self._owned[owner] = owned + 1
        self._queue.append(waiting)
        self._drained.clear()
        self._wake.set()
        try:
            return await waiting.answer
        finally:
            self._release(owner)

    async def close(self, patience_s: float) -> None:
        """Take nothing more, answer what waits, stop. What is left after ``patience_s`` gets ``TryLater``."""
        self._open = False
        if self._queue or self._under_way:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), patience_s)
        for task in self._tasks:
            task.cancel()
        for waiting in (*self._queue, *self._under_way):
            _answer(waiting, TryLater("shutting down"))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=not self._under_way)

    def _release(self, owner: str) -> None:
        left = self._owned[owner] - 1
        if left:
            self._owned[owner] = left
        else:
            del self._owned[owner]

    async def _run(self, work: Work[D]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = self._take()
            if not batch:
                if not self._under_way:
                    self._drained.set()
                self._wake.clear()
                await self._wake.wait()
                continue
            self._under_way.update(batch)
            demands = [waiting.demand for waiting in batch]
            results = await loop.run_in_executor(self._threads, _worked, work, demands)
            self._under_way.difference_update(batch)
            for waiting, result in zip(batch, results, strict=True):
                _answer(waiting, result)

    def _take(self) -> list[_Waiting[D]]:
        """The next batch in order of arrival; who has given up meanwhile is left out."""
        batch: list[_Waiting[D]] = []
        queue, most = self._queue, self._limits.batch_max
        while queue and len(batch) < most:
            waiting = queue.popleft()
            if not waiting.answer.done():
                batch.append(waiting)
        return batch

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_S)
            now_s = loop.time()
            for waiting in self._queue:
                if waiting.expires_at_s > now_s:
                    break  # they stand in order of arrival
                _answer(waiting, TryLater("too slow"))
            for waiting in self._under_way:
                if waiting.expires_at_s <= now_s:
                    _answer(waiting, TryLater("too slow"))


def _worked(work: Work[D], demands: Sequence[D]) -> Sequence[Result]:
    """In the lane's thread, one answer a demand: not every exception would come through a future."""
    try:
        results = work(demands)
        if len(results) != len(demands):
            raise AssertionError("every demand must be answered")
    except Exception:
        _log.exception("a batch failed")
        return [TryLater("failed")] * len(demands)
    return results


def _answer(waiting: _Waiting[D], result: Result) -> None:
    if not waiting.answer.done():
        waiting.answer.set_result(result)
