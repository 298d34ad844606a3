"""Balances as of a day: what is owed is set, and payments taken afterwards still count."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from kvit.domain.errors import NotAllowed
from kvit.storage import schema
from tests.bureau import Balance, Bureau, Owed, bureau_at

DAY = "2026-09-30"


@pytest.fixture
def bureau(books_url: str) -> Iterator[Bureau]:
    with bureau_at(books_url) as bureau:
        bureau.clients("1001", "1002", "1003")
        yield bureau


def close_through(bureau: Bureau, day: str) -> None:
    with bureau.database.write() as connection:
        connection.execute(update(schema.billers).values(closed_through=day))


def opening_dates(bureau: Bureau) -> set[str]:
    """The days of the transactions that were booked against opening."""
    entries, transactions = schema.entries.c, schema.transactions.c
    query = (
        select(transactions.accounting_date)
        .join(schema.entries, entries.transaction_id == transactions.transaction_id)
        .where(entries.ledger_account == "opening")
    )
    with bureau.database.read() as connection:
        return set(connection.execute(query).scalars())


def test_a_balance_is_set_and_says_so(bureau: Bureau) -> None:
    tally = bureau.balances(
        [Balance(2, "1001", 12000), Balance(3, "1002", -500), Balance(4, "1003", 0)], DAY
    ).tally
    assert (tally.adjusted, tally.unchanged, tally.added_minor) == (2, 1, 11500)
    page = bureau.page("1001")
    assert page["charges"] == [
        {
            "id": page["charges"][0]["id"], "service": "balance", "period": "",
            "document": "as of 2026-09-30", "amount_minor": 12000, "open_minor": 12000, "due": DAY,
        }
    ]  # fmt: skip
    assert bureau.page("1002")["advance_minor"] == 500
    assert opening_dates(bureau) == {DAY}


def test_the_same_file_again_changes_nothing(bureau: Bureau) -> None:
    rows = [Balance(2, "1001", 12000), Balance(3, "1002", -500)]
    bureau.balances(rows, DAY)
    tally = bureau.balances(rows, DAY).tally
    assert (tally.unchanged, tally.adjusted) == (2, 0)


def test_payments_after_the_day_still_count(bureau: Bureau) -> None:
    bureau.balances([Balance(2, "1001", 12000)], DAY)
    bureau.paid("1001", 5000, at="2026-10-05T12:00:00")
    tally = bureau.balances([Balance(2, "1001", 12000)], DAY).tally
    assert tally.unchanged == 1
    assert bureau.due("1001") == 7000


def test_payments_of_the_day_are_in_the_balance(bureau: Bureau) -> None:
    bureau.paid("1001", 5000, at="2026-09-30T23:59:00")
    bureau.balances([Balance(2, "1001", 12000)], DAY)
    assert bureau.due("1001") == 12000


def test_the_next_month_adds_what_was_charged_elsewhere(bureau: Bureau) -> None:
    bureau.balances([Balance(2, "1001", 10000)], "2026-08-31")
    bureau.paid("1001", 4000, at="2026-09-25T12:00:00")
    tally = bureau.balances([Balance(2, "1001", 15000)], DAY).tally
    assert tally.added_minor == 9000
    assert bureau.due("1001") == 15000
    assert bureau.open_sums("1001") == [6000, 9000]


def test_a_lower_balance_settles_the_oldest_and_keeps_the_rest(bureau: Bureau) -> None:
    bureau.balances([Balance(2, "1001", 10000)], "2026-08-31")
    bureau.balances([Balance(2, "1001", 13000)], DAY)
    tally = bureau.balances([Balance(2, "1001", 2000)], DAY).tally
    assert (tally.added_minor, tally.settled_minor) == (-11000, 11000)
    assert bureau.open_sums("1001") == [0, 2000]
    bureau.balances([Balance(2, "1001", -700)], DAY)
    assert bureau.due("1001") == -700
    bureau.charge("1001", 1000)
    assert bureau.due("1001") == 300


def test_a_corrected_file_of_one_day_raises_the_balance_once_more(bureau: Bureau) -> None:
    for amount_minor in (10000, 12000, 11000, 15000):
        bureau.balances([Balance(2, "1001", amount_minor)], DAY)
        assert bureau.due("1001") == amount_minor
    assert len(bureau.page("1001")["charges"]) == 3


def test_a_closed_period_moves_the_entries_and_not_the_balance(bureau: Bureau) -> None:
    close_through(bureau, "2026-10-10")
    rows = [Balance(2, "1001", 12000), Balance(3, "1002", -300)]
    bureau.balances(rows, DAY)
    assert opening_dates(bureau) == {"2026-10-11"}
    bureau.paid("1001", 100, at="2026-10-05T12:00:00")
    assert bureau.balances(rows, DAY).tally.unchanged == 2
    assert bureau.due("1001") == 11900


def test_balances_of_several_services_add_up(bureau: Bureau) -> None:
    rows = [
        Balance(2, "1001", 7000, "water"),
        Balance(3, "1001", 3000, "heat"),
        Balance(4, "1002", 50, "heat"),
    ]
    assert bureau.balances(rows, "2026-08-31").tally.adjusted == 3
    shown = {(each["service"], each["open_minor"]) for each in bureau.page("1001")["charges"]}
    assert shown == {("water", 7000), ("heat", 3000)}
    assert bureau.balances(rows, "2026-08-31").tally.unchanged == 3
    bureau.paid("1001", 2000, service="heat", at="2026-09-25T12:00:00")
    bureau.balances([Balance(2, "1001", 7000, "water"), Balance(3, "1001", 4000, "heat")], DAY)
    open_minor = {"water": 0, "heat": 0}
    for each in bureau.page("1001")["charges"]:
        open_minor[each["service"]] += each["open_minor"]
    assert open_minor == {"water": 7000, "heat": 4000}


def test_a_service_paid_in_advance_lowers_the_sum(bureau: Bureau) -> None:
    bureau.balances([Balance(2, "1001", 7000, "water"), Balance(3, "1001", -3000, "heat")], DAY)
    assert bureau.due("1001") == 4000


def test_accounts_that_the_file_does_not_name_stay(bureau: Bureau) -> None:
    bureau.charges([Owed(2, "1001", 500)])
    bureau.balances([Balance(2, "1002", 100)], DAY)
    assert bureau.due("1001") == 500


def test_a_day_to_come_is_refused(bureau: Bureau) -> None:
    with pytest.raises(NotAllowed, match="cannot be known yet"):
        bureau.balances([Balance(2, "1001", 100)], "2026-10-21")
    assert bureau.due("1001") == 0
