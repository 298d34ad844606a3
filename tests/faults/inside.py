"""The real server in a thread of the tests: its doors, lanes and sockets, with its clock in our hands."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from kvit.config import Settings
from kvit.main import ServeOptions, open_house
from kvit.main.server import Server, wire_limits
from kvit.services.ports import Clock
from kvit.web.wire import GuardedProtocol
from tests.proof.serving import Installation


@dataclass
class Inside:
    """A running server. ``tasks`` is how many its loop has now."""

    loop: asyncio.AbstractEventLoop

    def tasks(self) -> int:
        async def count() -> int:
            return len(asyncio.all_tasks())

        return asyncio.run_coroutine_threadsafe(count(), self.loop).result(10)


@contextmanager
def serving_inside(installation: Installation, clock: Clock, settings: Settings) -> Iterator[Inside]:
    """Serve ``installation`` on its own port until the end of the block."""
    house = open_house(settings, clock=clock)
    before = GuardedProtocol.limits
    GuardedProtocol.limits = wire_limits(settings)
    runner = asyncio.Runner()
    server = uvicorn.Server(
        uvicorn.Config(
            lambda: Server(house, ServeOptions()).app(), factory=True, port=installation.port,
            http=GuardedProtocol, ws="none", lifespan="on", access_log=False, log_config=None,
            timeout_keep_alive=int(settings.limits.keep_alive_s),
            timeout_graceful_shutdown=int(settings.limits.shutdown_s),
        )
    )  # fmt: skip
    thread = threading.Thread(target=runner.run, args=(server.serve(),))
    thread.start()
    try:
        give_up_s = time.monotonic() + 30
        while not installation.is_ready():
            assert thread.is_alive(), "the server ended"
            assert time.monotonic() < give_up_s
            time.sleep(0.02)
        yield Inside(runner.get_loop())
    finally:
        server.should_exit = True
        thread.join(40)
        runner.close()
        house.close()
        GuardedProtocol.limits = before
