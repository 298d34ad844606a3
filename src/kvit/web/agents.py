"""The agents' door, raw ASGI: who knocks, decode, lane, encode. One function for all protocols."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, replace
from typing import Any

from kvit.domain.masking import mask_query
from kvit.domain.messages import (
    Command,
    Denied,
    HttpRequest,
    HttpResponse,
    Lookup,
    Malformed,
    Result,
    TryLater,
)
from kvit.lanes.desk import Demand
from kvit.lanes.lane import Lane
from kvit.services.ports import Clock
from kvit.web.doors import Directory, Door, Networks, client_address, readable
from kvit.web.traffic import TrafficLog

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX = "/pay/"
_METHODS = frozenset({"GET", "POST"})
_CLOSE = ((b"connection", b"close"),)
#: When not even the protocol's words can be found: nothing in it can be taken for an answer.
UNAVAILABLE = HttpResponse(503)
_SAFE_PARAMETERS = frozenset({"command", "txn_id", "prv_txn", "cancel_txn_id"})

_log = logging.getLogger("kvit.agents")


@dataclass(frozen=True, slots=True)
class Lanes:
    read: Lane[Demand]
    write: Lane[Demand]


class _Gone(Exception):
    """The client went away before its request was complete."""


class AgentsDoor:
    """Answers ``/pay/<agreement>`` and what is below it."""

    def __init__(
        self,
        directory: Directory,
        lanes: Lanes,
        body_bytes_max: int,
        trusted: Networks,
        clock: Clock,
        log: TrafficLog,
    ) -> None:
        self._directory = directory
        self._lanes = lanes
        self._body_bytes_max = body_bytes_max
        self._trusted = trusted
        self._clock = clock
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_s = time.perf_counter()
        agreement_id, path = _place(scope)
        try:
            door = self._enter(scope, agreement_id)
        except Exception:
            _log.exception("door %s: who knocks could not be checked", agreement_id)
            door = UNAVAILABLE
        if isinstance(door, HttpResponse):
            await self._refuse(send, agreement_id, door)
            return
        try:
            body = await self._body(scope, receive)
        except _Gone:
            return
        if body is None:
            await self._refuse(send, agreement_id, _plain(413, "the body is too large", _CLOSE))
            return
        request = HttpRequest(scope["method"], path, scope["query_string"], tuple(scope["headers"]), body)
        command, response = await self._answer(door, request)
        await _send(send, response)
        self._note(door, request, command, response, started_s)

    def _enter(self, scope: Scope, agreement_id: str) -> Door | HttpResponse:
        """The door that may be entered from there, or why not."""
        door = self._directory.get(agreement_id)
        if door is None:
            closed = self._directory.is_closed(agreement_id)
            return UNAVAILABLE if closed else _plain(404, "there is no such door")
        address = self._address(scope)
        if not door.admits(address):
            return replace(_plain(403, "this address may not use this door"), code=readable(address))
        if scope["method"] not in _METHODS:
            return _plain(405, "GET or POST", ((b"allow", b"GET, POST"),))
        return door

    async def _answer(
        self, door: Door, request: HttpRequest
    ) -> tuple[Command | Malformed | Denied, HttpResponse]:
        """Total: a fault of ours is answered "try later" in the protocol's own words."""
        command: Command | Malformed | Denied = Malformed("request")
        result: Result
        try:
            command = door.protocol.decode(request, door.terms)
            if isinstance(command, Malformed | Denied):
                result = command
            else:
                lane = self._lanes.read if isinstance(command, Lookup) else self._lanes.write
                result = await lane.ask(door.agreement.agreement_id, Demand(door.agreement, command))
        except Exception:
            _log.exception("door %s: answered try later", door.agreement.agreement_id)
            result = TryLater("failed")
        for told in (result, TryLater("failed")):
            try:
                return command, door.protocol.encode(request, told, door.terms)
            except Exception:
                _log.exception("door %s: the answer could not be written", door.agreement.agreement_id)
        return command, UNAVAILABLE

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body, ``None`` when it is too large. What is too large is not read."""
        most = self._body_bytes_max
        body = bytearray()
        if any(name == b"content-length" and int(value) > most for name, value in scope["headers"]):
            return None
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            body += message.get("body", b"")
            if len(body) > most:
                return None
            if not message.get("more_body", False):
                return bytes(body)

    def _address(self, scope: Scope) -> str:
        client = scope.get("client")
        peer = client[0] if client else ""
        if not self._trusted:
            return peer
        lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        return client_address(peer, lines, self._trusted)

    def _note(
        self, door: Door, request: HttpRequest, command: object, response: HttpResponse, started_s: float
    ) -> None:
        record = {
            "at": self._clock.now().isoformat(timespec="milliseconds"),
            "agreement": door.agreement.agreement_id,
            "asked": type(command).__name__.lower(),
            "txn": getattr(command, "txn", ""),
            "status": response.status,
            "code": response.code,
            "ms": round((time.perf_counter() - started_s) * 1000, 1),
        }
        if isinstance(command, Malformed):
            record["wrong"] = command.parameter
            record["query"] = mask_query(request.query, _SAFE_PARAMETERS)
        self._log.note(record)

    async def _refuse(self, send: Send, agreement_id: str, response: HttpResponse) -> None:
        at = self._clock.now().isoformat(timespec="milliseconds")
        known = agreement_id if self._directory.get(agreement_id) else ""
        self._log.note(
            {
                "at": at,
                "agreement": known,
                "asked": "refused",
                "status": response.status,
                "code": response.code,
            }
        )
        await _send(send, response)


def _place(scope: Scope) -> tuple[str, str]:
    """``/pay/<agreement>/<path>`` -> both.

    Escapes and dot segments lead nowhere: a proxy with rules about paths may read them otherwise.
    """
    agreement_id, _, path = scope["path"][len(PREFIX) :].partition("/")
    if b"%" in scope.get("raw_path", b"") or {".", ".."} & set(path.split("/")):
        return "", ""
    return agreement_id, path


def _plain(status: int, text: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> HttpResponse:
    return HttpResponse(status, ((b"content-type", b"text/plain; charset=utf-8"), *headers), text.encode())


async def _send(send: Send, response: HttpResponse) -> None:
    # What is owed changes, and an answer by GET may hold a name: no proxy in between is to keep it.
    ours = [(b"content-length", str(len(response.body)).encode()), (b"cache-control", b"no-store")]
    await send(
        {"type": "http.response.start", "status": response.status, "headers": [*response.headers, *ours]}
    )
    await send({"type": "http.response.body", "body": response.body})
