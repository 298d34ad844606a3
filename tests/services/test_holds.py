"""Payments that are announced first: hold, post, release; their end is decided by time alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kvit.domain.messages import (
    EXPIRED,
    BadAmount,
    Command,
    Conflict,
    Held,
    Hold,
    ListPosted,
    Malformed,
    NoSuchAccount,
    NoSuchTxn,
    Note,
    Noted,
    Post,
    Posted,
    Refused,
    Statement,
    Status,
    Void,
    Voided,
)
from kvit.domain.model import CLOSED, Agreement
from tests.gateway import NOON, Gateway
from tests.seeding import Client, Due, Town, agreement_of, seed, set_account

HOLD = Hold(
    "t1", "a", 700, network_time="2026-11-23T08:59:58.250+00:00", network_time_raw="1", lifetime_s=3600
)
POST = Post("t1", "", 0, held=True)
VOID = Void(txn="t1", reason="3")


def again(answer: Any) -> Any:  # noqa: ANN401 - the kind of answer that it is given
    """The same answer to the same question once more."""
    return replace(answer, repeat=True)


def town_of(gateway: Gateway, **changes: object) -> tuple[Town, Agreement]:
    town = seed(gateway.database, [Client("a", [Due(700), Due(300, "2026-11-30")]), Client("b")])
    return town, agreement_of(town.biller_id, "wallet", may_hold=True, **changes)


def test_a_hold_books_nothing_and_its_post_books_it(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    held = gateway.ask(agreement, HOLD)
    assert isinstance(held, Held)
    assert (held.number, held.amount_minor, held.currency, held.repeat) == ("a", 700, "RUB", False)
    assert (held.held_at, held.expires_at) == (NOON, NOON + timedelta(hours=1))
    assert held.network_at == NOON - timedelta(seconds=1.75)
    assert gateway.rows("payments", town.biller_id) == []
    assert gateway.balance(town.biller_id, "a") == 1000
    gateway.clock.forward(minutes=59)
    posted = gateway.ask(agreement, POST)
    assert posted == Posted(
        "t1", held.receipt, "a", 700, "RUB", gateway.clock.now(), held.network_at, held_at=NOON
    )
    assert gateway.balance(town.biller_id, "a") == 300
    assert gateway.findings(town.biller_id) == []


def test_each_step_again_is_its_first_answer_and_a_write(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    held = gateway.ask(agreement, HOLD)
    assert gateway.ask(agreement, HOLD) == again(held)
    posted = gateway.ask(agreement, POST)
    gateway.clock.forward(days=400)
    assert gateway.ask(agreement, POST) == again(posted)
    assert gateway.ask(agreement, HOLD) == again(posted), "the hold is a payment now"
    assert gateway.ask(agreement, Status("t1")) == again(posted)
    (hold,) = gateway.rows("holds", town.biller_id)
    (payment,) = gateway.rows("payments", town.biller_id)
    assert (hold["attempts"], hold["state"], payment["attempts"]) == (2, "posted", 4)
    assert gateway.findings(town.biller_id) == []


@pytest.mark.parametrize(
    "changed",
    [{"number": "b"}, {"amount_minor": 701}, {"service": "water"}, {"currency": "KZT"}],
)
def test_the_same_id_with_other_content_is_a_conflict(gateway: Gateway, changed: dict[str, Any]) -> None:
    town, agreement = town_of(gateway)
    gateway.ask(agreement, HOLD)
    assert gateway.ask(agreement, replace(HOLD, **changed)) == Conflict("t1")
    assert gateway.ask(agreement, replace(POST, **changed)) == Conflict("t1")
    assert isinstance(gateway.ask(agreement, POST), Posted)
    assert gateway.ask(agreement, replace(HOLD, **changed)) == Conflict("t1")
    assert gateway.ask(agreement, replace(POST, **changed)) == Conflict("t1")
    verbs = [row["verb"] for row in gateway.rows("journal", town.biller_id)]
    assert verbs.count("payment.conflict") == 4
    assert gateway.findings(town.biller_id) == []


def test_what_the_network_repeats_of_a_hold_has_to_agree(gateway: Gateway) -> None:
    _, agreement = town_of(gateway)
    held = gateway.ask(agreement, HOLD)
    assert isinstance(held, Held)
    assert gateway.ask(agreement, replace(POST, receipt=held.receipt + 1)) == NoSuchTxn("t1")
    whole = replace(POST, number="a", amount_minor=700, receipt=held.receipt)
    assert isinstance(gateway.ask(agreement, whole), Posted)


def test_nothing_is_posted_that_was_not_held(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    assert gateway.ask(agreement, POST) == NoSuchTxn("t1")
    assert gateway.ask(agreement, VOID) == NoSuchTxn("t1")
    assert gateway.ask(agreement, Status("t1")) == NoSuchTxn("t1")
    assert gateway.rows("payments", town.biller_id) == []


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"number": "nobody"}, NoSuchAccount("nobody")),
        ({"amount_minor": 0}, BadAmount(0, 100, 900)),
        ({"amount_minor": 901}, BadAmount(901, 100, 900)),
        ({"currency": "KZT"}, Refused("currency")),
    ],
)
def test_what_is_refused_is_refused_when_it_is_announced(
    gateway: Gateway, changes: dict[str, Any], answer: object
) -> None:
    town, agreement = town_of(gateway, min_minor=100, max_minor=900)
    assert gateway.ask(agreement, replace(HOLD, **changes)) == answer
    assert gateway.rows("holds", town.biller_id) == []


def test_what_was_accepted_is_posted_whatever_happened_since(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    gateway.ask(agreement, HOLD)
    set_account(gateway.database, town, "a", status=CLOSED)
    ended = replace(agreement, valid_until="2026-11-22", max_minor=1)
    assert gateway.ask(ended, replace(HOLD, txn="t2")) == Refused("agreement-closed")
    assert isinstance(gateway.ask(ended, POST), Posted)
    assert gateway.findings(town.biller_id) == []


def test_a_released_hold_stays_released(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    held = gateway.ask(agreement, HOLD)
    assert isinstance(held, Held)
    gateway.clock.forward(minutes=5)
    released = gateway.ask(agreement, VOID)
    assert released == Voided("t1", held.receipt, "a", 700, "RUB", gateway.clock.now(), "3", held=again(held))
    gateway.clock.forward(days=1)
    for command in (VOID, POST, HOLD, Status("t1")):
        assert gateway.ask(agreement, command) == again(released), command
    assert gateway.rows("payments", town.biller_id) == []
    assert gateway.balance(town.biller_id, "a") == 1000
    assert gateway.findings(town.biller_id) == []


def test_a_release_that_contradicts_the_hold_changes_nothing(gateway: Gateway) -> None:
    _, agreement = town_of(gateway)
    held = gateway.ask(agreement, HOLD)
    assert isinstance(held, Held)
    assert gateway.ask(agreement, replace(VOID, number="b")) == Conflict("t1")
    assert gateway.ask(agreement, replace(VOID, amount_minor=1)) == Conflict("t1")
    assert gateway.ask(agreement, replace(VOID, receipt=held.receipt + 1)) == NoSuchTxn("t1")
    assert gateway.ask(replace(agreement, agreement_id="other"), Void(receipt=held.receipt)) == NoSuchTxn("")
    assert isinstance(gateway.ask(agreement, Void(receipt=held.receipt)), Voided)


@pytest.mark.parametrize("command", [POST, HOLD, VOID, Status("t1")])
def test_a_hold_ends_by_time_alone(gateway: Gateway, command: Command) -> None:
    """A moment before its end it stands, at its end it does not; a clock that steps back changes nothing."""
    town, agreement = town_of(gateway)
    held = gateway.ask(agreement, HOLD)
    assert isinstance(held, Held)
    assert held.expires_at is not None
    gateway.clock.instant = held.expires_at
    expired = Voided("t1", held.receipt, "a", 700, "RUB", held.expires_at, EXPIRED, held=again(held))
    answer = gateway.ask(agreement, command)
    assert isinstance(answer, Voided)
    assert replace(answer, repeat=False) == expired
    gateway.clock.forward(hours=-1)
    for repeat in (POST, HOLD, VOID, Status("t1")):
        assert gateway.ask(agreement, repeat) == again(expired), repeat
    assert gateway.rows("payments", town.biller_id) == []
    (hold,) = gateway.rows("holds", town.biller_id)
    assert (hold["state"], hold["reason"]) == ("expired", "")
    assert gateway.findings(town.biller_id) == []


def test_a_moment_before_its_end_a_hold_is_posted(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    gateway.ask(agreement, HOLD)
    gateway.clock.forward(hours=1, microseconds=-1)
    assert isinstance(gateway.ask(agreement, POST), Posted)
    gateway.clock.forward(microseconds=1)
    assert isinstance(gateway.ask(agreement, POST), Posted), "a payment does not expire"
    assert gateway.findings(town.biller_id) == []


def test_a_hold_without_an_end_stands_for_ever(gateway: Gateway) -> None:
    _, agreement = town_of(gateway)
    held = gateway.ask(agreement, replace(HOLD, lifetime_s=0))
    assert isinstance(held, Held)
    assert held.expires_at is None
    gateway.clock.forward(days=3000)
    assert isinstance(gateway.ask(agreement, POST), Posted)


def test_a_posted_hold_taken_back(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    gateway.ask(agreement, HOLD)
    posted = gateway.ask(agreement, POST)
    assert isinstance(posted, Posted)
    assert gateway.ask(replace(agreement, may_refund=False), VOID) == Refused("void-forbidden")
    voided = gateway.ask(agreement, VOID)
    assert isinstance(voided, Voided)
    assert voided.posted == again(posted)
    assert voided.held is not None
    assert (voided.reason, voided.held.held_at) == ("3", NOON)
    never = replace(agreement, may_refund=False)
    for command in (VOID, POST, HOLD, Status("t1")):
        assert gateway.ask(never, command) == again(voided), command
    assert gateway.balance(town.biller_id, "a") == 1000
    assert gateway.findings(town.biller_id) == []


def test_a_payment_at_once_finds_its_own_hold(gateway: Gateway) -> None:
    """A protocol that has both must not book one id twice."""
    town, agreement = town_of(gateway)
    held = gateway.ask(agreement, HOLD)
    posted = gateway.ask(agreement, Post("t1", "a", 700))
    assert isinstance(held, Held)
    assert isinstance(posted, Posted)
    assert posted.receipt == held.receipt
    assert gateway.findings(town.biller_id) == []


def test_the_day_of_booking_is_that_of_the_post(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    gateway.ask(agreement, HOLD)
    gateway.ask(agreement, replace(HOLD, txn="t2"))
    gateway.clock.forward(minutes=30)
    gateway.ask(agreement, replace(POST, network_time="2026-11-22T23:00:00"))
    gateway.ask(agreement, replace(POST, txn="t2"))
    days = [row["accounting_date"] for row in gateway.rows("payments", town.biller_id)]
    assert days == ["2026-11-22", "2026-11-23"]


def test_fields_of_both_steps_are_kept(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    gateway.ask(agreement, replace(HOLD, fields=(("a", "1"), ("b", "2"))))
    gateway.ask(agreement, replace(POST, fields=(("b", "3"), ("c", "4"))))
    (payment,) = gateway.rows("payments", town.biller_id)
    assert payment["fields"] == '{"a": "1", "b": "3", "c": "4"}'


def test_everything_in_one_batch(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    results = gateway.post([
        (agreement, POST), (agreement, HOLD), (agreement, HOLD), (agreement, POST), (agreement, POST),
        (agreement, replace(HOLD, txn="t2", number="b")), (agreement, HOLD),
    ])  # fmt: skip
    kinds = [type(result).__name__ for result in results]
    assert kinds == ["NoSuchTxn", "Held", "Held", "Posted", "Posted", "Held", "Posted"]
    holds = {row["txn"]: row for row in gateway.rows("holds", town.biller_id)}
    assert (holds["t1"]["state"], holds["t1"]["attempts"], holds["t2"]["state"]) == ("posted", 2, "held")
    assert gateway.findings(town.biller_id) == []


# --- statements and notes ----------------------------------------------------------------------------


def test_a_statement_of_every_state_by_the_network_s_time(gateway: Gateway) -> None:
    _, agreement = town_of(gateway)
    times = {f"t{place}": f"2026-11-23T08:5{place}:00.500+00:00" for place in range(6)}
    for txn in reversed(times):
        gateway.ask(agreement, replace(HOLD, txn=txn, network_time=times[txn], lifetime_s=7200))
    gateway.ask(agreement, replace(POST, txn="t1"))
    gateway.ask(agreement, replace(POST, txn="t2"))
    gateway.ask(agreement, replace(VOID, txn="t2"))
    gateway.ask(agreement, replace(VOID, txn="t3"))
    asked = ListPosted(times["t1"], times["t4"], every_state=True)
    told = gateway.ask(agreement, asked)
    assert isinstance(told, Statement)
    assert [(item.txn, type(item).__name__) for item in told.items] == [
        ("t1", "Posted"), ("t2", "Voided"), ("t3", "Voided"), ("t4", "Held"),
    ]  # fmt: skip
    for item in told.items:
        assert item == gateway.ask(agreement, Status(item.txn))
    gateway.clock.forward(hours=2)
    later = gateway.ask(agreement, asked)
    assert isinstance(later, Statement)
    assert isinstance(later.items[3], Voided)
    assert later.items[3].reason == EXPIRED
    stranger = replace(agreement, agreement_id="other")
    assert gateway.ask(stranger, asked) == Statement()


def test_a_statement_of_posted_ones_between_two_moments(gateway: Gateway) -> None:
    _, agreement = town_of(gateway)
    for place in range(4):
        network_time = f"2026-11-23T11:0{place}:00"
        gateway.ask(agreement, Post(f"p{place}", "a", 10, network_time=network_time))
    told = gateway.ask(agreement, ListPosted("2026-11-23T11:01:00", "2026-11-23T11:02:00"))
    assert isinstance(told, Statement)
    assert [item.txn for item in told.items] == ["p1", "p2"]
    backwards = ListPosted("2026-11-23T11:03:01", "2026-11-23T11:03:00")
    assert gateway.ask(agreement, backwards) == Malformed("until", "before the beginning")


def test_notes_are_kept_and_the_same_one_only_once(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    note = Note("t1", "fiscal-perform", (("receipt_id", "121"), ("qr", "https://ofd.example/1")))
    gateway.ask(agreement, HOLD)
    assert gateway.ask(agreement, note) == NoSuchTxn("t1"), "nothing is posted yet"
    gateway.ask(agreement, POST)
    assert [gateway.ask(agreement, note) for _ in range(2)] == [Noted("t1")] * 2
    gateway.ask(agreement, replace(note, kind="fiscal-cancel"))
    kinds = [row["kind"] for row in gateway.rows("notes", town.biller_id)]
    assert sorted(kinds) == ["fiscal-cancel", "fiscal-perform"]
    assert gateway.findings(town.biller_id) == []
