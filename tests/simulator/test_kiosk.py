"""The kiosk's page and endpoints, over real HTTP."""

from __future__ import annotations

import re
from importlib import resources
from typing import Any

import httpx2
import pytest

from kvit.protocols.registry import PROTOCOLS
from kvit.simulator.mischief import KINDS
from tests.simulator.biller import NUMBER, TERMS, UNKNOWN
from tests.simulator.conftest import Place

STATIC = resources.files("kvit.simulator").joinpath("static")


def ask(place: Place, what: str, **order: str) -> httpx2.Response:
    url = f"{place.base_url}/kiosk/api/{what}"
    return httpx2.post(url, json={"agreement": "qiwi", **order}, trust_env=False, timeout=20)


def get(place: Place, path: str) -> httpx2.Response:
    return httpx2.get(place.base_url + path, trust_env=False, timeout=20)


def test_the_page_asks_nobody_else_and_runs_no_script_of_its_text(place: Place) -> None:
    page = get(place, "/kiosk")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|javascript:", page.text)
    links = re.findall(r"""(?:src|href)=["']([^"']+)""", page.text)
    assert links
    assert all(link.startswith("/kiosk") for link in links), links
    for link in links:
        assert get(place, link.partition("#")[0]).status_code == 200, link


def test_what_people_wrote_is_text_and_not_markup(place: Place) -> None:
    page = get(place, "/kiosk").text
    assert "<b>«Прозрачный»" not in page
    assert "&lt;b&gt;«Прозрачный»&lt;/b&gt;" in page
    assert "долг &lt;i&gt;1250&lt;/i&gt;" in page
    assert "QIWI &amp; Co" in page


def test_our_own_files_are_small_and_name_no_other_host(place: Place) -> None:
    names = [one.name for one in STATIC.iterdir()]
    assert {"kiosk.js", "base.css", "texts.json", "icons.svg"} <= set(names)
    for name in names:
        text = STATIC.joinpath(name).read_text("utf-8")
        served = get(place, f"/kiosk/static/{name}")
        assert served.text == text
        outside = set(re.findall(r"https?://[^\s\"')]+", text)) - {"http://www.w3.org/2000/svg"}
        assert outside == set(), name
        assert "innerHTML" not in text
        if name.endswith((".js", ".css")):
            assert len(text.splitlines()) <= 400, name


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fkiosk.py", "%2e%2e/room.py", "kiosk.html"])
def test_nothing_else_is_served(place: Place, name: str) -> None:
    assert get(place, f"/kiosk/static/{name}").status_code == 404


def test_check_shows_name_and_debt_and_the_wire(place: Place) -> None:
    reply = ask(place, "check", number=NUMBER).json()
    assert (reply["step"], reply["name"], reply["due"]) == ("done", "Иванова А. П.", "1250.00")
    (exchange,) = reply["exchanges"]
    query = f"command=check&txn_id={reply['txn']}&account={NUMBER}&"
    assert exchange["request"].startswith(f"GET /pay/qiwi?{query}")
    assert "<result>0</result>" in exchange["response"]
    assert (exchange["kind"], exchange["status"], exchange["code"]) == ("check", 200, "0")


def test_check_of_an_unknown_number(place: Place) -> None:
    reply = ask(place, "check", number=UNKNOWN).json()
    assert (reply["step"], reply["code"], reply["name"], reply["due"]) == ("stop", "5", "", None)


def test_pay_brings_a_receipt_and_what_remains(place: Place) -> None:
    reply = ask(place, "pay", number=NUMBER, amount="450.00").json()
    assert (reply["step"], reply["receipt"], reply["amount"]) == ("done", "100045", "450.00")
    assert reply["remains"]["due"] == "800.00"
    assert reply["remains"]["txn"] != reply["txn"]
    assert place.biller.posted[reply["txn"]].amount_minor == 45_000
    again = ask(
        place, "pay", number=NUMBER, amount="450.00", txn=reply["txn"], network_time=reply["network_time"]
    ).json()
    assert again["receipt"] == "100045"
    assert again["exchanges"][0]["request"] == reply["exchanges"][0]["request"]
    assert place.biller.due_minor[NUMBER] == 80_000


