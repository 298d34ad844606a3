"""Rules 5, 7 and 11: taking back by reversing entries, and telling behind a commit. On both engines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.messages import (
    Conflict,
    ListPosted,
    Malformed,
    NoSuchTxn,
    Post,
    Posted,
    Refused,
    Result,
    Statement,
    Status,
    Void,
    Voided,
)
from kvit.domain.model import VoidRow
from kvit.services import tellings
from kvit.services.corrections import void_payment
from tests.gateway import Gateway
from tests.seeding import Client, Due, Town, agreement_of, seed

PAY = Post("t1", "a", 700)
CHARGES = [Due(500, "2026-09-30"), Due(400, "2026-10-31")]


def town_of(gateway: Gateway, **more: str) -> Town:
    return seed(gateway.database, [Client("a", CHARGES), Client("b")], **more)


def pay(gateway: Gateway, town: Town, post: Post = PAY, name: str = "qiwi") -> Posted:
    result = gateway.ask(agreement_of(town.biller_id, name), post)
    assert isinstance(result, Posted)
    return result


def void_by_hand(gateway: Gateway, town: Town, receipt: int, reason: str = "wrong client") -> VoidRow:
    return gateway.corrections.run(
        lambda book: void_payment(book, town.biller_id, receipt, reason, "cli:anna", gateway.clock.now())
    )


def open_sums(gateway: Gateway, town: Town) -> list[int]:
    return [row["open_minor"] for row in gateway.rows("charges", town.biller_id)]


def advances(gateway: Gateway, town: Town) -> dict[str, int]:
    return {row["txn"]: row["advance_minor"] for row in gateway.rows("payments", town.biller_id)}


def test_taken_back_by_a_person(gateway: Gateway) -> None:
    town = town_of(gateway)
    receipt = pay(gateway, town).receipt
    assert open_sums(gateway, town) == [0, 200]
    row = void_by_hand(gateway, town, receipt, "  wrong client ")
    assert (row.receipt, row.reason, row.author) == (receipt, "wrong client", "cli:anna")
    assert open_sums(gateway, town) == [500, 400]
    assert gateway.balance(town.biller_id, "a") == 900
    (transaction,) = [r for r in gateway.rows("transactions", town.biller_id) if r["kind"] == "void"]
    assert (transaction["reverses"], transaction["author"]) == (receipt, "cli:anna")
    assert transaction["reason"] == "wrong client"
    sums: dict[str, int] = {}
    for entry in gateway.rows("entries", town.biller_id):
        sums[entry["ledger_account"]] = sums.get(entry["ledger_account"], 0) + entry["amount_minor"]
    assert sums == {"client:a": 900, "income:water": -900, f"clearing:qiwi-{town.biller_id}": 0}
    assert [r["kind"] for r in gateway.rows("outbox", town.biller_id)] == ["payment.posted", "payment.voided"]
    assert gateway.rows("journal", town.biller_id)[-1]["actor"] == "cli:anna"
    assert gateway.findings(town.biller_id) == []


@pytest.mark.parametrize("reason", ["", "  ", "\n"])
def test_without_a_reason_nothing_is_taken_back(gateway: Gateway, reason: str) -> None:
    town = town_of(gateway)
    receipt = pay(gateway, town).receipt
    with pytest.raises(NotAllowed):
        void_by_hand(gateway, town, receipt, reason)
    assert gateway.balance(town.biller_id, "a") == 200


def test_a_person_takes_back_once_and_only_what_there_is(gateway: Gateway) -> None:
    town, other = town_of(gateway), town_of(gateway)
    receipt = pay(gateway, town).receipt
    for biller, wrong in ((town, receipt + 1_000), (other, receipt)):
        with pytest.raises(NotFound):
            void_by_hand(gateway, biller, wrong)
    void_by_hand(gateway, town, receipt)
    with pytest.raises(NotAllowed, match="wrong client"):
        void_by_hand(gateway, town, receipt, "again")
    assert len(gateway.rows("voids", town.biller_id)) == 1
    assert gateway.findings(town.biller_id) == []


def test_unused_money_settles_what_a_void_opens(gateway: Gateway) -> None:
    """Of two payments the first settled the debt; when it goes, the second takes its place."""
    town = town_of(gateway)
    first = pay(gateway, town, Post("t1", "a", 900))
    pay(gateway, town, Post("t2", "a", 600))
    assert advances(gateway, town) == {"t1": 0, "t2": 600}
    void_by_hand(gateway, town, first.receipt)
    assert advances(gateway, town) == {"t1": 0, "t2": 0}
    assert open_sums(gateway, town) == [0, 300]
    assert gateway.balance(town.biller_id, "a") == 300
    assert gateway.findings(town.biller_id) == []


def test_the_payer_s_advance_goes_with_its_payment(gateway: Gateway) -> None:
    town = town_of(gateway)
    receipt = pay(gateway, town, Post("t1", "a", 1_500)).receipt
    void_by_hand(gateway, town, receipt)
    assert advances(gateway, town) == {"t1": 0}
    assert gateway.balance(town.biller_id, "a") == 900
    assert gateway.findings(town.biller_id) == []


def test_a_void_never_lands_in_a_closed_period(gateway: Gateway) -> None:
    town = town_of(gateway, closed_through="2026-11-24")
    receipt = pay(gateway, town).receipt
    void_by_hand(gateway, town, receipt)
    days = {
        row["accounting_date"]
        for row in gateway.rows("transactions", town.biller_id)
        if row["kind"] != "charge"
    }
    assert days == {"2026-11-25"}


# --- the network takes back ------------------------------------------------------------------------


@pytest.mark.parametrize("known_by", ["txn", "receipt"])
def test_taken_back_by_the_network_and_asked_again(gateway: Gateway, known_by: str) -> None:
    town = town_of(gateway)
    agreement, posted = agreement_of(town.biller_id), pay(gateway, town)
    command = Void(txn="t1", void_txn="v1") if known_by == "txn" else Void(receipt=posted.receipt)
    first = gateway.ask(agreement, command)
    assert first == Voided(
        "t1", posted.receipt, "a", 700, "RUB", gateway.clock.now(), "cancelled by the network",
        command.void_txn, repeat=False, posted=replace(posted, repeat=True),
    )  # fmt: skip
    gateway.clock.forward(hours=1)
    assert isinstance(first, Voided)
    assert gateway.ask(agreement, command) == replace(first, repeat=True)
    (payment,) = gateway.rows("payments", town.biller_id)
    assert (payment["state"], payment["attempts"]) == ("voided", 2), "the repeat stands behind a commit too"
    assert len(gateway.rows("voids", town.biller_id)) == 1
    assert gateway.findings(town.biller_id) == []


def NOON_OF(gateway: Gateway) -> object:  # noqa: N802 - reads like the constant
    return gateway.clock.now()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (Void(txn="t9"), NoSuchTxn("t9")),
        (Void(txn=""), NoSuchTxn("")),
        (Void(receipt=999_999_999), NoSuchTxn("")),
        (Void(txn="t1", number="b"), Conflict("t1")),
        (Void(txn="t1", amount_minor=699), Conflict("t1")),
        (Void(txn="t1", amount_minor=0), Conflict("t1")),
    ],
)
def test_what_the_network_may_not_take_back(gateway: Gateway, command: Void, expected: Result) -> None:
    town = town_of(gateway)
    pay(gateway, town)
    assert gateway.ask(agreement_of(town.biller_id), command) == expected
    assert gateway.balance(town.biller_id, "a") == 200
    assert not gateway.rows("voids", town.biller_id)


def test_one_network_never_sees_another_s_payments(gateway: Gateway) -> None:
    town = town_of(gateway)
    receipt = pay(gateway, town).receipt
    stranger = agreement_of(town.biller_id, "bank")
    assert gateway.ask(stranger, Void(txn="t1")) == NoSuchTxn("t1")
    assert gateway.ask(stranger, Void(receipt=receipt)) == NoSuchTxn("")
    assert gateway.ask(stranger, Status("t1")) == NoSuchTxn("t1")
    assert gateway.ask(stranger, ListPosted("2026-11-01", "2026-11-30")) == Statement(())


# --- telling -----------------------------------------------------------------------------------------


def test_a_status_is_what_is_stored_and_a_write(gateway: Gateway) -> None:
    town = town_of(gateway)
    agreement, posted = agreement_of(town.biller_id), pay(gateway, town)
    assert gateway.ask(agreement, Status("t1")) == replace(posted, repeat=True)
    assert gateway.rows("payments", town.biller_id)[0]["attempts"] == 2
    voided = gateway.ask(agreement, Void(txn="t1"))
    assert isinstance(voided, Voided)
    assert gateway.ask(agreement, Status("t1")) == replace(voided, repeat=True)
    assert gateway.rows("payments", town.biller_id)[0]["attempts"] == 3
    assert gateway.ask(agreement, Status("t2")) == NoSuchTxn("t2")


def test_a_statement_lists_the_days_payments_and_is_a_write(gateway: Gateway) -> None:
    town = town_of(gateway)
    agreement = agreement_of(town.biller_id)
    told = [
        pay(gateway, town, Post(f"t{place}", "a", 10 + place, network_time=f"2026-11-{20 + place}T12:00:00"))
        for place in range(4)
    ]
    gateway.ask(agreement, Void(txn="t2"))
    wanted = tuple(replace(each, repeat=True) for each in (told[1], told[3]))
    assert gateway.ask(agreement, ListPosted("2026-11-21", "2026-11-23")) == Statement(wanted)
    assert gateway.ask(agreement, ListPosted("2026-11-24", "2026-11-24")) == Statement(())
    verbs = [row["verb"] for row in gateway.rows("journal", town.biller_id)]
    assert verbs.count("payment.told") == 2


def test_a_statement_is_whole_or_refused(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    town = town_of(gateway)
    for place in range(3):
        pay(gateway, town, Post(f"t{place}", "a", 1))
    asked = ListPosted("2026-11-23", "2026-11-23")
    for most, expected in ((3, Statement), (2, Refused)):
        monkeypatch.setattr(tellings, "STATEMENT_ITEMS_MAX", most)
        assert isinstance(gateway.ask(agreement_of(town.biller_id), asked), expected)


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [("2026-11-24", "2026-11-23", Malformed), ("2026-01-01", "2026-11-23", Refused),
     ("today", "x", Malformed), ("2026-11-31", "2026-12-01", Malformed),
     ("2026-11-01", "2026-11-23", Statement)],
)  # fmt: skip
def test_days_that_may_be_asked_for(gateway: Gateway, since: str, until: str, expected: type) -> None:
    town = town_of(gateway)
    assert isinstance(gateway.ask(agreement_of(town.biller_id), ListPosted(since, until)), expected)
