"""Two doors: ``/pay/…`` goes straight to the agents' door, everything else to the Litestar application."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from litestar import Litestar, Router

from kvit.web.agents import AgentsDoor, Receive, Scope, Send
from kvit.web.doors import PREFIX

_log = logging.getLogger("kvit.web")

#: What keeps the server alive between its start and its end.
Running = Callable[[], AbstractAsyncContextManager[None]]


class App:
    """The top-level ASGI callable."""

    def __init__(
        self, agents: AgentsDoor, routers: Sequence[Router], is_ready: Callable[[], bool], running: Running
    ) -> None:
        self._agents = agents
        self._is_ready = is_ready
        self._running = running
        self._rest = Litestar(
            route_handlers=list(routers), openapi_config=None, logging_config=None, debug=False
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith(PREFIX):
                await self._agents(scope, receive, send)
            elif path == "/healthz":
                await _health(send, ready=self._is_ready())
            else:
                rest: Any = self._rest
                await rest(scope, receive, send)
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


async def _health(send: Send, *, ready: bool) -> None:
    body = b"ready\n" if ready else b"not ready\n"
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200 if ready else 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
