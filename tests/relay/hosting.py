"""A node as a host runs it, in this process, by a clock of the test, behind a line that may do anything."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from kvit.config import Settings
from kvit.domain import days
from kvit.domain.messages import Command, HttpResponse, Lookup, Post
from kvit.domain.model import Agreement
from kvit.domain.money import parse_amount
from kvit.main import House, make_terms
from kvit.main.relay_acts import move_to_relay, pair
from kvit.main.relays import RelayRoom
from kvit.protocols.base import Heard
from kvit.protocols.registry import PROTOCOLS
from kvit.relay.node.app import Node
from kvit.storage import agreements as agreement_storage
from kvit.storage.secretbox import open_box
from tests.bureau import BILLER, Bureau, bureau_at

AGREEMENT = Agreement(
    "kassa",
    BILLER.biller_id,
    "kassa24",
    "test",
    "RUB",
    2,
    "Europe/Moscow",
    networks=("192.0.2.0/24",),
    dialect=(("show", "debt"),),
)

Way = Callable[[httpx2.Request], httpx2.Response]


@dataclass
class Host(httpx2.BaseTransport):
    """A node's folder on a host, and the office's line to it."""

    folder: Path
    now_us: Callable[[], int]
    #: What the line does with a call: given the request and the way to the node, it answers or raises.
    line: Callable[[httpx2.Request, Callable[[httpx2.Request], httpx2.Response]], httpx2.Response] | None = (
        None
    )
    clock_off_us: int = 0
    calls: list[str] = field(default_factory=list)

    def node(self) -> Node:
        """A process of the host: they come and go."""
        return Node(self.folder, lambda: self.now_us() + self.clock_off_us)

    @property
    def code(self) -> str:
        self.ask("GET", "/status")
        return (self.folder / "pairing-code.txt").read_text(encoding="utf-8").strip()

    def ask(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> tuple[int, dict[str, str], bytes]:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "REMOTE_ADDR": "192.0.2.1",
            "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), "wsgi.url_scheme": "https",
            "SERVER_NAME": "relay.example", "SERVER_PORT": "443",
        }  # fmt: skip
        for name, value in (headers or {}).items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        told: list[Any] = []

        def start_response(status: str, given: list[tuple[str, str]], *_more: object) -> None:
            told[:] = [int(status.split(maxsplit=1)[0]), dict(given)]

        answer = b"".join(self.node()(environ, start_response))
        return told[0], told[1], answer

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.calls.append(request.url.path)
        return self._there(request) if self.line is None else self.line(request, self._there)

    def _there(self, request: httpx2.Request) -> httpx2.Response:
        parts = urlsplit(str(request.url))
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        status, answered, body = self.ask(request.method, parts.path, parts.query, headers, request.content)
        return httpx2.Response(status, headers=answered, content=body)

    def hear(self, command: Command, agreement: Agreement = AGREEMENT) -> Heard:
        """What a bank's own software makes of the answer to one command."""
        protocol, terms = PROTOCOLS[agreement.protocol], make_terms(agreement)
        request = protocol.ask(command, terms)
        headers = {name.decode(): value.decode() for name, value in request.headers}
        path = f"/pay/{agreement.agreement_id}" + (f"/{request.path}" if request.path else "")
        status, _, body = self.ask(request.method, path, request.query.decode(), headers, request.body)
        return protocol.read(command, HttpResponse(status, (), body), terms)

    def pay(self, txn: str, number: str, amount_minor: int, *, times: int = 1) -> bool:
        """The bank's answer: may the payer go?"""
        at = (
            days.from_us(self.now_us(), AGREEMENT.timezone).replace(tzinfo=None).isoformat(timespec="seconds")
        )
        heard = [self.hear(Post(txn, number, amount_minor, network_time=at)) for _ in range(times)]
        return all(one.step == "done" for one in heard)

    def due(self, number: str) -> int | None:
        """What a terminal shows."""
        label, _, sum_text = self.hear(Lookup("1", number)).comment.rpartition(" ")
        return parse_amount(sum_text, AGREEMENT.exponent) if label else None


@dataclass
class Affiliate:
    """An office with its relay, all in one process."""

    bureau: Bureau
    room: RelayRoom
    host: Host

    def wiped(self) -> None:
        """The host's disk is lost."""
        for path in self.host.folder.iterdir():
            path.unlink()


@contextmanager
def affiliate_at(url: str, folder: Path, *, moved: bool = True) -> Iterator[Affiliate]:
    """Books with three clients, a paired relay, and (``moved``) a door at the relay."""
    with bureau_at(url) as bureau:
        bureau.clients("1001", "1002", "1003")
        bureau.charge("1001", 50_000)
        house = House(Settings(data=str(folder / "office")), bureau.database, bureau.clock)
        host = Host(folder / "host", lambda: days.to_us(bureau.clock.at))
        room = RelayRoom(house, BILLER, transport=host)
        with bureau.database.write() as connection:
            agreement_storage.save(connection, AGREEMENT, open_box(house.settings.data_folder), 1)
        pair(room, "https://relay.example", "main", host.code, with_trial=False)
        if moved:
            move_to_relay(room, "kassa", "main", 0.0)
        yield Affiliate(bureau, room, host)
