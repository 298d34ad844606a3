"""Rows of totals: how they are told from payments, and whether what they say holds."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from kvit.domain.lines import FileFacts
from kvit.files.cells import Unreadable
from kvit.files.registers.kit import Tally
from kvit.files.registers.sums import SumStyle, read_sum

#: First words of rows that hold no payment: totals, balances, turnovers.
_WORDS = (
    "итого", "всего", "итог", "total", "totals", "sum", "subtotal", "сумма", "число", "количество", "кол",
    "разом", "усього", "всього", "сума", "кількість", "барлығы", "жиыны", "саны", "сомасы", "обороты",
    "оборот", "остаток", "сальдо", "входящий", "исходящий", "вхідний", "вихідний", "count", "комиссия",
    "вознаграждение", "подытог", "balance", "opening balance", "closing balance",
)  # fmt: skip
_STARTS = re.compile(rf"\W*(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)
_BARE = re.compile(rf"\W*(?:{'|'.join(_WORDS)})\b[\W\d]*", re.IGNORECASE)
_PREFIX = 3
_PREFIXES = frozenset(word[:_PREFIX] for word in _WORDS)
#: What a row of totals is about, by its words; sums of the payments unless one of these is in it.
_COUNT = re.compile(r"кол|числ|count|кільк|саны", re.IGNORECASE)
_FEE = re.compile(r"комис|коміс|вознагр|винагор|удерж|fee|commission", re.IGNORECASE)
_NET = re.compile(r"перечисл|перерах|transfer|\bnet\b", re.IGNORECASE)
#: Of the whole account, not of these payments.
_BALANCE = re.compile(r"остат|сальдо|вход|исход|вхід|вихід|оборот|balance", re.IGNORECASE)
_NUMBER = re.compile(r"-?[0-9][0-9\u00a0\u202f]*(?:[ '][0-9]{3})*(?:[.,][0-9]+)?")


def may_hold_totals(columns: Sequence[Sequence[str]]) -> bool:
    """Whether a row of these columns might begin with a word of totals; quick, and never wrongly False."""
    for column in columns:
        distinct = set(column)
        if "".join(distinct).isdigit() and "" not in distinct:
            return False
        starts = {cell.strip()[:_PREFIX] for cell in distinct}
        prefixes = {start.casefold() for start in starts}
        if not prefixes.isdisjoint(_PREFIXES) or any(start and not start[0].isalnum() for start in starts):
            return True
        if "" not in prefixes:
            return False
    return True


def first_text(cells: Sequence[str]) -> str:
    return next((cell for cell in cells if cell), "")


def begins_with_totals(cells: Sequence[str]) -> bool:
    """Whether the first cell that is not empty begins with a word of totals."""
    return _STARTS.match(first_text(cells)) is not None


def is_bare(cells: Sequence[str]) -> bool:
    """Whether that cell says nothing but the word, so that it can be nobody's name."""
    return _BARE.fullmatch(first_text(cells)) is not None


class TotalsCheck:
    """Compares rows of totals with the lines above: all of them, or those since the last such row."""

    def __init__(self, places: Mapping[str, int], style: SumStyle, tally: Tally, facts: FileFacts) -> None:
        self._places = places
        self._style = style
        self._tally = tally
        self._facts = facts
        self._since = (0, 0, 0)

    def row(self, line: int, cells: Sequence[str]) -> None:
        """A row of totals, its cells trimmed."""
        label = first_text(cells)
        tally, before = self._tally, self._since
        if _BALANCE.search(label):
            return
        if _COUNT.search(label):
            every = {tally.amount_minor, tally.fee_minor, tally.net_minor, tally.amount_minor - before[0]}
            self._labelled(line, cells, every, counts=True)
        elif _FEE.search(label):
            self._labelled(line, cells, {tally.fee_minor, tally.fee_minor - before[1]})
        elif _NET.search(label):
            self._labelled(line, cells, {tally.net_minor, tally.net_minor - before[2]})
        elif self._cell(cells, "amount") is None:
            self._labelled(line, cells, {tally.amount_minor, tally.amount_minor - before[0]}, counts=True)
        else:
            self._columns(line, cells)

    def _columns(self, line: int, cells: Sequence[str]) -> None:
        """Sums that stand under the columns that they are of."""
        tally = self._tally
        sums = (tally.amount_minor, tally.fee_minor, tally.net_minor)
        for name, ours, before in zip(("amount", "fee", "net"), sums, self._since, strict=True):
            said_minor = self._cell(cells, name)
            if said_minor is not None and said_minor not in {ours, ours - before}:
                tally.check_sum(self._facts, f"as {name} in line {line}", said_minor, ours)
        self._since = sums

    def _cell(self, cells: Sequence[str], name: str) -> int | None:
        place = self._places.get(name)
        if place is None or place >= len(cells) or not cells[place]:
            return None
        value = read_sum(cells[place], self._style)
        return None if isinstance(value, Unreadable) else value

    def _labelled(
        self, line: int, cells: Sequence[str], ours: Collection[int], *, counts: bool = False
    ) -> None:
        """A row like ``Итого: 2 платежа; 3000.00``: one number must be among ``ours``, or the count."""
        text = " ".join(cells)
        numbers = [number.strip() for number in _NUMBER.findall(text)]
        values = {value for number in numbers if isinstance(value := read_sum(number, self._style), int)}
        tally = self._tally
        if not values or not values.isdisjoint(ours) or (counts and str(tally.count) in numbers):
            return
        self._facts.problems.append(
            f"The totals in line {line} ({text[:80].strip()!r}) are not those of the lines: {tally.count}"
            f" payments of {tally.money(tally.amount_minor)}, commission {tally.money(tally.fee_minor)}."
        )
