"""The agent sends what it shows, and understands silence as a network does."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kvit.domain.messages import HttpRequest
from kvit.protocols.base import Terms
from kvit.protocols.registry import PROTOCOLS
from kvit.simulator import wire
from kvit.simulator.agent import ANSWER_BYTES_MAX, Agent, Exchange
from kvit.simulator.identity import TimeIds
from kvit.simulator.orders import Orders
from tests.simulator.biller import NUMBER, TERMS, TinyBiller, served

QIWI = PROTOCOLS["qiwi"]
NO_PAUSES = (0.0, 0.0, 0.0)


class Listener:
    """A bare socket that takes one request, notes its bytes and sends ``answer``."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heard = b""
        self.saw_the_end = False
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        connection.settimeout(10)
        with connection:
            while b"\r\n\r\n" not in self.heard:
                self.heard += connection.recv(65536)
            head, _, body = self.heard.partition(b"\r\n\r\n")
            lengths = [line[15:] for line in head.split(b"\r\n") if line[:15] == b"Content-Length:"]
            length = int(lengths[0]) if lengths else 0
            while len(body) < length:
                body += connection.recv(65536)
            self.heard = head + b"\r\n\r\n" + body
            connection.sendall(self.answer)
            if not self.answer:
                self.saw_the_end = connection.recv(1) == b""

    def close(self) -> None:
        self._thread.join(timeout=10)
        self._socket.close()


@contextmanager
def listening(answer: bytes) -> Iterator[Listener]:
    listener = Listener(answer)
    try:
        yield listener
    finally:
        listener.close()


def play(port: int, terms: Terms = TERMS, *, drop: bool = False, timeout_s: float = 5.0) -> Exchange:
    """Send one payment to the bare socket."""

    async def played() -> Exchange:
        async with Agent(f"http://127.0.0.1:{port}", QIWI, terms, timeout_s) as agent:
            return await agent.send(agent.post("004 2017&ü", 45_000, "700000000001"), drop=drop)

    return asyncio.run(played())


BODY = "<response><osmp_txn_id>700000000001</osmp_txn_id><result>0</result></response>"
HEAD = "HTTP/1.1 200 All Is Well\nContent-Type: text/xml; charset=utf-8\nX-Two: spaces\nContent-Length: 78"
ANSWER = (HEAD.replace("\n", "\r\n") + "\r\n\r\n" + BODY).encode()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_shown_is_what_was_sent(method: str) -> None:
    with listening(ANSWER) as listener:
        exchange = play(listener.port, replace(TERMS, dialect={"ask_method": method}))
    head, _, body = exchange.request_text.partition("\n\n")
    assert listener.heard == (head.replace("\n", "\r\n") + "\r\n\r\n" + body).encode()
    assert f"{method} /pay/qiwi" in head
    assert "Authorization: Basic b3NtcDpzZWNyZXQ=" in head
    assert "account=004%202017%26%C3%BC" in exchange.request_text


def test_the_answer_is_shown_as_it_came() -> None:
    with listening(ANSWER) as listener:
        exchange = play(listener.port)
    assert exchange.response_text == f"{HEAD}\n\n{BODY}"
    assert exchange.response is not None
    assert dict(exchange.response.headers)[b"content-type"] == b"text/xml; charset=utf-8"
    assert (exchange.heard.step, exchange.heard.code) == ("done", "0")
    assert exchange.failure == ""
    assert exchange.elapsed_ms > 0


def test_hanging_up_happens_after_the_request_and_before_the_answer() -> None:
    with listening(b"") as listener:
        exchange = play(listener.port, drop=True)
    assert listener.heard.startswith(b"GET /pay/qiwi?command=pay&txn_id=700000000001&")
    assert listener.heard.endswith(b"\r\n\r\n")
    assert listener.saw_the_end
    assert (exchange.failure, exchange.heard.step) == ("dropped", "again")
    assert exchange.response is None
    assert exchange.response_text == ""


def test_no_answer_in_time_is_asked_again() -> None:
    with listening(b"") as listener:
        exchange = play(listener.port, timeout_s=0.2)
    assert (exchange.failure, exchange.heard.step) == ("timeout", "again")
    assert 200 <= exchange.elapsed_ms < 5000


def test_an_answer_that_breaks_off_is_asked_again() -> None:
    with listening(ANSWER[:-10]) as listener:
        exchange = play(listener.port)
    assert (exchange.failure, exchange.heard.step) == ("broken", "again")


def test_a_closed_door_is_asked_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    exchange = play(port)
    assert (exchange.failure, exchange.heard.step) == ("unreachable", "again")


def test_an_endless_answer_is_cut() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"
    with listening(head + b"x" * (ANSWER_BYTES_MAX + 100_000)) as listener:
        exchange = play(listener.port)
    assert exchange.response is not None
    assert len(exchange.response.body) == ANSWER_BYTES_MAX
    assert exchange.heard.step == "again"


def test_bytes_that_are_no_text_stay_visible() -> None:
    text = wire.request_text("GET", b"/pay?a=\xff", (), b"\xd0\x98\xfe")
    assert text == "GET /pay?a=\\xff HTTP/1.1\n\nИ\\xfe"


