"""Rules 2 to 5, 11, 12, 16 and 18 by example, on both engines: one payment, asked for in every way."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from kvit.domain.days import zone
from kvit.domain.messages import (
    BadAmount,
    Conflict,
    NoSuchAccount,
    Post,
    Posted,
    Refused,
    Result,
    Void,
    Voided,
)
from kvit.domain.model import CLOSED, Fee
from tests.gateway import NOON, Gateway
from tests.seeding import Client, Due, Town, agreement_of, seed, set_account

MINUTES_TO_MIDNIGHT = datetime(2026, 11, 22, 23, 50, tzinfo=zone("Europe/Moscow"))
PAY = Post("700001", "0042017", 45_000, network_time="2026-11-22T23:50:00", network_time_raw="20261122235000")


def town_of(gateway: Gateway, **more: str) -> Town:
    charges = [Due(30_000, "2026-09-30"), Due(20_000, "2026-10-31", "waste"), Due(10_000, "2026-11-30")]
    clients = [Client("0042017", charges), Client("0042018"), Client("0042019", status=CLOSED)]
    return seed(gateway.database, clients, **more)


def posted(result: Result) -> Posted:
    assert isinstance(result, Posted), result
    return result


def nothing_booked(gateway: Gateway, town: Town) -> bool:
    return not any(gateway.rows(table, town.biller_id) for table in ("payments", "allocations", "outbox"))


def test_a_payment_and_everything_that_commits_with_it(gateway: Gateway) -> None:
    town = town_of(gateway)
    agreement = agreement_of(town.biller_id)
    answer = posted(gateway.ask(agreement, PAY))
    assert answer == Posted(
        "700001", answer.receipt, "0042017", 45_000, "RUB", NOON, MINUTES_TO_MIDNIGHT, "", repeat=False
    )
    assert answer.received_at.utcoffset() == timedelta(hours=3), "in the agreement's zone"
    assert 0 < answer.receipt < 2**63
    (payment,) = gateway.rows("payments", town.biller_id)
    assert (payment["accounting_date"], payment["network_time"]) == ("2026-11-22", "20261122235000")
    assert (payment["attempts"], payment["advance_minor"], payment["biller_fee_minor"]) == (1, 0, 540)
    entries = {
        row["ledger_account"]: row["amount_minor"]
        for row in gateway.rows("entries", town.biller_id)
        if row["transaction_id"] == answer.receipt
    }
    assert entries == {f"clearing:{agreement.agreement_id}": 45_000, "client:0042017": -45_000}
    shares = [(row["charge_id"], row["amount_minor"]) for row in gateway.rows("allocations", town.biller_id)]
    first, second, _ = town.charge_ids["0042017"]
    assert shares == [(first, 30_000), (second, 15_000)]
    assert [row["open_minor"] for row in gateway.rows("charges", town.biller_id)] == [0, 5_000, 10_000]
    assert gateway.balance(town.biller_id, "0042017") == 15_000
    told = [(row["kind"], row["subject"]) for row in gateway.rows("outbox", town.biller_id)]
    assert told == [("payment.posted", str(answer.receipt))]
    assert [row["verb"] for row in gateway.rows("journal", town.biller_id)][-1] == "payment.posted"
    assert gateway.findings(town.biller_id) == []


def test_asked_again_it_is_the_first_answer_and_a_write(gateway: Gateway) -> None:
    town = town_of(gateway)
    agreement = agreement_of(town.biller_id)
    first = posted(gateway.ask(agreement, PAY))
    for attempts, hours in ((2, 0), (3, 1), (4, 24 * 400)):
        gateway.clock.forward(hours=hours)
        assert gateway.ask(agreement, PAY) == replace(first, repeat=True)
        assert gateway.rows("payments", town.biller_id)[0]["attempts"] == attempts
    assert gateway.balance(town.biller_id, "0042017") == 15_000
    assert len(gateway.rows("outbox", town.biller_id)) == 1
    assert gateway.findings(town.biller_id) == []


@pytest.mark.parametrize(
    "changes",
    [{"amount_minor": 45_001}, {"number": "0042018"}, {"number": "0042019"}, {"number": "nobody"},
     {"currency": "KZT"}, {"service": "waste"}, {"amount_minor": 0}],
)  # fmt: skip
def test_the_same_id_with_another_content_is_a_conflict_and_an_alarm(
    gateway: Gateway, changes: dict[str, Any]
) -> None:
    town = town_of(gateway)
    agreement = agreement_of(town.biller_id)
    first = posted(gateway.ask(agreement, PAY))
    before = {
        name: gateway.rows(name, town.biller_id) for name in ("payments", "entries", "charges", "accounts")
    }
    assert gateway.ask(agreement, replace(PAY, **changes)) == Conflict("700001")
    assert {name: gateway.rows(name, town.biller_id) for name in before} == before
    alarms = [row for row in gateway.rows("journal", town.biller_id) if row["verb"] == "payment.conflict"]
    assert [(row["actor"], row["subject"]) for row in alarms] == [
        (f"agent:{agreement.agreement_id}", "700001")
    ]
    assert gateway.ask(agreement, PAY) == replace(first, repeat=True)
    assert gateway.findings(town.biller_id) == []


@pytest.mark.parametrize(
    "changes",
    [{"network_time": "2026-11-23T01:00:00", "network_time_raw": "20261123010000"},
     {"network_time": "", "network_time_raw": ""}, {"fields": (("trm_id", "77"),)}, {"currency": "RUB"}],
)  # fmt: skip
def test_time_stamps_and_terminals_are_not_content(gateway: Gateway, changes: dict[str, Any]) -> None:
    town = town_of(gateway)
    agreement = agreement_of(town.biller_id)
    first = posted(gateway.ask(agreement, PAY))
    assert gateway.ask(agreement, replace(PAY, **changes)) == replace(first, repeat=True)


def test_what_is_known_is_answered_before_every_test(gateway: Gateway) -> None:
    """Account, limits, validity and currency may have changed since; the payment is in the books."""
    town = town_of(gateway)
    agreement = agreement_of(town.biller_id)
    first = posted(gateway.ask(agreement, PAY))
    set_account(gateway.database, town, "0042017", status=CLOSED)
    narrow = replace(agreement, min_minor=1, max_minor=2, valid_until="2026-01-31")
    assert gateway.ask(narrow, PAY) == replace(first, repeat=True)
    assert gateway.ask(narrow, replace(PAY, txn="700002")) == Refused("agreement-closed")


def test_another_agreement_s_txn_is_another_payment(gateway: Gateway) -> None:
    town = town_of(gateway)
    one, other = agreement_of(town.biller_id), agreement_of(town.biller_id, "bank")
    first, second = posted(gateway.ask(one, PAY)), posted(gateway.ask(other, replace(PAY, amount_minor=1)))
    assert first.receipt != second.receipt
    assert gateway.balance(town.biller_id, "0042017") == 14_999


def test_another_biller_s_client_is_nobody(gateway: Gateway) -> None:
    town_of(gateway)
    stranger = seed(gateway.database, [Client("1")])
    assert gateway.ask(agreement_of(stranger.biller_id), PAY) == NoSuchAccount("0042017")


@pytest.mark.parametrize(
    ("changes", "terms", "expected"),
    [
        ({"number": "nobody"}, {}, NoSuchAccount("nobody")),
        ({"number": "0042019"}, {}, Refused("account-closed")),
        ({"currency": "KZT"}, {}, Refused("currency")),
        ({"amount_minor": 0}, {}, BadAmount(0, 1, None)),
        ({"amount_minor": -1}, {}, BadAmount(-1, 1, None)),
        ({"amount_minor": 0}, {"min_minor": 0}, BadAmount(0, 1, None)),
        ({"amount_minor": 999}, {"min_minor": 1_000}, BadAmount(999, 1_000, None)),
        ({"amount_minor": 1_501}, {"max_minor": 1_500}, BadAmount(1_501, 1, 1_500)),
        ({}, {"valid_from": "2026-11-24"}, Refused("agreement-closed")),
        ({}, {"valid_until": "2026-11-22"}, Refused("agreement-closed")),
    ],
)
def test_a_no_books_nothing(
    gateway: Gateway, changes: dict[str, Any], terms: dict[str, Any], expected: Result
) -> None:
    town = town_of(gateway)
    assert gateway.ask(agreement_of(town.biller_id, **terms), replace(PAY, **changes)) == expected
    assert nothing_booked(gateway, town)
    assert gateway.findings(town.biller_id) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"min_minor": 45_000},
        {"max_minor": 45_000},
        {"valid_from": "2026-11-23"},
        {"valid_until": "2026-11-23"},
    ],
)
def test_limits_and_dates_are_inclusive(gateway: Gateway, changes: dict[str, Any]) -> None:
    town = town_of(gateway)
    posted(gateway.ask(agreement_of(town.biller_id, **changes), PAY))


def test_a_refused_payment_may_be_booked_later(gateway: Gateway) -> None:
    """A "no" claims nothing: the account opens, the agent asks again, the money is in."""
    town = town_of(gateway)
    agreement, closed = agreement_of(town.biller_id), replace(PAY, number="0042019")
    assert gateway.ask(agreement, closed) == Refused("account-closed")
    set_account(gateway.database, town, "0042019", status="active")
    assert posted(gateway.ask(agreement, closed)).repeat is False


def test_more_than_the_debt_is_an_advance(gateway: Gateway) -> None:
    town = town_of(gateway)
    agreement = agreement_of(town.biller_id)
    gateway.ask(agreement, replace(PAY, amount_minor=70_000))
    assert gateway.balance(town.biller_id, "0042017") == -10_000
    assert gateway.rows("payments", town.biller_id)[0]["advance_minor"] == 10_000
    gateway.ask(agreement, replace(PAY, txn="700002", amount_minor=5))
    assert gateway.rows("payments", town.biller_id)[1]["advance_minor"] == 5
    assert gateway.findings(town.biller_id) == []


def test_a_service_comes_before_age(gateway: Gateway) -> None:
    town = town_of(gateway)
    gateway.ask(agreement_of(town.biller_id), replace(PAY, amount_minor=25_000, service="waste"))
    assert [row["open_minor"] for row in gateway.rows("charges", town.biller_id)] == [25_000, 0, 10_000]


def test_sums_that_no_float_can_hold(gateway: Gateway) -> None:
    """2**53 + 1 and its neighbours, in and out again to the last unit."""
    huge_minor = 2**53 + 1
    town = seed(gateway.database, [Client("1", [Due(huge_minor + 2), Due(1)])])
    agreement = agreement_of(town.biller_id, fee=Fee())
    answer = posted(gateway.ask(agreement, Post("1", "1", huge_minor)))
    assert answer.amount_minor == huge_minor
    assert gateway.balance(town.biller_id, "1") == 3
    assert [row["open_minor"] for row in gateway.rows("charges", town.biller_id)] == [2, 1]
    assert gateway.findings(town.biller_id) == []


def test_a_closed_period_takes_no_payment(gateway: Gateway) -> None:
    town = town_of(gateway, closed_through="2026-11-25")
    answer = posted(gateway.ask(agreement_of(town.biller_id), PAY))
    (payment,) = gateway.rows("payments", town.biller_id)
    days = [payment["accounting_date"]] + [
        row["accounting_date"]
        for row in gateway.rows("transactions", town.biller_id)
        if row["transaction_id"] == answer.receipt
    ]
    assert {date.fromisoformat(day) for day in days} == {date(2026, 11, 26)}


@pytest.mark.parametrize("network_time", ["0001-01-01T00:00:00", "9999-12-31T23:59:59", "nonsense", ""])
def test_a_network_s_broken_clock_does_not_stop_a_payment(gateway: Gateway, network_time: str) -> None:
    town = town_of(gateway)
    agreement, pay = agreement_of(town.biller_id), replace(PAY, network_time=network_time)
    first = posted(gateway.ask(agreement, pay))
    assert gateway.ask(agreement, pay) == replace(first, repeat=True)
    assert gateway.rows("payments", town.biller_id)[0]["accounting_date"] == "2026-11-23"


def test_what_else_came_along_is_kept(gateway: Gateway) -> None:
    town = town_of(gateway)
    gateway.ask(agreement_of(town.biller_id), replace(PAY, fields=(("trm_id", "77"), ("data1", "Қарағанды"))))
    (payment,) = gateway.rows("payments", town.biller_id)
    assert json.loads(payment["fields"]) == {"trm_id": "77", "data1": "Қарағанды"}


def test_a_payment_that_was_taken_back_is_not_confirmed_again(gateway: Gateway) -> None:
    """Its id stays taken: the same request is told what became of it, and never books anew."""
    town = town_of(gateway)
    agreement = agreement_of(town.biller_id)
    first = posted(gateway.ask(agreement, PAY))
    gateway.clock.forward(hours=1)
    void = gateway.ask(agreement, Void(txn=PAY.txn, void_txn="800001"))
    assert isinstance(void, Voided)
    assert void.repeat is False
    gateway.clock.forward(hours=1)
    assert gateway.ask(agreement, PAY) == replace(void, repeat=True)
    assert gateway.ask(agreement, replace(PAY, amount_minor=1)) == Conflict(PAY.txn)
    (payment,) = gateway.rows("payments", town.biller_id)
    assert (payment["receipt"], payment["state"], payment["attempts"]) == (first.receipt, "voided", 2)
    assert gateway.balance(town.biller_id, "0042017") == 60_000
    assert gateway.findings(town.biller_id) == []
