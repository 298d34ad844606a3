"""A kiosk and a tiny biller behind one real socket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from litestar import Litestar

from kvit.protocols.base import Protocol
from kvit.simulator.kiosk import kiosk_router
from kvit.simulator.room import KioskAgreement, KioskSettings
from tests.simulator.biller import NUMBER, TERMS, Message, Receive, Send, TinyBiller, served
from tests.simulator.broken.biller import Biller, Street, terms_of


@dataclass
class Place:
    """Where the kiosk is, and the books behind it."""

    base_url: str
    biller: TinyBiller


@pytest.fixture
def place() -> Iterator[Place]:
    """A kiosk at ``/kiosk`` whose network knocks at the tiny biller's ``/pay/qiwi``."""
    biller = TinyBiller()
    address: list[str] = []
    agreement = KioskAgreement(TERMS, "qiwi", "Водоканал <b>«Прозрачный»</b>", "QIWI & Co")
    settings = KioskSettings(
        lambda: address[0], [agreement], lambda: [(NUMBER, "долг <i>1250</i>")], 5.0, (0.0, 0.0)
    )
    pages = Litestar([kiosk_router(settings)], openapi_config=None)

    async def both(scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/pay/"):
            await biller(scope, receive, send)
        else:
            await pages(scope, receive, send)  # type: ignore[arg-type]

    with served(both) as base_url:
        address.append(base_url)
        yield Place(base_url, biller)


@dataclass
class Town:
    """One server where billers of any protocol open their doors, each at that of an agreement of its own."""

    base_url: str
    street: Street

    def biller(self, protocol: Protocol, fault: str = "", slow_s: float = 1.0) -> Biller:
        """A new biller, sound or with ``fault``."""
        door = f"{protocol.name}-{len(self.street.billers)}"
        opened = Biller(protocol, terms_of(protocol.name, door), fault, slow_s)
        self.street.billers[door] = opened
        return opened


@pytest.fixture(scope="package")
def town() -> Iterator[Town]:
    """Starting and stopping a server takes longer than most of what is played."""
    street = Street()
    with served(street) as base_url:
        yield Town(base_url, street)
