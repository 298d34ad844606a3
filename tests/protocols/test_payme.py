"""What the vectors cannot show: Payme's side of the answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

# isort: off
from kvit.domain.messages import (
    Command, Hold, HttpResponse, ListPosted, Lookup, Note, Post, Posted, Statement, Status, Void, Voided,
)  # fmt: skip

# isort: on
from kvit.protocols import payme
from kvit.protocols.base import Terms

TXN = "65f0aa11bb22cc33dd44ee55"
EACH: list[Command] = [
    Lookup("", "0042017", amount_minor=100), Hold(TXN, "0042017", 100), Post(TXN, "", 0, held=True),
    Void(TXN, reason="3"), Status(TXN), ListPosted("", "", every_state=True), Note(TXN, "fiscal-perform"),
]  # fmt: skip


def step(command: Command, answer: dict[str, Any], status: int = 200) -> str:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, **answer}).encode()
    return payme.read(command, HttpResponse(status, (), body), Terms()).step


@pytest.mark.parametrize("command", EACH)
def test_what_payme_does_after_each_code(command: Command) -> None:
    for code in (-32300, -32700, -32600, -32601, -32504, -31001, -31003, -31007, -31008, -31050, -31099, -7):
        assert step(command, {"error": {"code": code}}) == "stop"
    assert step(command, {"error": {"code": -32400}}) == "again"
    assert step(command, {"error": {"code": "-31050"}}) == "again"
    assert step(command, {"error": {"code": -31050}}, status=500) == "again"


@pytest.mark.parametrize("command", EACH)
@pytest.mark.parametrize(
    "result", [None, {}, [], "yes", True, {"state": 0, "transaction": "1"}, {"state": 2}]
)
def test_a_result_that_answers_nothing_is_asked_again(command: Command, result: object) -> None:
    assert step(command, {"result": result}) == "again"


def test_a_state_is_a_yes_only_to_its_own_method() -> None:
    yes = {"Hold": {1}, "Post": {2}, "Void": {-1, -2}, "Status": {1, 2, -1, -2}}
    for command in EACH[1:5]:
        done = {
            state for state in range(-3, 4)
            if step(command, {"result": {"transaction": "1", "state": state}}) == "done"
        }  # fmt: skip
        assert done == yes[type(command).__name__]


def test_not_allowed_is_a_final_no() -> None:
    assert step(EACH[0], {"result": {"allow": False}}) == "stop"
    assert step(EACH[0], {"result": {"allow": 1}}) == "again"


def test_a_transaction_without_a_hold_was_created_when_it_was_booked() -> None:
    """It cannot happen in the books, and still has an answer."""
    at = datetime(2025, 3, 14, 5, 15, 31, tzinfo=UTC)
    posted = Posted(TXN, 1, "0042017", 100, "UZS", at)
    request = payme.ask(ListPosted("", "", every_state=True), Terms())
    answer = payme.encode(request, Statement((posted, Voided(TXN, 2, "7", 100, "UZS", at))), Terms())
    first, second = json.loads(answer.body)["result"]["transactions"]
    assert first["time"] == first["create_time"] == first["perform_time"] == 1741929331000
    assert second["time"] == second["create_time"] == second["cancel_time"] == 1741929331000
    assert (second["perform_time"], second["state"], second["reason"]) == (0, -1, 10)
