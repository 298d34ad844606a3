"""A check that starts after a pay was answered sees it: through real lanes, with many callers at once."""

from __future__ import annotations

import asyncio

from kvit.domain.messages import Found, Lookup, Post, Posted
from kvit.domain.model import Agreement
from kvit.lanes.desk import Demand, ReadDesk, WriteDesk
from kvit.lanes.lane import Lane, LaneLimits
from tests.gateway import Gateway, lookups_of, postings_of
from tests.seeding import Client, Due, agreement_of, seed

LIMITS = LaneLimits(queue_max=1_000, owner_max=1_000, batch_max=256, deadline_s=30)
CALLERS = 8
ROUNDS = 50
DEBT_MINOR = 300


class Tills:
    """Callers that pay and then look, each at an account of its own, while others look all the time."""

    def __init__(self, agreement: Agreement, read: Lane[Demand], write: Lane[Demand]) -> None:
        self._agreement = agreement
        self._read = read
        self._write = write
        self._over = False
        self.seen_late: list[str] = []
        self.looked = 0

    async def run(self) -> None:
        noise = [asyncio.create_task(self._look_about(place)) for place in range(CALLERS)]
        await asyncio.gather(*(self._pay_and_look(place) for place in range(CALLERS)))
        self._over = True
        await asyncio.gather(*noise)

    async def _look(self, number: str) -> int:
        found = await self._read.ask("qiwi", Demand(self._agreement, Lookup("1", number)))
        assert isinstance(found, Found), found
        self.looked += 1
        return found.due_minor - found.advance_minor

    async def _look_about(self, place: int) -> None:
        """So that there is always a query under way that a later check must not join."""
        last = DEBT_MINOR
        while not self._over:
            now = await self._look(f"c{place}")
            assert now <= last, "a debt that was paid came back"
            last = now

    async def _pay_and_look(self, place: int) -> None:
        number = f"c{place}"
        for count in range(1, ROUNDS + 1):
            post = Post(f"{place}-{count}", number, 10)
            answer = await self._write.ask("qiwi", Demand(self._agreement, post))
            assert isinstance(answer, Posted), answer
            owed = await self._look(number)
            if owed != DEBT_MINOR - 10 * count:
                self.seen_late.append(f"{number} after {count}: {owed}")


def test_a_check_that_starts_after_a_pay_was_answered_sees_it(gateway: Gateway) -> None:
    clients = [Client(f"c{place}", [Due(DEBT_MINOR)]) for place in range(CALLERS)]
    town = seed(gateway.database, clients)
    writers = [postings_of(gateway.database) for _ in range(2 if gateway.database.is_postgres else 1)]
    reader = lookups_of(gateway.database)

    async def story() -> Tills:
        works = [WriteDesk(each, gateway.corrections, gateway.clock) for each in writers]
        write: Lane[Demand] = Lane("write", works, LIMITS)
        read: Lane[Demand] = Lane("read", [ReadDesk(reader, gateway.clock)], LIMITS)
        for lane in (write, read):
            lane.start()
        tills = Tills(agreement_of(town.biller_id), read, write)
        await tills.run()
        for lane in (write, read):
            await lane.close(10)
        return tills

    try:
        tills = asyncio.run(asyncio.wait_for(story(), 60))
    finally:
        reader.close()
        for each in writers:
            each.close()
    assert tills.seen_late == []
    assert tills.looked > CALLERS * ROUNDS
    assert gateway.findings(town.biller_id) == []
