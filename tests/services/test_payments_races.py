"""Several writers at once on one database: one books, the others learn of it, nobody sees a deadlock."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from kvit.domain.messages import Command, Conflict, Post, Posted, Result, Status, TryLater, Void, Voided
from kvit.domain.model import Agreement
from kvit.lanes.desk import Demand, Postings, WriteDesk
from kvit.services.payments import post_batch
from tests.gateway import NOON, Gateway, postings_of
from tests.seeding import Client, Due, agreement_of, seed

ROUNDS = 25
CLIENTS = [Client(f"c{place}", [Due(1_000 + place)]) for place in range(8)]


@contextmanager
def writers(gateway: Gateway, count: int) -> Iterator[list[Postings]]:
    """Writers beside each other, each with a connection of its own."""
    found = [postings_of(gateway.database) for _ in range(count)]
    try:
        yield found
    finally:
        for each in found:
            each.close()


def post(postings: Postings, demands: Sequence[tuple[Agreement, Post]]) -> list[Result]:
    return postings.run(lambda book: post_batch(book, demands, NOON))


def at_once(works: Sequence[Callable[[], list[Result]]]) -> list[list[Result]]:
    """All at the same moment, each in a thread; an exception of any is raised here."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], list[Result]]) -> list[Result]:
        barrier.wait(10)
        return work()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(run, works))


def test_the_same_payment_twice_at_once_is_booked_once(gateway: Gateway) -> None:
    town = seed(gateway.database, CLIENTS)
    agreement = agreement_of(town.biller_id)
    with writers(gateway, 2) as both:
        for place in range(ROUNDS):
            demand = [(agreement, Post(f"t{place}", "c1", 10))]
            one, other = (found[0] for found in at_once([partial(post, each, demand) for each in both]))
            assert isinstance(one, Posted)
            assert isinstance(other, Posted)
            assert replace(one, repeat=False) == replace(other, repeat=False)
            assert sorted((one.repeat, other.repeat)) == [False, True]
    assert gateway.balance(town.biller_id, "c1") == 1_001 - 10 * ROUNDS
    assert {row["attempts"] for row in gateway.rows("payments", town.biller_id)} == {2}
    assert gateway.findings(town.biller_id) == []


def test_one_id_for_two_accounts_at_once_is_booked_for_one_of_them(gateway: Gateway) -> None:
    """Their locks do not meet, so only the claim can decide."""
    town = seed(gateway.database, CLIENTS)
    agreement = agreement_of(town.biller_id)
    with writers(gateway, 2) as both:
        for place in range(ROUNDS):
            demands = [[(agreement, Post(f"t{place}", number, 10))] for number in ("c1", "c2")]
            works = [partial(post, each, demand) for each, demand in zip(both, demands, strict=True)]
            found = [results[0] for results in at_once(works)]
            assert Conflict(f"t{place}") in found
            (winner,) = (result for result in found if isinstance(result, Posted))
            assert winner.repeat is False
    paid_minor = 2_003 - sum(gateway.balance(town.biller_id, number) for number in ("c1", "c2"))
    assert paid_minor == 10 * ROUNDS
    verbs = [row["verb"] for row in gateway.rows("journal", town.biller_id)]
    assert verbs.count("payment.conflict") == ROUNDS
    assert gateway.findings(town.biller_id) == []


def test_many_writers_over_any_accounts_in_any_order(gateway: Gateway) -> None:
    """Batches that share accounts and ids in every order, voids and questions among them."""
    town = seed(gateway.database, CLIENTS)
    agreements = [agreement_of(town.biller_id, name) for name in ("qiwi", "bank")]

    def batches(place: int) -> list[Sequence[Demand]]:
        chance = random.Random(place)  # noqa: S311

        def command() -> Command:
            txn = f"t{chance.randrange(60)}"
            kind = chance.random()
            if kind < 0.1:
                return Void(txn=txn) if kind < 0.05 else Status(txn)
            return Post(txn, chance.choice(CLIENTS).number, 7)

        return [
            [Demand(chance.choice(agreements), command()) for _ in range(chance.randint(1, 20))]
            for _ in range(12)
        ]

    with writers(gateway, 6) as found:
        desks = [WriteDesk(each, gateway.corrections, gateway.clock) for each in found]
        told = at_once([partial(work_through, desk, batches(place)) for place, desk in enumerate(desks)])
    results = [result for each in told for result in each]
    assert [result for result in results if isinstance(result, TryLater)] == []
    new = [result.receipt for result in results if isinstance(result, Posted) and not result.repeat]
    stored = gateway.rows("payments", town.biller_id)
    assert sorted(new) == sorted(row["receipt"] for row in stored)
    voided = {result.receipt for result in results if isinstance(result, Voided)}
    assert voided == {row["receipt"] for row in stored if row["state"] == "voided"}
    first = {
        result.receipt: replace(result, repeat=False) for result in results if isinstance(result, Posted)
    }
    for result in results:
        if isinstance(result, Posted):
            assert replace(result, repeat=False) == first[result.receipt]
    assert gateway.findings(town.biller_id) == []


def work_through(desk: WriteDesk, batches: Sequence[Sequence[Demand]]) -> list[Result]:
    return [result for batch in batches for result in desk(batch)]
