"""The wire alone, with an application of the test's own behind it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import MutableMapping
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from kvit.web import wire
from kvit.web.wire import GuardedProtocol, WireLimits

PATIENCE_S = 5.0
TIMEOUT_S = 0.3


async def talk(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401
    """An answer of so many bytes that no buffer takes them all."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1_000):
        await send({"type": "http.response.body", "body": b"a" * 65_536, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def test_who_does_not_take_the_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_SWEEP_S", 0.05)
    monkeypatch.setattr(GuardedProtocol, "limits", WireLimits(body_timeout_s=TIMEOUT_S))
    monkeypatch.setattr(GuardedProtocol, "sweeping", False)

    async def serve() -> float:
        ended = asyncio.Event()

        class Watched(GuardedProtocol):
            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                ended.set()

        config, state = Config(talk, lifespan="off", ws="none", log_config=None), ServerState()
        config.load()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Watched(config, state, {}), "127.0.0.1", 0)
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            peer.connect(server.sockets[0].getsockname())
            peer.sendall(b"GET / HTTP/1.1\r\nHost: kvit\r\n\r\n")
            started_s = time.monotonic()
            await asyncio.wait_for(ended.wait(), PATIENCE_S)
            took_s = time.monotonic() - started_s
        server.close()
        await asyncio.gather(*state.tasks)
        return took_s

    assert asyncio.run(serve()) >= TIMEOUT_S
