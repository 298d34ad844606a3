"""The agents' door, raw ASGI: who knocks, decode, lane, encode. One function for all protocols."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kvit.domain.masking import mask_query
from kvit.domain.messages import (
    Command,
    Denied,
    HttpRequest,
    HttpResponse,
    Lookup,
    Malformed,
    Post,
    Result,
    TryLater,
)
from kvit.domain.model import Agreement
from kvit.lanes.desk import Demand
from kvit.lanes.lane import Lane
from kvit.services.ports import Clock
from kvit.web.doors import PREFIX, Directory, Door, Networks, client_address, readable
from kvit.web.traffic import Heard, TrafficLog
from kvit.web.whole import send_whole

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_METHODS = frozenset({"GET", "POST"})
#: A request without either of them has no body (RFC 9112 §6.3).
_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})
_ASKED = {Lookup: "lookup", Post: "post"}
_CLOSE = ((b"connection", b"close"),)
#: When not even the protocol's words can be found: nothing in it can be taken for an answer.
UNAVAILABLE = HttpResponse(503)
_UNREAD = Malformed("request")
_REFUSED = (Malformed, Denied)
_FAILED = TryLater("failed")
_SAFE_PARAMETERS = frozenset(
    ("command", "txn_id", "prv_txn", "cancel_txn_id", "ACTION", "PAY_ID", "action", "receipt")
)

_log = logging.getLogger("kvit.agents")


def _nothing_at_once(_agreement: Agreement, _lookup: Lookup, _now: datetime) -> Result | None:
    return None


@dataclass(frozen=True, slots=True)
class Lanes:
    """Where commands are worked on. ``at_once`` may know a lookup's result without waiting for a lane."""

    read: Lane[Demand]
    write: Lane[Demand]
    at_once: Callable[[Agreement, Lookup, datetime], Result | None] = _nothing_at_once


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
        self._has_proxies = bool(trusted)
        self._clock = clock
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_s = time.perf_counter()
        agreement_id = path = ""
        whole = scope["path"]
        try:
            known = self._directory.at(whole)
            if known is None or b"%" in scope.get("raw_path", b""):
                agreement_id, path = _place(scope)
                known = self._directory.get(agreement_id)
            door = self._enter(scope, agreement_id, known)
        except Exception:
            _log.exception("door %s: who knocks could not be checked", agreement_id or whole[len(PREFIX) :])
            door = UNAVAILABLE
        if isinstance(door, HttpResponse):
            await self._refuse(send, agreement_id or whole[len(PREFIX) :], door)
            return
        headers = tuple(scope["headers"])
        body: bytes | None = b""
        for name, _ in headers:
            if name in _BODY_HEADERS:
                try:
                    body = await self._body(scope, receive)
                except _Gone:
                    return
                break
        if body is None:
            await self._refuse(
                send, door.agreement.agreement_id, _plain(413, "the body is too large", _CLOSE)
            )
            return
        now = self._clock.now()
        request = HttpRequest(scope["method"], path, scope["query_string"], headers, body, now)
        command, response = await self._answer(door, request, now)
        await send_whole(send, response)
        self._note(door, request, command, response, now, started_s)

    def _enter(self, scope: Scope, agreement_id: str, door: Door | None) -> Door | HttpResponse:
        """The door that may be entered from there, or why not."""
        if door is None:
            closed = self._directory.is_closed(agreement_id)
            return UNAVAILABLE if closed else _plain(404, "there is no such door")
        client = scope.get("client")
        address = client[0] if client else ""
        if self._has_proxies:
            address = self._behind(address, scope)
        if not door.admits(address):
            return replace(_plain(403, "this address may not use this door"), code=readable(address))
        if scope["method"] not in _METHODS:
            return _plain(405, "GET or POST", ((b"allow", b"GET, POST"),))
        return door

    async def _answer(
        self, door: Door, request: HttpRequest, now: datetime
    ) -> tuple[Command | Malformed | Denied, HttpResponse]:
        """Total: a fault of ours is answered "try later" in the protocol's own words."""
        command: Command | Malformed | Denied = _UNREAD
        result: Result | None
        agreement, lanes = door.agreement, self._lanes
        try:
            command = door.protocol.decode(request, door.terms)
            if isinstance(command, Lookup):
                result = lanes.at_once(agreement, command, now)
                if result is None:
                    result = await lanes.read.ask(agreement.agreement_id, Demand(agreement, command))
            elif isinstance(command, _REFUSED):
                result = command
            else:
                result = await lanes.write.ask(agreement.agreement_id, Demand(agreement, command))
        except Exception:
            _log.exception("door %s: answered try later", agreement.agreement_id)
            result = _FAILED
        for told in (result, _FAILED):
            try:
                return command, door.protocol.encode(request, told, door.terms)
            except Exception:
                _log.exception("door %s: the answer could not be written", agreement.agreement_id)
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

    def _behind(self, peer: str, scope: Scope) -> str:
        lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        return client_address(peer, lines, self._trusted)

    def _note(
        self, door: Door, request: HttpRequest, command: object, response: HttpResponse, now: datetime,
        started_s: float,
    ) -> None:  # fmt: skip
        asked = type(command)
        heard = Heard(
            now, door.agreement.agreement_id, _ASKED.get(asked) or asked.__name__.lower(), response.status,
            response.code, getattr(command, "txn", ""), round((time.perf_counter() - started_s) * 1000, 1),
        )  # fmt: skip
        if isinstance(command, Malformed):
            heard.wrong = command.parameter
            heard.query = mask_query(request.query, _SAFE_PARAMETERS)
        self._log.note(heard)

    async def _refuse(self, send: Send, agreement_id: str, response: HttpResponse) -> None:
        known = agreement_id if self._directory.get(agreement_id) else ""
        self._log.note(Heard(self._clock.now(), known, "refused", response.status, response.code))
        await send_whole(send, response)


def _place(scope: Scope) -> tuple[str, str]:
    """``/pay/<agreement>/<path>`` -> both.

    Escapes and dot segments lead nowhere: a proxy with rules about paths may read them otherwise.
    """
    agreement_id, _, path = scope["path"][len(PREFIX) :].partition("/")
    if b"%" in scope.get("raw_path", b"") or (path and {".", ".."} & set(path.split("/"))):
        return "", ""
    return agreement_id, path


def _plain(status: int, text: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> HttpResponse:
    return HttpResponse(status, ((b"content-type", b"text/plain; charset=utf-8"), *headers), text.encode())
