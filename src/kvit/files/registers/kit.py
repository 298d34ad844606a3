"""What readers of registers share: a file walked anew with each call, lines by columns, totals checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any

from kvit.domain.lines import IN, OUT, RAW_LENGTH_MAX, BadLine, Batch, FileFacts, MoneyLine, span
from kvit.domain.money import exponent_of, format_amount
from kvit.files.base import BATCH_LINES

#: Between the parts of ``known_by``; no cell holds it.
_JOINT = "\t"
#: Behind the id of a reversal: it is no payment of that id.
REVERSAL = "/reversal"
#: The name in ``more`` of the id of the payment that a reversal takes back.
REVERSES = "reverses"

# A row that is ready becomes a line at once: twice as fast as a call with 21 arguments.
_line_of_row: Callable[[type[MoneyLine], Any], MoneyLine] = tuple.__new__

#: A column: one value a line, or one text for all of them.
Texts = Sequence[str] | str


class Register:
    """A ``Reading`` whose facts begin anew with each walk through the file."""

    def __init__(self, facts: FileFacts, walk: Callable[[FileFacts], Iterator[Batch]]) -> None:
        """``walk`` gives the batches and completes the facts that it is handed."""
        self._start = facts
        self._walk = walk
        self._facts = facts

    @property
    def facts(self) -> FileFacts:
        return self._facts

    def batches(self) -> Iterator[Batch]:
        start = self._start
        self._facts = replace(start, problems=list(start.problems), notes=list(start.notes))
        return _gathered(self._walk(self._facts))


def _gathered(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same lines in batches of ``BATCH_LINES`` or a few more; never an empty one."""
    whole = Batch([], [])
    for batch in batches:
        whole.lines.extend(batch.lines)
        whole.bad.extend(batch.bad)
        if len(whole.lines) + len(whole.bad) >= BATCH_LINES:
            yield whole
            whole = Batch([], [])
    if whole.lines or whole.bad:
        yield whole


@dataclass(slots=True)
class Columns:
    """Some lines, column by column. ``amounts`` are signed: below zero is a reversal.

    ``reversals``: which lines are reversals for another reason (their amounts are above zero);
    ``parents``: ids of the payments that reversals take back. ``written``: ``ats`` before they were
    brought into another zone.
    """

    lines: Sequence[int]
    amounts: Sequence[int]
    days: Sequence[str]
    ats: Texts = ""
    numbers: Texts = ""
    keys: Texts = ""
    payers: Texts = ""
    texts: Texts = ""
    currencies: Texts = ""
    services: Texts = ""
    documents: Texts = ""
    fees: Sequence[int | None] | None = None
    nets: Sequence[int | None] | None = None
    reversals: Sequence[bool] | None = None
    parents: Texts = ""
    more: Sequence[tuple[tuple[str, str], ...]] | None = None
    written: Texts = ""


def money_lines(columns: Columns) -> list[MoneyLine]:
    """The lines, built column by column. No amount may be 0."""
    amounts: Sequence[int] = columns.amounts
    directions: Iterable[str] = repeat(IN)
    reversals: Iterable[bool] = repeat(False)
    keys: Iterable[str] = _each(columns.keys)
    more: Iterable[tuple[tuple[str, str], ...]] = columns.more or repeat(())
    known_by: Iterable[str] = repeat("")
    if isinstance(columns.keys, str) or not all(columns.keys):
        known_by = _known_by(columns)
    if columns.reversals is not None or min(amounts) < 0:
        flags = [
            amount < 0 or told
            for amount, told in zip(amounts, columns.reversals or repeat(False), strict=False)
        ]
        reversals = flags
        directions = [OUT if flag else IN for flag in flags]
        more = [
            (*rest, (REVERSES, parent or key)) if flag and (parent or key) else rest
            for flag, key, parent, rest in zip(
                flags, _each(columns.keys), _each(columns.parents), more, strict=False
            )
        ]
        keys = [key + REVERSAL if flag and key else key for flag, key in zip(flags, keys, strict=False)]
        amounts = list(map(abs, amounts))
    rows = zip(
        columns.lines, keys, known_by, amounts, directions, columns.days, _each(columns.ats),
        _each(columns.numbers), _each(columns.payers), repeat(""), _each(columns.texts),
        _each(columns.currencies), repeat(""), _each(columns.services), _each(columns.documents),
        repeat(None) if columns.fees is None else columns.fees,
        repeat(None) if columns.nets is None else columns.nets,
        repeat(True), reversals, more,
        repeat(""),  # raw: the file is kept, and good lines say all of theirs in fields
        strict=False,
    )  # fmt: skip
    return list(map(_line_of_row, repeat(MoneyLine), rows))


