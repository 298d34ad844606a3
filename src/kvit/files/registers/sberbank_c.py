"""Sberbank's register, variant C: twelve cells with ``;``, a unique operation's id, a last line with ``=``.

Not confirmed by any public document: practitioners describe it so. Check it against a real file first.
"""

from __future__ import annotations

import re

from kvit.domain.lines import REGISTER, FileFacts
from kvit.files.base import ByteSource, Format, Reading, ReadOptions
from kvit.files.registers.framed import framed, sums_of
from kvit.files.registers.kit import Tally
from kvit.files.registers.moments import moment_reader
from kvit.files.registers.rows import Layout
from kvit.files.registers.sums import SumStyle
from kvit.files.texts import head_text

#: date; time; branch; cashier or channel; id; client's number; payer; address; period; paid; net; fee.
PLACES = {
    "date": 0, "time": 1, "id": 4, "number": 5, "payer": 6, "text": 7, "period": 8, "amount": 9, "net": 10,
    "fee": 11,
}  # fmt: skip
WIDTH = 12

_ROW = re.compile(r"[0-9]{2}-[0-9]{2}-[0-9]{4};[0-9]{2}-[0-9]{2}-[0-9]{2};(?:[^;]*;){9}[^;]*")
_TRAILER = re.compile(r"=\s*[0-9]+(?:;[^;]*){5}")
_SUMS = slice(1, 4)


def fits(_name: str, head: bytes) -> int:
    """By the first line: a row, or the trailer of an empty register."""
    first = next((line.strip() for line in head_text(head).splitlines() if line.strip()), "")
    return 90 if _ROW.fullmatch(first) else 85 if _TRAILER.fullmatch(first) else 0


def read(source: ByteSource, options: ReadOptions) -> Reading:
    """Raises ``FileRefused`` for an encoding that is not known."""
    layout = Layout(PLACES, SumStyle(options.currency), width=WIDTH, required=frozenset({"id", "number"}))
    return framed("sberbank-c", source, options, layout, (";", "cp1251"), _Trailer)


class _Trailer:
    """``=count;amount;transferred;commission;payment order number;payment order date``."""

    def __init__(self, facts: FileFacts, style: SumStyle) -> None:
        self._facts = facts
        self._style = style
        self._cells: list[str] = []

    @property
    def is_closed(self) -> bool:
        return bool(self._cells)

    def takes(self, line: int, text: str) -> bool:
        bare = text.strip()
        if bare.startswith("="):
            self._cells = [cell.strip() for cell in bare[1:].split(";")]
            return True
        if self._cells:
            self._facts.problems.append(f"Line {line} follows the line of totals.")
        return False

    def close(self, tally: Tally) -> None:
        facts, cells = self._facts, self._cells
        if not cells:
            facts.problems.append(
                "The last line, with the totals, is missing: the file may have been cut off."
            )
            return
        sums = sums_of(cells[_SUMS], self._style)
        if len(cells) < 4 or sums is None or not cells[0].isdigit():
            facts.problems.append(f"The line of totals cannot be read: {';'.join(cells)[:80]!r}.")
            return
        tally.check_count(facts, int(cells[0]))
        tally.check_sum(facts, "paid", sums[0], tally.amount_minor)
        tally.check_sum(facts, "transferred", sums[1], tally.net_minor)
        tally.check_sum(facts, "commission", sums[2], tally.fee_minor)
        facts.order_number = cells[4] if len(cells) > 4 else ""
        moment = moment_reader()(cells[5]) if len(cells) > 5 else None
        facts.order_date = moment[0] if isinstance(moment, tuple) else ""


FORMAT = Format(
    "sberbank-c", "Sberbank register, twelve cells with ; and a last line with = (variant C)",
    REGISTER, fits, read,
)  # fmt: skip
