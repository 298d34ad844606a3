"""The HTTP server's wire, with limits: a head, a target and a time for each, or the connection ends.

uvicorn's own protocol bounds neither the size of a head nor the time that a client may take for it, and
lets some things pass that two readers of one stream may read differently; here they end the connection.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from kvit.web.gathering import GatheredTransport, Gathering

#: How often connections are looked through for clients that take too long.
_SWEEP_S = 1.0
#: So many requests may wait for their answers on one connection; the one after them ends it.
_PIPELINE_MAX = 256
_VERSIONS = frozenset({"1.0", "1.1"})


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
    gatherings: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, Gathering]] = WeakKeyDictionary()

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
        self._head_begun = False
        self._head_ended = False
        # A request was refused while answers to earlier ones were owed: after those the connection ends.
        self._ending = False
        # Since when we wait for the rest of a head or of a body; None while the request is complete.
        self._head_since_s: float | None = None
        self._body_since_s: float | None = None
        # Since when the client takes nothing of what we have to say.
        self._stuck_since_s: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = self._gathered(transport)  # type: ignore[assignment]
        self._head_since_s = self.loop.time()
        if not GuardedProtocol.sweeping:
            GuardedProtocol.sweeping = True
            self.loop.call_later(_SWEEP_S, _sweep, self.loop, self.connections)

    def _gathered(self, transport: asyncio.Transport) -> GatheredTransport:
        """``transport`` with its writes gathered with those of the loop's other connections."""
        gathering = GuardedProtocol.gatherings.get(self.loop)
        if gathering is None:
            gathering = GuardedProtocol.gatherings[self.loop] = Gathering(self.loop)
        return GatheredTransport(transport, gathering)

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        if self._head_since_s is None and self._body_since_s is None:
            self._head_since_s = self.loop.time()  # even if it is no more than an empty line
        self._head_ended = False
        super().data_received(data)
        # A piece in which a head ended belongs to the next one in part only; what follows is counted whole.
        if self._head_since_s is not None and not self._head_ended and not self.transport.is_closing():
            self._raw_bytes += len(data)
            if self._raw_bytes > self.limits.head_bytes_max:
                self._refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._head_begun = True
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
        # Behind a chunked body come trailers: nobody checked them, and they must not pass for headers.
        if self._head_begun:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_begun, self._head_ended = False, True
        self._head_since_s = None
        self._head_bytes = self._raw_bytes = 0
        if self.parser.get_http_version() not in _VERSIONS or b"#" in self.url or self._is_ambiguous():
            raise _Refused
        if len(self.pipeline) >= _PIPELINE_MAX:
            raise _Refused
        super().on_headers_complete()
        if self.parser.should_upgrade():  # nothing is upgraded: answered as it is, and no more after it
            self.cycle.keep_alive = False
        self._body_since_s = self.loop.time()

    def on_message_complete(self) -> None:
        self._body_since_s = None
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck_since_s = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stuck_since_s = None

    def on_response_complete(self) -> None:
        is_last = not self.pipeline
        super().on_response_complete()
        if self._ending and is_last:
            self.transport.close()
        # While we were at work the client had to wait for us, not we for the client.
        now_s = self.loop.time()
        self._head_since_s = None if self._head_since_s is None else now_s
        self._body_since_s = None if self._body_since_s is None else now_s

    def _unsupported_upgrade_warning(self) -> None:
        """Nobody here is to install anything."""

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """The parser gave up, or one of our limits made it."""
        self._refuse(self._refusal)

    def overdue(self, now_s: float) -> bool:
        """Has the client taken too long for what it is sending, or for taking what we send?"""
        if self._stuck_since_s is not None:
            return now_s - self._stuck_since_s > self.limits.body_timeout_s
        if self._owes_answers():
            return False
        if self._head_since_s is not None:
            return now_s - self._head_since_s > self.limits.head_timeout_s
        if self._body_since_s is not None:
            return now_s - self._body_since_s > self.limits.body_timeout_s
        return False

    def end_overdue(self) -> None:
        """Say why, unless nothing was asked or nothing is heard: then just hang up."""
        if self._stuck_since_s is not None:
            self.transport.abort()
        elif self._head_begun or self._body_since_s is not None:
            self._refuse(408)
        else:
            self.transport.close()

    def _is_ambiguous(self) -> bool:
        """Would another reader of these headers find another request?"""
        codings = [value.strip().lower() for name, value in self.headers if name == b"transfer-encoding"]
        hosts = sum(name == b"host" for name, _ in self.headers)
        return hosts > 1 or (
            bool(codings) and (codings != [b"chunked"] or self.parser.get_http_version() == "1.0")
        )

    def _owes_answers(self) -> bool:
        """Is a complete request unanswered?"""
        cycle: RequestResponseCycle | None = self.cycle
        return bool(self.pipeline) or (
            cycle is not None and not cycle.response_complete and not cycle.more_body
        )

    def _refuse(self, status: int) -> None:
        """Refuse the request that is coming in; what was asked before it is still answered, in order."""
        if self.transport.is_closing():
            return
        in_body = self._body_since_s is not None
        if in_body and self.pipeline:
            self.pipeline.popleft()
            self._ending = True
        elif self._owes_answers():
            self._ending = True
        else:
            was_answered = in_body and self.cycle.response_started
            if not was_answered:
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
