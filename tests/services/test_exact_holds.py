"""Everything that is said and written about holds, invoices and notes, to the last field.

What each small change of the code would leave behind here, other tests do not look at.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kvit.domain import days
from kvit.domain.messages import (
    EXPIRED,
    BadAmount,
    Conflict,
    Found,
    Held,
    Hold,
    ListPosted,
    Lookup,
    Malformed,
    Note,
    Post,
    Posted,
    Refused,
    Statement,
    Status,
    Void,
    Voided,
)
from kvit.domain.model import BY_INVOICE, Agreement, ServiceTerms
from kvit.services import tellings
from tests.gateway import NOON, Gateway
from tests.seeding import Client, Due, Town, agreement_of, seed

CLIENTS = [
    Client("a", [Due(700, "2026-08-31"), Due(500, "2026-09-30", document="INV-7"), Due(300, "2026-09-30")]),
    Client("b"),
]


def town_of(gateway: Gateway, **changes: object) -> tuple[Town, Agreement]:
    town = seed(gateway.database, CLIENTS)
    return town, agreement_of(town.biller_id, "wallet", may_hold=True, **changes)


def hold(gateway: Gateway, agreement: Agreement, txn: str = "t1", lifetime_s: int = 3600) -> Held:
    held = gateway.ask(agreement, Hold(txn, "a", 10, lifetime_s=lifetime_s))
    assert isinstance(held, Held)
    return held


def test_what_is_told_of_a_payment_that_was_held_and_taken_back(gateway: Gateway) -> None:
    _, agreement = town_of(gateway)
    held = hold(gateway, agreement)
    gateway.clock.forward(minutes=1)
    posted = gateway.ask(agreement, Post("t1", "", 0, held=True))
    assert isinstance(posted, Posted)
    gateway.clock.forward(minutes=1)
    voided = gateway.ask(agreement, Void("t1", void_txn="v9", reason="why"))
    zone = days.zone(agreement.timezone)
    assert voided == Voided(
        "t1", held.receipt, "a", 10, "RUB", gateway.clock.now().astimezone(zone), "why", "v9",
        posted=replace(posted, repeat=True), held=replace(held, repeat=True),
    )  # fmt: skip
    assert isinstance(voided, Voided)
    assert voided.at.utcoffset() == timedelta(hours=3)


def test_what_is_told_of_a_hold_that_was_released(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    held = hold(gateway, agreement)
    gateway.clock.forward(minutes=2)
    released = gateway.ask(agreement, Void("t1", void_txn="v9"))
    assert released == Voided(
        "t1", held.receipt, "a", 10, "RUB", gateway.clock.now(), "cancelled by the network", "v9",
        held=replace(held, repeat=True),
    )  # fmt: skip
    assert isinstance(released, Voided)
    assert released.at.utcoffset() == timedelta(hours=3)
    (record,) = [row for row in gateway.rows("journal", town.biller_id) if row["verb"] == "payment.released"]
    assert (record["actor"], record["subject"], record["detail"]) == (
        "agent:" + agreement.agreement_id, str(held.receipt), "",
    )  # fmt: skip
    (row,) = gateway.rows("holds", town.biller_id)
    assert (row["end_act_id"], row["void_txn"]) == (record["journal_id"], "v9")


def test_a_hold_is_told_as_a_repeat_with_its_id(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    held = hold(gateway, agreement)
    for _ in range(3):
        assert gateway.ask(agreement, Hold("t1", "a", 10)) == replace(held, repeat=True)
    assert gateway.ask(agreement, Status("t1")) == replace(held, repeat=True)
    (row,) = gateway.rows("holds", town.biller_id)
    assert row["attempts"] == 5
    gateway.clock.forward(days=2)  # long after its end
    expired = Voided(
        "t1", held.receipt, "a", 10, "RUB", NOON + timedelta(hours=1), EXPIRED, repeat=True,
        held=replace(held, repeat=True),
    )  # fmt: skip
    listed = ListPosted("2026-11-23T00:00:00", "2026-11-23T23:59:59", every_state=True)
    assert gateway.ask(agreement, listed) == Statement((expired,))
    assert gateway.ask(agreement, Status("t1")) == expired
    assert gateway.ask(agreement, listed) == Statement((expired,)), "and now it is written down"


def test_twins_of_a_hold_in_one_batch_are_all_counted(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    gateway.post([(agreement, Hold("t1", "a", 10))] * 4)
    (row,) = gateway.rows("holds", town.biller_id)
    assert row["attempts"] == 4


def test_a_contradiction_names_the_payment_that_is_meant(gateway: Gateway) -> None:
    _, agreement = town_of(gateway)
    held = hold(gateway, agreement)
    assert gateway.ask(agreement, Void(receipt=held.receipt, number="b")) == Conflict("t1")


def test_a_list_of_every_state_has_its_limit(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tellings, "STATEMENT_ITEMS_MAX", 2)
    _, agreement = town_of(gateway)
    day = ListPosted("2026-11-23T00:00:00", "2026-11-23T23:59:59")
    for place in range(3):
        hold(gateway, agreement, f"t{place}")
        gateway.ask(agreement, Post(f"t{place}", "", 0, held=True))
        expected = Statement if place < 2 else Refused
        assert isinstance(gateway.ask(agreement, day), expected)
        assert isinstance(gateway.ask(agreement, replace(day, every_state=True)), expected)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-11-23T00:00:00", "2026-11-23"), ("2026-11-23T00:00:00", "2026-11-23T25:00:00"),
        ("2026-11-23Tnoon", "2026-11-23T23:00:00"), ("0001-01-01T00:00:00+14:00", "2026-11-23T00:00:00"),
    ],
)  # fmt: skip
def test_moments_that_are_none(gateway: Gateway, since: str, until: str) -> None:
    _, agreement = town_of(gateway)
    assert gateway.ask(agreement, ListPosted(since, until)) == Malformed("date")


def test_a_note_is_kept_word_for_word(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    gateway.ask(agreement, Post("t1", "a", 10))
    gateway.ask(agreement, Note("t1", "fiscal", (("sign", "7"), ("url", "é"))))
    (note,) = gateway.rows("notes", town.biller_id)
    assert (note["kind"], note["fields"]) == ("fiscal", '{"sign": "7", "url": "é"}')
    (record,) = [row for row in gateway.rows("journal", town.biller_id) if row["verb"] == "payment.noted"]
    assert (record["journal_id"], record["subject"]) == (note["note_id"], str(note["receipt"]))


# --- invoices, and money that is taken ---------------------------------------------------------------------


def test_an_invoice_is_asked_about_within_the_agreement(gateway: Gateway) -> None:
    _, agreement = town_of(gateway, payer_key=BY_INVOICE, show_name="none")
    asked = Lookup("", "INV-7")
    assert gateway.ask(agreement, asked) == Found("INV-7", 500, 0, "RUB", exact=True)
    past = replace(agreement, valid_until="2026-11-22")
    assert gateway.ask(past, asked) == Refused("agreement-closed")
    several = replace(agreement, services=(ServiceTerms("1", "water", None, 400),))
    assert gateway.ask(several, replace(asked, service="2")) == Refused("service")
    paying = replace(asked, service="1", amount_minor=500)
    assert gateway.ask(several, paying) == BadAmount(500, 1, 400)
    assert isinstance(gateway.ask(agreement, replace(asked, amount_minor=500)), Found)


def test_money_taken_for_an_invoice_settles_it_and_not_the_oldest(gateway: Gateway) -> None:
    town, agreement = town_of(gateway, payer_key=BY_INVOICE)
    gateway.ask(agreement, Post("t1", "INV-7", 499, taken=True))
    still_open = {row["charge_id"]: row["open_minor"] for row in gateway.rows("charges", town.biller_id)}
    assert [still_open[charge_id] for charge_id in town.charge_ids["a"]] == [700, 1, 300]
    gateway.ask(agreement, Post("t2", "INV-7", 1, taken=True))
    still_open = {row["charge_id"]: row["open_minor"] for row in gateway.rows("charges", town.biller_id)}
    assert [still_open[charge_id] for charge_id in town.charge_ids["a"]] == [700, 0, 300]


def test_the_least_sum_that_can_be_taken(gateway: Gateway) -> None:
    _, agreement = town_of(gateway)
    assert isinstance(gateway.ask(agreement, Post("t1", "a", 1, taken=True)), Posted)
    assert gateway.ask(agreement, Post("t2", "a", 0, taken=True)) == BadAmount(0, 1)


# --- whole rows --------------------------------------------------------------------------------------------

ANNOUNCED = Hold(
    "t1", "a", 900, service="2", network_time="2026-11-23T11:59:00", network_time_raw="11:59",
    fields=(("z", "1"), ("a", "é")), lifetime_s=60,
)  # fmt: skip


def test_every_column_of_a_hold(gateway: Gateway) -> None:
    town, agreement = town_of(gateway, services=(ServiceTerms("1", "water"), ServiceTerms("2", "waste")))
    held = gateway.ask(agreement, ANNOUNCED)
    assert isinstance(held, Held)
    assert (held.service, held.held_at.utcoffset()) == ("2", timedelta(hours=3))
    (record,) = [row for row in gateway.rows("journal", town.biller_id) if row["verb"] == "payment.held"]
    (row,) = gateway.rows("holds", town.biller_id)
    noon_us = days.to_us(NOON)
    assert row == {
        "biller_id": town.biller_id, "agreement_id": agreement.agreement_id, "txn": "t1",
        "receipt": held.receipt, "account_id": town.account_ids["a"], "amount_minor": 900, "currency": "RUB",
        "service": "waste", "state": "held", "attempts": 1, "network_time": "11:59",
        "network_at_us": noon_us - 60_000_000, "held_at_us": noon_us, "expires_at_us": noon_us + 60_000_000,
        "ended_at_us": None, "reason": "", "void_txn": "", "targets": "",
        "fields": '{"a": "é", "z": "1"}', "typed": "", "service_code": "2",
        "act_id": record["journal_id"], "end_act_id": None,
    }  # fmt: skip


def test_every_column_of_a_payment_that_was_held(gateway: Gateway) -> None:
    """It settles the charges of its service, in the books as without a hold."""
    clients = [Client("a", [Due(700, "2026-08-31"), Due(500, "2026-09-30", "waste")])]
    town = seed(gateway.database, clients)
    services = (ServiceTerms("1", "water"), ServiceTerms("2", "waste"))
    agreement = agreement_of(town.biller_id, "wallet", may_hold=True, services=services)
    gateway.ask(agreement, ANNOUNCED)
    gateway.clock.forward(seconds=30)
    posted = gateway.ask(agreement, Post("t1", "", 0, held=True, network_time="2026-11-22T10:00:00"))
    assert isinstance(posted, Posted)
    assert (posted.service, posted.held_at) == ("2", NOON)
    assert posted.held_at is not None
    assert posted.held_at.utcoffset() == timedelta(hours=3)
    noon_us = days.to_us(NOON)
    (row,) = gateway.rows("payments", town.biller_id)
    assert row == {
        "biller_id": town.biller_id, "agreement_id": agreement.agreement_id, "txn": "t1",
        "receipt": posted.receipt, "account_id": town.account_ids["a"], "amount_minor": 900,
        "currency": "RUB", "service": "waste", "state": "posted", "attempts": 1, "advance_minor": 0,
        "payer_fee_minor": 0, "biller_fee_minor": 11, "network_time": "11:59",
        "network_at_us": noon_us - 60_000_000, "received_at_us": noon_us + 30_000_000,
        "accounting_date": "2026-11-22", "fields": '{"a": "é", "z": "1"}', "typed": "", "service_code": "2",
    }  # fmt: skip
    still_open = {each["charge_id"]: each["open_minor"] for each in gateway.rows("charges", town.biller_id)}
    assert [still_open[charge_id] for charge_id in town.charge_ids["a"]] == [300, 0]


def test_every_column_of_a_plain_payment(gateway: Gateway) -> None:
    town, _ = town_of(gateway)
    agreement = agreement_of(town.biller_id)
    posted = gateway.ask(agreement, Post("t1", "b", 900, service="water"))
    assert isinstance(posted, Posted)
    (row,) = gateway.rows("payments", town.biller_id)
    assert row == {
        "biller_id": town.biller_id, "agreement_id": agreement.agreement_id, "txn": "t1",
        "receipt": posted.receipt, "account_id": town.account_ids["b"], "amount_minor": 900,
        "currency": "RUB", "service": "water", "state": "posted", "attempts": 1, "advance_minor": 900,
        "payer_fee_minor": 0, "biller_fee_minor": 11, "network_time": "", "network_at_us": None,
        "received_at_us": days.to_us(NOON), "accounting_date": "2026-11-23", "fields": "", "typed": "",
        "service_code": "",
    }  # fmt: skip


def test_twins_of_a_payment_in_one_batch_are_all_counted(gateway: Gateway) -> None:
    town, _ = town_of(gateway)
    gateway.post([(agreement_of(town.biller_id), Post("t1", "b", 900))] * 5)
    (row,) = gateway.rows("payments", town.biller_id)
    assert row["attempts"] == 5


def test_a_hold_that_is_met_after_its_end_is_no_repeat_the_first_time(gateway: Gateway) -> None:
    _, agreement = town_of(gateway)
    hold(gateway, agreement, lifetime_s=60)
    gateway.clock.forward(seconds=60)
    first = gateway.ask(agreement, Post("t1", "", 0, held=True))
    again = gateway.ask(agreement, Post("t1", "", 0, held=True))
    assert isinstance(first, Voided)
    assert isinstance(again, Voided)
    assert (first.repeat, again.repeat) == (False, True)


def test_an_invoice_that_was_released_in_the_batch_may_be_held_again(gateway: Gateway) -> None:
    """What a batch has reserved is given back when its own hold is posted, or found to have ended."""
    town, agreement = town_of(gateway, payer_key=BY_INVOICE, show_name="full")
    assert isinstance(gateway.ask(agreement, Hold("t1", "INV-7", 500, lifetime_s=60)), Held)
    found = gateway.ask(replace(agreement, agreement_id="x"), Lookup("", "INV-7"))
    assert found == Refused("being-paid")
    gateway.clock.forward(seconds=60)
    results = gateway.post([
        (agreement, Post("t1", "", 0, held=True)), (agreement, Hold("t2", "INV-7", 500)),
        (agreement, Hold("t3", "INV-7", 500)), (agreement, Post("t2", "", 0, held=True)),
    ])  # fmt: skip
    assert [type(result).__name__ for result in results] == ["Voided", "Held", "Refused", "Posted"]
    (held,) = [row for row in gateway.rows("holds", town.biller_id) if row["txn"] == "t2"]
    assert (held["state"], held["reason"]) == ("posted", "")


def test_payments_of_one_batch_have_days_of_their_own(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    days_told = ("2026-11-20", "2026-11-21", "2026-11-20")
    posts = [
        (agreement, Post(f"d{place}", "b", 1, network_time=f"{day}T10:00:00"))
        for place, day in enumerate(days_told)
    ]
    gateway.post(posts)
    told = {row["txn"]: row["accounting_date"] for row in gateway.rows("payments", town.biller_id)}
    assert told == {f"d{place}": day for place, day in enumerate(days_told)}


def test_a_void_opens_what_was_settled_in_part_and_lets_an_advance_settle_it(gateway: Gateway) -> None:
    """Two payments share a charge; the second one's rest is an advance that takes the first one's place."""
    town, agreement = town_of(gateway)
    gateway.ask(agreement, Post("v1", "a", 800))  # 700 of the first charge, 100 of the second
    gateway.ask(agreement, Post("v2", "a", 1_000))  # the other 700 of it and of the third, and 300 over
    assert [row["open_minor"] for row in gateway.rows("charges", town.biller_id)] == [0, 0, 0]
    gateway.ask(agreement, Void("v1"))
    still_open = [row["open_minor"] for row in gateway.rows("charges", town.biller_id)]
    assert still_open == [400, 100, 0], "300 of the advance went to the oldest"
    assert gateway.balance(town.biller_id, "a") == 500
    gateway.ask(agreement, Void("v2"))
    assert [row["open_minor"] for row in gateway.rows("charges", town.biller_id)] == [700, 500, 300]
    assert gateway.findings(town.biller_id) == []


def test_an_invoice_that_is_let_go_within_a_batch_is_free_for_the_next(gateway: Gateway) -> None:
    town, agreement = town_of(gateway, payer_key=BY_INVOICE)
    first = gateway.post([(agreement, Hold("h1", "INV-7", 500, lifetime_s=60))])
    assert isinstance(first[0], Held)
    gateway.clock.forward(seconds=61)
    results = gateway.post(
        [
            (agreement, Hold("h1", "INV-7", 500, lifetime_s=60)),  # its time is over, and that is written
            (agreement, Hold("h2", "INV-7", 500, lifetime_s=60)),
            (agreement, Hold("h3", "INV-7", 500, lifetime_s=60)),
        ]
    )
    assert isinstance(results[0], Voided)
    assert isinstance(results[1], Held)
    assert results[2] == Refused("being-paid")
    assert gateway.findings(town.biller_id) == []
