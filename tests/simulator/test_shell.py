"""The network at the shell: what is sent, printed and concluded."""

from __future__ import annotations

import json

import pytest

from kvit.protocols.registry import PROTOCOLS
from kvit.simulator import shell
from kvit.simulator.shell import Network, PayOrder
from tests.simulator.biller import NUMBER, TERMS, UNKNOWN
from tests.simulator.conftest import Place


@pytest.fixture
def network(place: Place) -> Network:
    return Network(place.base_url, PROTOCOLS["qiwi"], TERMS, timeout_s=5.0, pauses_s=(0.0, 0.0))


def test_check(network: Network) -> None:
    exchanges = shell.check(network, NUMBER)
    assert shell.conclusion(exchanges, network) == "Иванова А. П. owes 1250.00 RUB."
    text = shell.as_text(exchanges, network)
    assert "[1] check, " in text
    assert "> GET /pay/qiwi?command=check&" in text
    assert "> Authorization: Basic b3NtcDpzZWNyZXQ=" in text
    assert "< HTTP/1.1 200 OK" in text
    content = json.loads(shell.as_json(exchanges, network))
    assert content["exchanges"][0]["due_minor"] == 125_000
    assert content["exchanges"][0]["name"] == "Иванова А. П."
    assert content["good"] is True


def test_check_of_an_unknown_number(network: Network) -> None:
    said = shell.conclusion(shell.check(network, UNKNOWN), network)
    assert said == "This number cannot be paid (code 5: account not found)."


@pytest.mark.parametrize(
    ("order", "steps", "said"),
    [
        (PayOrder(NUMBER, 10_000), ["done"], "Booked, receipt 100045."),
        (PayOrder(NUMBER, 10_000, txn="77"), ["done"], "Booked, receipt 100045."),
        (PayOrder(NUMBER, 10_000, times=3), ["done"] * 3, "Booked once: all 3 got receipt 100045."),
        (PayOrder(NUMBER, 10_000, at_once=4), ["done"] * 4, "Booked once: all 4 got receipt 100045."),
        (
            PayOrder(NUMBER, 10_000, drop=True),
            ["again", "done"],
            "Booked once: the answer was lost, asking again brought receipt 100045.",
        ),
        (PayOrder(UNKNOWN, 10_000), ["stop"], "Refused with code 5: nothing was booked."),
    ],
)
def test_pay(place: Place, network: Network, order: PayOrder, steps: list[str], said: str) -> None:
    exchanges = shell.pay(network, order)
    assert [one.heard.step for one in exchanges] == steps
    assert shell.conclusion(exchanges, network) == said
    assert shell.as_text(exchanges, network).endswith("\n" + said)
    assert len(place.biller.posted) == (0 if order.number == UNKNOWN else 1)
    assert {one["txn"] for one in json.loads(shell.as_json(exchanges, network))["exchanges"]} == {
        order.txn or getattr(exchanges[0].command, "txn", None)
    }


def test_pay_that_is_told_later_and_then_booked(place: Place, network: Network) -> None:
    place.biller.moods += ["later"]
    exchanges = shell.pay(network, PayOrder(NUMBER, 10_000))
    assert [one.heard.step for one in exchanges] == ["again", "done"]
    assert shell.conclusion(exchanges, network) == "Booked, receipt 100045."


def test_copies_in_flight_together_that_are_told_later_are_counted(place: Place, network: Network) -> None:
    place.biller.moods += ["", "later", "later"]
    place.biller.pause_s = 0.2
    exchanges = shell.pay(network, PayOrder(NUMBER, 10_000, at_once=4))
    said = "Booked once, receipt 100045; 2 of 4 were told “later” and would ask again."
    assert shell.conclusion(exchanges, network) == said


def test_a_biller_that_books_twice_is_not_good(place: Place, network: Network) -> None:
    place.biller.honest = False
    exchanges = shell.pay(network, PayOrder(NUMBER, 10_000, times=2))
    content = json.loads(shell.as_json(exchanges, network))
    assert content["good"] is False
    assert content["conclusion"].startswith("Booked more than once: receipts 100045, 100046.")


def test_a_server_that_is_not_there(network: Network) -> None:
    nowhere = Network("http://127.0.0.1:1", network.protocol, TERMS, pauses_s=())
    exchanges = shell.pay(nowhere, PayOrder(NUMBER, 10_000))
    text = shell.as_text(exchanges, nowhere)
    assert "unreachable" in text
    assert "< The biller’s server cannot be reached." in text
    assert text.endswith("No final answer yet: the network would keep asking.")
