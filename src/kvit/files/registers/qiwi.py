"""QIWI's daily register: TAB between the cells, Moscow time, a line ``Total:`` at the end.

Rows of five cells: the transaction's id (the one that was used online), date, time, account, amount. Fact:
QIWI's settlement rules (official); the date pattern and the line ends are not printed there.
"""

from __future__ import annotations

import re

from kvit.domain.lines import REGISTER, FileFacts
from kvit.files.base import ByteSource, Format, Option, Reading, ReadOptions
from kvit.files.registers.framed import framed, sums_of
from kvit.files.registers.kit import Tally
from kvit.files.registers.moments import ZoneShift
from kvit.files.registers.rows import Layout
from kvit.files.registers.sums import SumStyle
from kvit.files.texts import head_text

MOSCOW = "Europe/Moscow"
PLACES = {"id": 0, "date": 1, "time": 2, "number": 3, "amount": 4}

_NAME = re.compile(r"QIWI_[^_]+_[0-9]{8,}\.(?:csv|txt)", re.IGNORECASE)
_ROW = re.compile(
    r"[^\t]+\t(?:[0-9]{2}\.[0-9]{2}\.[0-9]{4}|[0-9]{4}-[0-9]{2}-[0-9]{2})\t[0-9]{1,2}:[^\t]+\t[^\t]+\t[^\t]+"
)
_IS_TOTAL = re.compile(r"\s*total\b", re.IGNORECASE)
_TOTAL = re.compile(r"total\s*:?\s*([0-9]+)\s+(\S.*)", re.IGNORECASE)

OPTIONS = {
    "timezone": Option("Whose clock the times of the register are of.", MOSCOW),
    "agreement_timezone": Option("Bring days and times into this zone; empty: leave them as they are."),
}


def fits(name: str, head: bytes) -> int:
    """By the first line; the name alone is not enough."""
    lines = [line for line in head_text(head).splitlines() if line.strip()]
    named = 8 if _NAME.fullmatch(name) else 0
    if not lines:
        return 0
    if _ROW.fullmatch(lines[0]):
        return 90 + named
    return 85 + named if _TOTAL.fullmatch(lines[0].strip()) and "\t" in lines[0] else 0


def read(source: ByteSource, options: ReadOptions) -> Reading:
    """Raises ``FileRefused`` for an encoding or a zone that is not known."""
    zone = options.options.get("timezone") or MOSCOW
    layout = Layout(
        PLACES,
        SumStyle(options.currency),
        width=len(PLACES),
        required=frozenset({"id", "number"}),
        shift=ZoneShift(zone, options.options.get("agreement_timezone", "")),
    )
    return framed("qiwi", source, options, layout, ("\t", ""), _Total)


class _Total:
    """The last line: ``Total:``, how many payments, their sum."""

    def __init__(self, facts: FileFacts, style: SumStyle) -> None:
        self._facts = facts
        self._style = style
        self._text = ""

    @property
    def is_closed(self) -> bool:
        return bool(self._text)

    def takes(self, line: int, text: str) -> bool:
        if _IS_TOTAL.match(text):
            self._text = text.strip()
            return True
        if self._text:
            self._facts.problems.append(f"Line {line} follows the line of totals.")
        return False

    def close(self, tally: Tally) -> None:
        if not self._text:
            self._facts.problems.append("The line Total: is missing: the file may have been cut off.")
            return
        found = _TOTAL.fullmatch(self._text)
        sums = sums_of([found[2]], self._style) if found else None
        if not found or sums is None:
            self._facts.problems.append(f"The line of totals cannot be read: {self._text[:80]!r}.")
            return
        tally.check_count(self._facts, int(found[1]))
        tally.check_sum(self._facts, "paid", sums[0], tally.amount_minor)


FORMAT = Format("qiwi", "QIWI daily register (TAB, Total: line)", REGISTER, fits, read, OPTIONS)
