"""Two doors: ``/pay/…`` goes straight to the agents' door, everything else to the Litestar application."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from kvit.web.agents import AgentsDoor, Receive, Scope, Send
from kvit.web.doors import PREFIX

if TYPE_CHECKING:
    from litestar import Litestar, Router

_log = logging.getLogger("kvit.web")

#: What keeps the server alive between its start and its end.
Running = Callable[[], AbstractAsyncContextManager[None]]


class App:
    """The top-level ASGI callable."""

    def __init__(
        self,
        agents: AgentsDoor,
        routers: Sequence[Router],
        is_ready: Callable[[], bool],
        running: Running,
        troubles: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._agents = agents
        self._is_ready = is_ready
        self._running = running
        self._troubles = troubles
        self._rest: Any = _application(routers) if routers else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith(PREFIX):
                await self._agents(scope, receive, send)
            elif path == "/healthz":
                await _health(send, self._troubles(), ready=self._is_ready())
            elif self._rest is not None:
                await self._rest(scope, receive, send)
            else:
                await _say(send, 404, b"there is nothing here\n")
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with self._running():
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except Exception as error:
            _log.exception("the server could not start or stop cleanly")
            with contextlib.suppress(Exception):
                await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})


def _application(routers: Sequence[Router]) -> Litestar:
    # Imported when there is something for it to answer: it takes an eighth of an idle server's memory.
    from litestar import Litestar

    return Litestar(route_handlers=list(routers), openapi_config=None, logging_config=None, debug=False)


async def _health(send: Send, troubles: Sequence[str], *, ready: bool) -> None:
    """What is wrong beside the doors stands below the answer and does not change it."""
    lines = ["ready" if ready else "not ready", *troubles]
    await _say(send, 200 if ready else 503, "".join(line + "\n" for line in lines).encode())


async def _say(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
