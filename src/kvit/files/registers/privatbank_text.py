"""PrivatBank's register as a text: a table drawn with ``|``, rows over several lines, two languages.

Columns: document, operating day, payer, client's number, address, meter, period, amount, commission from
the payee. A line whose first cell is blank goes on with the row above. Above stands the payment order
(``Платіжне доручення №``), below count and sums. Fact: a single source, a public program of 2023; the exact
labels are not printed there, so they are known by their first words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from kvit.domain.lines import REGISTER, BadLine, Batch, FileFacts
from kvit.files.base import BATCH_LINES, ByteSource, Format, Reading, ReadOptions
from kvit.files.cells import Unreadable
from kvit.files.registers.kit import Register, Tally
from kvit.files.registers.moments import moment_reader
from kvit.files.registers.rows import Layout, RowReader
from kvit.files.registers.sums import SumStyle, read_sum
from kvit.files.texts import find_encoding, head_text, shown, text_lines

PLACES = {
    "document": 0, "date": 1, "payer": 2, "number": 3, "text": 4, "period": 6, "amount": 7, "fee": 8,
}  # fmt: skip
WIDTH = 9
#: Cells whose parts are put together without a space: they are broken within a word.
_UNBROKEN = frozenset({0, 1, 3, 7, 8})
#: A row goes over at most so many lines.
_ROW_LINES_MAX = 30

_TITLE = re.compile(r"ре[єе]стр\s+плате?ж", re.IGNORECASE)
_RULE = re.compile(r"[\s|+=_-]*[-=_]{3,}[\s|+=_-]*")
_ORDER = re.compile(
    r"плат[іе]жн[ео]е?\s+(?:доручення|поручение)\s*№\s*(\S+)"
    r"(?:\s+(?:від|от)\s+([0-9]{2}\.[0-9]{2}\.[0-9]{2,4}))?",
    re.IGNORECASE,
)
_SUM = r"[^0-9-]*(-?[0-9][0-9 \u00a0]*[.,][0-9]{2})"
_TRAILERS = {
    "count": re.compile(r"к[іо]л(?:ькість|ичество|-во)[^0-9]*([0-9]+)(?![.,0-9])", re.IGNORECASE),
    "paid": re.compile(
        rf"(?:прийнят|принят)[^0-9]*?(?:сум){_SUM}|сум[аи]\w*\s+(?:прийнят|принят){_SUM}", re.IGNORECASE
    ),
    "commission": re.compile(rf"(?:ком[іи]с[іи][яиї]|винагород|вознагражд){_SUM}", re.IGNORECASE),
    "to transfer": re.compile(rf"(?:перерах|перечисл){_SUM}", re.IGNORECASE),
}


def fits(_name: str, head: bytes) -> int:
    """By the title and the drawn table."""
    text = head_text(head)
    return 90 if "|" in text and _TITLE.search(text) and _RULE.search(text) else 0


def read(source: ByteSource, options: ReadOptions) -> Reading:
    """Raises ``FileRefused`` for an encoding that is not known."""
    encoding = find_encoding(source, wanted=options.encoding)
    layout = Layout(PLACES, SumStyle(options.currency), width=WIDTH, required=frozenset({"number"}))
    return Register(
        FileFacts("privatbank-text", shown(encoding)),
        lambda facts: _Drawn(layout, facts).batches(text_lines(source, encoding)),
    )


@dataclass(slots=True)
class _Row:
    """A row that may go on."""

    line: int
    cells: list[str]
    raws: list[str] = field(default_factory=list)

    def join(self, cells: list[str], raw: str) -> None:
        for place, cell in enumerate(cells):
            gap = "" if place in _UNBROKEN or not self.cells[place] else " "
            self.cells[place] += gap + cell
        self.raws.append(raw)


class _Drawn:
    """One walk through the drawn table."""

    def __init__(self, layout: Layout, facts: FileFacts) -> None:
        self._rows = RowReader(layout)
        self._facts = facts
        self._told: dict[str, str] = {}
        self._row: _Row | None = None
        self._started = False

    def batches(self, lines: Iterator[tuple[int, str]]) -> Iterator[Batch]:
        batch = Batch([], [])
        for number, text in lines:
            cells = _cells(text)
            if cells is None:
                self._finish(batch)
                self._label(text)
            elif cells[0]:
                self._finish(batch)
                self._begin(number, cells, text)
            elif self._row:
                self._row.join(cells, text)
                if len(self._row.raws) > _ROW_LINES_MAX:
                    self._finish(batch)
            elif self._started and any(cells):
                self._begin(number, cells, text)
            if len(batch.lines) + len(batch.bad) >= BATCH_LINES:
                yield batch
                batch = Batch([], [])
        self._finish(batch)
        yield batch
        self._rows.tally.close(self._facts)
        self._check(self._rows.tally)

    def _begin(self, number: int, cells: list[str], text: str) -> None:
        """The names of the columns come before the first row, and hold neither a day nor a sum."""
        has_money = any(sign.isdigit() for sign in cells[PLACES["date"]] + cells[PLACES["amount"]])
        if self._started or has_money:
            self._started = True
            self._row = _Row(number, cells, [text])

    def _finish(self, batch: Batch) -> None:
        row, self._row = self._row, None
        if row is None:
            return
        if _is_total(row.cells):
            self._label(" ".join(row.raws))
            return
        line = self._rows.one(row.line, row.cells, "\n".join(row.raws))
        if isinstance(line, BadLine):
            batch.bad.append(line)
        else:
            batch.lines.append(line)

    def _label(self, text: str) -> None:
        """A line outside the table."""
        order = _ORDER.search(text)
        if order and not self._facts.order_number:
            moment = moment_reader()(order[2]) if order[2] else None
            self._facts.order_number = order[1]
            self._facts.order_date = moment[0] if isinstance(moment, tuple) else ""
            return
        for name, pattern in _TRAILERS.items():
            found = pattern.search(text) if self._started else None
            if found:
                self._told[name] = next(filter(None, found.groups()))

    def _check(self, tally: Tally) -> None:
        facts = self._facts
        if not self._told:
            facts.notes.append("No totals were found under the table.")
        if "count" in self._told:
            tally.check_count(facts, int(self._told["count"]))
        sums = {"paid": tally.amount_minor, "commission": tally.fee_minor, "to transfer": tally.net_minor}
        for name, ours in sums.items():
            said = read_sum(self._told[name], SumStyle(tally.currency)) if name in self._told else None
            if said is not None and not isinstance(said, Unreadable):
                tally.check_sum(facts, name, said, ours)


def _cells(text: str) -> list[str] | None:
    """The cells of a line of the table, ``None`` for a line outside it or a drawn rule."""
    bare = text.strip()
    if _RULE.fullmatch(bare) or "|" not in bare:
        return None
    cells = bare.split("|")
    if bare.startswith("|"):
        cells = cells[1:]
    if bare.endswith("|"):
        cells = cells[:-1]
    return [" ".join(cell.split()) for cell in cells] if len(cells) == WIDTH else None


def _is_total(cells: list[str]) -> bool:
    """Whether a row of the table is its sum."""
    return re.match(r"(?:разом|усього|всього|итого|всего)\b", " ".join(cells), re.IGNORECASE) is not None


FORMAT = Format("privatbank-text", "PrivatBank register as a drawn table", REGISTER, fits, read)
