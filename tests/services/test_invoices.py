"""Payers who type the number of an invoice: one sum, once; and what goes to nobody."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from kvit.domain.messages import (
    BadAmount,
    Command,
    Conflict,
    Found,
    Held,
    Hold,
    Lookup,
    NoSuchAccount,
    Post,
    Posted,
    Refused,
    Status,
    Void,
    Voided,
)
from kvit.domain.model import BY_INVOICE, CLOSED, NOBODY, Agreement, ServiceTerms
from tests.gateway import Gateway
from tests.seeding import Client, Due, Town, agreement_of, seed, set_account

#: ``INV-7`` are two charges of one client; ``SHARED`` stands on charges of two.
CLIENTS = [
    Client("a", [
        Due(700, "2026-09-30", "water", "SHARED"),
        Due(300, "2026-10-31", "water", "INV-7"),
        Due(200, "2026-10-31", "waste", "INV-7"),
    ]),
    Client("b", [Due(900, document="SHARED")]),
]  # fmt: skip
ASKED = Lookup("", "INV-7")
PAY = Post("t1", "INV-7", 500)


def town_of(gateway: Gateway, **changes: object) -> tuple[Town, Agreement]:
    town = seed(gateway.database, CLIENTS)
    return town, agreement_of(town.biller_id, "wallet", payer_key=BY_INVOICE, may_hold=True, **changes)


def test_an_invoice_is_found_with_its_one_sum(gateway: Gateway) -> None:
    _, agreement = town_of(gateway, show_name="none")
    assert gateway.ask(agreement, ASKED) == Found("INV-7", 500, 0, "RUB", "", exact=True)
    assert gateway.ask(agreement, replace(ASKED, amount_minor=500)) == gateway.ask(agreement, ASKED)
    assert gateway.ask(agreement, replace(ASKED, amount_minor=499)) == BadAmount(499, 500, 500)


@pytest.mark.parametrize("number", ["INV-8", "a", "", "SHARED"])
def test_what_is_no_invoice_is_nobodys(gateway: Gateway, number: str) -> None:
    """Not an account's number either, nor a document that two accounts have."""
    _, agreement = town_of(gateway)
    assert gateway.ask(agreement, replace(ASKED, number=number)) == NoSuchAccount(number)
    assert gateway.ask(agreement, replace(PAY, number=number)) == NoSuchAccount(number)