def test_a_path_and_somebody_else_s_door() -> None:
    assert (
        wire.target_of(wire.door_of("http://a.example", "uzum"), HttpRequest("POST", "check"))
        == b"/pay/uzum/check"
    )
    theirs = wire.door_of("https://b.example/osmp.php?key=1", "")
    assert wire.target_of(theirs, HttpRequest("GET", "", b"a=1")) == b"/osmp.php?key=1&a=1"
    assert wire.target_of(wire.door_of("http://c.example", ""), HttpRequest("GET", "")) == b"/"


@pytest.mark.parametrize(
    ("base_url", "host", "target"),
    [
        ("http://127.0.0.1:8080/", b"127.0.0.1:8080", b"/pay/qiwi?a=%2B"),
        ("https://kvit.example", b"kvit.example", b"/pay/qiwi?a=%2B"),
        ("https://kvit.example:443/deep", b"kvit.example", b"/deep/pay/qiwi?a=%2B"),
        ("http://[::1]:8080", b"[::1]:8080", b"/pay/qiwi?a=%2B"),
    ],
)
def test_the_door_of_an_agreement(base_url: str, host: bytes, target: bytes) -> None:
    door = wire.door_of(base_url, "qiwi")
    request = HttpRequest("GET", "", b"a=%2B", ((b"authorization", b"x"),))
    assert wire.target_of(door, request) == target
    assert wire.headers_of(door, request) == (
        (b"Host", host), (b"Authorization", b"x"), (b"User-Agent", b"kvit-simulator"),
    )  # fmt: skip


def with_biller(biller: TinyBiller, amount_minor: int = 10_000) -> list[Exchange]:
    async def played(base_url: str) -> list[Exchange]:
        async with Agent(base_url, QIWI, TERMS, 5.0) as agent:
            return await agent.repeat(agent.post(NUMBER, amount_minor), NO_PAUSES)

    with served(biller) as base_url:
        return asyncio.run(played(base_url))


def test_later_is_repeated_word_for_word_until_the_answer_is_final() -> None:
    biller = TinyBiller(moods=["later", "later"])
    exchanges = with_biller(biller)
    assert [one.heard.step for one in exchanges] == ["again", "again", "done"]
    assert len({one.request_text for one in exchanges}) == 1
    assert [one.txn for one in biller.posted.values()] == [getattr(exchanges[0].command, "txn", "")]
    assert biller.due_minor[NUMBER] == 115_000


def test_a_refusal_is_not_repeated() -> None:
    exchanges = with_biller(TinyBiller(moods=["refuse", "later"]))
    assert [one.heard.step for one in exchanges] == ["stop"]


def test_patience_ends_with_the_pauses() -> None:
    exchanges = with_biller(TinyBiller(moods=["later"] * 9))
    assert [one.heard.step for one in exchanges] == ["again"] * (len(NO_PAUSES) + 1)


def test_numbers_grow_even_when_the_clock_does_not_and_fit_every_protocol() -> None:
    new_number = TimeIds(clock_ns=lambda: 1_795_403_741_748_583_999)
    assert [new_number() for _ in range(3)] == [179540374174858, 179540374174859, 179540374174860]


def test_new_ids_and_the_network_s_time_are_injected() -> None:
    now = datetime(2026, 3, 14, 9, 15, 30, 123, tzinfo=UTC)
    orders = Orders(QIWI, TERMS, now=lambda: now, new_number=lambda: 42)
    agent = Agent("http://kvit.example", QIWI, TERMS, orders=orders)
    post = agent.post(NUMBER, 45_000)
    assert (post.txn, post.network_time) == ("42", "2026-03-14T09:15:30")
    assert agent.lookup(NUMBER).txn == "42"
    again = agent.post(NUMBER, 45_000, "41", "2026-03-14T09:00:00")
    assert (again.txn, again.network_time) == ("41", "2026-03-14T09:00:00")
    asyncio.run(agent.__aexit__(None, None, None))


def test_an_answer_that_is_taken_a_byte_at_a_time_is_the_same_answer() -> None:
    with listening(ANSWER) as listener:

        async def played() -> Exchange:
            async with Agent(f"http://127.0.0.1:{listener.port}", QIWI, TERMS, 5.0) as agent:
                return await agent.send(agent.post(NUMBER, 45_000, "700000000001"), slowly=True)

        exchange = asyncio.run(played())
    assert exchange.response_text == f"{HEAD}\n\n{BODY}"
    assert (exchange.heard.step, exchange.failure) == ("done", "")
    assert exchange.elapsed_ms > len(ANSWER)
    head, _, body = exchange.request_text.partition("\n\n")
    assert listener.heard == (head.replace("\n", "\r\n") + "\r\n\r\n" + body).encode()


@pytest.mark.parametrize(("answer", "failure"), [(ANSWER[:-10], "broken"), (b"nonsense\r\n\r\n", "broken")])
def test_a_slow_reader_notices_an_answer_that_is_none(answer: bytes, failure: str) -> None:
    with listening(answer) as listener:

        async def played() -> Exchange:
            async with Agent(f"http://127.0.0.1:{listener.port}", QIWI, TERMS, 5.0) as agent:
                return await agent.send(agent.post(NUMBER, 45_000), slowly=True)

        exchange = asyncio.run(played())
    assert (exchange.failure, exchange.heard.step) == (failure, "again")
