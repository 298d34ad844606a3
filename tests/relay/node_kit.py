"""A node in this process or in one of its own, and an office that speaks to it by hand."""

from __future__ import annotations

import io
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Protocol

from kvit.relay import wire
from kvit.relay.node.app import Node

SECRET = "relay-test"
KEY = b"o" * 32
RECEIPT_KEY = b"r" * 32
RELAY = 7
STATUS_KEY = "status-key-of-the-test"


@dataclass(frozen=True)
class Told:
    """An answer of the node."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever JSON says
        return json.loads(self.body)


class Sender(Protocol):
    """Some way of asking a node."""

    def __call__(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Told: ...


class InProcess:
    """Calls the WSGI callable; headers as a server hands them over."""

    def __init__(self, folder: Path) -> None:
        self.now_us = time.time_ns() // 1_000
        self.node = Node(folder, lambda: self.now_us)
        self.environ: dict[str, Any] = {"REMOTE_ADDR": "192.0.2.1"}

    def __call__(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Told:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "SCRIPT_NAME": "",
            "wsgi.input": io.BytesIO(body), "wsgi.url_scheme": "https", "wsgi.multiprocess": True,
        }  # fmt: skip
        if body:
            environ["CONTENT_LENGTH"] = str(len(body))
        for name, value in (headers or {}).items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key] = value
        environ.update(self.environ)
        told: list[Any] = []
        chunks = self.node(environ, lambda status, given: told.extend((status, given)))
        lower = {name.lower(): value for name, value in told[1]}
        return Told(int(told[0][:3]), lower, b"".join(chunks))


class OverHttp:
    """Calls a node that listens."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __call__(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Told:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            target = path + ("?" + query if query else "")
            connection.request(method, target, body or None, dict(headers or {}))
            answer = connection.getresponse()
            lower = {name.lower(): value for name, value in answer.getheaders()}
            return Told(answer.status, lower, answer.read())
        finally:
            connection.close()


@dataclass
class Office:
    """The office's side of the wire, written from its description."""

    send: Sender
    key_id: str = "k1"
    key: bytes = KEY
    generation: int = 0
    offset_s: int = 0
    last_nonce: str = ""
    clock_us: Any = field(default=lambda: time.time_ns() // 1_000)

    def call(self, name: str, body: Mapping[str, Any] | None = None, *, checked: bool = True) -> Told:
        method = "GET" if name == "state" else "POST"
        data = b"" if body is None else json.dumps(body).encode()
        self.last_nonce = secrets.token_hex(16)
        call = wire.Call(method, "/office/" + name, "", data)
        now_s = self.clock_us() // 1_000_000 + self.offset_s
        headers = wire.call_headers(self.key_id, self.key, call, now_s, self.last_nonce, self.generation)
        told = self.send(method, call.path, "", data, headers)
        assert isinstance(told, Told)
        if checked:
            problem = wire.verify_answer(
                {self.key_id: self.key}, told.status, self.last_nonce, told.headers, told.body
            )
            assert problem == "", (problem, told)
        return told

    def ask(self, name: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        told = self.call(name, body)
        assert told.status == 200, told
        return told.json

    def pair(self, folder: Path) -> None:
        code = (folder / "pairing-code.txt").read_text().strip()
        pairing = Office(self.send, "pair", code.encode(), clock_us=self.clock_us)
        done = pairing.ask(
            "pair",
            {"office_id": "office-1", "relay": RELAY, "key_id": self.key_id, "key": self.key.hex(),
             "receipt_key": RECEIPT_KEY.hex(), "status_key": STATUS_KEY},
        )  # fmt: skip
        self.generation = done["generation"]

    def pull_all(self, most: int = 200) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            after = rows[-1]["sequence"] if rows else 0
            got = self.ask("pull", {"after": after, "most": most})
            rows.extend(got["rows"])
            if not got["rows"]:
                assert got["high_water"] == after
                return rows


def agreement(name: str = "qiwi", protocol: str = "qiwi", **changes: object) -> dict[str, Any]:
    return {"agreement": name, "biller": "b", "protocol": protocol, "currency": "RUB", "exponent": 2,
            "timezone": "Europe/Moscow", "complete": True, **changes}  # fmt: skip


def snapshot(version: int = 1, **changes: object) -> dict[str, Any]:
    accounts = [["1001", "И*** А***", 15_000, "active"], ["1002", "П*** Б***", -500, "active"]]
    return {"agreement": None, "version": version, "base_version": 0, "as_of_us": 1, "includes_through": 0,
            "policy": "dated", "expires_at_us": 0, "caps": {}, "closing": [], "accounts": accounts,
            **changes}  # fmt: skip


def touch(send: Sender) -> None:
    """The first request, that makes the data."""
    assert send("GET", "/nothing").status == 404
    assert send("GET", "/status").status == 403


def ready(send: Sender, folder: Path, *agreements: dict[str, Any], **copy: object) -> Office:
    """A node that is paired and filled."""
    touch(send)
    clock = (lambda: send.now_us) if isinstance(send, InProcess) else lambda: time.time_ns() // 1_000
    office = Office(send, clock_us=clock)
    office.pair(folder)
    office.ask("agreements", {"agreements": list(agreements) or [agreement()]})
    office.ask("snapshot", {**snapshot(), **copy})
    return office


def pay(txn: int, number: str = "1001", total: str = "10.00", command: str = "pay") -> str:
    """A QIWI query."""
    return f"command={command}&txn_id={txn}&txn_date=20250314091530&account={number}&sum={total}"


@contextmanager
def started(folder: Path, *command: str, env: Mapping[str, str] | None = None) -> Iterator[tuple[Any, int]]:
    """A node in a process of its own: ``command``, or this source. Gives the process and its port."""
    whole = [*(command or (sys.executable, "-m", "kvit.relay.node")), "--data", str(folder), "--port", "0"]
    process = subprocess.Popen(
        whole, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **(env or {})}
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert line.startswith("listening on http://127.0.0.1:"), line
        yield process, int(line.strip().rsplit(":", 1)[1])
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
