"""The kiosk page and its endpoints, as one router under ``/kiosk``. Never loaded in production.

The page is rendered here; its scripts and styles are our own files, served from here; nothing is asked
of any other host, which the content security policy states.
"""

from __future__ import annotations

from importlib import resources
from typing import Any, TypeVar

import jinja2
import msgspec
from litestar import MediaType, Request, Response, Router, get, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody

from kvit.protocols.registry import PROTOCOLS
from kvit.simulator import texts, views
from kvit.simulator.mischief import KINDS, offered
from kvit.simulator.orders import Orders
from kvit.simulator.room import KioskAgreement, KioskSettings, Room

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

#: With every answer of the simulator's pages.
HEADERS = [
    ResponseHeader(name="Content-Security-Policy", value=CONTENT_SECURITY_POLICY),
    ResponseHeader(name="X-Content-Type-Options", value="nosniff"),
    ResponseHeader(name="Referrer-Policy", value="no-referrer"),
    ResponseHeader(name="Cache-Control", value="no-cache"),
]

_MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json; charset=utf-8",
    "svg": "image/svg+xml",
}

Reply = TypeVar("Reply", views.CheckReply, views.PayReply, views.CancelReply, views.MischiefReply)

_SIGNS = {"RUB": "₽", "KZT": "₸", "UAH": "₴", "USD": "$", "EUR": "€"}


def kiosk_router(settings: KioskSettings) -> Router:
    """The routes ``/kiosk``, ``/kiosk/static/…`` and ``/kiosk/api/…`` for the networks of ``settings``."""
    room = Room(settings)
    return Router(
        path="/kiosk",
        route_handlers=[page, static_file, check, pay, cancel, mischief],
        dependencies={"room": Provide(lambda: room, sync_to_thread=False)},
        response_headers=HEADERS,
        include_in_schema=False,
    )


def only_json(request: Request[Any, Any, Any]) -> Response[views.Complaint] | None:
    """Refuse what a foreign page could send without asking: a form or plain text."""
    if request.content_type[0] != "application/json":
        return Response(views.Complaint("error.json"), status_code=415)
    return None


@get("/", media_type=MediaType.HTML)
async def page(room: NamedDependency[Room]) -> str:
    """The kiosk."""
    # A kiosk that has no network of its own can still play the others.
    agreements = room.of_face("terminal") or room.settings.agreements
    language = agreements[0].language if agreements else "ru"
    settings = {"language": language, "agreements": [for_the_page(one) for one in agreements]}
    return templates.get_template("kiosk.html").render(
        settings_json=msgspec.json.encode(settings).decode("utf-8"),
        agreements=agreements,
        has_app=bool(room.of_face("app")),
        numbers=room.numbers(),
        pranks=KINDS,
        language=language,
        languages=texts.LANGUAGES,
        t=lambda key: texts.text(key, language),
    )


@get("/static/{name:str}")
async def static_file(name: FromPath[str]) -> Response[bytes]:
    """One of our own scripts, styles or pictures."""
    content = _static.get(name)
    if content is None:
        raise NotFoundException
    return Response(content, media_type=_MEDIA_TYPES[name.rpartition(".")[2]])


@post("/api/check", before_request=only_json, status_code=200)
async def check(
    data: JSONBody[views.CheckOrder], room: NamedDependency[Room]
) -> Response[views.CheckReply | views.Complaint]:
    """Ask about a client."""
    return answer(await room.check(data))


@post("/api/pay", before_request=only_json, status_code=200)
async def pay(
    data: JSONBody[views.PayOrder], room: NamedDependency[Room]
) -> Response[views.PayReply | views.Complaint]:
    """Make one attempt to pay."""
    return answer(await room.pay(data))


@post("/api/cancel", before_request=only_json, status_code=200)
async def cancel(
    data: JSONBody[views.CancelOrder], room: NamedDependency[Room]
) -> Response[views.CancelReply | views.Complaint]:
    """Make one attempt to take a payment back."""
    return answer(await room.cancel(data))


@post("/api/mischief", before_request=only_json, status_code=200)
async def mischief(
    data: JSONBody[views.MischiefOrder], room: NamedDependency[Room]
) -> Response[views.MischiefReply | views.Complaint]:
    """Misbehave."""
    return answer(await room.misbehave(data))


def answer(reply: Reply | views.Complaint) -> Response[Reply | views.Complaint]:
    """The reply, or what is wrong with the order."""
    return Response(reply, status_code=400 if isinstance(reply, views.Complaint) else 200)


def for_the_page(agreement: KioskAgreement) -> dict[str, Any]:
    """What a page's scripts know of an agreement: nothing that is secret."""
    terms = agreement.terms
    return {
        "id": terms.agreement_id,
        "title": agreement.title,
        "biller": agreement.biller_name,
        "language": agreement.language,
        "exponent": terms.exponent,
        "sign": _SIGNS.get(terms.currency, terms.currency),
        "notes": list(agreement.notes),
        "pranks": offered(Orders(PROTOCOLS[agreement.protocol_name], terms, agreement.contract)),
    }


def _read_static() -> dict[str, bytes]:
    folder = resources.files("kvit.simulator").joinpath("static")
    return {
        entry.name: entry.read_bytes()
        for entry in folder.iterdir()
        if entry.name.rpartition(".")[2] in _MEDIA_TYPES
    }


_static = _read_static()
templates = jinja2.Environment(
    loader=jinja2.PackageLoader("kvit.simulator"), autoescape=True, undefined=jinja2.StrictUndefined
)
