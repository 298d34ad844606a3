"""Rows of totals: how they are told from payments, and whether what they say holds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kvit.domain.lines import FileFacts
from kvit.files.cells import Unreadable
from kvit.files.registers.kit import Tally
from kvit.files.registers.sums import SumStyle, read_sum

#: First words of rows that hold no payment: totals, balances, turnovers.
_WORDS = (
    "итого", "всего", "итог", "total", "totals", "sum", "subtotal", "сумма", "число", "количество", "кол",
    "разом", "усього", "всього", "сума", "кількість", "барлығы", "жиыны", "саны", "сомасы", "обороты",
    "оборот", "остаток", "сальдо", "входящий", "исходящий", "вхідний", "вихідний", "count", "комиссия",
    "вознаграждение", "подытог",
)  # fmt: skip
_STARTS = re.compile(rf"\W*(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)
_BARE = re.compile(rf"\W*(?:{'|'.join(_WORDS)})\b[\W\d]*", re.IGNORECASE)
_PREFIX = 3
_PREFIXES = frozenset(word[:_PREFIX] for word in _WORDS)
_COUNT = re.compile(r"кол|числ|count|кільк|саны|платеж", re.IGNORECASE)
_NUMBER = re.compile(r"-?[0-9][0-9\u00a0\u202f]*(?:[ '][0-9]{3})*(?:[.,][0-9]+)?")


def may_hold_totals(columns: Sequence[Sequence[str]]) -> bool:
    """Whether a row of these columns might begin with a word of totals; quick, and never wrongly False."""
    for column in columns:
        starts = {cell.strip()[:_PREFIX] for cell in column}
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
        tally = self._tally
        sums = {"amount": tally.amount_minor, "fee": tally.fee_minor, "net": tally.net_minor}
        before = dict(zip(sums, self._since, strict=True))
        found = {name: self._cell(cells, self._places.get(name)) for name in sums}
        if found["amount"] is None:
            self._labelled(line, cells)
            return
        for name, said_minor in found.items():
            if said_minor is None or (name != "amount" and name not in self._places):
                continue
            if said_minor not in {sums[name], sums[name] - before[name]}:
                tally.check_sum(self._facts, f"as {name} in line {line}", said_minor, sums[name])
        self._since = (tally.amount_minor, tally.fee_minor, tally.net_minor)

    def _cell(self, cells: Sequence[str], place: int | None) -> int | None:
        if place is None or place >= len(cells) or not cells[place]:
            return None
        value = read_sum(cells[place], self._style)
        return None if isinstance(value, Unreadable) else value

    def _labelled(self, line: int, cells: Sequence[str]) -> None:
        """A row like ``Итого: 2 платежа; 3000.00``: one of its numbers must be one of ours."""
        text = " ".join(cells)
        numbers = _NUMBER.findall(text)
        values = {value for number in numbers if isinstance(value := read_sum(number, self._style), int)}
        tally = self._tally
        ours = {tally.amount_minor, tally.fee_minor, tally.net_minor, tally.amount_minor - self._since[0]}
        if not values or values & ours:
            return
        if _COUNT.search(text) and str(tally.count) in {number.strip() for number in numbers}:
            return
        self._facts.problems.append(
            f"The totals in line {line} ({text[:80]!r}) are not those of the lines: {tally.count} payments of"
            f" {tally.money(tally.amount_minor)}."
        )
