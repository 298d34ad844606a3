"""A batch equals its items run one after another: same results, same books, on both engines.

The same demands go to two sets of books that are alike: to the one in batches, to the other singly. Fresh
billers in one database are as good as fresh databases, and quicker.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kvit.domain.messages import Hold, Post, Posted, Result, Void
from kvit.domain.model import BY_INVOICE, CLOSED, Agreement, ServiceTerms
from tests.books_check import check_books
from tests.gateway import Gateway, Renaming
from tests.seeding import Client, Due, Town, agreement_of, seed

CLIENTS = [
    Client(
        "a",
        [
            Due(700, "2026-09-30", document="i1"),
            Due(300, "2026-08-31", "waste"),
            Due(500, "2026-09-30", "waste"),
            Due(250, "2026-10-31", "waste", "i2"),
            Due(1, document="i3"),
        ],
    ),
    Client("b", [Due(900, document="i3")]),
    Client("c", [Due(1_000)]),
    Client("d", [Due(50)], status=CLOSED),
]
#: Name -> what differs from an agreement that allows everything.
AGREEMENTS: dict[str, dict[str, object]] = {
    "qiwi": {}, "bank": {"min_minor": 100, "max_minor": 900}, "past": {"valid_until": "2026-11-22"},
    "wallet": {"may_hold": True}, "bills": {"may_hold": True, "payer_key": BY_INVOICE},
    "shop": {"payer_key": BY_INVOICE, "services": (ServiceTerms("1", "waste", None, 800),)},
}  # fmt: skip


class Demand(NamedTuple):
    """Agreement and biller by name and place, so that it means the same in both sets of books."""

    biller: int
    agreement: str
    post: Post | Hold


posts = st.builds(
    Post,
    txn=st.sampled_from(["t1", "t2", "t3", "t4", "т5"]),
    number=st.sampled_from(["a", "a", "a", "b", "c", "d", "nobody"]),
    amount_minor=st.sampled_from([0, 1, 100, 250, 250, 700, 900, 901, 5_000]),
    currency=st.sampled_from(["", "", "RUB", "KZT"]),
    service=st.sampled_from(["", "", "water", "waste"]),
    network_time=st.sampled_from(["", "2026-11-22T23:59:59", "2026-11-01T00:00:00", "1999-01-01T00:00:00"]),
    fields=st.sampled_from([(), (("trm_id", "7"),)]),
)
demands = st.builds(
    Demand, st.sampled_from([0, 0, 1]), st.sampled_from(["qiwi", "qiwi", "bank", "past"]), posts
)

numbers = st.sampled_from(["a", "b", "i1", "i2", "i2", "i3", "nobody"])
sums = st.sampled_from([1, 250, 250, 700, 900])
txns = st.sampled_from(["t1", "t1", "t2", "t3"])
announced = st.one_of(
    st.builds(
        Hold, txns, numbers, sums, service=st.sampled_from(["", "", "1"]), lifetime_s=st.sampled_from([0, 60])
    ),
    st.builds(Post, txns, st.just(""), st.just(0), held=st.just(True)),
    st.builds(Post, txns, st.sampled_from(["", "i2", "a"]), st.sampled_from([0, 250]), held=st.just(True)),
    st.builds(Post, txns, numbers, sums, service=st.sampled_from(["", "1"])),
    st.builds(Post, txns, numbers, sums, taken=st.just(True)),
)
#: Whoever announces payments has a protocol that does, and so an agreement that says so.
announcements = st.builds(
    Demand,
    st.sampled_from([0, 0, 1]),
    st.sampled_from(["wallet", "wallet", "bills", "bills", "shop", "qiwi"]),
    announced,
).filter(lambda demand: demand.agreement in ("wallet", "bills") or isinstance(demand.post, Post))


class Side:
    """One of the two sets of books."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.towns: list[Town] = [seed(gateway.database, CLIENTS) for _ in range(2)]

    def agreement(self, demand: Demand) -> Agreement:
        return agreement_of(
            self.towns[demand.biller].biller_id, demand.agreement, **AGREEMENTS[demand.agreement]
        )

    def post(self, batch: list[Demand]) -> list[Result]:
        return self.gateway.post([(self.agreement(demand), demand.post) for demand in batch])

    def void(self, demand: Demand) -> None:
        self.gateway.ask(self.agreement(demand), Void(txn=demand.post.txn))

    def story(self, told: list[tuple[Demand, Result]]) -> tuple[list[Result], list[object]]:
        """Results and books, with ids and billers renamed."""
        renamings = [Renaming(self.gateway, town.biller_id) for town in self.towns]
        results = [renamings[demand.biller].result(result) for demand, result in told]
        return results, [renaming.books() for renaming in renamings]