def _each(texts: Texts) -> Iterable[str]:
    return repeat(texts) if isinstance(texts, str) else texts


def _known_by(columns: Columns) -> Iterable[str]:
    """What tells a line from others, the same in every file: nothing of its place, of fees or of zones.

    Empty where the line has a key. Fees are left out, since a bank corrects them without a new payment.
    """
    told = repeat("") if columns.reversals is None else ("r" if flag else "" for flag in columns.reversals)
    parts = zip(
        columns.days, _each(columns.written or columns.ats), _each(columns.numbers),
        map(str, columns.amounts), _each(columns.documents), _each(columns.payers),
        _each(columns.services), _each(columns.texts), told, strict=False,
    )  # fmt: skip
    joined = map(_JOINT.join, parts)
    if isinstance(columns.keys, str):
        return joined
    return ("" if key else text for key, text in zip(columns.keys, joined, strict=True))


def split_proven(text: str, delimiter: str, width: int) -> list[list[str]]:
    """The same for lines that are known to have ``width`` cells."""
    cells = text.replace("\n", delimiter).split(delimiter)
    return [cells[place:-1:width] for place in range(width)]


def split_columns(text: str, delimiter: str, width: int) -> list[list[str]] | None:
    """The cells of whole lines (each ends with ``\\n``) by column; ``None`` unless all have ``width``."""
    count = text.count("\n")
    # Every line's first cell begins with the line's end before it: so a cell too many in one line cannot
    # make up for one too few in the next.
    cells = text[:-1].replace("\n", delimiter + "\n").split(delimiter)
    if len(cells) != count * width:
        return None
    first = "".join(cells[::width]).split("\n")
    if len(first) != count or text.startswith("\n"):
        return None
    return [first, *(cells[place::width] for place in range(1, width))]


def bad_line(line: int, reason: str, raw: str) -> BadLine:
    return BadLine(line, reason, raw[:RAW_LENGTH_MAX])


@dataclass(slots=True)
class Tally:
    """What the lines add up to; reversals are taken off. ``bad``: how many could not be read."""

    currency: str
    count: int = 0
    bad: int = 0
    amount_minor: int = 0
    fee_minor: int = 0
    net_minor: int = 0
    days: set[str] = field(default_factory=set)

    def add(self, columns: Columns, lines: Sequence[MoneyLine]) -> None:
        """Lines, and the columns that they were made of."""
        self.count += len(lines)
        self.days.update(columns.days)
        if columns.reversals is None and min(columns.amounts) > 0:
            self.amount_minor += sum(columns.amounts)
            self.fee_minor += sum(filter(None, columns.fees or ()))
            self.net_minor += sum(filter(None, columns.nets or ()))
        else:
            self.amount_minor += sum(_signed(line, line.amount_minor) for line in lines)
            self.fee_minor += sum(_signed(line, line.fee_minor) for line in lines)
            self.net_minor += sum(_signed(line, line.net_minor) for line in lines)

    def close(self, facts: FileFacts) -> None:
        """Write down which days the lines are of."""
        facts.first_day, facts.last_day = span(self.days)

    def check_count(self, facts: FileFacts, said: int) -> None:
        if said != self.count:
            facts.problems.append(
                f"The totals name {said} payments, the file holds {self.count}{self._bad()}."
            )

    def check_sum(self, facts: FileFacts, what: str, said_minor: int, found_minor: int) -> None:
        """``what``: like "paid"; as it stands in "The totals name 1.00 paid, the lines add up to 2.00."."""
        if said_minor != found_minor:
            facts.problems.append(
                f"The totals name {self.money(said_minor)} {what}, the lines add up to"
                f" {self.money(found_minor)}{self._bad()}."
            )

    def money(self, amount_minor: int) -> str:
        return format_amount(amount_minor, exponent_of(self.currency))

    def _bad(self) -> str:
        return f" ({self.bad} lines cannot be read)" if self.bad else ""


def _signed(line: MoneyLine, amount_minor: int | None) -> int:
    """What a line adds to a total: a reversal takes off."""
    if amount_minor is None:
        return 0
    return -amount_minor if line.direction == OUT else amount_minor
