"""The app and the kiosk before a tiny, moody biller that speaks kvit's own protocol, in two phases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from litestar import Litestar

from kvit.domain.messages import (
    Command,
    Denied,
    Found,
    Held,
    Hold,
    HttpRequest,
    Lookup,
    Malformed,
    NoSuchAccount,
    NoSuchTxn,
    Post,
    Posted,
    Refused,
    Result,
    TryLater,
    Void,
    Voided,
)
from kvit.protocols.base import Terms
from kvit.protocols.registry import PROTOCOLS
from kvit.simulator.app import app_router
from kvit.simulator.kiosk import kiosk_router
from kvit.simulator.room import KioskAgreement, KioskSettings
from tests.simulator.biller import TERMS as TERMINAL_TERMS
from tests.simulator.biller import Message, Receive, Send, served

PROTOCOL = PROTOCOLS["native"]
TERMS = Terms(agreement_id="app", currency="RUB", secret="a word that both sides know")
NUMBER, INVOICE = "0042017", "INV-7"
BILLER = "Водоканал <b>«Прозрачный»</b>"
BANK = "Банк & Co"


@dataclass
class TwoPhases:
    """The biller's books. ``moods`` are played one a request that moves money; then service is normal."""

    due_minor: dict[str, int] = field(default_factory=lambda: {NUMBER: 125_000, INVOICE: 45_000})
    held: dict[str, Held] = field(default_factory=dict)
    posted: dict[str, Posted] = field(default_factory=dict)
    voided: dict[str, Voided] = field(default_factory=dict)
    moods: list[str] = field(default_factory=list)
    receipts: int = 100_044

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request at ``/pay/app/…``."""
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        path = scope["path"].removeprefix("/pay/app/")
        request = HttpRequest(scope["method"], path, scope["query_string"], tuple(scope["headers"]), body)
        answer = PROTOCOL.encode(request, self.decide(PROTOCOL.decode(request, TERMS)), TERMS)
        start = {"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)}
        await send(start)
        await send({"type": "http.response.body", "body": answer.body})

    def decide(self, command: Command | Malformed | Denied) -> Result:
        """The biller's whole wisdom."""
        if isinstance(command, Malformed | Denied):
            return command
        if isinstance(command, Lookup):
            due_minor = self.due_minor.get(command.number)
            if due_minor is None:
                return NoSuchAccount(command.number)
            exact = command.number == INVOICE
            return Found(command.number, max(due_minor, 0), 0, "RUB", "И*** А***", exact)
        mood = self.moods.pop(0) if self.moods else ""
        if mood == "later":
            return TryLater()
        if mood == "refuse":
            return Refused("void-forbidden" if isinstance(command, Void) else "account-closed")
        if isinstance(command, Hold):
            return self._hold(command)
        if isinstance(command, Post):
            return self._post(command)
        return self._void(command) if isinstance(command, Void) else TryLater()

    def _hold(self, hold: Hold) -> Held:
        if hold.txn in self.held:
            return replace(self.held[hold.txn], repeat=True)
        self.receipts += 1
        held = Held(hold.txn, self.receipts, hold.number, hold.amount_minor, "RUB", datetime.now(UTC))
        self.held[hold.txn] = held
        return held

    def _post(self, post: Post) -> Result:
        if post.txn in self.posted:
            return replace(self.posted[post.txn], repeat=True)
        held = self.held.get(post.txn)
        if held is None or post.receipt != held.receipt:
            return NoSuchTxn(post.txn)
        self.due_minor[held.number] -= held.amount_minor
        posted = Posted(
            held.txn,
            held.receipt,
            held.number,
            held.amount_minor,
            "RUB",
            datetime.now(UTC),
            held_at=held.held_at,
        )
        self.posted[post.txn] = posted
        return posted

    def _void(self, void: Void) -> Result:
        held = self.held.get(void.txn)
        if held is None:
            return NoSuchTxn(void.txn)
        posted = self.posted.get(void.txn)
        if void.txn not in self.voided:
            if posted:
                self.due_minor[held.number] += held.amount_minor
            self.voided[void.txn] = Voided(
                held.txn, held.receipt, held.number, held.amount_minor, "RUB", datetime.now(UTC), void.reason,
                posted=posted, held=held,
            )  # fmt: skip
        return self.voided[void.txn]


@dataclass
class AppPlace:
    """Where the app is, and the books behind it."""

    base_url: str
    biller: TwoPhases


@contextmanager
def app_place(*, with_kiosk: bool = True, with_app: bool = True) -> Iterator[AppPlace]:
    """The app at ``/app``, whose network knocks at the biller's ``/pay/app``, and the kiosk at ``/kiosk``."""
    biller = TwoPhases()
    address: list[str] = []
    terminal = KioskAgreement(TERMINAL_TERMS, "qiwi", BILLER, "QIWI")
    app = KioskAgreement(TERMS, "native", BILLER, BANK)
    agreements = [*([terminal] if with_kiosk else []), *([app] if with_app else [])]
    numbers = [(NUMBER, "долг <i>1250</i>")]
    settings = KioskSettings(lambda: address[0], agreements, numbers, 5.0, (0.0, 0.0))
    pages = Litestar([kiosk_router(settings), app_router(settings)], openapi_config=None)

    async def both(scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/pay/"):
            await biller(scope, receive, send)
        else:
            await pages(scope, receive, send)  # type: ignore[arg-type]

    with served(both) as base_url:
        address.append(base_url)
        yield AppPlace(base_url, biller)