def test_an_invoice_is_paid_once_and_to_its_own_charges(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    posted = gateway.ask(agreement, PAY)
    assert isinstance(posted, Posted)
    assert posted.number == "INV-7"
    assert gateway.ask(agreement, PAY) == replace(posted, repeat=True)
    assert gateway.ask(agreement, Status("t1")) == replace(posted, repeat=True)
    assert gateway.ask(agreement, replace(PAY, txn="t2")) == Refused("already-paid")
    assert gateway.ask(agreement, ASKED) == Refused("already-paid")
    assert gateway.ask(agreement, replace(PAY, number="SHARED")) == Conflict("t1")
    still_open = {row["charge_id"]: row["open_minor"] for row in gateway.rows("charges", town.biller_id)}
    assert [still_open[charge_id] for charge_id in town.charge_ids["a"]] == [700, 0, 0], "not the oldest due"
    assert gateway.findings(town.biller_id) == []


@pytest.mark.parametrize("amount_minor", [1, 499, 501, 1200])
def test_another_sum_is_refused(gateway: Gateway, amount_minor: int) -> None:
    town, agreement = town_of(gateway)
    for command in (replace(PAY, amount_minor=amount_minor), Hold("t1", "INV-7", amount_minor)):
        assert gateway.ask(agreement, command) == BadAmount(amount_minor, 500, 500)
    assert gateway.rows("payments", town.biller_id) == []


def test_while_it_is_held_for_one_nobody_else_may_pay_it(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    other = replace(agreement, agreement_id=agreement.agreement_id + "-2")
    assert isinstance(gateway.ask(agreement, Hold("t1", "INV-7", 500, lifetime_s=60)), Held)
    rivals: list[tuple[Agreement, Command]] = [
        (agreement, Hold("t2", "INV-7", 500)), (other, Hold("t1", "INV-7", 500)),
        (other, replace(PAY, txn="t9")),
        (agreement, ASKED), (other, ASKED),
    ]  # fmt: skip
    for rival, command in rivals:
        assert gateway.ask(rival, command) == Refused("being-paid"), command
    assert isinstance(gateway.ask(agreement, Hold("t1", "INV-7", 500)), Held)
    gateway.clock.forward(seconds=60)
    assert isinstance(gateway.ask(other, ASKED), Found), "its time is over"
    assert isinstance(gateway.ask(agreement, Hold("t2", "INV-7", 500)), Held)
    late = gateway.ask(agreement, Post("t1", "", 0, held=True))
    assert isinstance(late, Voided)
    assert isinstance(gateway.ask(agreement, Post("t2", "", 0, held=True)), Posted)
    assert gateway.findings(town.biller_id) == []


def test_a_released_invoice_may_be_paid_by_another(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    gateway.ask(agreement, Hold("t1", "INV-7", 500))
    gateway.ask(agreement, Void("t1"))
    posted = gateway.ask(agreement, replace(PAY, txn="t2"))
    assert isinstance(posted, Posted)
    assert isinstance(gateway.ask(agreement, Void("t2", number="INV-7")), Voided)
    assert isinstance(gateway.ask(agreement, ASKED), Found), "a payment that is taken back leaves it open"
    assert gateway.findings(town.biller_id) == []


def test_rivals_for_one_invoice_in_one_batch(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    results = gateway.post([
        (agreement, Hold("t1", "INV-7", 500)), (agreement, Hold("t2", "INV-7", 500)), (agreement, PAY),
        (agreement, Post("t2", "", 0, held=True)), (agreement, replace(PAY, txn="t3")),
    ])  # fmt: skip
    kinds = [type(result).__name__ for result in results]
    assert kinds == ["Held", "Refused", "Posted", "NoSuchTxn", "Refused"]
    assert [result.reason for result in results if isinstance(result, Refused)] == [
        "being-paid",
        "already-paid",
    ]
    assert gateway.findings(town.biller_id) == []


def test_an_invoice_of_a_closed_account(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    set_account(gateway.database, town, "a", status=CLOSED)
    for command in (ASKED, PAY):
        assert gateway.ask(agreement, command) == Refused("account-closed")


# --- money that is taken already -------------------------------------------------------------------------


def taken(number: str, amount_minor: int, txn: str = "t1") -> Post:
    return Post(txn, number, amount_minor, taken=True)


@pytest.mark.parametrize("why", ["unknown", "closed"])
def test_money_that_nobody_owns_is_in_suspense(gateway: Gateway, why: str) -> None:
    town, _ = town_of(gateway)
    agreement = agreement_of(town.biller_id, max_minor=100, valid_until="2026-01-01")
    number = "31337" if why == "unknown" else "b"
    if why == "closed":
        set_account(gateway.database, town, "b", status=CLOSED)
    command = taken(number, 5_000)
    posted = gateway.ask(agreement, command)
    assert isinstance(posted, Posted)
    assert posted.number == number
    assert gateway.ask(agreement, command) == replace(posted, repeat=True)
    assert gateway.ask(agreement, replace(command, number="a")) == Conflict("t1")
    (payment,) = gateway.rows("payments", town.biller_id)
    assert (payment["account_id"], payment["typed"], payment["advance_minor"]) == (NOBODY, number, 5_000)
    sides = {row["ledger_account"]: row["amount_minor"] for row in gateway.rows("entries", town.biller_id)}
    assert sides["suspense"] == -5_000
    assert gateway.findings(town.biller_id) == []
    voided = gateway.ask(agreement, Void("t1", number=number))
    assert isinstance(voided, Voided)
    assert gateway.findings(town.biller_id) == []


def test_money_that_is_taken_goes_to_its_client_whatever_the_limits(gateway: Gateway) -> None:
    town, _ = town_of(gateway)
    agreement = agreement_of(town.biller_id, max_minor=100, valid_until="2026-01-01")
    assert isinstance(gateway.ask(agreement, taken("b", 1_000)), Posted)
    assert gateway.balance(town.biller_id, "b") == -100
    assert gateway.ask(agreement, taken("b", 0, "t2")) == BadAmount(0, 1)
    assert gateway.findings(town.biller_id) == []


def test_money_taken_for_an_invoice_goes_to_its_account(gateway: Gateway) -> None:
    town, agreement = town_of(gateway)
    for place, amount_minor in enumerate((500, 100)):  # paid again: an advance
        assert isinstance(gateway.ask(agreement, taken("INV-7", amount_minor, f"t{place}")), Posted)
    assert gateway.balance(town.biller_id, "a") == 600
    assert isinstance(gateway.ask(agreement, taken("INV-9", 70, "t9")), Posted)
    assert [row["account_id"] == NOBODY for row in gateway.rows("payments", town.biller_id)] == [
        False,
        False,
        True,
    ]
    assert gateway.findings(town.biller_id) == []


# --- several services at one door ------------------------------------------------------------------------

SERVICES = (ServiceTerms("1", "water", None, 600), ServiceTerms("2", "waste", 50, None))


def test_each_service_has_its_charges_and_its_limits(gateway: Gateway) -> None:
    town, _ = town_of(gateway)
    agreement = agreement_of(town.biller_id, services=SERVICES, min_minor=10, max_minor=650)
    waste = Post("t1", "a", 150, service="2")
    posted = gateway.ask(agreement, waste)
    assert isinstance(posted, Posted)
    assert posted.service == "2"
    still_open = {row["charge_id"]: row["open_minor"] for row in gateway.rows("charges", town.biller_id)}
    assert [still_open[charge_id] for charge_id in town.charge_ids["a"]] == [700, 300, 50]
    assert gateway.ask(agreement, replace(waste, txn="t2", amount_minor=49)) == BadAmount(49, 50, 650)
    assert gateway.ask(agreement, Post("t3", "a", 601, service="1")) == BadAmount(601, 10, 600)
    assert gateway.ask(agreement, Lookup("", "a", service="1", amount_minor=601)) == BadAmount(601, 10, 600)
    for code in ("3", "water", ""):
        assert gateway.ask(agreement, Post("t4", "a", 100, service=code)) == Refused("service")
        assert gateway.ask(agreement, Lookup("", "a", service=code)) == Refused("service")
    renamed = replace(agreement, services=(ServiceTerms("2", "rubbish"),))
    assert gateway.ask(renamed, waste) == replace(posted, repeat=True), (
        "the name of a service is not its content"
    )
    assert gateway.ask(renamed, replace(waste, service="1")) == Conflict("t1")
    assert gateway.findings(town.biller_id) == []


def test_the_one_service_is_meant_where_none_is_named(gateway: Gateway) -> None:
    town, _ = town_of(gateway)
    agreement = agreement_of(town.biller_id, services=SERVICES[:1])
    command = Post("t1", "a", 100)
    posted = gateway.ask(agreement, command)
    assert isinstance(posted, Posted)
    assert posted.service == ""
    (payment,) = gateway.rows("payments", town.biller_id)
    assert (payment["service"], payment["service_code"]) == ("water", "-")
    for later in (agreement, replace(agreement, services=SERVICES), replace(agreement, services=())):
        gateway.clock.instant += timedelta(hours=1)
        assert gateway.ask(later, command) == replace(posted, repeat=True)
    assert gateway.ask(agreement, replace(command, service="1")) == Conflict("t1")
    assert gateway.findings(town.biller_id) == []


def test_books_without_documents_have_no_index_of_them(gateway: Gateway) -> None:
    """Charges without a document, and there may be millions, are not in the index of invoices."""
    query = "SELECT sql FROM sqlite_master WHERE name = 'charges_document'"
    if gateway.database.is_postgres:
        query = "SELECT indexdef FROM pg_indexes WHERE indexname = 'charges_document'"
    with gateway.database.read() as connection:
        assert "document <> ''" in connection.execute(text(query)).scalar_one()
