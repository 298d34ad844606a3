"""What an agent's register says is held against what came online; only what is missing is booked."""

from __future__ import annotations

import pytest

from kvit.domain.file_terms import FileTerms, RegisterTerms
from kvit.domain.messages import Hold, Post, Posted, Void
from kvit.domain.model import BY_INVOICE, CLOSED, Agreement
from tests.gateway import Gateway
from tests.intake import Counter, line
from tests.seeding import Client, Due, agreement_of, seed, set_account

CLIENTS = [
    Client("1002344", [Due(50_000, document="INV-1")]), Client("1002351"),
    Client("9", status=CLOSED),
]  # fmt: skip
DAY = "2026-11-20"


@pytest.fixture
def counter(gateway: Gateway) -> Counter:
    return Counter(gateway, seed(gateway.database, CLIENTS).biller_id)


def online(counter: Counter, agreement: Agreement, *posts: tuple[str, str, int]) -> list[Posted]:
    """Payments that came through the door on ``DAY``."""
    results = [
        counter.gateway.ask(agreement, Post(txn, number, amount_minor, network_time=f"{DAY}T10:00:00"))
        for txn, number, amount_minor in posts
    ]
    posted = [one for one in results if isinstance(one, Posted)]
    assert len(posted) == len(posts)
    return posted


def test_a_payment_that_came_online_is_confirmed_by_its_id(counter: Counter) -> None:
    agreement = agreement_of(counter.biller_id)
    first, _ = online(counter, agreement, ("1", "1002344", 150_000), ("2", "1002344", 150_000))
    lines = [line("1002344", 150_000, DAY, key="1"), line("1002344", 150_000, DAY, key="2")]
    result = counter.register(agreement, *lines)
    assert result.counts == {"confirmed": 2}
    assert result.decided[0].receipt == first.receipt
    assert counter.register(agreement, *lines).counts == {"known": 2}
    assert counter.paid() == {"1002344": 300_000}


def test_a_network_that_repeats_what_a_register_told_hears_the_same_result(counter: Counter) -> None:
    """The register was first: the line was away for a day."""
    agreement = agreement_of(counter.biller_id)
    told = counter.register(agreement, line("1002344", 150_000, DAY, key="1"))
    assert told.counts == {"new": 1}
    posted = counter.gateway.ask(agreement, Post("1", "1002344", 150_000))
    assert isinstance(posted, Posted)
    assert (posted.receipt, posted.repeat) == (told.decided[0].receipt, True)
    assert counter.paid() == {"1002344": 150_000}
    assert counter.gateway.findings(counter.biller_id) == []


def test_a_hold_that_the_register_knows_as_paid_is_posted(counter: Counter) -> None:
    agreement = agreement_of(counter.biller_id, may_hold=True)
    counter.gateway.ask(agreement, Hold("1", "1002344", 150_000))
    assert counter.register(agreement, line("1002344", 150_000, DAY, key="1")).counts == {"new": 1}
    assert counter.paid() == {"1002344": 150_000}
    (hold,) = counter.gateway.rows("holds", counter.biller_id)
    assert hold["state"] == "posted"
    assert counter.gateway.findings(counter.biller_id) == []


@pytest.mark.parametrize("day", ["2026-11-19", "2026-11-20", "2026-11-21"])
def test_without_an_id_account_sum_and_day_tell_one_to_one(counter: Counter, day: str) -> None:
    agreement = agreement_of(counter.biller_id)
    online(counter, agreement, ("1", "1002344", 100), ("2", "1002344", 100))
    one = line("1002344", 100, day, at=f"{day}T10:00:00")
    three = [one, one, one]
    result = counter.register(agreement, *three)
    assert result.verdicts == ["confirmed", "confirmed", "twin"], "the third was not online"
    assert counter.paid() == {"1002344": 300}
    assert counter.register(agreement, *three).counts == {"known": 3}


