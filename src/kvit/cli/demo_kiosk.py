"""The kiosk of an installation in test mode: its networks, and what to suggest to a visitor."""

from __future__ import annotations

from litestar import Router, get
from litestar.response import Redirect

from kvit.cli.demo_books import stories
from kvit.domain.model import ACTIVE, Agreement
from kvit.domain.money import exponent_of, format_amount
from kvit.main import House, ServeOptions, load_agreements, make_agent_terms
from kvit.main.trials import contract_of
from kvit.simulator.app import app_router
from kvit.simulator.kiosk import kiosk_router
from kvit.simulator.room import KioskAgreement, KioskSettings, Label, NumbersWorthTrying
from kvit.storage import billers
from kvit.storage.standings import Standing, examples, standings

#: What the screen speaks first, and the banknotes in use, by currency.
_LANGUAGES = {"RUB": "ru", "KZT": "kk"}
_NOTES = {"RUB": (50, 100, 500, 1000, 5000), "KZT": (500, 1000, 2000, 5000, 10000, 20000)}
_OTHER_NOTES = (5, 10, 20, 50, 100)

#: A server that listens everywhere is spoken to here.
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - nothing is bound here


def base_url(options: ServeOptions) -> str:
    """Where a client on this machine finds the server."""
    host = _ANYWHERE.get(options.host, options.host)
    return f"http://[{host}]:{options.port}" if ":" in host else f"http://{host}:{options.port}"


def routers(house: House, options: ServeOptions) -> list[Router]:
    """The kiosk at ``/kiosk`` and the app at ``/app``, with what is in test mode; the way from ``/``."""
    with house.database.read() as connection:
        names = {biller.biller_id: biller.name for biller in billers.list_billers(connection)}
    agreements = in_test_mode(house)
    billers_shown = list(dict.fromkeys(one.biller_id for one in agreements))
    settings = KioskSettings(
        base_url=base_url(options),
        agreements=[_kiosk_agreement(one, names[one.biller_id]) for one in agreements],
        numbers_worth_trying=lambda: _suggestions(house, billers_shown),
    )
    return [kiosk_router(settings), app_router(settings), Router(path="/", route_handlers=[to_the_kiosk])]


def in_test_mode(house: House) -> list[Agreement]:
    """The agreements to play with; one named for its protocol comes before those with a dialect of it."""
    agreements = [one for one in load_agreements(house) if one.is_test and one.has_door]
    return sorted(agreements, key=lambda one: one.agreement_id != one.protocol)


@get("/", include_in_schema=False)
async def to_the_kiosk() -> Redirect:
    """Who comes to the server itself wants to see something."""
    return Redirect("/kiosk")


def label(standing: Standing | None, currency: str) -> Label:
    """What a visitor may expect of a number; ``None``: nobody has it."""
    if standing is None:
        return Label("try.unknown")
    if standing.status != ACTIVE:
        return Label("try.closed")
    sum_text = format_amount(abs(standing.balance_minor), exponent_of(currency))
    if standing.balance_minor > 0:
        return Label("try.debt", sum_text)
    return Label("try.advance", sum_text) if standing.balance_minor < 0 else Label("try.no-debt")


def worth_trying(house: House, biller_id: str) -> list[tuple[str, Standing | None]]:
    """The numbers that the demo has made for it (``None``: nobody has it); else one account of each kind."""
    noted = list(stories(house.settings.data_folder))
    with house.database.read() as connection:
        known = {one.number: one for one in standings(connection, biller_id, noted)}
        if known:
            return [(number, known.get(number)) for number in noted]
        return [(one.number, one) for one in examples(connection, biller_id)]


def _suggestions(house: House, biller_ids: list[str]) -> NumbersWorthTrying:
    with house.database.read() as connection:
        currencies = {one.biller_id: one.currency for one in billers.list_billers(connection)}
    return [
        (number, label(standing, currencies[biller_id]))
        for biller_id in biller_ids
        for number, standing in worth_trying(house, biller_id)
    ]


def _kiosk_agreement(agreement: Agreement, biller_name: str) -> KioskAgreement:
    return KioskAgreement(
        terms=make_agent_terms(agreement),
        protocol_name=agreement.protocol,
        biller_name=biller_name,
        title=agreement.title,
        language=_LANGUAGES.get(agreement.currency, "en"),
        timezone=agreement.timezone,
        notes=_NOTES.get(agreement.currency, _OTHER_NOTES),
        contract=contract_of(agreement),
    )
