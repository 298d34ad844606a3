"""One WSGI callable: ``/pay/…`` for banks, ``/office/…`` for the office, ``/status`` for a person."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable, Iterable, Union

from kvit.relay.node import bank, office, page, store, web
from kvit.relay.node.web import Answer, Environ, StartResponse


def _clock_us() -> int:
    return time.time_ns() // 1_000


class Node:
    """A node whose data is in one folder. Keeps nothing between requests: processes come and go."""

    def __init__(self, folder: Union[str, Path], clock_us: Callable[[], int] = _clock_us) -> None:
        self._folder = Path(folder)
        self._clock_us = clock_us

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        asked = web.asked_of(environ)
        try:
            store.prepare(self._folder)
        except OSError:
            bank.complain("the data folder cannot be made")
            return web.send(bank.UNAVAILABLE, start_response)
        return web.send(self._answer(asked), start_response)

    def _answer(self, asked: web.Asked) -> Answer:
        now_us = self._clock_us()
        if asked.path.startswith(bank.PREFIX):
            return bank.answer(self._folder, asked, now_us)
        if asked.path.startswith(office.PREFIX):
            return office.answer(self._folder, asked, now_us)
        if asked.path == "/status":
            return page.answer(self._folder, asked, now_us)
        return web.plain(404, "kvit relay: there is nothing at this address")
