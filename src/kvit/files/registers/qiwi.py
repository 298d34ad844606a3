"""QIWI's daily register: TAB between the cells, Moscow time, a line ``Total:`` at the end.

Rows of five cells: the transaction's id (the one that was used online), date, time, account, amount. Fact:
QIWI's settlement rules (official); the date pattern and the line ends are not printed there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kvit.domain.lines import REGISTER, BadLine, Batch, FileFacts
from kvit.files.base import ByteSource, Format, Option, Reading, ReadOptions
from kvit.files.cells import Unreadable
from kvit.files.registers.kit import Register, Tally, split_proven
from kvit.files.registers.moments import ZoneShift
from kvit.files.registers.rows import Layout, RowReader
from kvit.files.registers.sums import SumStyle, read_sum
from kvit.files.texts import TextBlock, find_encoding, head_text, shown, text_blocks

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
    encoding = find_encoding(source, wanted=options.encoding)
    zone = options.options.get("timezone") or MOSCOW
    layout = Layout(
        PLACES,
        SumStyle(options.currency),
        width=len(PLACES),
        required=frozenset({"id", "number"}),
        shift=ZoneShift(zone, options.options.get("agreement_timezone", "")),
    )
    return Register(
        FileFacts("qiwi", shown(encoding)),
        lambda facts: _walk(text_blocks(source, encoding), RowReader(layout), facts),
    )


def _walk(blocks: Iterator[TextBlock], rows: RowReader, facts: FileFacts) -> Iterator[Batch]:
    plain = rows.layout.line_pattern(len(PLACES), "\t")
    total = ""
    for block in blocks:
        lines = None
        if not total and plain.fullmatch(block.text):
            columns = split_proven(block.text, "\t", len(PLACES))
            lines = rows.proven(range(block.first, block.first + len(columns[0])), columns)
        if lines is None:
            batch, total = _line_by_line(block, rows, total, facts)
            yield batch
        else:
            yield Batch(lines, [])
    rows.tally.close(facts)
    _check(total, rows.tally, facts)


def _line_by_line(block: TextBlock, rows: RowReader, total: str, facts: FileFacts) -> tuple[Batch, str]:
    """Also the line of totals as it stands, if there was one by now."""
    batch = Batch([], [])
    for number, text in enumerate(block.text[:-1].split("\n"), block.first):
        if not text.strip():
            continue
        if _IS_TOTAL.match(text):
            total = text
            continue
        if total:
            facts.problems.append(f"Line {number} follows the line of totals.")
        line = rows.one(number, text.split("\t"), text)
        if isinstance(line, BadLine):
            batch.bad.append(line)
        else:
            batch.lines.append(line)
    return batch, total


def _check(total: str, tally: Tally, facts: FileFacts) -> None:
    if not total:
        facts.problems.append("The line Total: is missing: the file may have been cut off.")
        return
    found = _TOTAL.fullmatch(total.strip())
    amount_minor = read_sum(found[2], SumStyle(tally.currency)) if found else Unreadable("")
    if not found or isinstance(amount_minor, Unreadable):
        facts.problems.append(f"The line of totals cannot be read: {total.strip()[:80]!r}.")
        return
    tally.check_count(facts, int(found[1]))
    tally.check_sum(facts, "paid", amount_minor, tally.amount_minor)


FORMAT = Format("qiwi", "QIWI daily register (TAB, Total: line)", REGISTER, fits, read, OPTIONS)
