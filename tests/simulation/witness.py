"""Who sees every answer leave the door and what is committed at that moment, and judges the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from kvit.domain.messages import (
    Command,
    HttpResponse,
    ListPosted,
    Lookup,
    Post,
    Posted,
    Result,
    Status,
    Void,
)
from kvit.domain.model import Agreement
from kvit.lanes.desk import Demand
from kvit.protocols.base import Heard
from kvit.storage import sqlite
from tests.simulation.batches import Batch, Content, Key, Known, batch_findings, content_of
from tests.simulation.faults import Fate
from tests.simulation.verdicts import Row, Verdicts
from tests.simulation.world import QIWI, World

#: The protocol's "come later". A door that is shut says it with an HTTP status; there is no third way.
LATER = "1"


class Moment(NamedTuple):
    """(biller, number) -> status and balance, as committed; and how wrong the gateway's clock is."""

    accounts: dict[Key, tuple[str, int]]
    ahead: timedelta


@dataclass(eq=False, slots=True)
class Visit:
    """One copy of a request at the door. ``order`` says which of them was complete first."""

    number: int
    request: int
    agreement: Agreement
    command: Command
    since: int
    entered_at: datetime
    known: dict[str, Row]
    is_shut: bool
    order: int = 0


@dataclass(slots=True)
class Record:
    """What was said about one (agreement, txn). ``tellings``: answers that each stand behind a write."""

    receipts: set[int] = field(default_factory=set)
    answers: set[bytes] = field(default_factory=set)
    tellings: int = 0
    voids: int = 0
    asked_first: dict[Content, int] = field(default_factory=dict)
    conflicts: list[tuple[int, Content]] = field(default_factory=list)
    #: Its batch ran again, one by one, and may have been committed the first time: then who came first may
    #: meet what came after it.
    ran_again: bool = False


_ROW = (
    "SELECT p.receipt, a.number, p.amount_minor, p.service, p.state, p.attempts, p.accounting_date "
    "FROM payments p JOIN accounts a ON a.biller_id = p.biller_id AND a.account_id = p.account_id "
    "WHERE p.biller_id = ? AND p.agreement_id = ?"
)


