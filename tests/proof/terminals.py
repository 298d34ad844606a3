"""Terminals of a network: raw connections that ask, are cut off, and ask again until they know."""

from __future__ import annotations

import asyncio
import importlib.util
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, TypeVar, cast

from kvit.domain.messages import Post
from kvit.domain.money import format_amount
from tests.proof.serving import LOGIN, PASSWORD

T = TypeVar("T")
R = TypeVar("R")

TIMEOUT_S = 25.0
PAUSE_S = 0.05
AGAIN = "1"
_RESULT = re.compile(rb"<result>([0-9]+)</result>")
_LENGTH = re.compile(rb"\r\ncontent-length: ([0-9]+)\r\n", re.IGNORECASE)
_HEAD = b"Host: biller.example\r\nAuthorization: Basic " + b64encode(f"{LOGIN}:{PASSWORD}".encode())


class Answer(NamedTuple):
    """What came back: HTTP status, the protocol's own code, and every byte of the body."""

    status: int
    code: str
    body: bytes


def pay_target(agreement_id: str, post: Post) -> str:
    """The address with which a QIWI terminal reports a payment."""
    return (
        f"/pay/{agreement_id}?command=pay&txn_id={post.txn}&txn_date=20261123120000"
        f"&account={post.number}&sum={format_amount(post.amount_minor)}"
    )


def check_target(agreement_id: str, number: str) -> str:
    return f"/pay/{agreement_id}?command=check&txn_id=1&account={number}&sum=1.00"


class _Wire(asyncio.Protocol):
    """One connection: a request at a time goes out, and its answer comes back whole."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc if isinstance(exc, OSError) else EOFError("cut off"))

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, gap, body = self._got.partition(b"\r\n\r\n")
        if not gap or self._waiting is None:
            return
        length = _LENGTH.search(head + b"\r\n")
        if length is None:
            self._fail(OSError(f"not an answer: {head[:200]!r}"))
        elif len(body) == int(length.group(1)):
            waiting, self._waiting, self._got = self._waiting, None, b""
            code = _RESULT.search(body)
            if not waiting.done():
                waiting.set_result(Answer(int(head[9:12]), code.group(1).decode() if code else "", body))

    async def ask(self, request: bytes) -> Answer:
        loop = asyncio.get_running_loop()
        assert self._transport is not None
        if self._transport.is_closing():
            raise EOFError("cut off before it was asked")
        waiting: asyncio.Future[Answer] = loop.create_future()
        self._waiting, self._got = waiting, b""
        self._transport.write(request)
        late = loop.call_later(TIMEOUT_S, self._fail, TimeoutError())
        try:
            return await waiting
        finally:
            late.cancel()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)


class Terminal:
    """One kept connection, opened anew when it breaks."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._wire: _Wire | None = None
        #: How often it was told to come later, and how often it was not answered at all.
        self.told_later = 0
        self.unanswered = 0

    async def ask(self, target: str) -> Answer:
        """One request and its answer. Raises ``OSError`` or ``EOFError`` where there is none."""
        try:
            if self._wire is None:
                loop = asyncio.get_running_loop()
                _, self._wire = await loop.create_connection(_Wire, "127.0.0.1", self._port)
            return await self._wire.ask(b"GET " + target.encode() + b" HTTP/1.1\r\n" + _HEAD + b"\r\n\r\n")
        except BaseException:
            await self.close()
            raise

    async def ask_until_final(self, target: str, is_over: Callable[[], bool]) -> Answer:
        """What a network does: whatever is not final is asked again, with the same id."""
        while not is_over():
            try:
                answer = await self.ask(target)
            except (OSError, EOFError, TimeoutError):
                self.unanswered += 1
                await asyncio.sleep(PAUSE_S)
                continue
            if answer.status == 200 and answer.code != AGAIN:
                return answer
            self.told_later += 1
            await asyncio.sleep(PAUSE_S)
        raise TimeoutError("there was no final answer")

    async def close(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()


def run_terminals(
    port: int, count: int, works: Iterable[T], do: Callable[[Terminal, T], Awaitable[R]]
) -> tuple[list[tuple[T, R]], list[Terminal]]:
    """``count`` terminals at once work through ``works`` in order, whoever is free takes the next."""

    async def story() -> tuple[list[tuple[T, R]], list[Terminal]]:
        left = iter(works)
        done: list[tuple[T, R]] = []
        terminals = [Terminal(port) for _ in range(count)]

        async def serve(terminal: Terminal) -> None:
            done.extend([(work, await do(terminal, work)) for work in left])

        try:
            await asyncio.gather(*(serve(terminal) for terminal in terminals))
        finally:
            for terminal in terminals:
                await terminal.close()
            await asyncio.sleep(0)  # a connection is gone in the loop's next round
        return done, terminals

    with asyncio.Runner(loop_factory=_new_loop) as runner:
        return runner.run(story())


def _new_loop() -> asyncio.AbstractEventLoop:
    """The quicker kind where there is one: terminals are to be cheap beside the server."""
    if importlib.util.find_spec("uvloop") is None:
        return asyncio.new_event_loop()
    return importlib.import_module("uvloop").new_event_loop()  # type: ignore[no-any-return]