def test_two_days_apart_is_another_payment(counter: Counter) -> None:
    agreement = agreement_of(counter.biller_id)
    online(counter, agreement, ("1", "1002344", 100))
    assert counter.register(agreement, line("1002344", 100, "2026-11-22")).counts == {"new": 1}
    assert counter.paid() == {"1002344": 200}


def test_the_same_payment_under_another_id_is_not_booked_by_itself(counter: Counter) -> None:
    """Nobody can tell whether it is another one: neither doubled nor lost, it waits."""
    agreement = agreement_of(counter.biller_id)
    online(counter, agreement, ("1", "1002344", 100))
    result = counter.register(agreement, line("1002344", 100, DAY, key="other"))
    assert result.counts == {"quarantined": 1}
    assert "under another id" in result.decided[0].reason
    assert counter.paid() == {"1002344": 100}


def test_an_equal_payment_that_another_line_claims_stands_in_nobodys_way(counter: Counter) -> None:
    """Whatever the order of the lines: a really new one is booked."""
    agreement = agreement_of(counter.biller_id)
    online(counter, agreement, ("1", "1002344", 100))
    lines = [line("1002344", 100, DAY, key="2"), line("1002344", 100, DAY, key="1")]
    assert counter.register(agreement, *lines, dry=True).verdicts == ["new", "confirmed"]
    assert counter.register(agreement, *lines).verdicts == ["new", "confirmed"]
    assert counter.paid() == {"1002344": 200}


@pytest.mark.parametrize(
    ("number", "amount_minor", "what"),
    [("1002344", 101, "sum"), ("1002351", 100, "account"), ("nobody", 100, "account")],
)
def test_what_differs_from_the_payment_online_waits(
    counter: Counter, number: str, amount_minor: int, what: str
) -> None:
    agreement = agreement_of(counter.biller_id)
    online(counter, agreement, ("1", "1002344", 100))
    result = counter.register(agreement, line(number, amount_minor, DAY, key="1"))
    assert result.counts == {"quarantined": 1}
    assert what in result.decided[0].reason
    assert counter.paid() == {"1002344": 100}


def test_a_payment_that_was_taken_back_is_not_booked_again(counter: Counter) -> None:
    agreement = agreement_of(counter.biller_id)
    online(counter, agreement, ("1", "1002344", 100))
    counter.gateway.ask(agreement, Void("1"))
    result = counter.register(agreement, line("1002344", 100, DAY, key="1"))
    assert result.counts == {"quarantined": 1}
    assert counter.paid() == {}


@pytest.mark.parametrize("number", ["1002345", "9", ""])
def test_money_for_nobody_is_in_suspense(counter: Counter, number: str) -> None:
    agreement = agreement_of(counter.biller_id)
    result = counter.register(agreement, line(number, 100, key="1"))
    assert result.counts == {"suspense": 1}
    assert counter.paid() == {"": 100}
    assert counter.register(agreement, line(number, 100, key="1")).counts == {"known": 1}
    assert counter.gateway.findings(counter.biller_id) == []


def test_spaces_and_hyphens_in_a_number_do_not_count(counter: Counter) -> None:
    agreement = agreement_of(counter.biller_id)
    assert counter.register(agreement, line("100 23-44", 100, key="1")).counts == {"new": 1}
    assert counter.paid() == {"1002344": 100}


def test_only_what_is_paid_out_is_credited_where_so_agreed(counter: Counter) -> None:
    files = FileTerms(register=RegisterTerms(amount="net"))
    agreement = agreement_of(counter.biller_id, files=files)
    lines = [
        line("1002344", 1_000, key="1", net_minor=985, fee_minor=15),
        line("1002344", 1_000, key="2"),
    ]
    assert counter.register(agreement, *lines).verdicts == ["new", "quarantined"]
    assert counter.paid() == {"1002344": 985}


