"""Can this client be paid, and how much is owed? On both engines; reads only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kvit.domain.messages import Found, Lookup, NoSuchAccount, Post, Refused, Result
from kvit.domain.model import CLOSED
from kvit.services.lookups import lookup_batch
from tests.gateway import NOON, Gateway
from tests.seeding import Client, Due, Town, agreement_of, seed, set_account

ASK = Lookup("1", "0042017")


def town_of(gateway: Gateway) -> Town:
    clients = [
        Client("0042017", [Due(45_000), Due(15_000, "2026-09-30")]),
        Client("42017", name="Петров Пётр Петрович"),
        Client("0042019", status=CLOSED),
    ]
    return seed(gateway.database, clients)


def found(result: Result) -> Found:
    assert isinstance(result, Found), result
    return result


def test_debt_nothing_and_advance(gateway: Gateway) -> None:
    town = town_of(gateway)
    agreement = agreement_of(town.biller_id)
    sums = []
    for place, amount_minor in enumerate((20_000, 40_000, 5_000)):
        answer = found(gateway.ask(agreement, ASK))
        sums.append((answer.due_minor, answer.advance_minor))
        gateway.ask(agreement, Post(f"t{place}", "0042017", amount_minor))
    answer = found(gateway.ask(agreement, ASK))
    assert [*sums, (answer.due_minor, answer.advance_minor)] == [(60_000, 0), (40_000, 0), (0, 0), (0, 5_000)]
    assert (answer.number, answer.currency) == ("0042017", "RUB")


@pytest.mark.parametrize("show_name", ["none", "masked", "full"])
def test_no_more_of_the_name_than_is_agreed(gateway: Gateway, show_name: str) -> None:
    town = town_of(gateway)
    shown = found(gateway.ask(agreement_of(town.biller_id, show_name=show_name), ASK)).display_name
    if show_name == "full":
        assert shown == "Ахметова Айгүл Серікқызы"
    else:
        assert "хметов" not in shown
        assert bool(shown) == (show_name == "masked")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("nobody", NoSuchAccount("nobody")),
        ("", NoSuchAccount("")),
        ("0042017 ", NoSuchAccount("0042017 ")),
        ("00042017", NoSuchAccount("00042017")),
        ("0042019", Refused("account-closed")),
    ],
)
def test_whom_it_does_not_find(gateway: Gateway, number: str, expected: Result) -> None:
    town = town_of(gateway)
    assert gateway.ask(agreement_of(town.biller_id), replace(ASK, number=number)) == expected


def test_outside_its_dates_an_agreement_finds_nobody(gateway: Gateway) -> None:
    town = town_of(gateway)
    for dates in ({"valid_from": "2026-11-24"}, {"valid_until": "2026-11-22"}):
        assert gateway.ask(agreement_of(town.biller_id, **dates), ASK) == Refused("agreement-closed")
    within = agreement_of(town.biller_id, valid_from="2026-11-23", valid_until="2026-11-23")
    assert isinstance(gateway.ask(within, ASK), Found)


def test_a_batch_answers_each_in_order(gateway: Gateway) -> None:
    """Twins, strangers, two billers and two agreements in one query."""
    here, there = town_of(gateway), town_of(gateway)
    set_account(gateway.database, there, "0042017", name="Ким")
    asked = [
        (agreement_of(town.biller_id, show_name=show), Lookup(str(place), number))
        for place, (town, show, number) in enumerate(
            [
                (here, "full", "0042017"),
                (there, "full", "0042017"),
                (here, "none", "0042017"),
                (here, "full", "nobody"),
                (there, "full", "42017"),
                (here, "full", "0042017"),
            ]
        )
    ]
    together = gateway.lookups.run(lambda book: lookup_batch(book, asked, NOON))
    assert together == [gateway.ask(agreement, command) for agreement, command in asked]
    names = [result.display_name if isinstance(result, Found) else None for result in together]
    assert names == ["Ахметова Айгүл Серікқызы", "Ким", "", None, "Петров Пётр Петрович",
                     "Ахметова Айгүл Серікқызы"]  # fmt: skip


def test_a_lookup_writes_nothing(gateway: Gateway) -> None:
    town = town_of(gateway)
    tables = ("accounts", "payments", "journal", "outbox")
    before = [gateway.rows(table, town.biller_id) for table in tables]
    gateway.ask(agreement_of(town.biller_id), ASK)
    assert [gateway.rows(table, town.biller_id) for table in tables] == before
