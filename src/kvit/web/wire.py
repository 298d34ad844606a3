"""The HTTP server's wire, with limits: a head, a target and a time for each, or the connection ends.

uvicorn's own protocol bounds neither the size of a head nor the time that a client may take for it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

#: How often connections are looked through for clients that take too long.
_SWEEP_S = 1.0


@dataclass(frozen=True, slots=True)
class WireLimits:
    """What one request may take: bytes of its target and head, seconds for its head and its body."""

    url_bytes_max: int = 8192
    head_bytes_max: int = 32768
    head_timeout_s: float = 10.0
    body_timeout_s: float = 10.0


class _Refused(Exception):
    """Raised inside a parser callback to end the request."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection of the agents' (and everybody's) HTTP server."""

    limits: ClassVar[WireLimits] = WireLimits()
    sweeping: ClassVar[bool] = False

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._refusal = 400
        self._head_bytes = 0
        self._raw_bytes = 0
        # Since when we wait for the rest of a head or of a body; None while the request is complete.
        self._head_since_s: float | None = None
        self._body_since_s: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_since_s = self.loop.time()
        if not GuardedProtocol.sweeping:
            GuardedProtocol.sweeping = True
            self.loop.call_later(_SWEEP_S, _sweep, self.loop, self.connections)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_since_s is not None and not self.transport.is_closing():
            self._raw_bytes += len(data)
            if self._raw_bytes > self.limits.head_bytes_max:
                self._refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._head_since_s = self.loop.time()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self.limits.url_bytes_max:
            self._refusal = 414
            raise _Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > self.limits.head_bytes_max:
            self._refusal = 431
            raise _Refused
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_since_s = None
        self._head_bytes = self._raw_bytes = 0
        self._body_since_s = self.loop.time()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._body_since_s = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """The parser gave up, or one of our limits made it."""
        self._refuse(self._refusal)

    def overdue(self, now_s: float) -> bool:
        """Has the client taken too long for what it is sending?"""
        if self._head_since_s is not None:
            return now_s - self._head_since_s > self.limits.head_timeout_s
        if self._body_since_s is not None:
            return now_s - self._body_since_s > self.limits.body_timeout_s
        return False

    def end_overdue(self) -> None:
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            self._refuse(408)
        else:
            self.transport.close()

    def _refuse(self, status: int) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()


def _sweep(loop: asyncio.AbstractEventLoop, connections: set[Any]) -> None:
    now_s = loop.time()
    for connection in list(connections):
        if isinstance(connection, GuardedProtocol) and connection.overdue(now_s):
            connection.end_overdue()
    if connections:
        loop.call_later(_SWEEP_S, _sweep, loop, connections)
    else:
        GuardedProtocol.sweeping = False
