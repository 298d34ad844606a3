"""Time that never waits: an event loop that goes to its next timer at once, and runs jobs in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

#: When every history begins. Towns are made two hours earlier.
BEGIN = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

#: Takes a job that the code wants to run in a thread.
Jobs = Callable[[Callable[[], Any]], "asyncio.Future[Any]"]


class StandsStill(RuntimeError):
    """Somebody waits for what will never come."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Nothing here waits for the machine: no selector, no socket, no thread."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._clock_resolution = 1e-9
        self._selector = self  # the base class asks it what happened outside, and how long to wait for that
        self.jobs: Jobs | None = None
        #: While it is a list, tasks that are made are noted in it.
        self.noted: list[asyncio.Task[Any]] | None = None
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        return self._now_s

    def select(self, timeout: float | None) -> list[Any]:
        """Nothing ever happens outside: the time until the next timer is over at once."""
        if timeout is None:
            raise StandsStill
        self._now_s += timeout
        return []

    def run_in_executor(  # type: ignore[override]
        self,
        executor: Executor | None,
        func: Callable[..., T],
        *args: Any,  # noqa: ANN401
    ) -> asyncio.Future[T]:
        """What would run in a thread runs here, at a moment of the simulation's choosing."""
        assert self.jobs is not None, "there is no process that could run a job"
        return self.jobs(lambda: func(*args))

    def _make_task(self, loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> Any:  # noqa: ANN401
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, **options)
        if self.noted is not None:
            self.noted.append(task)
        return task

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        raise AssertionError("a thread has something to say, and there are no threads in a history")


class WallClock:
    """What the gateway takes for the time of day: it goes with the loop, and may be set wrong."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.ahead = timedelta()

    def now(self) -> datetime:
        return self.true() + self.ahead

    def true(self) -> datetime:
        """The time that everybody else goes by."""
        return BEGIN + timedelta(seconds=self._loop.time())