def test_pay_that_is_told_later_has_no_receipt_yet(place: Place) -> None:
    place.biller.moods.append("later")
    reply = ask(place, "pay", number=NUMBER, amount="450").json()
    assert (reply["step"], reply["code"], reply["receipt"], reply["remains"]) == ("again", "1", "", None)


def play(place: Place, kind: str) -> dict[str, Any]:
    paid = ask(place, "pay", number=NUMBER, amount="100.00").json()
    order = {name: paid[name] for name in ("txn", "network_time", "receipt", "amount")}
    reply = ask(place, "mischief", kind=kind, number=NUMBER, **order)
    assert reply.status_code == 200
    content: dict[str, Any] = reply.json()
    return content


@pytest.mark.parametrize(
    ("kind", "verdict", "debt", "due_after", "kinds"),
    [
        ("again", "booked-once-again", "debt-same", "1150.00", ["pay"]),
        ("at-once", "booked-once-at-once", "debt-fell-once", "1050.00", ["pay"] * 5),
        ("drop", "booked-once-drop", "debt-fell-once", "1050.00", ["pay"] * 2),
        ("other-sum", "other-sum-refused", "debt-same", "1150.00", ["pay"]),
        ("unknown", "unknown-refused", "debt-same", "1150.00", ["check", "pay"]),
    ],
)
def test_mischief_between_two_real_checks(
    place: Place, kind: str, verdict: str, debt: str, due_after: str, kinds: list[str]
) -> None:
    reply = play(place, kind)
    assert (reply["verdict"]["key"], reply["debt"]["key"]) == (f"verdict.{verdict}", f"verdict.{debt}")
    assert reply["verdict"]["good"]
    assert reply["debt"]["good"]
    assert (reply["due_before"], reply["due_after"]) == ("1150.00", due_after)
    assert [one["kind"] for one in reply["exchanges"]] == ["check", *kinds, "check"]


def test_every_kind_of_mischief_has_its_button(place: Place) -> None:
    assert tuple(re.findall(r'data-kind="([^"]+)"', get(place, "/kiosk").text)) == KINDS


def test_a_biller_that_books_twice_is_found_out(place: Place) -> None:
    place.biller.honest = False
    reply = play(place, "at-once")
    assert reply["verdict"]["key"] == "verdict.booked-more-than-once"
    assert (reply["debt"]["key"], reply["debt"]["good"]) == ("verdict.debt-odd", False)


@pytest.mark.parametrize(
    ("what", "order", "error"),
    [
        ("check", {"agreement": "sber", "number": NUMBER}, "error.agreement"),
        ("check", {"number": ""}, "error.number"),
        ("check", {"number": "1" * 201}, "error.number"),
        ("pay", {"number": NUMBER, "amount": "1e3"}, "error.amount"),
        ("pay", {"number": NUMBER, "amount": "-5"}, "error.amount"),
        ("mischief", {"number": NUMBER, "amount": "5", "kind": "arson"}, "error.kind"),
        ("mischief", {"number": NUMBER, "amount": "5", "kind": "again"}, "error.pay-first"),
    ],
)
def test_orders_that_cannot_be_played(place: Place, what: str, order: dict[str, str], error: str) -> None:
    reply = ask(place, what, **order)
    assert (reply.status_code, reply.json()) == (400, {"error": error})
    assert place.biller.posted == {}


def test_a_form_of_a_foreign_page_is_refused(place: Place) -> None:
    url = f"{place.base_url}/kiosk/api/pay"
    body = b'{"agreement":"qiwi","number":"0042017","amount":"5"}'
    reply = httpx2.post(url, content=body, headers={"Content-Type": "text/plain"}, trust_env=False)
    assert reply.status_code == 415
    assert place.biller.posted == {}


def test_the_stand_in_speaks_through_the_real_adapter() -> None:
    assert PROTOCOLS["qiwi"].name == "qiwi"
    assert TERMS.agreement_id == "qiwi"
