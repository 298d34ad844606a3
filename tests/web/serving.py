"""A real kvit: books in a folder of their own, `kvit serve` in a process of its own, raw sockets to it."""

from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from sqlalchemy import func, select

from kvit.domain.model import Biller
from kvit.main import RegistryCatalogue
from kvit.services.agreements import read_file
from kvit.storage import agreements as agreement_storage
from kvit.storage import schema
from kvit.storage.engine import Database, open_database
from kvit.storage.secretbox import open_box
from tests.books_check import check_books
from tests.seeding import Client, Due, seed

#: Values that may appear in an answer to who proved who he is, and in no log.
NUMBER = "7770777"
NAME = "Меченова Метка"
SUM = "1234.56"
LOGIN, PASSWORD = "osmp", "pass-Mark-1"
BASIC = b"Authorization: Basic " + base64.b64encode(f"{LOGIN}:{PASSWORD}".encode()) + b"\r\n"

START_TIMEOUT_S = 30.0
_ADDRESS = re.compile(r"running on http://127\.0\.0\.1:([0-9]+)")

AGREEMENT = f"""
[[agreement]]
id = "qiwi"
protocol = "qiwi"
mode = "test"
networks = ["127.0.0.0/8"]
basic = {{ login = "{LOGIN}", password = "{PASSWORD}" }}
min_sum = "10.00"
max_sum = "15000.00"
"""


