"""What happens beside the payments: the biller's office, its clock, and another process on the books."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from kvit.domain import days
from kvit.domain.messages import Post, Posted
from kvit.domain.model import Biller
from kvit.lanes.desk import Demand
from kvit.services.corrections import void_payment
from kvit.services.payments import post_batch
from kvit.services.receivables.office import accounts_job, charges_job, set_status
from kvit.services.receivables.run import Act
from kvit.storage.billers import find_biller
from kvit.storage.corrections import SqlCorrections
from kvit.storage.posting_sqlite import SqlitePostings
from kvit.storage.receivables import SqlReceivables
from kvit.storage.sealing import seal_all
from kvit.web.doors import Door
from tests.bureau import Client, Owed
from tests.simulation.plan import NEW_NUMBER
from tests.simulation.towns import SERVICES
from tests.simulation.witness import Witness
from tests.simulation.world import QIWI, World

_JUMPS = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(hours=14),
    timedelta(days=1),
)
_AMOUNTS = (0, 500, 700, 3_000, 9_000)
_DAYS = ("2026-10-15", "2026-12-15")


class Office:
    """Whoever else writes: from the command line, in transactions of their own, without faults."""

    def __init__(self, world: World, witness: Witness, chance: Random) -> None:
        self._world = world
        self._witness = witness
        self._chance = chance
        self._agreements = dict(world.plan.agreements)
        self.open_doors()

    def open_doors(self) -> None:
        """Every agreement as it is now."""
        doors = [Door(one, QIWI, self._world.terms[name]) for name, one in self._agreements.items()]
        self._world.directory.replace(doors, ())

    def do(self, what: str) -> None:
        """One deed of the plan."""
        said = _DEEDS[what](self)
        self._world.trace.note("office", "{}: {}", what, said)
        self._witness.look()

    def neighbour(self, demand: Demand) -> None:
        """Somebody else had the write lock a moment before: another server with the same payment, mostly."""
        with self._world.store.calm():
            if self._chance.random() < 0.75:
                self._neighbour_posts(demand)
            else:
                self.do(self._chance.choice(("void", "charge", "close account", "activate account")))

    def _neighbour_posts(self, demand: Demand) -> None:
        assert isinstance(demand.command, Post)
        posts, now = [(demand.agreement, demand.command)], self._world.clock.now()
        self._witness.neighbour_asked(demand)
        postings = SqlitePostings(self._world.store.path)
        (result,) = postings.run(lambda book: post_batch(book, posts, now))
        postings.close()
        self._world.trace.counts["neighbour"] += 1
        self._world.trace.note("elsewhere", "{} is posted: {}", demand.command.txn, type(result).__name__)
        if isinstance(result, Posted):
            self._witness.neighbour_confirmed(demand, result)

    # --- deeds ------------------------------------------------------------------------------------------

    def _charge(self) -> str:
        biller, store = self._books()
        numbers = [
            number for (biller_id, number) in self._witness.now.accounts if biller_id == biller.biller_id
        ]
        lines = [
            Owed(
                line, number, self._chance.choice(_AMOUNTS), self._chance.choice(SERVICES), "2026-11",
                f"d{self._chance.randint(1, 2)}", self._chance.choice(_DAYS),
            )
            for line, number in enumerate(self._chance.sample(numbers, self._chance.randint(1, 2)), 2)
        ]  # fmt: skip
        self._slice(store, charges_job(store, lines), biller)
        return ", ".join(
            f"{line.number} {line.document}/{line.service} {line.amount_minor}" for line in lines
        )

    def _open_account(self) -> str:
        biller, store = self._books()
        self._slice(store, accounts_job(store, biller, [Client(2, NEW_NUMBER, "Ким")]), biller)
        return f"{NEW_NUMBER} of {biller.biller_id}"

    def _slice(self, store: SqlReceivables, job: Any, biller: Biller) -> None:  # noqa: ANN401 - of either kind
        assert job.errors == []
        now = self._world.clock.now()
        act = Act(biller, 1, "list.csv", "cli:anna", days.to_us(now), now.date().isoformat())
        store.write(lambda book: job.slice(book, 0, len(job.sizes), act))

    def _close_account(self) -> str:
        return self._set_status("closed")

    def _activate_account(self) -> str:
        return self._set_status("active")

    def _set_status(self, status: str) -> str:
        biller, store = self._books()
        numbers = [
            number for (biller_id, number) in self._witness.now.accounts if biller_id == biller.biller_id
        ]
        number, now = self._chance.choice(numbers), self._world.clock.now()
        store.write(lambda book: set_status(book, number, status, "cli:anna", now))
        return f"{number} of {biller.biller_id}"

    def _limits(self) -> str:
        name = self._chance.choice(list(self._agreements))
        low, high = self._chance.choice(((None, None), (500, 20_000), (None, 2_000)))
        changed = replace(self._agreements[name], min_minor=low, max_minor=high)
        self._agreements[name] = changed
        self.open_doors()
        return f"{name} from {low} to {high}"

    def _shut_doors(self) -> str:
        """The server does not know any more whom it may answer; a moment later it does."""
        self._world.directory.close_all()
        self._world.loop.call_later(self._chance.uniform(0.1, 2.0), self.open_doors)
        return "for a while"

    def _void(self) -> str:
        posted = self._witness.posted()
        if not posted:
            return "nothing to take back"
        biller_id, receipt = self._chance.choice(posted)
        now = self._world.clock.now()
        SqlCorrections(self._world.store.database).run(
            lambda book: void_payment(book, biller_id, receipt, "by mistake", "cli:anna", now)
        )
        return f"receipt {receipt}"

    def _seal(self) -> str:
        return f"{seal_all(self._world.store.database, self._chance.choice((1, 3, 2000)))} records"

    def _clock(self) -> str:
        ahead = self._chance.choice(_JUMPS) * self._chance.choice((-1, 1))
        self._world.clock.ahead = ahead
        return f"{ahead.total_seconds():+.0f} s"

    def _books(self) -> tuple[Biller, SqlReceivables]:
        biller_id = self._chance.choice(self._world.plan.billers).biller_id
        with self._world.store.database.read() as connection:
            biller = find_biller(connection, biller_id)
        assert biller is not None
        return biller, SqlReceivables(self._world.store.database, biller_id)


_DEEDS = {
    "charge": Office._charge, "open account": Office._open_account, "close account": Office._close_account,
    "activate account": Office._activate_account, "limits": Office._limits, "void": Office._void,
    "shut doors": Office._shut_doors, "seal": Office._seal, "clock": Office._clock,
}  # fmt: skip
