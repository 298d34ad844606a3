"""How answers leave: whole, in order, together, and never with a header that the answer brought along."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kvit.domain.messages import HttpResponse
from kvit.web.gathering import GatheredTransport, Gathering
from kvit.web.whole import _head, send_whole

XML = ((b"content-type", b"text/xml"),)


class Written:
    """A transport that remembers each write."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.pieces.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def test_what_is_written_in_one_turn_leaves_as_one_piece_for_each_connection() -> None:
    one, other = Written(), Written()

    async def story() -> None:
        gathering = Gathering(asyncio.get_running_loop())
        first, second = (GatheredTransport(each, gathering) for each in (one, other))  # type: ignore[arg-type]
        first.write(b"head ")
        second.write(b"alone")
        first.write(b"body")
        assert one.pieces == other.pieces == []
        await asyncio.sleep(0)
        assert (one.pieces, other.pieces) == ([b"head body"], [b"alone"])
        first.write(b"next")
        await asyncio.sleep(0)
        assert one.pieces == [b"head body", b"next"]

    asyncio.run(story())


def test_a_close_sends_what_was_written_before_it() -> None:
    written = Written()

    async def story() -> None:
        transport = GatheredTransport(written, Gathering(asyncio.get_running_loop()))  # type: ignore[arg-type]
        transport.write(b"last words")
        assert not transport.is_closing()
        transport.close()
        assert (written.pieces, written.closed) == ([b"last words"], True)
        await asyncio.sleep(0)
        assert written.pieces == [b"last words"]

    asyncio.run(story())


@pytest.mark.parametrize(
    "header",
    [(b"x", b"a\r\nset-cookie: b"), (b"x\n", b"a"), (b"connection", b"close"), (b"content-length", b"7")],
)
def test_headers_that_only_the_server_can_say_rightly_are_left_to_it(header: tuple[bytes, bytes]) -> None:
    assert _head(200, (header,)) is None
    assert _head(200, XML) is not None


def test_another_server_is_told_in_two_messages() -> None:
    told: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        told.append(message)

    asyncio.run(send_whole(send, HttpResponse(200, XML, b"<a/>")))
    assert [message["type"] for message in told] == ["http.response.start", "http.response.body"]
    assert (b"content-length", b"4") in told[0]["headers"]
    assert (b"cache-control", b"no-store") in told[0]["headers"]
    assert told[1]["body"] == b"<a/>"
