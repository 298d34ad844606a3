"""A TCP proxy of bad weather: pieces come late, stand still, drip, or the line is cut at a given byte.

It runs in a thread with a loop of its own, so that tests of every kind may stand on either side of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any, NamedTuple

_LINGER_NOT = struct.pack("ii", 1, 0)


@dataclass(frozen=True, eq=False)
class Fault:
    """What one direction suffers. Bytes are counted on each connection, from when the fault began there.

    ``stall_after``: nothing more goes on until the fault is lifted, then it all does. ``reset_after``: both
    ends get a reset; with 0, when the first byte would have gone on. ``half_close_after``: the receiver is
    told that this was all, what is still sent is lost, and the other direction lives.
    """

    latency_s: float = 0.0
    #: Between two bytes, each of which goes alone.
    drip_s: float = 0.0
    stall_after: int | None = None
    reset_after: int | None = None
    half_close_after: int | None = None


FINE = Fault()


class Weather(NamedTuple):
    """Towards the target, and back from it."""

    there: Fault = FINE
    back: Fault = FINE


class _Reset(Exception):
    """The line is cut."""


class Proxy:
    """Listens on ``port`` and hands everything on to ``target_port``, as well as the weather allows."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self.weather = Weather()
        #: Bytes that went on to the target and back from it, over all connections.
        self.passed = [0, 0]
        self.connections = self.resets = self.half_closes = 0
        self.upcoming: deque[Weather] = deque()
        self._open: set[socket.socket] = set()
        self._loop = asyncio.new_event_loop()
        self.changed = asyncio.Event()
        self._accepting = asyncio.run_coroutine_threadsafe(self._accept(), self._loop)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def suffer(self, there: Fault = FINE, back: Fault = FINE) -> None:
        """From now on, on connections old and new."""
        self._do(self._change(Weather(there, back), ()))

    def calm(self, upcoming: Iterable[Weather] = ()) -> None:
        """Everything goes on, what stood still included; at once planned for the connections to come."""
        self._do(self._change(Weather(FINE, FINE), upcoming))

    def plan(self, weathers: Iterable[Weather]) -> None:
        """One for each connection to come, for all its life or until the weather changes for all."""
        self._do(self._change(None, weathers))

    def close(self) -> None:
        self._accepting.cancel()
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
        self._listener.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _change(self, weather: Weather | None, upcoming: Iterable[Weather]) -> None:
        self.upcoming = deque(upcoming)
        if weather is not None:
            self.weather = weather
            changed, self.changed = self.changed, asyncio.Event()
            changed.set()

    async def _end(self) -> None:
        links = asyncio.all_tasks() - {asyncio.current_task()}
        for task in links:
            task.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        for each in self._open:  # of links that were ended before they had begun
            each.close()

    async def _accept(self) -> None:
        links = set()
        while True:
            caller, _ = await self._loop.sock_accept(self._listener)
            self._open.add(caller)
            self.connections += 1
            link = asyncio.create_task(self._link(caller))
            links.add(link)  # a task that nobody holds may be collected
            link.add_done_callback(links.discard)

    async def _link(self, caller: socket.socket) -> None:
        target = socket.socket()
        self._open.add(target)
        both = (caller, target)
        own, since = (self.upcoming.popleft(), self.weather) if self.upcoming else (None, None)
        for each in both:
            each.setblocking(False)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pipes: list[asyncio.Task[None]] = []
        try:
            await self._loop.sock_connect(target, ("127.0.0.1", self._target_port))
            for way, (source, sink) in enumerate((both, both[::-1])):
                pipes.append(asyncio.create_task(_Pipe(self, way, own, since).run(source, sink)))
            await asyncio.gather(*pipes)
        except (OSError, _Reset):
            for each in both:
                with contextlib.suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        finally:
            for pipe in pipes:
                pipe.cancel()
            await asyncio.gather(*pipes, return_exceptions=True)
            for each in both:
                each.close()
                self._open.discard(each)


class _Pipe:
    """One direction of one connection."""

    def __init__(self, proxy: Proxy, way: int, own: Weather | None, since: Weather | None) -> None:
        self._proxy, self._way = proxy, way
        self._own, self._since = own, since
        self._fault, self._count = FINE, 0

    async def run(self, source: socket.socket, sink: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(source, 65536):
            while data and sink.fileno() >= 0:
                piece, pause_s = await self._next(data)
                if piece is None:
                    self._proxy.half_closes += 1
                    sink.shutdown(socket.SHUT_WR)
                    while await loop.sock_recv(source, 65536):
                        pass
                    return
                await asyncio.sleep(pause_s)
                await loop.sock_sendall(sink, piece)
                data = data[len(piece) :]
                self._count += len(piece)
                self._proxy.passed[self._way] += len(piece)
                if self._count == self._fault.reset_after:
                    self._cut()
        sink.shutdown(socket.SHUT_WR)

    async def _next(self, data: bytes) -> tuple[bytes | None, float]:
        """What of ``data`` may go on next, and after which pause; ``None`` when nothing ever will."""
        while True:
            fault = self._look()
            left = len(data)
            if fault.reset_after is not None:
                left = min(left, fault.reset_after - self._count)
                if left <= 0:
                    self._cut()
            if fault.half_close_after is not None:
                left = min(left, fault.half_close_after - self._count)
                if left <= 0:
                    return None, 0
            if fault.stall_after is not None:
                left = min(left, fault.stall_after - self._count)
                if left <= 0:
                    await self._proxy.changed.wait()
                    continue
            return (data[:1], fault.drip_s) if fault.drip_s else (data[:left], fault.latency_s)

    def _look(self) -> Fault:
        """The fault of the hour; a new one counts anew."""
        weather = self._proxy.weather
        if self._own is not None and weather is self._since:
            weather = self._own
        fault = weather[self._way]
        if fault is not self._fault:
            self._fault, self._count = fault, 0
        return fault

    def _cut(self) -> None:
        self._proxy.resets += 1
        raise _Reset


@contextlib.contextmanager
def weathered(target_port: int) -> Iterator[Proxy]:
    """A proxy before ``target_port``, in fine weather at first."""
    proxy = Proxy(target_port)
    try:
        yield proxy
    finally:
        with contextlib.suppress(CancelledError):
            proxy.close()
