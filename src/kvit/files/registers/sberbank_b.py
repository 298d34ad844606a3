"""Sberbank's register, variant B: ``|`` between the cells, the payment order first, the totals last.

Rows: date, barcode, amount, commission, amount to transfer, BIC. The barcode carries the client's number
after a prefix. Fact: a single source, a public program of a housing company.
"""

from __future__ import annotations

import re

from kvit.domain.lines import REGISTER, FileFacts
from kvit.files.base import ByteSource, Format, Option, Reading, ReadOptions
from kvit.files.registers.fields import NumberRule
from kvit.files.registers.framed import count_option, framed, sums_of
from kvit.files.registers.kit import Tally
from kvit.files.registers.moments import moment_reader
from kvit.files.registers.rows import Layout
from kvit.files.registers.sums import SumStyle
from kvit.files.texts import head_text

PLACES = {"date": 0, "document": 1, "number": 1, "amount": 2, "fee": 3, "net": 4}
WIDTH = 6
#: The first three digits choose the biller's department; in the one example known they are the prefix.
PREFIX_LENGTH = "3"

_DAY = r"\s*[0-9]{2}[./][0-9]{2}[./][0-9]{4}\s*"
_ORDER = re.compile(rf"({_DAY})\|\s*([^|]+?)\s*\|?\s*")
_ROW = re.compile(rf"{_DAY}\|[^|]+\|[^|]+\|[^|]+\|[^|]+\|[^|]*")
_SUMS = 3

OPTIONS = {"number_skip": Option("So many characters stand before the client's number.", PREFIX_LENGTH)}


def fits(_name: str, head: bytes) -> int:
    """By the payment order's line, and the first row under it if there is one."""
    lines = [line for line in head_text(head).splitlines() if line.strip()][:2]
    if not lines or not _ORDER.fullmatch(lines[0]):
        return 0
    second = lines[1] if len(lines) > 1 else ""
    return 92 if _ROW.fullmatch(second) else 60 if second.count("|") == _SUMS - 1 else 0


def read(source: ByteSource, options: ReadOptions) -> Reading:
    """Raises ``FileRefused`` for an encoding or an option that cannot be."""
    layout = Layout(
        PLACES,
        SumStyle(options.currency),
        width=WIDTH,
        required=frozenset({"number"}),
        number=NumberRule(skip=count_option(options, "number_skip", PREFIX_LENGTH)),
    )
    return framed("sberbank-b", source, options, layout, ("|", "cp1251"), _OrderAndTotals)


class _OrderAndTotals:
    """The payment order that the money comes with, and the totals: amount, commission, to transfer."""

    def __init__(self, facts: FileFacts, style: SumStyle) -> None:
        self._facts = facts
        self._style = style
        self._sums: list[int] | None = None

    @property
    def is_closed(self) -> bool:
        return self._sums is not None

    def takes(self, line: int, text: str) -> bool:
        cells = text.strip().removesuffix("|").split("|")
        order = _ORDER.fullmatch(text)
        if order and not self._facts.order_number and not self.is_closed:
            moment = moment_reader()(order[1])
            self._facts.order_date = moment[0] if isinstance(moment, tuple) else ""
            self._facts.order_number = order[2]
            return True
        if self.is_closed:
            self._facts.problems.append(f"Line {line} follows the line of totals.")
        if len(cells) != _SUMS:
            return False
        self._sums = sums_of(cells, self._style)
        return self._sums is not None

    def close(self, tally: Tally) -> None:
        facts = self._facts
        if not facts.order_number:
            facts.problems.append("The first line, with the payment order, is missing.")
        if self._sums is None:
            facts.problems.append(
                "The last line, with the totals, is missing: the file may have been cut off."
            )
            return
        paid, fee, net = self._sums
        tally.check_sum(facts, "paid", paid, tally.amount_minor)
        tally.check_sum(facts, "commission", fee, tally.fee_minor)
        tally.check_sum(facts, "to transfer", net, tally.net_minor)


FORMAT = Format("sberbank-b", "Sberbank register, | between cells (variant B)", REGISTER, fits, read, OPTIONS)
