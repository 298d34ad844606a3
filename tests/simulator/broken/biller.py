"""A biller's endpoint on a free port, for any protocol: its own codec before the books of ``book``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from kvit.domain.messages import (
    Command,
    Denied,
    HttpRequest,
    HttpResponse,
    Lookup,
    Malformed,
    NoSuchAccount,
    Post,
    Result,
)
from kvit.protocols.base import Protocol, Terms
from tests.protocols.rsa import KEYS
from tests.simulator.broken.book import FAULTS as FAULTS_OF_BOOKS
from tests.simulator.broken.book import Book

Message = MutableMapping[str, Any]

#: Faults that are not the books': of the door, and of the bytes.
FAULTS: Mapping[str, str] = {
    **FAULTS_OF_BOOKS,
    "open-door": "nobody has to prove who asks",
    "door-ajar": "who shows no credentials at all is let in",
    "lenient-sum": "1e3, 10,00 and -1 are taken for sums",
    "last-counts": "of a parameter that is there twice the last one counts",
    "crashes": "a malformed request gets HTTP 500",
    "not-found-404": "a number that nobody has gets HTTP 404",
    "wrong-charset": "the answer is not in the charset that it declares",
    "no-type": "the answer does not say what it is",
    "slow": "a payment takes nearly as long as the network waits",
    "other-id": "an answer names another call than the one that it answers (JSON-RPC)",
    "unsigned": "the signature of an answer to a check is wrong",
}

#: The dialects that show as much of the books as there is to show, and offer all commands.
DIALECTS: Mapping[str, Mapping[str, str]] = {
    "qiwi": {"cancel": "a", "status": "on", "verify": "on"},
    "kaspi": {"cancel": "on"},
    "payme": {"additional": "on"},
    "click": {"getinfo": "on"},
    "cyberplat": {"show": "name,debt"},
    "kassa24": {"show": "name,debt"},
}


def terms_of(protocol: str, agreement_id: str = "trial") -> Terms:
    """Terms with every lock, for both sides."""
    return Terms(
        agreement_id=agreement_id,
        basic_login="login",
        basic_password="pass-word",
        secret="a secret word of some length, in clear",
        dialect=DIALECTS.get(protocol, {}),
        **KEYS,
    )


@dataclass
class Biller:
    """An ASGI application that speaks ``protocol`` at its door, with one of ``FAULTS`` or without."""

    protocol: Protocol
    terms: Terms
    fault: str = ""
    slow_s: float = 1.0
    books: Book = field(init=False)
    _was_slow: bool = False

    def __post_init__(self) -> None:
        self.books = Book(self.protocol, self.fault)

    async def __call__(
        self, scope: Message, receive: Callable[[], Any], send: Callable[[Message], Any]
    ) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        path = scope["path"].removeprefix(f"/pay/{self.terms.agreement_id}").lstrip("/")
        request = HttpRequest(scope["method"], path, scope["query_string"], tuple(scope["headers"]), body)
        answer = await self._answer(replace(request, at=datetime.now(UTC)))
        headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        request = self._bent(request)
        command = self._decoded(request)
        result = await self._decided(command)
        return self._spoilt(self.protocol.encode(request, result, self.terms), command, result)

    def _decoded(self, request: HttpRequest) -> Command | Malformed | Denied:
        command = self.protocol.decode(request, self.terms)
        if self.fault in ("open-door", "door-ajar") and isinstance(command, Denied):
            for terms in _anybody(self.terms) if self.fault == "open-door" else _nobody(self.terms):
                command = self.protocol.decode(request, terms)
                if not isinstance(command, Denied):
                    break
        return command

    async def _decided(self, command: Command | Malformed | Denied) -> Result:
        if isinstance(command, Malformed | Denied):
            return command
        if self.fault == "race" and isinstance(command, Post):
            return await self._raced(command)
        result = self.books.decide(command)
        if self.fault == "slow" and isinstance(command, Post) and not self._was_slow:
            self._was_slow = True
            await asyncio.sleep(self.slow_s)
        return result

    async def _raced(self, post: Post) -> Result:
        """Looks what it knows of the payment, is busy for a moment, and books by what it saw."""
        seen = self.books.payments.get(post.txn)
        seen = replace(seen) if seen else None
        await asyncio.sleep(0.02)
        if seen is None:
            self.books.payments.pop(post.txn, None)
        else:
            self.books.payments[post.txn] = seen
        return self.books.decide(post)

    # --- what goes wrong on the wire -------------------------------------------------------------------

    def _bent(self, request: HttpRequest) -> HttpRequest:
        if self.fault == "lenient-sum":
            return _each_part(request, lambda raw: _ODD_SUM.sub(b"7", raw))
        if self.fault == "last-counts":
            return _each_part(request, _last_counts)
        return request

    def _spoilt(self, answer: HttpResponse, command: object, result: Result) -> HttpResponse:
        if self.fault == "crashes" and isinstance(command, Malformed):
            return HttpResponse(500, ((b"content-type", b"text/plain; charset=utf-8"),), b"Traceback")
        if self.fault == "not-found-404" and isinstance(result, NoSuchAccount):
            return replace(answer, status=404)
        if self.fault == "no-type":
            headers = tuple(pair for pair in answer.headers if pair[0] != b"content-type")
            return replace(answer, headers=headers)
        if self.fault == "wrong-charset":
            return replace(answer, headers=tuple(_in_latin(pair) for pair in answer.headers))
        if self.fault == "other-id":
            return replace(answer, body=re.sub(rb'"id":1,', b'"id":"1",', answer.body))
        if self.fault == "unsigned" and isinstance(command, Lookup):
            return replace(answer, body=re.sub(rb"(<sign>)..", rb"\g<1>00", answer.body))
        return answer


@dataclass
class Street:
    """Many billers behind one server, each at the door of its own agreement."""

    billers: dict[str, Biller] = field(default_factory=dict)

    async def __call__(
        self, scope: Message, receive: Callable[[], Any], send: Callable[[Message], Any]
    ) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            await self.billers[scope["path"].split("/")[2]](scope, receive, send)


#: As ``bending`` writes them: ``sum=1e3``, ``"amount":-1``.
_ODD_SUM = re.compile(rb"(?<=[=:>\"])(1e3|10,00|-1)(?=[&,<}\"]|$)")


def _each_part(request: HttpRequest, change: Callable[[bytes], bytes]) -> HttpRequest:
    return replace(request, query=change(request.query), body=change(request.body))


def _last_counts(raw: bytes) -> bytes:
    """Of each name the last value, as many libraries have it."""
    if raw[:1] == b"{":
        with contextlib.suppress(ValueError):
            return json.dumps(json.loads(raw), separators=(",", ":")).encode()
        return raw
    pairs = dict(pair.partition(b"=")[::2] for pair in raw.split(b"&") if pair)
    return b"&".join(name + b"=" + value for name, value in pairs.items())


def _in_latin(pair: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    name, value = pair
    return (name, re.sub(rb"charset=[^;]*", b"charset=ascii", value)) if name == b"content-type" else pair


def _anybody(terms: Terms) -> list[Terms]:
    """Terms under which the strangers of ``kvit.simulator.bending`` are the network."""
    return [
        replace(terms, basic_password=terms.basic_password + "x"),
        replace(terms, secret=terms.secret + "x"),
        replace(terms, verify=lambda *_: True),
    ]


def _nobody(terms: Terms) -> list[Terms]:
    """Terms under which a request without any credentials is the network's."""
    return [replace(terms, basic_login="", basic_password=""), replace(terms, secret="")]
