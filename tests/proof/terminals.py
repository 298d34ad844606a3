"""Terminals of a network: raw connections that ask, are cut off, and ask again until they know."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import NamedTuple, TypeVar

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


class Terminal:
    """One kept connection, opened anew when it breaks."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        #: How often it was told to come later, and how often it was not answered at all.
        self.told_later = 0
        self.unanswered = 0

    async def ask(self, target: str) -> Answer:
        """One request and its answer. Raises ``OSError`` or ``EOFError`` where there is none."""
        try:
            return await asyncio.wait_for(self._ask(target), TIMEOUT_S)
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
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(streams[1].wait_closed(), 5)

    async def _ask(self, target: str) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(b"GET " + target.encode() + b" HTTP/1.1\r\n" + _HEAD + b"\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        assert length, head
        body = await reader.readexactly(int(length.group(1)))
        code = _RESULT.search(body)
        return Answer(int(head.split(b" ", 2)[1]), code.group(1).decode() if code else "", body)


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
            await terminal.close()

        await asyncio.gather(*(serve(terminal) for terminal in terminals))
        return done, terminals

    return asyncio.run(story())