def test_an_invoice_is_settled_first_where_payers_name_it(counter: Counter) -> None:
    agreement = agreement_of(counter.biller_id, payer_key=BY_INVOICE)
    result = counter.register(agreement, line("INV-1", 50_000, key="1"), line("INV-2", 1, key="2"))
    assert result.verdicts == ["new", "suspense"]
    assert counter.paid() == {"1002344": 50_000, "": 1}
    (charge,) = counter.gateway.rows("charges", counter.biller_id)
    assert charge["open_minor"] == 0


def test_the_banks_day_is_the_day_of_the_books_however_old(counter: Counter) -> None:
    agreement = agreement_of(counter.biller_id)
    counter.register(agreement, line("1002344", 100, "2026-03-18", key="1"))
    (payment,) = counter.gateway.rows("payments", counter.biller_id)
    assert payment["accounting_date"] == "2026-03-18"


def test_a_closed_period_takes_nothing_more(gateway: Gateway) -> None:
    town = seed(gateway.database, CLIENTS, closed_through="2026-10-31")
    counter = Counter(gateway, town.biller_id)
    counter.register(agreement_of(town.biller_id), line("1002344", 100, "2026-10-30", key="1"))
    (payment,) = gateway.rows("payments", town.biller_id)
    assert payment["accounting_date"] == "2026-11-01"


@pytest.mark.parametrize(
    "wrong",
    [
        {"day": "2026-11-24"}, {"day": ""}, {"day": "2026-02-30"}, {"currency": "KZT"},
        {"is_reversal": True}, {"direction": "out"}, {"amount_minor": 10**17},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_waits(counter: Counter, wrong: dict[str, object]) -> None:
    good = line("1002344", 100, key="1")
    result = counter.register(agreement_of(counter.biller_id), good._replace(**wrong))  # type: ignore[arg-type]
    assert result.counts == {"quarantined": 1}
    assert counter.paid() == {}


def test_a_line_without_money_is_not_a_payment(counter: Counter) -> None:
    assert counter.register(agreement_of(counter.biller_id), line("1002344", 0, key="1")).counts == {
        "ignored": 1
    }


def test_a_look_says_what_importing_would_do_and_writes_nothing(counter: Counter) -> None:
    agreement = agreement_of(counter.biller_id)
    online(counter, agreement, ("1", "1002344", 100), ("2", "1002344", 100))
    one = line("1002344", 100, DAY)
    lines = [line("1002351", 7, key="7"), line("x", 5, key="8"), one, one, one]
    tables = ("payments", "money_lines", "imports", "entries", "journal")
    before = [counter.gateway.rows(name, counter.biller_id) for name in tables]
    seen = counter.register(agreement, *lines, dry=True)
    assert [counter.gateway.rows(name, counter.biller_id) for name in tables] == before
    assert seen.verdicts == counter.register(agreement, *lines).verdicts
    assert seen.verdicts == ["new", "suspense", "confirmed", "confirmed", "twin"]


def test_an_account_that_was_closed_meanwhile_gets_nothing(gateway: Gateway) -> None:
    town = seed(gateway.database, CLIENTS)
    counter, agreement = Counter(gateway, town.biller_id), agreement_of(town.biller_id)
    set_account(gateway.database, town, "1002344", status=CLOSED)
    assert counter.register(agreement, line("1002344", 1, key="1")).counts == {"suspense": 1}


def test_fees_are_those_of_the_agreement_and_the_lines_are_kept(counter: Counter) -> None:
    agreement = agreement_of(counter.biller_id)
    counter.register(agreement, line("1002344", 100_000, key="1", fee_minor=1_500, net_minor=98_500))
    (payment,) = counter.gateway.rows("payments", counter.biller_id)
    assert payment["biller_fee_minor"] == 1_200
    (kept,) = counter.gateway.rows("money_lines", counter.biller_id)
    assert (kept["fee_minor"], kept["net_minor"]) == (1_500, 98_500)
