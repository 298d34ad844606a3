"""Answers leave together: what connections write within one turn of the event loop goes out at its end.

The head and the body of an answer become one piece (one system call, one packet), and the peer is woken
once for the answers of a whole turn instead of for each of them. Measured in docs/performance.md.
"""

from __future__ import annotations

import asyncio
from typing import Any


class Gathering:
    """The connections of one event loop that have something to say at the end of this turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[GatheredTransport] = []

    def add(self, transport: GatheredTransport) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(transport)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for transport in waiting:
            transport.flush()


class GatheredTransport:
    """A transport whose writes wait for the end of the turn; all else is the transport's own."""

    __slots__ = ("_gathering", "_pieces", "_transport")

    def __init__(self, transport: asyncio.Transport, gathering: Gathering) -> None:
        self._transport = transport
        self._gathering = gathering
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._pieces:
            self._gathering.add(self)
        self._pieces.append(data)

    def flush(self) -> None:
        """Hand on what was written so far."""
        pieces, self._pieces = self._pieces, []
        if pieces:
            self._transport.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def close(self) -> None:
        """What was written is still sent."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the transport has
        return getattr(self._transport, name)
