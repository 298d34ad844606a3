"""Everything that carries one id, side by side: ordered streams merged, one bundle in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from kvit.services.audit.facts import (
    AdjustmentFact,
    AllocationFact,
    AssignedFact,
    AssignmentFact,
    AuditBook,
    ChargeFact,
    EntryFact,
    HoldFact,
    JournalFact,
    NoteFact,
    OutboxFact,
    PaymentFact,
    ResolutionFact,
    SettlementFact,
    SliceFact,
    TransactionFact,
    VoidFact,
)

#: Above every id: ids are 64-bit integers.
END = 1 << 63


class HasId(Protocol):
    @property
    def id(self) -> int: ...


Fact = TypeVar("Fact", bound=HasId)


class Stream(Generic[Fact]):
    """Rows in the order of their ids; ``id`` is that of the next one, ``END`` after the last."""

    __slots__ = ("_head", "_rows", "id")

    def __init__(self, rows: Iterable[Fact]) -> None:
        self._rows = iter(rows)
        self.id = -END
        self._step()

    def take(self, wanted: int) -> list[Fact]:
        """The rows with the id ``wanted``; no stream's next id may be below it."""
        taken: list[Fact] = []
        while self.id == wanted and self._head is not None:
            taken.append(self._head)
            self._step()
        return taken

    def _step(self) -> None:
        self._head = next(self._rows, None)
        following = END if self._head is None else self._head.id
        assert following >= self.id, "the database gave rows out of order"
        self.id = following


def merged_ids(streams: Iterable[Stream[Any]]) -> Iterator[int]:
    """Every id that occurs, lowest first; the caller takes the rows before it asks for the next."""
    every = list(streams)
    while True:
        lowest = min([stream.id for stream in every])
        if lowest == END:
            return
        yield lowest


@dataclass(slots=True)
class Bundle:
    """All rows that carry one id. Sound books have at most one of each, save entries and allocations."""

    id: int
    transactions: list[TransactionFact]
    entries: list[EntryFact]
    payments: list[PaymentFact]
    charges: list[ChargeFact]
    adjustments: list[AdjustmentFact]
    voids: list[VoidFact]
    allocations: list[AllocationFact] = field(default_factory=list)
    slice: list[SliceFact] = field(default_factory=list)
    outbox: list[OutboxFact] = field(default_factory=list)
    journal: list[JournalFact] = field(default_factory=list)
    holds_begun: list[HoldFact] = field(default_factory=list)
    holds_ended: list[HoldFact] = field(default_factory=list)
    notes: list[NoteFact] = field(default_factory=list)
    assignments: list[AssignmentFact] = field(default_factory=list)
    assigned: list[AssignedFact] = field(default_factory=list)
    settlements: list[SettlementFact] = field(default_factory=list)
    unsettled: list[SettlementFact] = field(default_factory=list)
    resolutions: list[ResolutionFact] = field(default_factory=list)


def bundles(book: AuditBook, biller_id: str) -> Iterator[Bundle]:
    """One bundle for every id of the biller's books."""
    transactions = Stream(book.transactions(biller_id))
    entries = Stream(book.entries(biller_id))
    payments = Stream(book.payments(biller_id))
    charges = Stream(book.charges(biller_id))
    adjustments = Stream(book.adjustments(biller_id))
    voids = Stream(book.voids(biller_id))
    allocations = Stream(book.allocations(biller_id))
    slices = Stream(book.slices(biller_id))
    outbox = Stream(book.outbox(biller_id))
    journal = Stream(book.journal(biller_id))
    begun, ended = Stream(book.holds_begun(biller_id)), Stream(book.holds_ended(biller_id))
    notes = Stream(book.notes(biller_id))
    assignments, assigned = Stream(book.assignments(biller_id)), Stream(book.assigned(biller_id))
    settlements, unsettled = Stream(book.settlements(biller_id)), Stream(book.unsettled(biller_id))
    resolutions = Stream(book.resolutions(biller_id))
    streams: list[Stream[Any]] = [
        transactions, entries, payments, charges, adjustments, voids, allocations, slices, outbox, journal,
        begun, ended, notes, assignments, assigned, settlements, unsettled,
        resolutions,
    ]  # fmt: skip
    for lowest in merged_ids(streams):
        yield Bundle(
            lowest,
            transactions.take(lowest),
            entries.take(lowest),
            payments.take(lowest),
            charges.take(lowest),
            adjustments.take(lowest),
            voids.take(lowest),
            allocations.take(lowest),
            slices.take(lowest),
            outbox.take(lowest),
            journal.take(lowest),
            begun.take(lowest),
            ended.take(lowest),
            notes.take(lowest),
            assignments.take(lowest),
            assigned.take(lowest),
            settlements.take(lowest),
            unsettled.take(lowest),
            resolutions.take(lowest),
        )
