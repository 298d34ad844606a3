"""Payments through a real lane, what was said to each, and what the repeat found: for faults of databases."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence

from kvit.domain.messages import Post, Posted, Result, TryLater
from kvit.domain.model import Agreement
from kvit.lanes.desk import Demand, Postings, WriteDesk
from kvit.lanes.lane import Lane, LaneLimits
from tests.faults.conftest import Seen
from tests.gateway import Gateway
from tests.seeding import Client, Due, Town, agreement_of, seed

DEBT_MINOR = 1_000_000
_txns = itertools.count(100_001)


class Counter:
    """Somebody's payments, what was said to each, and what the repeat found."""

    def __init__(self, books: Gateway, postings: Postings) -> None:
        self.books = books
        self.town: Town = seed(books.database, [Client(n, [Due(DEBT_MINOR)]) for n in ("a", "b")])
        self.agreement: Agreement = agreement_of(self.town.biller_id)
        self.desk = WriteDesk(postings, books.corrections, books.clock)
        self.unknown = self.booked_all_the_same = self.wanted = 0

    def demands(self, count: int) -> list[Demand]:
        self.wanted += count
        return [Demand(self.agreement, Post(str(next(_txns)), "ab"[place % 2], 10)) for place in range(count)]

    def ask(
        self,
        demands: Sequence[Demand],
        *,
        deadline_s: float = 20.0,
        meanwhile: Callable[[], object] = lambda: None,
        afterwards: Callable[[], object] = lambda: None,
    ) -> list[Result]:
        """Through a lane of their own. ``afterwards``: what happens once all are answered."""

        async def story() -> list[Result]:
            limits = LaneLimits(1_000, 1_000, 256, deadline_s)
            lane: Lane[Demand] = Lane("write", [self.desk], limits)
            lane.start()
            tasks = [asyncio.create_task(lane.ask("qiwi", demand)) for demand in demands]
            await asyncio.sleep(0)
            await asyncio.to_thread(meanwhile)
            results = await asyncio.gather(*tasks)
            await asyncio.to_thread(afterwards)
            await lane.close(15)
            return results

        return asyncio.run(asyncio.wait_for(story(), 60))

    def settle(self, demands: Sequence[Demand], results: Sequence[Result]) -> None:
        """Nothing final was said to what is not in the books; asked again, all of it is there."""
        there = self.stored()
        for demand, result in zip(demands, results, strict=True):
            assert isinstance(demand.command, Post)
            if isinstance(result, TryLater):
                self.unknown += 1
            else:
                assert isinstance(result, Posted), "a final no for a good payment"
                assert demand.command.txn in there, "a yes for what is not there"
        for demand, first, again in zip(demands, results, self.ask(demands), strict=True):
            assert isinstance(demand.command, Post)
            assert isinstance(again, Posted), again
            assert again.repeat or demand.command.txn not in there, "booked a second time"
            self.booked_all_the_same += again.repeat and isinstance(first, TryLater)

    def stored(self) -> set[str]:
        return {row["txn"] for row in self.books.rows("payments", self.town.biller_id)}

    def check(self, seen: Seen) -> None:
        rows = self.books.rows("payments", self.town.biller_id)
        assert len(rows) == len({row["txn"] for row in rows}) == self.wanted
        owed_minor = sum(self.books.balance(self.town.biller_id, number) for number in "ab")
        assert owed_minor == 2 * DEBT_MINOR - 10 * self.wanted
        assert self.books.findings(self.town.biller_id) == []
        seen(payments=self.wanted, unknown=self.unknown, of_them_booked=self.booked_all_the_same)
