"""One import: the whole file is looked at first, then it goes into the books slice by slice.

A slice is one short transaction over some accounts, with all that the file says about each of them, so
payments get in between. An import that was broken off is completed by importing the same file again.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple, Protocol

from kvit.domain import days
from kvit.domain.model import Biller
from kvit.services.ports import Clock
from kvit.services.receivables.ports import RUNNING, ImportRow, ReceivablesBook, ReceivablesStore

#: A slice should keep other writers out for about so long; its size follows what the last one took.
SLICE_S = 0.1
SLICE_ROWS_FIRST = 200
SLICE_ROWS_MIN = 20
SLICE_ROWS_MAX = 10_000
#: So many times as large as the last slice the next one may be.
SLICE_GROWTH = 4
EXAMPLES_MAX = 5


class LineError(NamedTuple):
    """Why a row cannot be taken. ``column`` is one of our fields' names, ``""`` for the whole row."""

    line: int
    column: str
    value: str
    reason: str


class Example(NamedTuple):
    """One row of the file and what it means: ``what`` is ``new``, ``changed``, ``adjusted`` or ``note``."""

    line: int
    number: str
    what: str
    text: str


@dataclass(slots=True)
class Tally:
    """What an import did, or would do.

    ``unchanged`` rows were in the books already. ``added_minor`` is by how much clients owe more now
    (less, where below zero), ``settled_minor`` how much of it was settled at once by what they had paid in
    advance.
    """

    new: int = 0
    changed: int = 0
    adjusted: int = 0
    unchanged: int = 0
    added_minor: int = 0
    settled_minor: int = 0
    due_differs: int = 0
    examples: dict[str, list[Example]] = field(default_factory=dict)

    def has_room(self, what: str) -> bool:
        """Are there still few examples of this kind?"""
        return len(self.examples.get(what, ())) < EXAMPLES_MAX

    def show(self, line: int, number: str, what: str, text: str) -> None:
        """Keep one more example, while there are few of its kind."""
        if self.has_room(what):
            self.examples.setdefault(what, []).append(Example(line, number, what, text))

    def add(self, other: Tally) -> None:
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for examples in other.examples.values():
            for example in examples:
                self.show(*example)


COUNTS = (
    "new", "changed", "adjusted", "unchanged", "added_minor", "settled_minor", "due_differs",
)  # fmt: skip


class Act(NamedTuple):
    """Who imports what, and when. ``biller`` is as it is at this moment."""

    biller: Biller
    import_id: int
    file_name: str
    author: str
    now_us: int
    today: str
    dry_run: bool = False


class Job(Protocol):
    """What kind of file it is, its rows by account, and what becomes of a slice of them."""

    @property
    def kind(self) -> str: ...

    @property
    def as_of(self) -> str:
        """The day that the file is about, where it is about one."""
        ...

    @property
    def sizes(self) -> Sequence[int]:
        """How many rows the file has about each account, in the order of the accounts."""
        ...

    @property
    def errors(self) -> Sequence[LineError]:
        """What is wrong with the file; it must not be imported while there is anything."""
        ...

    @property
    def repeated(self) -> int:
        """How many rows state an earlier row of the file once more."""
        ...

    @property
    def total_minor(self) -> int:
        """The sum of all amounts."""
        ...

    def slice(self, book: ReceivablesBook, start: int, stop: int, act: Act) -> Tally:
        """Compare these accounts' rows with the books and, unless it is a dry run, write what differs."""
        ...


class File(NamedTuple):
    """``digest``: SHA-256 of its bytes, in hexadecimal."""

    name: str
    digest: str


class Office(NamedTuple):
    """Where and by whom: ``progress`` is told how many rows are done."""

    store: ReceivablesStore
    clock: Clock
    author: str
    progress: Callable[[int], None]


class Outcome(NamedTuple):
    """``resumed``: an earlier run over the same file was broken off, and this one completed it."""

    import_id: int
    resumed: bool
    tally: Tally


def look(office: Office, job: Job, file: File) -> Tally:
    """What importing would change. Nothing is written."""
    tally = Tally()
    for start, stop in _slices(office, job):
        tally.add(office.store.read(_Slice(office, job, file, start, stop)))
    return tally


def run(office: Office, job: Job, file: File) -> Outcome:
    """Import everything. What a broken run has left in the books is found there and left as it is."""
    assert not job.errors, "a file with errors is not imported"
    import_id, resumed = office.store.write(lambda book: _begin(book, office, job, file))
    tally = Tally()
    for start, stop in _slices(office, job):
        tally.add(office.store.write(_Slice(office, job, file, start, stop, import_id)))
        office.store.rest()
    summary = _summary(job, tally)
    finished_at_us = days.to_us(office.clock.now())
    office.store.write(lambda book: book.finish_import(import_id, summary, finished_at_us))
    office.store.renew_statistics()
    return Outcome(import_id, resumed, tally)


@dataclass(frozen=True, slots=True)
class _Slice:
    """The work of one transaction; without an import to belong to, it is a dry run."""

    office: Office
    job: Job
    file: File
    start: int
    stop: int
    import_id: int | None = None

    def __call__(self, book: ReceivablesBook) -> Tally:
        biller, now = book.biller(), self.office.clock.now()
        today = now.astimezone(days.zone(biller.timezone)).date().isoformat()
        act = Act(
            biller, self.import_id or 0, self.file.name, self.office.author, days.to_us(now), today,
            self.import_id is None,
        )  # fmt: skip
        return self.job.slice(book, self.start, self.stop, act)


def _slices(office: Office, job: Job) -> Iterator[tuple[int, int]]:
    """Places of accounts from and to; each slice is sized by how long the one before took."""
    start, done, rows_aim = 0, 0, SLICE_ROWS_FIRST
    ends = list(accumulate(job.sizes))
    while start < len(ends):
        stop = max(bisect_right(ends, done + rows_aim), start + 1)
        yield start, stop
        rows = ends[stop - 1] - done
        start, done = stop, done + rows
        office.progress(done)
        fitting = rows * SLICE_S / max(office.store.held_s, 0.001)
        rows_aim = int(min(max(fitting, SLICE_ROWS_MIN), SLICE_GROWTH * rows_aim, SLICE_ROWS_MAX))


def _begin(book: ReceivablesBook, office: Office, job: Job, file: File) -> tuple[int, bool]:
    for row in book.unfinished_imports():
        same = (row.kind, row.file_digest, as_of_text(row)) == (job.kind, file.digest, job.as_of)
        if same:
            return row.import_id, True
    biller_id = book.biller().biller_id
    (import_id,) = book.take_ids(1)
    began_at_us = days.to_us(office.clock.now())
    book.add_import(
        ImportRow(
            biller_id, import_id, job.kind, file.name, file.digest, RUNNING, _summary(job, None),
            office.author, began_at_us, None,
        )
    )  # fmt: skip
    return import_id, False


def as_of_text(row: ImportRow) -> str:
    """The day that an import is about; empty where it is about none."""
    return str(json.loads(row.summary).get("as_of", ""))


def _summary(job: Job, tally: Tally | None) -> str:
    summary: dict[str, str | int] = {"as_of": job.as_of} if job.as_of else {}
    if tally is not None:
        summary.update((name, getattr(tally, name)) for name in COUNTS)
    return json.dumps(summary)
