"""A tiny biller behind a real socket, speaking QIWI through the real adapter.

It keeps its books in two dictionaries. It stands in for kvit where a test needs a biller that misbehaves
(books twice, answers "later", breaks off): the real one must not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import uvicorn

from kvit.domain.messages import (
    Command,
    Conflict,
    Denied,
    Found,
    HttpRequest,
    Lookup,
    Malformed,
    NoSuchAccount,
    Post,
    Posted,
    Refused,
    Result,
    TryLater,
)
from kvit.protocols.base import Terms
from kvit.protocols.registry import PROTOCOLS

TERMS = Terms(agreement_id="qiwi", currency="RUB", basic_login="osmp", basic_password="secret")
NUMBER = "0042017"
UNKNOWN = "9999999"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass
class TinyBiller:
    """An ASGI application. ``moods`` are played one a payment, before normal service resumes."""

    due_minor: dict[str, int] = field(default_factory=lambda: {NUMBER: 125_000})
    names: dict[str, str] = field(default_factory=lambda: {NUMBER: "Иванова А. П."})
    posted: dict[str, Posted] = field(default_factory=dict)
    moods: list[str] = field(default_factory=list)
    pause_s: float = 0.0
    honest: bool = True
    receipts: int = 100_044

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request at ``/pay/qiwi``."""
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        request = HttpRequest(scope["method"], "", scope["query_string"], tuple(scope["headers"]), body)
        command = PROTOCOLS["qiwi"].decode(request, TERMS)
        result = self.decide(command)
        await asyncio.sleep(self.pause_s)
        if isinstance(result, Exception):
            raise result
        answer = PROTOCOLS["qiwi"].encode(request, result, TERMS)
        start = {"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)}
        await send(start)
        await send({"type": "http.response.body", "body": answer.body})

    def decide(self, command: Command | Malformed | Denied) -> Result | Exception:
        """The biller's whole wisdom."""
        if isinstance(command, Malformed | Denied):
            return command
        if not isinstance(command, Lookup | Post):
            return TryLater()
        if command.number not in self.due_minor:
            return NoSuchAccount(command.number)
        if isinstance(command, Post):
            return self._post(command)
        name, due_minor = self.names.get(command.number, ""), self.due_minor[command.number]
        return Found(command.number, max(due_minor, 0), max(-due_minor, 0), "RUB", name)

    def _post(self, post: Post) -> Result | Exception:
        mood = self.moods.pop(0) if self.moods else ""
        if mood == "later":
            return TryLater()
        if mood == "refuse":
            return Refused("account-closed")
        first = self.posted.get(post.txn)
        if first and self.honest:
            same = (first.number, first.amount_minor) == (post.number, post.amount_minor)
            return first if same else Conflict(post.txn)
        self.receipts += 1
        self.due_minor[post.number] -= post.amount_minor
        now = datetime.now(UTC)
        posted = Posted(post.txn, self.receipts, post.number, post.amount_minor, "RUB", now)
        self.posted[post.txn] = posted
        return posted


@contextmanager
def served(app: Application) -> Iterator[str]:
    """Serve an ASGI application on a free port of this machine; gives its base URL."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            threading.Event().wait(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
