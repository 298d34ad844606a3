"""Sberbank's register, variant A: cells with ``;``, the first by place, the rest as ``KEY:VALUE``.

0 regional bank, 1 branch, 4 amount, 5 commission withheld from the biller, one cell is the date; then by
key CLIENTNO, CLIENTDOCNO, method_pay, CounterVal_1 ... A line without CLIENTNO is no payment. Fact: a
single source, a public program that loads such registers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from kvit.domain.lines import REGISTER, BadLine, Batch, FileFacts, MoneyLine
from kvit.files.base import BATCH_LINES, ByteSource, Format, Reading, ReadOptions
from kvit.files.cells import Unreadable, read_number
from kvit.files.registers.fields import WORD_LENGTH_MAX, read_words
from kvit.files.registers.kit import Columns, Register, Tally, bad_line, money_lines
from kvit.files.registers.moments import moment_reader
from kvit.files.registers.sums import POINT, SumStyle, read_sum
from kvit.files.texts import find_encoding, head_text, shown, text_lines

NUMBER, DOCUMENT = "CLIENTNO", "CLIENTDOCNO"
_BRANCH = slice(0, 2)
_AMOUNT, _FEE = 4, 5
_KEY_VALUE = re.compile(r"\s*(\w+)\s*:\s*(.*?)\s*")
_DATE = re.compile(r"[0-9]{2}/[0-9]{2}/[0-9]{4}")
_MARK = re.compile(r";\s*CLIENTNO\s*:")


def fits(_name: str, head: bytes) -> int:
    """By the key that nothing else has."""
    return 95 if _MARK.search(head_text(head)) else 0


def read(source: ByteSource, options: ReadOptions) -> Reading:
    """Raises ``FileRefused`` for an encoding that is not known."""
    encoding = find_encoding(source, wanted=options.encoding, declared="cp1251")
    lines = _Lines(SumStyle(options.currency, POINT))
    return Register(
        FileFacts("sberbank-a", shown(encoding)),
        lambda facts: lines.walk(text_lines(source, encoding), facts),
    )


class _Read(NamedTuple):
    """What one line says; the sum is below zero for a reversal."""

    line: int
    amount_minor: int
    day: str
    number: str
    document: str
    fee_minor: int | None
    more: tuple[tuple[str, str], ...]


class _Lines:
    """The lines of one file."""

    def __init__(self, style: SumStyle) -> None:
        self._style = style
        self._read_day = moment_reader("dd/mm/yyyy")

    def walk(self, lines: Iterator[tuple[int, str]], facts: FileFacts) -> Iterator[Batch]:
        tally = Tally(self._style.currency)
        others = 0
        read: list[_Read] = []
        bad: list[BadLine] = []
        for number, text in lines:
            cells = text.split(";")
            values = _values(cells)
            if NUMBER not in values:
                others += bool(text.strip())
                continue
            found = self._read(number, cells, values)
            if isinstance(found, str):
                bad.append(bad_line(number, found, text))
            else:
                read.append(found)
            if len(read) + len(bad) == BATCH_LINES:
                yield Batch(self._made(read, tally), bad)
                read, bad = [], []
        yield Batch(self._made(read, tally), bad)
        tally.close(facts)
        if others:
            facts.notes.append(f"{others} lines without {NUMBER} are no payments.")

    def _read(self, line: int, cells: list[str], values: dict[str, str]) -> _Read | str:
        """What the line says, or why it cannot be read."""
        if len(cells) <= _FEE:
            return f"the line has only {len(cells)} cells"
        number = read_number(values[NUMBER])
        amount = read_sum(cells[_AMOUNT], self._style)
        fee = read_sum(cells[_FEE], self._style) if cells[_FEE].strip() else None
        day = self._day(cells)
        for value in (number, amount, fee, day):
            if isinstance(value, Unreadable):
                return value.reason
        if not amount:
            return "the amount is zero: no money came with this line"
        assert isinstance(amount, int)
        assert not isinstance(fee, Unreadable)
        more = [(key, value) for key, value in values.items() if key not in {NUMBER, DOCUMENT}]
        more.insert(0, ("branch", "/".join(cell.strip() for cell in cells[_BRANCH])))
        document = read_words(values.get(DOCUMENT, ""), WORD_LENGTH_MAX)
        fee = None if fee is None else abs(fee)
        return _Read(line, amount, str(day), str(number), document, fee, tuple(more))

    def _made(self, read: list[_Read], tally: Tally) -> list[MoneyLine]:
        if not read:
            return []
        lines, amounts, days, numbers, documents, fees, more = zip(*read, strict=True)
        nets = [None if fee is None else abs(amount) - fee for amount, fee in zip(amounts, fees, strict=True)]
        columns = Columns(
            lines, amounts, days, numbers=numbers, documents=documents, currencies=self._style.currency,
            fees=fees, nets=nets, more=more,
        )  # fmt: skip
        made = money_lines(columns)
        tally.add(columns, made)
        return made

    def _day(self, cells: list[str]) -> str | Unreadable:
        """One of the cells by place is the date; which one, differs."""
        for cell in cells:
            if _DATE.fullmatch(cell.strip()):
                moment = self._read_day(cell.strip())
                return moment if isinstance(moment, Unreadable) else moment[0]
        return Unreadable("there is no date like 18/03/2026 in this line")


def _values(cells: list[str]) -> dict[str, str]:
    """The cells that have a key; the first of two equal ones."""
    found: dict[str, str] = {}
    for cell in cells:
        match = _KEY_VALUE.fullmatch(cell) if ":" in cell else None
        if match:
            found.setdefault(match[1], match[2])
    return found


FORMAT = Format("sberbank-a", "Sberbank register with CLIENTNO: (variant A)", REGISTER, fits, read)
