"""One import of a register or statement: read, decided and written slice by slice.

A slice is one short transaction: its payments, and what became of its lines. An import that was broken off
is completed by importing the same file again: what is in the books already is found there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from kvit.domain import days
from kvit.domain.errors import NotAllowed
from kvit.domain.lines import Batch, FileFacts, LineIds, MoneyLine
from kvit.services.intake.checks import differing_key, sift
from kvit.services.intake.ports import UNDOING, IntakeBook, IntakeStore, KnownLine
from kvit.services.intake.words import Counts, Decided, Item
from kvit.services.intake.writing import write_decided
from kvit.services.ports import Clock
from kvit.services.receivables.ports import FINISHED, RUNNING, ImportRow

#: A slice should keep other writers out for about so long; its size follows what the last one took.
SLICE_S = 0.1
SLICE_LINES_FIRST = 100
SLICE_LINES_MIN = 20
SLICE_LINES_MAX = 1_000
SLICE_GROWTH = 4
#: Lines looked at in one go: nobody waits for a look.
LOOK_LINES = 5_000


class Source(Protocol):
    """Whose lines they are, and how they are decided."""

    @property
    def source(self) -> str: ...

    def begin(self) -> None:
        """A slice begins, perhaps for the second time: what the try before has noted does not count."""
        ...

    def keep(self) -> None:
        """The slice is done."""
        ...

    def last(self) -> list[Item]:
        """All lines were seen: those that were put off, to be decided now."""
        ...

    def numbers(self, items: Sequence[Item]) -> set[str]: ...

    def decide(
        self, book: IntakeBook, items: Sequence[Item], generations: dict[str, int]
    ) -> list[Decided]: ...


class ReadFile(NamedTuple):
    """A file that is being read: ``digest`` is the SHA-256 of its bytes, in hexadecimal."""

    name: str
    digest: str
    kind: str
    batches: Iterable[Batch]
    facts: Callable[[], FileFacts]


class Office(NamedTuple):
    """Where and by whom. ``told`` hears of every line, ``progress`` how many lines are done."""

    store: IntakeStore
    clock: Clock
    author: str
    told: Callable[[Decided], None]
    progress: Callable[[int], None]


@dataclass(slots=True)
class Outcome:
    """``import_id``: 0 for a look. ``resumed``: an earlier run was broken off, and this one completed it."""

    import_id: int
    resumed: bool
    counts: Counts
    first_day: str = ""
    last_day: str = ""


#: Own account of a line -> its source; for a register always the same one.
Sources = Callable[[str], Source]


def look(office: Office, file: ReadFile, sources: Sources, agreement_id: str = "") -> Outcome:
    """What importing would do. Nothing is written."""
    del agreement_id
    return _Run(office, file, sources, 0, False, is_look=True, _aim=LOOK_LINES).run()


def run(office: Office, file: ReadFile, sources: Sources, agreement_id: str = "") -> Outcome:
    """Import everything. Raises ``NotAllowed`` while this file's import is being undone."""
    import_id, resumed = office.store.write(lambda book: _begin(book, office, file, agreement_id))
    outcome = _Run(office, file, sources, import_id, resumed).run()
    finished_at_us = days.to_us(office.clock.now())
    summary = summary_of(outcome, file.facts())
    office.store.write(lambda book: book.set_import(import_id, FINISHED, summary, finished_at_us))
    return outcome