class Witness:
    """Keeps the committed states of a history, and a record of each payment."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._observer: sqlite.Connection = world.observer
        self._visits = 0
        self._order = 0
        self._known: Known = {}
        self.moments: list[Moment] = []
        self.records: dict[Key, Record] = {}
        self._verdicts = Verdicts(world.trace, self)
        self.look()

    @property
    def now(self) -> Moment:
        return self.moments[-1]

    def look(self) -> None:
        """Called after whatever may have changed what is committed, and when the clock was set."""
        rows = self._observer.execute("SELECT biller_id, number, status, balance_minor FROM accounts")
        accounts = {(row[0], row[1]): (row[2], row[3]) for row in rows}
        ahead = self._world.clock.ahead
        if not self.moments or self.now.accounts != accounts or self.now.ahead != ahead:
            self.moments.append(Moment(accounts, ahead))

    def posted(self) -> list[tuple[str, int]]:
        """(biller, receipt) of every payment that stands."""
        query = "SELECT biller_id, receipt FROM payments WHERE state = 'posted' ORDER BY biller_id, receipt"
        return [(row[0], row[1]) for row in self._observer.execute(query)]

    def row(self, agreement: Agreement, txn: str) -> Row | None:
        found = self._observer.execute(
            _ROW + " AND p.txn = ?", (agreement.biller_id, agreement.agreement_id, txn)
        ).fetchone()
        return None if found is None else Row(*found)

    def rows(self, agreement: Agreement) -> dict[str, Row]:
        found = self._observer.execute(
            _ROW.replace("SELECT", "SELECT p.txn,", 1), (agreement.biller_id, agreement.agreement_id)
        )
        return {row[0]: Row(*row[1:]) for row in found}

    def true_time(self) -> datetime:
        return self._world.clock.true()

    def conflict(self, visit: Visit, post: Post) -> None:
        self.record(visit.agreement, post.txn).conflicts.append((visit.order, content_of(post)))

    def record(self, agreement: Agreement, txn: str) -> Record:
        return self.records.setdefault((agreement.agreement_id, txn), Record())

    # --- at the door ------------------------------------------------------------------------------------

    def enters(self, request: int, agreement: Agreement, command: Command) -> Visit:
        """A request has come to the door, and the door has looked up its agreement."""
        self._visits += 1
        door = self._world.directory.get(agreement.agreement_id)
        known = {} if isinstance(command, Post | Lookup) else self.rows(agreement)
        self._world.trace.note("door", "{} comes in as visit {}", request, self._visits)
        return Visit(
            self._visits, request, door.agreement if door else agreement, command, len(self.moments) - 1,
            self._world.clock.true(), known, is_shut=door is None,
        )  # fmt: skip

    def arrived(self, visit: Visit) -> None:
        """All of it is there: from now on it stands in the lane."""
        self._order += 1
        visit.order = self._order
        if isinstance(visit.command, Post):
            record = self.record(visit.agreement, visit.command.txn)
            record.asked_first.setdefault(content_of(visit.command), self._order)

    def answered(self, visit: Visit, response: HttpResponse) -> Heard:
        """The answer has left the house: whatever it says must be true by now. Gives it as agents read it."""
        trace, command = self._world.trace, visit.command
        heard = QIWI.read(command, response, self._world.terms[visit.agreement.agreement_id])
        trace.note(
            "door", "visit {} is told {} {} {}", visit.number, heard.code, heard.comment, heard.receipt
        )
        trace.counts[f"{type(command).__name__} {heard.step}"] += 1
        if heard.step == "again":
            if (response.status, heard.code) != ((503, "503") if visit.is_shut else (200, LATER)):
                trace.fail(f"visit {visit.number} got no answer of the protocol: {response}")
        else:
            self._judge(visit, heard, response)
        return heard

    def _judge(self, visit: Visit, heard: Heard, response: HttpResponse) -> None:
        verdicts, command = self._verdicts, visit.command
        if isinstance(command, Post):
            verdicts.post(visit, command, heard, response.body)
        elif isinstance(command, Lookup):
            verdicts.lookup(visit, command, heard)
        elif isinstance(command, Void):
            verdicts.void(visit, command, heard)
        elif isinstance(command, Status):
            verdicts.status(visit, command, heard)
        else:
            assert isinstance(command, ListPosted)
            verdicts.statement(visit, command, heard)

    # --- in the lanes, and elsewhere ------------------------------------------------------------------

    def job_begins(self, demands: Sequence[Demand]) -> Known:
        """Which of the payments that a batch is about are in the books; a neighbour may add to them."""
        known = self._known = {}
        for agreement, command in demands:
            if isinstance(command, Post) and (row := self.row(agreement, command.txn)) is not None:
                content = Content(row.number, row.amount_minor, row.service)
                known[agreement.agreement_id, command.txn] = content
        return known

    def job_done(self, name: str, batch: Batch, fate: Fate | None) -> None:
        """A batch is answered; every answer is right for its place in the batch."""
        self._tell(name, batch.demands, fate, ", ".join(type(result).__name__ for result in batch.results))
        if fate is not None and fate.fired and fate.kind is not None and fate.kind.after:
            for agreement, command in batch.demands:
                if isinstance(command, Post):
                    self.record(agreement, command.txn).ran_again = True
        for finding in batch_findings(batch, fate):
            self._world.trace.fail(f"{name} lane: {finding}")

    def checked_at_once(self, command: Lookup, result: Result | None, fate: Fate | None) -> None:
        """Without a result the read lane is asked."""
        met = fate.kind.name if fate is not None and fate.fired and fate.kind is not None else ""
        said = type(result).__name__ if result is not None else "not at once"
        self._world.trace.note("quick", "{} -> {} {}", command.txn, said, met)
        self._world.trace.counts["check at once" if result is not None else "check not at once"] += 1
        self._world.trace.counts.update({"check at once: " + met: 1} if met else {})

    def job_died(self, name: str, demands: Sequence[Demand], fate: Fate | None) -> None:
        self._tell(name, demands, fate, "no results")

    def neighbour_asked(self, demand: Demand) -> None:
        """Another process overtakes everybody who waits in a lane here."""
        assert isinstance(demand.command, Post)
        record = self.record(demand.agreement, demand.command.txn)
        record.asked_first[content_of(demand.command)] = 0

    def neighbour_confirmed(self, demand: Demand, result: Posted) -> None:
        record = self.record(demand.agreement, result.txn)
        record.tellings += 1
        record.receipts.add(result.receipt)
        assert isinstance(demand.command, Post)
        self._known[demand.agreement.agreement_id, result.txn] = content_of(demand.command)

    def _tell(self, name: str, demands: Sequence[Demand], fate: Fate | None, results: str) -> None:
        counts, met = self._world.trace.counts, []
        counts[name + " job"] += 1
        if len(demands) > 1:
            counts[f"{name} job of several"] += 1
        if fate is not None and fate.fired and fate.kind is not None:
            met.append(fate.kind.name)
        if fate is not None and fate.poisoned:
            met.append("poison")
        counts.update("store: " + each for each in met)
        self._world.trace.note(
            name, "{} -> {}{}", [str(getattr(demand.command, "txn", "")) for demand in demands], results,
            "".join("; " + each for each in met),
        )  # fmt: skip
