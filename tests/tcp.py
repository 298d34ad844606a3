"""A TCP proxy whose way back can be cut: the request arrives, the answer does not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Proxy:
    """Listens on ``port`` and hands everything on to ``target_port``, while it is allowed to."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        #: Once this has gone towards the target, nothing comes back any more and the caller is cut off.
        self.cut_after = b""
        self.cuts = 0
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._start(self._accept)

    def close(self) -> None:
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, work: object, *values: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=values, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            target = socket.create_connection(("127.0.0.1", self._target_port))
            self._sockets += [caller, target]
            is_cut = threading.Event()
            self._start(self._there, caller, target, is_cut)
            self._start(self._back, caller, target, is_cut)

    def _there(self, caller: socket.socket, target: socket.socket, is_cut: threading.Event) -> None:
        with suppress(OSError):
            while data := caller.recv(65536):
                if self.cut_after and self.cut_after in data:
                    self.cuts += 1
                    is_cut.set()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def _back(self, caller: socket.socket, target: socket.socket, is_cut: threading.Event) -> None:
        with suppress(OSError):
            while data := target.recv(65536):
                if is_cut.is_set():  # the target has done its work, and nobody hears of it
                    break
                caller.sendall(data)
            caller.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxied(target_port: int) -> Iterator[Proxy]:
    proxy = Proxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()
