"""A bank's web server on loopback: uvicorn, with files behind a token."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import uvicorn

TOKEN = "a token of the bank"


@dataclass
class Bank:
    """``files`` wait to be fetched, ``got`` was uploaded: (method, path, content) in their order."""

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    got: list[tuple[str, str, bytes]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    list_as: str = "lines"
    status: int = 201
    #: What was uploaded can be seen at its address.
    shows: bool = True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        if scope["type"] != "http":
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.tokens.append(headers.get("authorization", ""))
        status, content = self._answer(scope["method"], unquote(scope["path"]), body, headers)
        await send({
            "type": "http.response.start", "status": status,
            "headers": [(b"content-length", str(len(content)).encode())],
        })  # fmt: skip
        await send({"type": "http.response.body", "body": content})

    def _answer(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, b"who are you?"
        if path == "/list":
            return 200, self._list()
        name = path.rpartition("/")[2]
        if path.startswith("/in/") and method in {"PUT", "POST"}:
            if self.status < 300:
                self.got.append((method, path, body))
                self.keys.append(headers.get("idempotency-key", ""))
            return self.status, b"as I said"
        if path.startswith("/in/"):
            found = [content for _, got, content in self.got if got == path]
            return (200, found[-1]) if found and self.shows else (404, b"")
        if name in self.files and method == "DELETE":
            del self.files[name]
            return 204, b""
        return (200, self.files[name]) if name in self.files else (404, b"")

    def _list(self) -> bytes:
        if self.list_as == "lines":
            return "\n".join(self.files).encode()
        return json.dumps([{"name": name, "size": len(data)} for name, data in self.files.items()]).encode()


@contextmanager
def bank_server(certificate: tuple[Path, Path], asks_for: Path | None = None) -> Iterator[Bank]:
    """``asks_for``: whose certificates its callers need."""
    bank = Bank()
    listener = socket.create_server(("127.0.0.1", 0))
    bank.port = listener.getsockname()[1]
    config = uvicorn.Config(
        bank, ssl_certfile=str(certificate[0]), ssl_keyfile=str(certificate[1]), lifespan="off",
        ssl_ca_certs=str(asks_for) if asks_for else None,
        ssl_cert_reqs=ssl.CERT_REQUIRED if asks_for else ssl.CERT_NONE,
        log_config=None, ws="none", loop="asyncio",
    )  # fmt: skip
    server = uvicorn.Server(config)

    def run() -> None:
        with asyncio.Runner() as runner:
            runner.run(server.serve(sockets=[listener]))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield bank
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
