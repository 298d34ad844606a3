"""Nobody can take more than his share: too long, too large, too slow and too many end in time, and alone."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from kvit.config import Limits
from tests.web.conftest import CONNECTIONS_MAX, HEAD_TIMEOUT_S
from tests.web.serving import BASIC, NUMBER, Serving, is_closed, open_office, read_all, statuses

PAY = b"command=pay&txn_id=777&txn_date=20261101120000&account=%s&sum=11.00" % NUMBER.encode()
HEAD = b" HTTP/1.1\r\nHost: kvit\r\n" + BASIC
GET = b"GET /pay/qiwi?" + PAY + HEAD
POST = b"POST /pay/qiwi" + HEAD + b"Content-Type: application/x-www-form-urlencoded\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
MEGABYTES_10 = 10 * 1024 * 1024
#: A client that is too slow is found within the limit and one look at all connections.
PATIENCE_S = HEAD_TIMEOUT_S + 3

TOO_LARGE = {
    "target of 64 kB": (GET.replace(b" HTTP", b"&x=" + b"a" * 65_536 + b" HTTP") + b"\r\n", 414),
    "target without an end": (b"GET /pay/qiwi?" + b"a" * 200_000, 414),
    "header of 64 kB": (GET + b"X: " + b"a" * 65_536 + b"\r\n\r\n", 431),
    "header without an end": (GET + b"X: " + b"a" * 600_000, 431),
    "header name without an end": (GET + b"X" * 600_000, 431),
    "20,000 headers": (GET + b"X: a\r\n" * 20_000 + b"\r\n", 431),
    "empty lines without an end": (b"\r\n" * 200_000, 431),
    "body of 10 MB": (POST + b"Content-Length: %d\r\n\r\n" % MEGABYTES_10 + b"a" * MEGABYTES_10, 413),
    "body of 10 MB in chunks": (POST + CHUNKED + (b"10000\r\n" + b"a" * 65_536 + b"\r\n") * 160, 413),
    "body of 10 MB in one chunk": (POST + CHUNKED + b"a00000\r\n" + b"a" * MEGABYTES_10, 413),
    "body of one byte too many": (
        POST + b"Content-Length: 65537\r\n\r\n" + PAY + b"&" * (65_537 - len(PAY)),
        413,
    ),
    "body announced": (POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % MEGABYTES_10, 413),
    "body in chunks of one byte": (POST + CHUNKED + b"1\r\na\r\n" * 70_000, 413),
    "trailers without an end": (POST + CHUNKED + b"1\r\na\r\n0\r\n" + b"X: a\r\n" * 20_000, 431),
}


def memory_mb(process_id: int) -> int:
    pages = int(Path(f"/proc/{process_id}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 // 1_000_000


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_too_large_is_not_read_to_its_end(name: str, server: Serving, unharmed: None) -> None:
    raw, status = TOO_LARGE[name]
    watched = sys.platform == "linux"
    before_mb = memory_mb(server.process.pid) if watched else 0
    with server.connect() as peer:
        with suppress(ConnectionError):  # the server hangs up on us while we still send
            peer.sendall(raw)
        received = read_all(peer)
        assert is_closed(peer, 1)
    # What the server said last may be lost with the connection that it breaks off.
    assert statuses(received) in ([status], [])
    if watched:
        assert memory_mb(server.process.pid) - before_mb < 8


def test_the_limits_themselves_are_allowed(server: Serving, unharmed: None) -> None:
    """The answer is the protocol's: too long for a form, but not for the wire."""
    limits = Limits()
    target = b"/pay/qiwi?" + b"a" * (limits.url_bytes_max - len("/pay/qiwi?"))
    assert server.ask(target.decode()).result == "300"
    form = b"Content-Type: application/x-www-form-urlencoded\r\n"
    body = b"a" * limits.body_bytes_max
    assert server.ask("/pay/qiwi", method="POST", headers=BASIC + form, body=body).result == "300"


