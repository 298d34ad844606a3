"""What the journal says of each act, field by field, and answers at the very edge of what is allowed.

The hash chain seals these records, so a field that nobody compares might be wrong for ever.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from kvit.domain import days
from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.journal import digest_of
from kvit.domain.messages import (
    Conflict,
    Found,
    ListPosted,
    Lookup,
    Malformed,
    Post,
    Posted,
    Refused,
    Statement,
    Void,
    Voided,
)
from kvit.services import tellings
from kvit.services.corrections import void_payment
from kvit.services.reallocation import Wish, reallocate
from tests.gateway import Gateway
from tests.seeding import Client, Due, Town, agreement_of, seed, set_account

CHARGES = [Due(500, "2026-09-30"), Due(1, "2026-10-31")]


def town_of(gateway: Gateway) -> Town:
    return seed(gateway.database, [Client("a", CHARGES), Client("b")])


def pay(gateway: Gateway, town: Town, post: Post) -> Posted:
    result = gateway.ask(agreement_of(town.biller_id), post)
    assert isinstance(result, Posted)
    return result


def last_record(gateway: Gateway, town: Town) -> dict[str, Any]:
    record = dict(gateway.rows("journal", town.biller_id)[-1])
    assert record.pop("journal_id") > 0
    return {name: value for name, value in record.items() if name not in {"position", "chain"}}


def expected(gateway: Gateway, town: Town, **said: object) -> dict[str, Any]:
    at_us = days.to_us(gateway.clock.now())
    return {"biller_id": town.biller_id, "at_us": at_us, "detail": ""} | said


def test_a_conflict(gateway: Gateway) -> None:
    town = town_of(gateway)
    pay(gateway, town, Post("t1", "a", 100, service="water"))
    agreement = agreement_of(town.biller_id)
    other = Post("t1", "b", 200, service="waste")
    assert gateway.ask(agreement, other) == Conflict("t1")
    key = (town.biller_id, agreement.agreement_id, "t1")
    assert last_record(gateway, town) == expected(
        gateway, town, actor="agent:" + agreement.agreement_id, verb="payment.conflict", subject="t1",
        digest=digest_of("conflict", *key, "b", 200, "waste"),
    )  # fmt: skip


def test_repeats_are_counted_each_for_itself(gateway: Gateway) -> None:
    town = town_of(gateway)
    agreement = agreement_of(town.biller_id)
    posts = {name: Post(name, "a", 10) for name in ("t1", "t2")}
    for post in posts.values():
        pay(gateway, town, post)
    gateway.post([(agreement, posts[name]) for name in ("t1", "t2", "t1", "t1", "t2")])
    attempts = {row["txn"]: row["attempts"] for row in gateway.rows("payments", town.biller_id)}
    assert attempts == {"t1": 4, "t2": 3}


def test_a_list(gateway: Gateway) -> None:
    town = town_of(gateway)
    agreement = agreement_of(town.biller_id)
    for name in ("t1", "t2"):
        pay(gateway, town, Post(name, "a", 100, network_time="2026-11-23T12:00:00"))
    told = gateway.ask(agreement, ListPosted("2026-11-22", "2026-11-23"))
    assert isinstance(told, Statement)
    assert len(told.items) == 2
    assert last_record(gateway, town) == expected(
        gateway, town, actor="agent:" + agreement.agreement_id, verb="payment.told",
        subject="2026-11-22..2026-11-23",
        digest=digest_of("told", agreement.agreement_id, "2026-11-22..2026-11-23", 2),
    )  # fmt: skip


def test_how_many_days_a_list_may_have(gateway: Gateway) -> None:
    agreement = agreement_of(town_of(gateway).biller_id)
    last = datetime(2026, 11, 23).date()  # noqa: DTZ001 - a day
    for more, answer in (
        (tellings.STATEMENT_DAYS_MAX - 1, Statement()),
        (tellings.STATEMENT_DAYS_MAX, Refused("too-many")),
    ):
        first = last - timedelta(days=more)
        assert gateway.ask(agreement, ListPosted(first.isoformat(), last.isoformat())) == answer
    assert gateway.ask(agreement, ListPosted("2026-11-31", "2026-12-01")) == Malformed("date")


def test_how_many_payments_a_list_may_have(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tellings, "STATEMENT_ITEMS_MAX", 2)
    town = town_of(gateway)
    agreement = agreement_of(town.biller_id)
    day = ListPosted("2026-11-23", "2026-11-23")
    for name in ("t1", "t2"):
        pay(gateway, town, Post(name, "a", 1, network_time="2026-11-23T12:00:00"))
    told = gateway.ask(agreement, day)
    assert isinstance(told, Statement)
    pay(gateway, town, Post("t3", "a", 1, network_time="2026-11-23T12:00:00"))
    assert gateway.ask(agreement, day) == Refused("too-many")


def test_a_void_by_the_network(gateway: Gateway) -> None:
    town = town_of(gateway)
    agreement = agreement_of(town.biller_id)
    receipt = pay(gateway, town, Post("t1", "a", 100)).receipt
    voided = gateway.ask(agreement, Void(txn="t1", void_txn="v1"))
    assert isinstance(voided, Voided)
    assert str(voided.at.tzinfo) == agreement.timezone
    again = gateway.ask(agreement, Void(txn="t1", void_txn="v1"))
    assert isinstance(again, Voided)
    assert (str(again.at.tzinfo), again.at) == (agreement.timezone, voided.at)
    (void,) = gateway.rows("voids", town.biller_id)
    assert (void["author"], void["void_txn"]) == ("agent:" + agreement.agreement_id, "v1")
    key = (town.biller_id, agreement.agreement_id, "t1")
    assert last_record(gateway, town) == expected(
        gateway, town, actor="agent:" + agreement.agreement_id, verb="payment.voided", subject=str(receipt),
        digest=digest_of("void", *key, receipt, void["transaction_id"], 100, "2026-11-23"),
    )  # fmt: skip
    assert gateway.ask(agreement, Void(receipt=receipt, number="b")) == Conflict("t1")
    assert gateway.ask(agreement, Void(txn="t1", number="b")) == Conflict("t1")


def test_a_void_is_of_the_day_in_the_agreement_s_zone(gateway: Gateway) -> None:
    town = town_of(gateway)
    pay(gateway, town, Post("t1", "a", 100))
    gateway.clock.instant = gateway.clock.instant.replace(hour=22)  # in Moscow it is tomorrow
    assert isinstance(gateway.ask(agreement_of(town.biller_id), Void(txn="t1")), Voided)
    (row,) = [row for row in gateway.rows("transactions", town.biller_id) if row["kind"] == "void"]
    assert row["accounting_date"] == "2026-11-24"


def test_a_void_by_a_person(gateway: Gateway) -> None:
    town = town_of(gateway)
    receipt = pay(gateway, town, Post("t1", "a", 100)).receipt

    def void(which: int, reason: str) -> None:
        gateway.corrections.run(
            lambda book: void_payment(book, town.biller_id, which, reason, "cli:anna", gateway.clock.now())
        )

    with pytest.raises(NotAllowed, match=r"^a void needs a reason; nothing was changed$"):
        void(receipt, " ")
    with pytest.raises(NotFound, match="there is no payment with receipt 77"):
        void(77, "wrong")
    void(receipt, "wrong")
    (row,) = gateway.rows("voids", town.biller_id)
    assert row["void_txn"] == ""
    with pytest.raises(NotAllowed, match="2026-11-23T"):
        void(receipt, "wrong")


def test_deciding_anew(gateway: Gateway) -> None:
    town = town_of(gateway)
    first, second = town.charge_ids["a"]
    receipt = pay(gateway, town, Post("t1", "a", 500)).receipt

    def decide(which: int, wish: Wish, reason: str = "by its service") -> object:
        return gateway.corrections.run(
            lambda book: reallocate(
                book, (town.biller_id, which), wish, reason, "cli:anna", gateway.clock.now()
            )
        )

    # One kopeck is something to settle.
    decide(receipt, Wish([second]))
    assert last_record(gateway, town) == expected(
        gateway, town, actor="cli:anna", verb="payment.reallocated", subject=str(receipt),
        digest=digest_of("reallocated", receipt, second, 1, first, 499), detail="by its service",
    )  # fmt: skip
    with pytest.raises(NotAllowed, match=r"^deciding anew needs a reason; nothing was changed$"):
        decide(receipt, Wish(), " ")
    with pytest.raises(NotFound, match="there is no payment with receipt 77"):
        decide(77, Wish())
    with pytest.raises(NotAllowed, match=r"`kvit account show` lists its charges$"):
        decide(receipt, Wish([10**9]))
    assert gateway.findings(town.biller_id) == []


def test_an_advance_that_is_there_is_told_from_a_new_one(gateway: Gateway) -> None:
    """What a payment leaves over before and after: only the difference is written."""
    town = town_of(gateway)
    first, second = town.charge_ids["a"]
    receipt = pay(gateway, town, Post("t1", "a", 601)).receipt
    assert [row["advance_minor"] for row in gateway.rows("payments", town.biller_id)] == [100]
    gateway.corrections.run(
        lambda book: reallocate(
            book, (town.biller_id, receipt), Wish([second, first]), "anew", "cli:anna", gateway.clock.now()
        )
    )
    assert [row["advance_minor"] for row in gateway.rows("payments", town.biller_id)] == [100]
    assert gateway.findings(town.biller_id) == []


@pytest.mark.parametrize(("balance_minor", "due_minor", "advance_minor"), [(1, 1, 0), (0, 0, 0), (-1, 0, 1)])
def test_a_kopeck_owed_and_a_kopeck_in_advance(
    gateway: Gateway, balance_minor: int, due_minor: int, advance_minor: int
) -> None:
    town = seed(gateway.database, [Client("a")])
    set_account(gateway.database, town, "a", balance_minor=balance_minor)
    found = gateway.ask(agreement_of(town.biller_id), Lookup("1", "a"))
    assert isinstance(found, Found)
    assert (found.due_minor, found.advance_minor) == (due_minor, advance_minor)
