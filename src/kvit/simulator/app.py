"""A bank's mobile app as one router under ``/app``: the other face of the kiosk. Never loaded in production.

It plays the networks whose payers hold a telephone. It has the kiosk's endpoints, under its own address, and
shows how far a payment has come; its scripts and styles are served by the kiosk's router.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import MediaType, Router, get
from litestar.di import NamedDependency, Provide

from kvit.protocols.registry import PROTOCOLS
from kvit.simulator import kiosk, texts
from kvit.simulator.mischief import KINDS
from kvit.simulator.orders import Orders
from kvit.simulator.room import KioskAgreement, KioskSettings, Room


def app_router(settings: KioskSettings) -> Router:
    """The routes ``/app`` and ``/app/api/…`` for the networks of ``settings`` whose payers hold an app."""
    room = Room(settings)
    return Router(
        path="/app",
        route_handlers=[page, kiosk.check, kiosk.pay, kiosk.cancel, kiosk.mischief],
        dependencies={"room": Provide(lambda: room, sync_to_thread=False)},
        response_headers=kiosk.HEADERS,
        include_in_schema=False,
    )


@get("/", media_type=MediaType.HTML)
async def page(room: NamedDependency[Room]) -> str:
    """The telephone."""
    agreements = room.of_face("app")
    language = agreements[0].language if agreements else "ru"
    has_kiosk = bool(room.of_face("terminal"))
    settings = {
        "language": language,
        "agreements": [for_the_page(one) for one in agreements],
        "hasKiosk": has_kiosk,
    }
    return kiosk.templates.get_template("app.html").render(
        settings_json=msgspec.json.encode(settings).decode("utf-8"),
        banks=list(dict.fromkeys(one.title for one in agreements)),
        has_kiosk=has_kiosk,
        numbers=room.numbers(),
        pranks=KINDS,
        language=language,
        languages=texts.LANGUAGES,
        t=lambda key: texts.text(key, language),
    )


def for_the_page(agreement: KioskAgreement) -> dict[str, Any]:
    """``checks`` and ``cancels``: does the agreement have a question about a number, and a way back?"""
    protocol = PROTOCOLS[agreement.protocol_name]
    orders = Orders(protocol, agreement.terms, agreement.contract)
    return {
        **kiosk.for_the_page(agreement),
        "zone": agreement.timezone,
        "phases": ["hold", "pay"] if protocol.two_phase else ["pay"],
        "checks": orders.offers("Lookup"),
        "cancels": orders.offers("Void"),
    }