#: What is sent at once, and what then drips until the server has had enough; what it says before it goes.
SLOW = {
    "head": (GET + b"X: ", b"a", [408]),
    "target": (b"GET /pay/qiwi?", b"a", [408]),
    "nothing at all": (b"", b"", []),
    "empty lines": (b"", b"\r\n", []),
    "empty lines behind an answer": (GET.replace(b"=pay", b"=check") + b"\r\n", b"\r\n", [200]),
    "second head": (GET.replace(b"=pay", b"=check") + b"\r\nGET /", b"a", [200, 408]),
    "body": (POST + b"Content-Length: 500\r\n\r\n" + PAY, b"&", [408]),
    "body without a byte": (POST + b"Content-Length: 500\r\n\r\n", b"", [408]),
    "body in chunks": (POST + CHUNKED, b"1\r\n&\r\n", [408]),
    "chunk extension": (POST + CHUNKED + b"1;", b"a", [408]),
    "trailers": (POST + CHUNKED + b"1\r\n&\r\n0\r\n", b"A: b\r\n", [408]),
    "body of a request that is answered": (
        (POST + b"Content-Length: 500\r\n\r\n").replace(b"/qiwi", b"/none"),
        b"a",
        [404],
    ),
}


def drip(server: Serving, first: bytes, piece: bytes, received: list[bytes], lasted_s: list[float]) -> None:
    """Send a piece ten times a second until the server closes."""
    started_s = time.monotonic()
    with server.connect() as peer, suppress(ConnectionError):
        peer.sendall(first)
        peer.settimeout(0.1)
        while time.monotonic() - started_s < PATIENCE_S + 3:
            with suppress(TimeoutError):
                said = peer.recv(65_536)
                if not said:
                    break
                received.append(said)
            peer.sendall(piece)
    lasted_s.append(time.monotonic() - started_s)


def test_slow_clients_are_told_so_or_left_within_the_limit(server: Serving, unharmed: None) -> None:
    received: dict[str, list[bytes]] = {name: [] for name in SLOW}
    lasted_s: dict[str, list[float]] = {name: [] for name in SLOW}
    threads = [
        threading.Thread(target=drip, args=(server, first, piece, received[name], lasted_s[name]))
        for name, (first, piece, _) in SLOW.items()
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert server.is_well(), "slow clients hold nobody else up"
        time.sleep(0.1)
    assert {name for name, (seconds,) in lasted_s.items() if seconds > PATIENCE_S} == set()
    said = {name: statuses(b"".join(pieces)) for name, pieces in received.items()}
    assert said == {name: expected for name, (_, _, expected) in SLOW.items()}


def test_idle_connections_disturb_nobody(server: Serving, unharmed: None) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(server.connect()) for _ in range(500)]
        started_s = time.monotonic()
        assert all(server.is_well() for _ in range(20))
        assert time.monotonic() - started_s < 2
        end_s = time.monotonic() + PATIENCE_S
        assert all(is_closed(peer, max(0.01, end_s - time.monotonic())) for peer in idle)


def test_who_asks_on_and_on_without_listening_is_left_at_once(server: Serving, unharmed: None) -> None:
    before_mb = memory_mb(server.process.pid) if sys.platform == "linux" else 0
    check = b"GET /pay/qiwi?command=check&txn_id=1&account=%s&sum=1.00" % NUMBER.encode() + HEAD + b"\r\n"
    with server.connect() as peer:
        end_s = time.monotonic() + PATIENCE_S
        with suppress(ConnectionError):
            while time.monotonic() < end_s:
                peer.sendall(check * 100)
    assert time.monotonic() < end_s
    if sys.platform == "linux":
        assert memory_mb(server.process.pid) - before_mb < 16


def test_a_system_that_allows_few_files_is_asked_for_more(sqlite_template: Path, tmp_path: Path) -> None:
    office = open_office(tmp_path, sqlite_template)
    command = office.command("serve", "--port", "0")
    few = ["sh", "-c", 'ulimit -Sn 128; exec "$@"', "sh", *command]
    log = tmp_path / "few.log"
    with log.open("wb") as output:
        process = subprocess.Popen(few, env=office.environment(), stdout=output, stderr=output)
    server = Serving(process, log)
    try:
        server.wait_for_address()
        with ExitStack() as stack:
            for _ in range(300):
                stack.enter_context(server.connect())
            assert server.is_well()
    finally:
        assert server.stop() == 0


def test_connections_beyond_the_limit_are_sent_away_until_some_go(proxied: Serving) -> None:
    with ExitStack() as stack:
        for _ in range(CONNECTIONS_MAX):
            stack.enter_context(proxied.connect())
        answer = proxied.ask("/healthz")
        assert (answer.status, answer.result) == (503, "")
    end_s = time.monotonic() + 5
    while proxied.ask("/healthz").status != 200:
        assert time.monotonic() < end_s
        time.sleep(0.05)