@dataclass
class _Run:
    office: Office
    file: ReadFile
    sources: Sources
    import_id: int
    resumed: bool
    is_look: bool = False
    counts: Counts = field(default_factory=Counts)
    _aim: int = SLICE_LINES_FIRST
    _done: int = 0
    _days: set[str] = field(default_factory=set)
    _used: dict[str, Source] = field(default_factory=dict)

    def run(self) -> Outcome:
        for items in self._slices():
            self._one(items)
        for source in self._used.values():
            put_off = source.last()
            for start in range(0, len(put_off), SLICE_LINES_FIRST):
                self._of_one_source(source, put_off[start : start + SLICE_LINES_FIRST])
        first, *_ = ordered = sorted(self._days) or [""]
        return Outcome(self.import_id, self.resumed, self.counts, first, ordered[-1])

    def _slices(self) -> Iterator[list[Item]]:
        ids = LineIds()
        waiting: list[Item] = []
        for batch in self.file.batches:
            waiting += [Item(ids.of(line), line) for line in batch.lines]
            waiting += [Item(ids.of_bad(line), line) for line in batch.bad]
            while len(waiting) >= self._aim:
                aim = self._aim
                yield waiting[:aim]
                waiting = waiting[aim:]
        if waiting:
            yield waiting

    def _one(self, items: list[Item]) -> None:
        """A statement may be about several accounts."""
        by_account: dict[str, list[Item]] = {}
        for item in items:
            own = item.line.own_account if isinstance(item.line, MoneyLine) else ""
            by_account.setdefault(own or self.file.facts().own_account, []).append(item)
        for own_account, some in by_account.items():
            source = self.sources(own_account)
            self._used.setdefault(source.source, source)
            self._of_one_source(source, some)

    def _of_one_source(self, source: Source, items: list[Item]) -> None:
        store = self.office.store
        if self.is_look:
            source.begin()
            decided = store.read(lambda book: self._decide(book, source, items))
        else:
            decided = store.write(lambda book: self._decide_and_write(book, source, items))
            store.rest()
            fitting = len(items) * SLICE_S / max(store.held_s, 0.001)
            self._aim = int(min(max(fitting, SLICE_LINES_MIN), SLICE_GROWTH * self._aim, SLICE_LINES_MAX))
        source.keep()
        for one in decided:
            self.counts.add(one)
            if isinstance(one.line, MoneyLine):
                self._days.add(one.line.day)
            self.office.told(one)
        self._done += len(decided)
        self.office.progress(self._done)

    def _decide_and_write(self, book: IntakeBook, source: Source, items: list[Item]) -> list[Decided]:
        source.begin()
        book.lock_numbers(source.numbers(items))
        decided = self._decide(book, source, items)
        now = self.office.clock.now()
        write_decided(book, decided, self.file.kind, source.source, self.import_id, now)
        return decided

    def _decide(self, book: IntakeBook, source: Source, items: list[Item]) -> list[Decided]:
        biller = book.biller()
        today = self.office.clock.now().astimezone(days.zone(biller.timezone)).date().isoformat()
        known = self._known(book, source.source, items)
        decided, rest, generations = sift(
            items, known, self.file.kind, biller.currency, today, self.import_id
        )
        for one in source.decide(book, rest, generations):
            one.generation, one.is_kept = generations.get(one.key, 0), one.key in generations
            decided.append(one)
        return sorted(decided, key=lambda one: one.line.line)

    @staticmethod
    def _known(book: IntakeBook, source: str, items: list[Item]) -> dict[str, KnownLine]:
        known = book.known_lines(source, {item.key for item in items})
        others = {differing_key(item) for item in items if _differs(item, known.get(item.key))}
        return known | book.known_lines(source, others) if others else known


def _differs(item: Item, before: KnownLine | None) -> bool:
    line = item.line
    if before is None or not isinstance(line, MoneyLine):
        return False
    return (before.file_number, before.amount_minor, before.direction) != (
        line.number, line.amount_minor, line.direction,
    )  # fmt: skip


def _begin(book: IntakeBook, office: Office, file: ReadFile, agreement_id: str) -> tuple[int, bool]:
    for row in reversed(book.imports([file.kind])):
        if (row.file_digest, row.agreement_id) != (file.digest, agreement_id):
            continue
        if row.state == UNDOING:
            raise NotAllowed(
                f"import {row.import_id} of this file is being undone; finish that first: "
                f"kvit import undo {row.import_id}"
            )
        if row.state == RUNNING:
            return row.import_id, True
    biller_id = book.biller().biller_id
    (import_id,) = book.take_ids(1)
    began_at_us = days.to_us(office.clock.now())
    book.add_import(
        ImportRow(
            biller_id, import_id, file.kind, file.name, file.digest, RUNNING, "{}", office.author,
            began_at_us, None, agreement_id, file.facts().format,
        )
    )  # fmt: skip
    return import_id, False


def summary_of(outcome: Outcome, facts: FileFacts) -> str:
    """What is kept of an import: counts, days, and what the file says about itself."""
    summary: dict[str, object] = {
        "rows": outcome.counts.rows,
        **outcome.counts.as_texts(),
        "total_minor": outcome.counts.total_minor,
        "first_day": facts.first_day or outcome.first_day,
        "last_day": facts.last_day or outcome.last_day,
        "order_number": facts.order_number,
        "order_date": facts.order_date,
        "own_account": facts.own_account,
        "opening_minor": facts.opening_minor,
        "closing_minor": facts.closing_minor,
    }
    return json.dumps({name: value for name, value in summary.items() if value not in ("", None)})
