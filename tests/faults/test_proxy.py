"""The proxy of bad weather does what it says: else what is shown with it is shown by nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import FINE, Fault, Proxy, Weather, weathered

TEXT = b"0123456789"


class Echo:
    """Says everything again, and keeps what it heard and how each connection ended."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heard: list[bytes] = []
        self.ends: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        place = len(self.heard)
        self.heard.append(b"")
        with peer:
            try:
                while data := peer.recv(1000):
                    self.heard[place] += data
                    peer.sendall(data)
                self.ends.append("closed")
                peer.sendall(b"!")
            except ConnectionError:
                self.ends.append("reset")


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with weathered(echo.port) as proxy:
        yield proxy


def connect(proxy: Proxy, timeout_s: float = 5.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout_s)


def read(peer: socket.socket, size: int) -> bytes:
    """So many bytes, or what came until the end."""
    found = b""
    while len(found) < size and (data := peer.recv(size - len(found))):
        found += data
    return found


def until_reset(peer: socket.socket) -> bytes:
    """What comes before the reset; an orderly end is a failure."""
    found = b""
    try:
        while data := peer.recv(100):
            found += data
    except ConnectionResetError:
        return found
    raise AssertionError("the connection was closed, and not reset")


def until(echo: Echo, end: str) -> None:
    give_up_s = time.monotonic() + 5
    while end not in echo.ends:
        assert time.monotonic() < give_up_s, (echo.ends, echo.heard)
        time.sleep(0.01)


def test_in_fine_weather_everything_goes_on_and_an_end_is_an_end(proxy: Proxy, echo: Echo) -> None:
    large = TEXT * 50_000
    with connect(proxy) as peer:
        threading.Thread(target=peer.sendall, args=(large,), daemon=True).start()
        assert read(peer, len(large)) == large
        peer.shutdown(socket.SHUT_WR)
        assert read(peer, 2) == b"!"
    assert (echo.heard, echo.ends, proxy.connections) == ([large], ["closed"], 1)
    assert proxy.passed == [len(large), len(large) + 1]


@pytest.mark.parametrize("way", ["there", "back"])
def test_late(proxy: Proxy, way: str) -> None:
    with connect(proxy) as peer:
        peer.sendall(TEXT)
        assert read(peer, 10) == TEXT
        proxy.suffer(**{way: Fault(latency_s=0.3)})
        began_s = time.monotonic()
        peer.sendall(TEXT)
        assert read(peer, 10) == TEXT
        assert 0.3 <= time.monotonic() - began_s < 0.6


@pytest.mark.parametrize("way", ["there", "back"])
def test_stalled_until_it_is_not(proxy: Proxy, echo: Echo, way: str) -> None:
    proxy.suffer(**{way: Fault(stall_after=4)})
    with connect(proxy, 0.3) as peer:
        peer.sendall(TEXT)
        assert read(peer, 4) == TEXT[:4]
        with pytest.raises(TimeoutError):
            peer.recv(1)
        assert echo.heard == [TEXT[:4] if way == "there" else TEXT]
        proxy.calm()
        assert read(peer, 6) == TEXT[4:]


@pytest.mark.parametrize("count", [0, 4, 10])
def test_reset_on_the_way_there(proxy: Proxy, echo: Echo, count: int) -> None:
    proxy.suffer(there=Fault(reset_after=count))
    with connect(proxy) as peer:
        peer.sendall(TEXT)
        assert TEXT[:count].startswith(until_reset(peer))
    until(echo, "reset")
    assert TEXT[:count].startswith(echo.heard[0])
    assert (proxy.resets, proxy.passed[0]) == (1, count)


@pytest.mark.parametrize("count", [0, 4, 10])
def test_reset_on_the_way_back(proxy: Proxy, echo: Echo, count: int) -> None:
    proxy.suffer(back=Fault(reset_after=count))
    with connect(proxy) as peer:
        peer.sendall(TEXT)
        assert TEXT[:count].startswith(until_reset(peer))
    until(echo, "reset")
    assert echo.heard == [TEXT]
    assert (proxy.resets, proxy.passed[1]) == (1, count)


def test_closed_by_half_on_the_way_there(proxy: Proxy, echo: Echo) -> None:
    proxy.suffer(there=Fault(half_close_after=4))
    with connect(proxy) as peer:
        peer.sendall(TEXT)
        assert read(peer, 10) == TEXT[:4] + b"!"
        assert (echo.heard, echo.ends, proxy.half_closes) == ([TEXT[:4]], ["closed"], 1)


def test_closed_by_half_on_the_way_back(proxy: Proxy, echo: Echo) -> None:
    proxy.suffer(back=Fault(half_close_after=4))
    with connect(proxy) as peer:
        peer.sendall(TEXT)
        assert read(peer, 10) == TEXT[:4]
        peer.sendall(TEXT)
        peer.shutdown(socket.SHUT_WR)
    until(echo, "closed")
    assert echo.heard == [TEXT * 2]


def test_a_byte_at_a_time(proxy: Proxy) -> None:
    proxy.suffer(back=Fault(drip_s=0.05))
    with connect(proxy) as peer:
        peer.sendall(TEXT)
        began_s = time.monotonic()
        pieces: list[bytes] = []
        while len(b"".join(pieces)) < len(TEXT):
            pieces.append(peer.recv(100))
        assert b"".join(pieces) == TEXT
        assert time.monotonic() - began_s > 0.4
        assert len(pieces) >= len(TEXT) // 2  # on a busy machine we may come late for some of them


def test_each_connection_may_have_weather_of_its_own(proxy: Proxy) -> None:
    proxy.plan([Weather(FINE, Fault(reset_after=2)), Weather(Fault(half_close_after=3))])
    with connect(proxy) as first, connect(proxy) as second, connect(proxy) as third:
        for peer in (first, second, third):
            peer.sendall(TEXT)
        assert read(second, 10) == TEXT[:3] + b"!"
        assert read(third, 10) == TEXT
        with pytest.raises(ConnectionResetError):
            read(first, 10)


def test_weather_that_changes_counts_anew_on_open_connections(proxy: Proxy) -> None:
    with connect(proxy) as peer:
        for _ in range(3):
            proxy.suffer(back=Fault(stall_after=2))
            peer.sendall(TEXT[:4])
            assert read(peer, 2) == TEXT[:2]
            proxy.calm()
            assert read(peer, 2) == TEXT[2:4]
        proxy.suffer(back=Fault(reset_after=1))
        peer.sendall(TEXT)
        with pytest.raises(ConnectionResetError):
            read(peer, 10)
