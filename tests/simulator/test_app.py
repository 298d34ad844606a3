"""The app's page and endpoints, over real HTTP."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from kvit.protocols.base import Heard
from kvit.simulator.app import for_the_page
from kvit.simulator.room import KioskAgreement
from kvit.simulator.screen import is_exact
from tests.simulator.app_place import BANK, BILLER, INVOICE, NUMBER, TERMS, AppPlace, app_place


@pytest.fixture
def place() -> Iterator[AppPlace]:
    with app_place() as place:
        yield place


def get(place: AppPlace, path: str) -> httpx2.Response:
    return httpx2.get(place.base_url + path, trust_env=False, timeout=20)


def ask(place: AppPlace, what: str, **order: str | bool) -> httpx2.Response:
    url = f"{place.base_url}/app/api/{what}"
    return httpx2.post(url, json={"agreement": "app", **order}, trust_env=False, timeout=20)


def settings_of(page: str) -> dict[str, Any]:
    (found,) = re.findall(r'data-settings="([^"]*)"', page)
    settings: dict[str, Any] = json.loads(html.unescape(found))
    return settings


# --- the page -----------------------------------------------------------------------------------------


def test_the_page_asks_nobody_else_and_runs_no_script_of_its_text(place: AppPlace) -> None:
    page = get(place, "/app")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|javascript:", page.text)
    links = re.findall(r"""(?:src|href)=["']([^"']+)""", page.text)
    assert links
    for link in links:
        assert link.startswith(("/kiosk", "/app")), link
        assert get(place, link.partition("#")[0]).status_code == 200, link


def test_what_people_wrote_is_text_and_not_markup(place: AppPlace) -> None:
    page = get(place, "/app").text
    assert "<b>«Прозрачный»" not in page
    assert "долг &lt;i&gt;1250&lt;/i&gt;" in page
    (agreement,) = settings_of(page)["agreements"]
    assert (agreement["biller"], agreement["title"]) == (BILLER, BANK)


def test_each_face_has_its_own_networks_and_a_way_to_the_other(place: AppPlace) -> None:
    app, kiosk = get(place, "/app").text, get(place, "/kiosk").text
    assert [one["id"] for one in settings_of(app)["agreements"]] == ["app"]
    assert [one["id"] for one in settings_of(kiosk)["agreements"]] == ["qiwi"]
    assert 'href="/kiosk"' in app
    assert 'href="/app"' in kiosk


def test_without_terminals_there_is_no_way_to_them() -> None:
    with app_place(with_kiosk=False) as place:
        page = get(place, "/app").text
        assert 'href="/kiosk"' not in page
        assert not settings_of(page)["hasKiosk"]


def test_without_an_app_there_is_no_way_to_it_and_the_page_still_opens() -> None:
    with app_place(with_app=False) as place:
        assert 'href="/app"' not in get(place, "/kiosk").text
        page = get(place, "/app")
        assert page.status_code == 200
        assert settings_of(page.text)["agreements"] == []


def test_nothing_secret_is_on_the_page(place: AppPlace) -> None:
    assert TERMS.secret not in get(place, "/app").text


@pytest.mark.parametrize(
    ("protocol", "dialect", "knows"),
    [
        ("native", {}, (["hold", "pay"], True, True)),
        ("sberbank", {}, (["pay"], True, False)),
        ("click", {"getinfo": "off"}, (["hold", "pay"], False, True)),
        ("click", {"getinfo": "on"}, (["hold", "pay"], True, True)),
    ],
)
def test_the_page_knows_what_an_agreement_can_do(
    protocol: str, dialect: dict[str, str], knows: tuple[list[str], bool, bool]
) -> None:
    terms = replace(TERMS, basic_login="login", basic_password="word", dialect=dialect)
    seen = for_the_page(KioskAgreement(terms, protocol, BILLER, BANK))
    assert (seen["phases"], seen["checks"], seen["cancels"]) == knows


# --- the endpoints ------------------------------------------------------------------------------------


def test_check_shows_name_and_debt_and_the_wire(place: AppPlace) -> None:
    reply = ask(place, "check", number=NUMBER).json()
    assert (reply["step"], reply["name"], reply["due"], reply["exact"]) == (
        "done",
        "И*** А***",
        "1250.00",
        False,
    )
    (exchange,) = reply["exchanges"]
    assert exchange["request"].startswith("POST /pay/app/check HTTP/1.1")
    assert (exchange["kind"], exchange["status"]) == ("check", 200)


def test_an_invoice_takes_its_own_sum_alone(place: AppPlace) -> None:
    reply = ask(place, "check", number=INVOICE).json()
    assert (reply["due"], reply["exact"]) == ("450.00", True)
    assert not is_exact(Heard("done", shown=(("exact", "no"),)))


def test_a_payment_is_reserved_then_paid_then_taken_back(place: AppPlace) -> None:
    order = {"number": NUMBER, "amount": "450.00"}
    held = ask(place, "pay", **order).json()
    assert (held["step"], held["hold"], held["receipt"], held["remains"]) == ("held", "100045", "", None)
    assert place.biller.due_minor[NUMBER] == 125_000

    order |= {"txn": held["txn"], "network_time": held["network_time"]}
    paid = ask(place, "pay", **order, held=True, hold=held["hold"]).json()
    assert (paid["step"], paid["txn"], paid["receipt"]) == ("done", held["txn"], "100045")
    assert paid["remains"]["due"] == "800.00"
    assert [one["kind"] for one in (*held["exchanges"], *paid["exchanges"])] == ["hold", "pay"]

    back = ask(place, "cancel", **order, receipt=paid["receipt"]).json()
    assert (back["step"], back["remains"]["due"]) == ("done", "1250.00")
    assert place.biller.due_minor[NUMBER] == 125_000


def test_a_form_of_a_foreign_page_is_refused(place: AppPlace) -> None:
    url, body = f"{place.base_url}/app/api/pay", b'{"agreement":"app","number":"0042017","amount":"5"}'
    reply = httpx2.post(url, content=body, headers={"Content-Type": "text/plain"}, trust_env=False)
    assert reply.status_code == 415
    assert place.biller.held == {}