def run_both(
    gateway: Gateway, history: list[Demand], batch: list[Demand], cuts: list[int], later_s: int = 0
) -> None:
    """``history`` goes singly into both, every third of it is taken back; ``batch`` is cut at ``cuts``."""
    together, singly = Side(gateway), Side(gateway)
    for side in (together, singly):
        for demand in history:
            side.post([demand])
        for demand in history[::3]:
            side.void(demand)
    gateway.clock.forward(seconds=later_s)
    places = sorted({0, len(batch), *(cut for cut in cuts if cut < len(batch))})
    slices = [batch[start:stop] for start, stop in pairwise(places)]
    told_together = [pair for part in slices for pair in zip(part, together.post(part), strict=True)]
    told_singly = [(demand, singly.post([demand])[0]) for demand in batch]
    results, books = together.story(told_together)
    expected_results, expected_books = singly.story(told_singly)
    assert results == expected_results
    assert books == expected_books


@settings(max_examples=40)
@given(
    history=st.lists(demands, max_size=4),
    batch=st.lists(demands, min_size=1, max_size=12),
    cuts=st.lists(st.integers(1, 11), max_size=2),
)
@example(
    # Twins, a conflict with a twin, and three payments of one account that eat one debt.
    history=[],
    batch=[
        Demand(0, "qiwi", Post("t1", "a", 250)),
        Demand(0, "qiwi", Post("t1", "a", 250)),
        Demand(0, "qiwi", Post("t1", "a", 251)),
        Demand(0, "bank", Post("t1", "a", 900)),
        Demand(0, "qiwi", Post("t2", "a", 700)),
        Demand(1, "qiwi", Post("t1", "a", 250)),
    ],
    cuts=[],
)
def test_a_batch_equals_its_items(
    shared_gateway: Gateway, history: list[Demand], batch: list[Demand], cuts: list[int]
) -> None:
    run_both(shared_gateway, history, batch, cuts)


@settings(max_examples=60)
@given(
    history=st.lists(announcements, max_size=6),
    batch=st.lists(announcements, min_size=1, max_size=12),
    cuts=st.lists(st.integers(1, 11), max_size=2),
    later_s=st.sampled_from([0, 60]),
)
@example(
    # One new payment, and a hold that is only asked for again: not a lone payment.
    history=[Demand(0, "wallet", Hold("t3", "a", 1))],
    batch=[Demand(0, "wallet", Post("t1", "a", 1)), Demand(0, "wallet", Hold("t3", "a", 1))],
    cuts=[],
    later_s=0,
)
def test_a_batch_of_holds_and_invoices_equals_its_items(
    shared_gateway: Gateway, history: list[Demand], batch: list[Demand], cuts: list[int], later_s: int
) -> None:
    """Some of the holds of the history have come to their end by then."""
    clock = shared_gateway.clock
    began = clock.instant
    try:
        run_both(shared_gateway, history, batch, cuts, later_s)
    finally:
        clock.instant = began


def test_a_large_batch_equals_its_items(gateway: Gateway) -> None:
    """As many as a lane takes at once: several hundred statements' worth of arrays."""
    batch = [
        Demand(place % 2, "qiwi", Post(f"t{place % 200}", "abc"[place % 3], 10 + place % 7))
        for place in range(256)
    ]
    run_both(gateway, [], batch, [])


def test_answers_come_in_the_order_of_the_demands(gateway: Gateway) -> None:
    side = Side(gateway)
    results = side.post([Demand(0, "qiwi", Post(f"t{place}", "a", 1 + place)) for place in range(30)])
    assert [result.amount_minor for result in results if isinstance(result, Posted)] == list(range(1, 31))
    receipts = [result.receipt for result in results if isinstance(result, Posted)]
    assert receipts == sorted(set(receipts))


def test_the_books_of_all_these_batches_hold_together(gateway: Gateway) -> None:
    """Once for a few hundred payments of every kind: checked as a whole."""
    side = Side(gateway)
    for start in range(0, 300, 50):
        batch = [
            Demand(
                place % 2,
                ("qiwi", "bank", "past")[place % 3],
                Post(f"t{place % 90}", ("a", "b", "c", "d", "x")[place % 5], place % 950),
            )
            for place in range(start, start + 50)
        ]
        side.post(batch)
        for demand in batch[::7]:
            side.void(demand)
    assert check_books(gateway.database) == []
