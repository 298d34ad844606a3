"""Rule 11: what a payment settles can be decided anew and undone, and nothing else moves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.messages import Post, Posted
from kvit.services.corrections import void_payment
from kvit.services.reallocation import Reallocated, Wish, reallocate
from tests.gateway import Gateway
from tests.seeding import Client, Due, Town, agreement_of, seed

CHARGES = [
    Due(500, "2026-09-30"),
    Due(400, "2026-10-31", "heat"),
    Due(300, "2026-11-30"),
]


def town_of(gateway: Gateway) -> Town:
    return seed(gateway.database, [Client("a", CHARGES), Client("b", [Due(100, "2026-09-30")])])


def pay(gateway: Gateway, town: Town, amount_minor: int, txn: str = "t1") -> int:
    result = gateway.ask(agreement_of(town.biller_id), Post(txn, "a", amount_minor))
    assert isinstance(result, Posted)
    return result.receipt


def decide(gateway: Gateway, town: Town, receipt: int, wish: Wish, reason: str = "as agreed") -> Reallocated:
    place = (town.biller_id, receipt)
    return gateway.corrections.run(
        lambda book: reallocate(book, place, wish, reason, "cli:anna", gateway.clock.now())
    )


def open_sums(gateway: Gateway, town: Town) -> list[int]:
    return [row["open_minor"] for row in gateway.rows("charges", town.biller_id)]


def ids(gateway: Gateway, town: Town) -> list[int]:
    return [row["charge_id"] for row in gateway.rows("charges", town.biller_id)]


def test_the_charges_named_come_first_then_the_oldest(gateway: Gateway) -> None:
    town = town_of(gateway)
    receipt = pay(gateway, town, 700)
    oldest, heat, newest, _ = ids(gateway, town)
    assert open_sums(gateway, town) == [0, 200, 300, 100]
    done = decide(gateway, town, receipt, Wish([newest, heat]))
    assert done == Reallocated([(newest, 300), (heat, 400)], 0, changed=True)
    assert open_sums(gateway, town) == [500, 0, 0, 100]
    assert gateway.balance(town.biller_id, "a") == 500
    record = gateway.rows("journal", town.biller_id)[-1]
    assert (record["verb"], record["actor"], record["detail"]) == (
        "payment.reallocated", "cli:anna", "as agreed",
    )  # fmt: skip
    back = decide(gateway, town, receipt, Wish())
    assert back.shares == [(oldest, 500), (heat, 200)]
    assert open_sums(gateway, town) == [0, 200, 300, 100]
    assert gateway.findings(town.biller_id) == []


def test_a_service_comes_before_the_oldest(gateway: Gateway) -> None:
    town = town_of(gateway)
    receipt = pay(gateway, town, 600)
    decide(gateway, town, receipt, Wish(service="heat"))
    assert open_sums(gateway, town) == [300, 0, 300, 100]
    assert gateway.findings(town.biller_id) == []


def test_what_is_so_already_writes_nothing(gateway: Gateway) -> None:
    town = town_of(gateway)
    receipt = pay(gateway, town, 2_000)
    rows = len(gateway.rows("journal", town.biller_id))
    done = decide(gateway, town, receipt, Wish())
    assert (done.changed, done.advance_minor) == (False, 800)
    assert len(gateway.rows("journal", town.biller_id)) == rows


def test_refusals_change_nothing(gateway: Gateway) -> None:
    town = town_of(gateway)
    first = pay(gateway, town, 500)
    second = pay(gateway, town, 400, "t2")
    oldest, *_, foreign = ids(gateway, town)
    for wrong in (oldest, foreign, 1):
        with pytest.raises(NotAllowed, match="left to settle"):
            decide(gateway, town, second, Wish([wrong]))
    with pytest.raises(NotAllowed, match="reason"):
        decide(gateway, town, second, Wish(), " ")
    with pytest.raises(NotFound):
        decide(gateway, town, 1, Wish())
    gateway.corrections.run(
        lambda book: void_payment(book, town.biller_id, first, "wrong", "cli:anna", gateway.clock.now())
    )
    with pytest.raises(NotAllowed, match="voided"):
        decide(gateway, town, first, Wish())
    assert gateway.findings(town.biller_id) == []


@settings(max_examples=25, deadline=None)
@given(
    amounts=st.lists(st.integers(1, 900), min_size=1, max_size=4),
    wishes=st.lists(st.tuples(st.integers(0, 3), st.permutations([0, 1, 2]), st.booleans()), max_size=6),
)
def test_however_often_it_is_decided_the_books_hold(
    shared_gateway: Gateway, amounts: list[int], wishes: list[tuple[int, list[int], bool]]
) -> None:
    gateway = shared_gateway
    town = town_of(gateway)
    receipts = [pay(gateway, town, amount, f"t{place}") for place, amount in enumerate(amounts)]
    for which, order, by_service in wishes:
        receipt = receipts[which % len(receipts)]
        known = ids(gateway, town)
        target = [known[place] for place in order[:1]]
        try:
            decide(gateway, town, receipt, Wish(target, "heat" if by_service else ""))
        except NotAllowed:
            continue
    assert gateway.balance(town.biller_id, "a") == 1_200 - sum(amounts)
    assert gateway.findings(town.biller_id) == []
