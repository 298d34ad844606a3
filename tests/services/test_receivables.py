"""Charges from files: new, known, changed; and what payments and advances make of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from kvit.storage import schema
from tests.bureau import Bureau, Owed, bureau_at


@pytest.fixture
def bureau(books_url: str) -> Iterator[Bureau]:
    with bureau_at(books_url) as bureau:
        bureau.clients("1001", "1002", "1003")
        yield bureau


def test_a_charge_is_owed_and_a_payment_settles_it(bureau: Bureau) -> None:
    tally = bureau.charge("1001", 15200, service="water", period="2026-09").tally
    assert (tally.new, tally.added_minor) == (1, 15200)
    bureau.paid("1001", 5000)
    page = bureau.page("1001")
    assert page["due_minor"] == 10200
    assert page["charges"] == [
        {
            "id": page["charges"][0]["id"], "service": "water", "period": "2026-09", "document": "",
            "amount_minor": 15200, "open_minor": 10200, "due": "2026-09-30",
        }
    ]  # fmt: skip


def test_the_same_file_again_changes_nothing(bureau: Bureau) -> None:
    rows = [
        Owed(2, "1001", 10000, "water", "2026-09"),
        Owed(3, "1001", 10000, "water", "2026-09"),
        Owed(4, "1002", 7000, document="A-17"),
        Owed(5, "1002", 0),
    ]
    first = bureau.charges(rows).tally
    before = [bureau.page(number) for number in ("1001", "1002")]
    second = bureau.charges(rows).tally
    assert (first.new, first.unchanged) == (3, 1)
    assert (second.new, second.adjusted, second.unchanged) == (0, 0, 4)
    assert [bureau.page(number) for number in ("1001", "1002")] == before
    assert bureau.due("1001") == 20000


def test_rows_in_another_order_are_the_same_charges(bureau: Bureau) -> None:
    bureau.charges([Owed(2, "1001", 100, "water"), Owed(3, "1001", 250, "water")])
    tally = bureau.charges([Owed(2, "1001", 250, "water"), Owed(3, "1001", 100, "water")]).tally
    assert tally.unchanged == 2


def test_one_of_two_equal_charges_changes(bureau: Bureau) -> None:
    bureau.charges([Owed(2, "1001", 100, "water"), Owed(3, "1001", 100, "water")])
    tally = bureau.charges([Owed(2, "1001", 100, "water"), Owed(3, "1001", 130, "water")]).tally
    assert (tally.unchanged, tally.adjusted, tally.added_minor) == (1, 1, 30)
    assert bureau.open_sums("1001") == [100, 130]


def test_a_lowered_charge_gives_back_the_newest_money_which_settles_the_rest(bureau: Bureau) -> None:
    bureau.charges([Owed(2, "1001", 1000, document="A", due="2026-09-10")])
    bureau.paid("1001", 400)
    bureau.paid("1001", 600)
    bureau.charges([Owed(2, "1001", 300, document="B", due="2026-10-10")])
    tally = bureau.charges([Owed(2, "1001", 500, document="A", due="2026-09-10")]).tally
    assert (tally.adjusted, tally.added_minor, tally.settled_minor) == (1, -500, 300)
    assert bureau.open_sums("1001") == [0, 0]
    assert bureau.due("1001") == -200


def test_the_newest_payment_gives_back_first(bureau: Bureau) -> None:
    bureau.charge("1001", 1000, document="A")
    bureau.paid("1001", 400)
    bureau.paid("1001", 600)
    bureau.charge("1001", 700, document="A")
    assert unused(bureau) == [0, 300]
    bureau.charge("1001", 300, document="A")
    assert unused(bureau) == [100, 600]


def unused(bureau: Bureau) -> list[int]:
    """What is unused of each payment, oldest first."""
    table = schema.payments.c
    with bureau.database.read() as connection:
        return list(connection.execute(select(table.advance_minor).order_by(table.receipt)).scalars())


def test_more_rows_of_a_kind_are_more_charges(bureau: Bureau) -> None:
    bureau.charge("1001", 100, service="water")
    for count in (2, 3):
        rows = [Owed(line, "1001", 100, "water") for line in range(2, 2 + count)]
        tally = bureau.charges(rows).tally
        assert (tally.new, tally.unchanged) == (1, count - 1)
    assert bureau.open_sums("1001") == [100, 100, 100]


def test_what_the_file_does_not_name_stays(bureau: Bureau) -> None:
    bureau.charges([Owed(2, "1001", 100, "water"), Owed(3, "1001", 200, "water")])
    assert bureau.charge("1001", 200, service="water").tally.unchanged == 1
    assert bureau.due("1001") == 300


def test_a_charge_in_a_closed_period_is_booked_on_the_next_open_day(bureau: Bureau) -> None:
    with bureau.database.write() as connection:
        connection.execute(update(schema.billers).values(closed_through="2026-10-31"))
    bureau.charge("1001", 100)
    with bureau.database.read() as connection:
        days = set(connection.execute(select(schema.transactions.c.accounting_date)).scalars())
    assert days == {"2026-11-01"}


def test_without_a_due_day_it_is_the_end_of_the_month_or_the_day_of_the_import(bureau: Bureau) -> None:
    bureau.charge("1001", 100, period="2026-02")
    bureau.charge("1002", 100, period="2026-W40")
    shown = [bureau.page(number)["charges"][0]["due"] for number in ("1001", "1002")]
    assert shown == ["2026-02-28", "2026-10-20"]


def test_a_charge_taken_back_leaves_an_advance_that_the_next_one_uses(bureau: Bureau) -> None:
    bureau.charge("1001", 900, document="A")
    bureau.paid("1001", 900)
    bureau.charge("1001", 0, document="A")
    assert bureau.due("1001") == -900
    tally = bureau.charge("1001", 1000, document="B").tally
    assert tally.settled_minor == 900
    assert bureau.due("1001") == 100


def test_an_advance_is_used_oldest_money_for_oldest_debt(bureau: Bureau) -> None:
    bureau.paid("1001", 300)
    bureau.paid("1001", 300)
    tally = bureau.charges(
        [Owed(2, "1001", 400, document="late", due="2026-12-01"), Owed(3, "1001", 500, document="early")]
    ).tally
    assert tally.settled_minor == 600
    assert bureau.open_sums("1001") == [0, 300]


def test_a_raised_charge_uses_an_advance(bureau: Bureau) -> None:
    bureau.charge("1001", 500, document="A")
    bureau.paid("1001", 700)
    assert bureau.charge("1001", 600, document="A").tally.settled_minor == 100
    assert bureau.due("1001") == -100


def test_a_due_day_of_a_known_charge_stays(bureau: Bureau) -> None:
    bureau.charge("1001", 500, document="A", due="2026-10-10")
    tally = bureau.charge("1001", 500, document="A", due="2026-11-10").tally
    assert (tally.unchanged, tally.due_differs) == (1, 1)
    assert bureau.page("1001")["charges"][0]["due"] == "2026-10-10"
