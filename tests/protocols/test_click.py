"""What the vectors cannot show: Click's side of the codes, and what a signature covers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from kvit.domain.messages import Command, Denied, Hold, HttpResponse, Lookup, Post, Void
from kvit.protocols import click
from kvit.protocols.base import Terms

TERMS = Terms(secret="CLICK_SECRET_1")
TOLD: dict[str, Any] = {
    "service": "20101", "network_time": "2025-03-14T09:15:30", "network_time_raw": "2025-03-14 09:15:30",
    "fields": (("click_paydoc_id", "778899"),),
}  # fmt: skip
HOLD = Hold("33445566", "0042017", 5000000, **TOLD, lifetime_s=86400)
POST = Post("33445566", "0042017", 5000000, **TOLD, held=True, receipt=10051)
VOID = Void("33445566", 10051, "", "0042017", 5000000, "-5017", only_held=True)
LOOKUP = Lookup("33445566", "0042017")


def step(command: Command, code: object, later: str = "http-503", **members: Any) -> str:  # noqa: ANN401
    body = json.dumps({"error": code, "error_note": "", **members}).encode()
    return click.read(command, HttpResponse(200, (), body), Terms(dialect={"try_later": later})).step


@pytest.mark.parametrize("command", [HOLD, POST, VOID, LOOKUP])
def test_what_click_does_after_each_code(command: Command) -> None:
    done = {-9} if command is VOID else {0}
    ids: dict[str, Any] = {"merchant_prepare_id": 7, "merchant_confirm_id": 7}
    for code in range(-12, 1):
        said = "done" if code in done or (code == -4 and command is POST) else "stop" if code else "again"
        assert step(command, code, **ids) == said, code
    assert step(command, -7, later="-7") == "again"
    for unread in ("0", None, True, 0.5, [0]):
        assert step(command, unread, **ids) == "again"


def test_a_yes_brings_our_id() -> None:
    assert step(HOLD, 0) == step(POST, 0, merchant_confirm_id=None) == "again"
    assert step(POST, -4) == step(POST, -4, merchant_confirm_id=None) == "stop"


def test_the_answer_to_another_payment_is_asked_again() -> None:
    assert step(POST, 0, click_trans_id=1, merchant_confirm_id=7) == "again"
    assert step(POST, 0, click_trans_id=33445566, merchant_confirm_id=7) == "done"


@pytest.mark.parametrize("command", [HOLD, POST, VOID])
def test_every_value_that_counts_is_signed(command: Command) -> None:
    request = click.ask(command, TERMS)
    assert click.decode(request, TERMS) == command
    for old, new in (
        (b"33445566&service", b"33445567&service"),
        (b"0042017", b"0042018"),
        (b"50000.00", b"50000.01"),
        (b"10051", b"10052"),
        (b"service_id=", b"service_id=9"),
    ):
        if old in request.body:
            assert click.decode(replace(request, body=request.body.replace(old, new)), TERMS) == Denied()
    assert click.decode(request, Terms(secret="another")) == Denied()