@dataclass
class Office:
    """The books of one installation, the settings it is run with, and the commands on them."""

    folder: Path
    url: str
    settings: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """What every process of this installation is started with, and nothing of ours."""
        config = self.folder / "kvit.toml"
        config.write_text(self.settings, encoding="utf-8")
        ours = {name: value for name, value in os.environ.items() if not name.startswith("KVIT_")}
        mine = {"KVIT_DATABASE": self.url, "KVIT_DATA": str(self.folder), "KVIT_CONFIG": str(config)}
        return {**ours, **mine, **self.variables, "PYTHONUNBUFFERED": "1"}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", "from kvit.cli import main; main()", *arguments]

    def run(self, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def apply(self, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`kvit agreement apply` of a file with ``text``."""
        file = self.folder / "agreements.toml"
        file.write_text(text, encoding="utf-8")
        return self.run("agreement", "apply", str(file), *arguments)

    @contextmanager
    def database(self) -> Iterator[Database]:
        opened = open_database(self.url)
        try:
            yield opened
        finally:
            opened.close()

    def payments(self) -> int:
        """How many payments are booked."""
        with self.database() as database, database.read() as connection:
            return connection.execute(select(func.count()).select_from(schema.payments)).scalar_one()

    def findings(self) -> list[str]:
        """What the books check finds; an empty list when the books hold together."""
        with self.database() as database:
            return check_books(database)

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[Serving]:
        """`kvit serve` on a free port, ready to answer; stopped at the end."""
        serving = self.start(*arguments)
        try:
            serving.wait_for_address()
            yield serving
        finally:
            serving.stop()

    def start(self, *arguments: str) -> Serving:
        log = self.folder / f"serve-{time.monotonic_ns()}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command("serve", "--port", "0", *arguments),
                env=self.environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return Serving(process, log)


@dataclass
class Serving:
    """One running `kvit serve`. ``log`` holds everything that it prints."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int = 0

    def wait_for_address(self) -> None:
        """Until it says where it listens. Fails with its own words when it ends instead."""
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while True:
            said = self.said()
            found = _ADDRESS.search(said)
            if found:
                self.port = int(found[1])
                return
            assert self.process.poll() is None, f"the server ended: {said}"
            assert time.monotonic() < deadline_s, f"the server did not start: {said}"
            time.sleep(0.02)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> int:
        """Ask it to end (SIGTERM) and wait; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def connect(self, timeout_s: float = 10.0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)

    def send(self, raw: bytes, timeout_s: float = 10.0) -> bytes:
        """Everything that comes back for ``raw`` until the server closes, or a second passes in silence.

        A server that closes early may break our sending off; what it said until then is the answer.
        """
        with self.connect(timeout_s) as peer:
            with suppress(ConnectionError):
                peer.sendall(raw)
            return read_all(peer)

    def ask(self, target: str, *, method: str = "GET", headers: bytes = BASIC, body: bytes = b"") -> Answer:
        """One well-formed request on a connection of its own."""
        length = b"Content-Length: %d\r\n" % len(body) if body else b""
        head = f"{method} {target} HTTP/1.1\r\nHost: kvit\r\nConnection: close\r\n".encode()
        return Answer.of(self.send(head + headers + length + b"\r\n" + body))

    def check(self, number: str = NUMBER, **more: str) -> Answer:
        parameters = {"command": "check", "txn_id": "1", "account": number, "sum": "1.00", **more}
        return self.ask("/pay/qiwi?" + urlencode(parameters))

    def pay(self, txn: str, amount: str = SUM, number: str = NUMBER, **more: str) -> Answer:
        parameters = {
            "command": "pay", "txn_id": txn, "txn_date": "20261101120000", "account": number, "sum": amount,
            **more,
        }  # fmt: skip
        return self.ask("/pay/qiwi?" + urlencode(parameters))

    def is_well(self) -> bool:
        """Does it answer a check, on a new connection?"""
        answer = self.check()
        return answer.status == 200 and answer.result == "0"


@dataclass(frozen=True)
class Answer:
    """One HTTP response; ``result`` is the code of a QIWI answer, ``""`` without one."""

    status: int
    head: bytes
    body: bytes

    @classmethod
    def of(cls, raw: bytes) -> Answer:
        head, _, body = raw.partition(b"\r\n\r\n")
        words = head.split(b" ", 2)
        return cls(int(words[1]) if len(words) > 1 else 0, head, body)

    @property
    def result(self) -> str:
        found = re.search(rb"<result>([0-9]+)</result>", self.body)
        return found[1].decode() if found else ""

    def element(self, tag: str) -> str:
        found = re.search(f"<{tag}>([^<]*)</{tag}>".encode(), self.body)
        return found[1].decode() if found else ""


def read_all(peer: socket.socket, silence_s: float = 1.0) -> bytes:
    """What comes until the other side closes, or is silent for so long after it said something."""
    received = b""
    while True:
        try:
            piece = peer.recv(65536)
        except (TimeoutError, ConnectionError):
            return received
        if not piece:
            return received
        received += piece
        peer.settimeout(silence_s)


def read_answer(peer: socket.socket) -> Answer | None:
    """One whole response of a kept connection; ``None`` where it ends before its first byte."""
    received = b""
    while True:
        head, end, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: ([0-9]+)", head)
        if end and length is not None and len(body) == int(length[1]):
            return Answer.of(received)
        piece = peer.recv(65_536)
        if not piece:
            assert not received, f"an answer was broken off: {received!r}"
            return None
        received += piece


def marks_in(text: str) -> list[str]:
    """Which of the values that no log may hold stand there."""
    token = BASIC.split()[2].decode()
    marks = (NUMBER, "Мечен", "Метка", SUM, SUM.replace(".", ""), PASSWORD, token)
    return [mark for mark in marks if mark in text]


def is_closed(peer: socket.socket, timeout_s: float) -> bool:
    """Does the other side close within that time? What it still says is thrown away."""
    deadline_s = time.monotonic() + timeout_s
    while (left_s := deadline_s - time.monotonic()) > 0:
        peer.settimeout(left_s)
        try:
            if not peer.recv(65536):
                return True
        except TimeoutError:
            return False
        except ConnectionError:
            return True
    return False


def statuses(raw: bytes) -> list[int]:
    """The status of every response in what came over one connection."""
    return [int(found) for found in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", raw)]


def open_office(folder: Path, template: Path, settings: str = "", agreement: str = AGREEMENT) -> Office:
    """An installation on SQLite with a biller, one account and one agreement."""
    shutil.copy(template, folder / "kvit.sqlite")
    office = Office(folder, f"sqlite:///{folder / 'kvit.sqlite'}", settings)
    furnish(office, agreement)
    return office


def furnish(office: Office, agreement: str = AGREEMENT) -> None:
    """A biller, one account that owes 2,500.00, and the agreements of a file, in an empty set of books."""
    with office.database() as database:
        seed(database, [Client(NUMBER, [Due(100_000), Due(150_000)], name=NAME)], biller_id="water")
        if agreement:
            put_agreements(office, database, agreement)


def put_agreements(office: Office, database: Database, text: str) -> None:
    """What `kvit agreement apply` does, without a process of its own."""
    biller = Biller("water", "Водоканал", "RUB", "Europe/Moscow", "none", "", 1)
    box = open_box(office.folder, office.variables)
    with database.write() as connection:
        for one in read_file(text.encode(), biller, RegistryCatalogue()):
            agreement_storage.save(connection, one, box, 1)
