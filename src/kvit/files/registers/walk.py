"""The walk through a table: the header found, payments told from totals and footers, stretches at once."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from kvit.domain.lines import BadLine, Batch, FileFacts, MoneyLine
from kvit.files.errors import FileRefused
from kvit.files.registers.carriers import Carrier, Row, Rows, TextRows
from kvit.files.registers.kit import bad_line
from kvit.files.registers.moments import moment_reader
from kvit.files.registers.rows import Layout, RowReader
from kvit.files.registers.settings import TableSettings
from kvit.files.registers.totals import TotalsCheck, begins_with_totals, is_bare, may_hold_totals
from kvit.files.registers.words import HEADER_ROWS_MAX, Header, find_header

#: A day somewhere above the header: "Дата платежей: 18.03.2026".
_DAY_ABOVE = re.compile(
    r"(?:дата|date|күні)\D*([0-9]{2}\.[0-9]{2}\.[0-9]{4}|[0-9]{4}-[0-9]{2}-[0-9]{2})", re.IGNORECASE
)
_SHOWN_COLUMNS = 20


@dataclass(frozen=True, slots=True)
class TableJob:
    """What is known before the walk. ``columns``: field -> header (or number), as a person chose them."""

    name: str
    carrier: Carrier
    settings: TableSettings
    columns: Mapping[str, str]
    synonyms: Mapping[str, str]


class TableWalk:
    """One walk; what the file says of itself goes into ``facts``."""

    def __init__(self, job: TableJob, facts: FileFacts) -> None:
        self._job = job
        self._settings = job.settings
        self._facts = facts
        self._last_line = 0
        self._passed_over = 0
        self._after_header = True
        self._plain: re.Pattern[str] | None = None

    def batches(self) -> Iterator[Batch]:
        """Raises ``FileRefused`` where no header is understood."""
        if self._settings.skip_bottom:
            self._last_line = self._bottom()
        stretches = self._job.carrier.stretches(self._facts)
        top: list[Rows] = []
        first_rows: list[Row] = []
        for stretch in stretches:
            top.append(stretch)
            first_rows += [row for row in stretch.rows() if self._counts(row.line)]
            if len(first_rows) >= HEADER_ROWS_MAX:
                break
        first_rows = first_rows[:HEADER_ROWS_MAX]
        if not any(any(row.cells) for row in first_rows):
            self._facts.notes.append("The file is empty.")
            return
        header = self._header(first_rows)
        rows = RowReader(self._layout(header, first_rows))
        check = TotalsCheck(header.places, self._settings.sums, rows.tally, self._facts)
        yield from self._read(chain(top, stretches), header, rows, check)
        rows.tally.close(self._facts)
        if self._passed_over:
            self._facts.notes.append(f"{self._passed_over} rows hold no payment and were left out.")

    def _read(
        self, stretches: Iterator[Rows], header: Header, rows: RowReader, check: TotalsCheck
    ) -> Iterator[Batch]:
        width = len(header.names)
        settings = self._settings
        looks_at_each = bool(settings.rows or settings.skip_rows or settings.totals)
        for stretch in stretches:
            lines = None
            if not looks_at_each and stretch.lines[0] > header.line and self._counts(stretch.lines[-1]):
                lines = self._at_once(stretch, width, rows)
            yield self._row_by_row(stretch, header, rows, check) if lines is None else Batch(lines, [])

    def _at_once(self, stretch: Rows, width: int, rows: RowReader) -> list[MoneyLine] | None:
        if self._after_header or not self._counts(stretch.lines[0]):
            return None
        if isinstance(stretch, TextRows) and self._pattern(stretch, width, rows).fullmatch(stretch.text):
            proven = stretch.proven_columns(width)
            return None if may_hold_totals(proven) else rows.proven(stretch.lines, proven)
        columns = stretch.columns(width)
        return None if columns is None or may_hold_totals(columns) else rows.at_once(stretch.lines, columns)

    def _pattern(self, stretch: TextRows, width: int, rows: RowReader) -> re.Pattern[str]:
        if self._plain is None:
            self._plain = rows.layout.line_pattern(width, stretch.delimiter)
        return self._plain

    def _row_by_row(self, stretch: Rows, header: Header, rows: RowReader, check: TotalsCheck) -> Batch:
        batch = Batch([], [])
        for row in stretch.rows(len(header.names)):
            if row.line <= header.line or not self._counts(row.line) or not any(row.cells):
                continue
            line = self._row(row, header, rows, check)
            if isinstance(line, BadLine):
                batch.bad.append(line)
            elif line is not None:
                batch.lines.append(line)
        return batch

    def _row(
        self, row: Row, header: Header, rows: RowReader, check: TotalsCheck
    ) -> MoneyLine | BadLine | None:
        """The payment of a row, why it cannot be read, or ``None`` where it holds none."""
        if self._after_header and header.line and _numbers_columns(row.cells):
            return None
        self._after_header = False
        if self._is_totals(row, header):
            check.row(row.line, row.cells)
            return None
        if self._is_no_payment(row, header):
            self._passed_over += 1
            return None
        width = len(header.names)
        if width and any(row.cells[width:]):
            rows.tally.bad += 1
            return bad_line(row.line, f"the row has {len(row.cells)} cells, the header only {width}", row.raw)
        return rows.one(row.line, row.cells, row.raw)

    def _is_totals(self, row: Row, header: Header) -> bool:
        if self._settings.totals:
            return self._settings.totals.search(row.raw) is not None
        if not begins_with_totals(row.cells):
            return False
        # Somebody may be called so, and has paid; then all that a payment needs is there.
        needed = [_cell(row.cells, header.places.get(name)) for name in ("number", "date", "amount")]
        return is_bare(row.cells) or not all(needed)

    def _is_no_payment(self, row: Row, header: Header) -> bool:
        settings = self._settings
        if settings.rows and not settings.rows.search(row.raw):
            return True
        if settings.skip_rows and settings.skip_rows.search(row.raw):
            return True
        cells = {name: _cell(row.cells, header.places.get(name)) for name in ("number", "id", "amount")}
        if settings.skips_empty_amounts and not cells["amount"].strip("0.,"):
            return True
        if settings.number_needed == "skip" and not cells["number"]:
            return True
        return not any(cells.values()) or row.cells == list(header.names)

    def _counts(self, line: int) -> bool:
        """Whether a line is not among those that are left out at the top and the bottom."""
        if line == 0:  # the names of a DBF's fields
            return True
        return line > self._settings.skip_top and (not self._last_line or line <= self._last_line)

    def _bottom(self) -> int:
        """The last line that counts: it takes a walk through the whole file."""
        last: deque[int] = deque(maxlen=self._settings.skip_bottom + 1)
        for stretch in self._job.carrier.stretches(FileFacts("")):
            last.extend(row.line for row in stretch.rows() if any(row.cells))
        return last[0] if len(last) > self._settings.skip_bottom else -1

    def _header(self, rows: list[Row]) -> Header:
        job = self._job
        if not self._settings.has_header:
            return _numbered(rows, job.columns)
        found = find_header([(row.line, row.cells) for row in rows], job.columns, job.synonyms)
        if found is None:
            raise FileRefused(
                f"No row among the first {HEADER_ROWS_MAX} names the columns{_wanted(job.columns)}.",
                'Say with a column map which header is amount, number and date (amount="Сумма"), or set'
                " header = no and name the columns by their numbers.",
                job.name,
            )
        return found

    def _layout(self, header: Header, rows: list[Row]) -> Layout:
        settings = self._settings
        day = settings.day
        if "date" not in header.places and not day:
            day = _day_above(rows, header.line)
            if not day:
                raise FileRefused(
                    f"There is no column for the date; the columns are {_listed(header.names)}.",
                    'Say which it is (date="..."), or set the option day.',
                    self._job.name,
                )
        required = {"number"} if settings.number_needed != "no" else set()
        return Layout(
            header.places, settings.sums, required=frozenset(required), day=day,
            read_moment=settings.read_moment, shift=settings.shift, number=settings.number,
            reversal_words=settings.reversal_words,
        )  # fmt: skip


def _numbers_columns(cells: list[str]) -> bool:
    """Whether a row under the header numbers the columns: 1, 2, 3 ..."""
    filled = [cell for cell in cells if cell]
    return len(filled) > 2 and filled == [str(number) for number in range(1, len(filled) + 1)]


def _numbered(rows: list[Row], columns: Mapping[str, str]) -> Header:
    width = max((len(row.cells) for row in rows), default=0)
    places: dict[str, int] = {}
    for field, text in columns.items():
        if not text:
            continue
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= width):
            raise FileRefused(
                f"The column {field} = {text!r} is no number from 1 to {width}.",
                "A file without a header has columns by number.",
            )
        places[field] = int(text) - 1
    if "amount" not in places:
        raise FileRefused("No column is said to be the amount.", "Write amount = 3, for example.")
    return Header(0, tuple(str(number) for number in range(1, width + 1)), places)


def _day_above(rows: list[Row], line: int) -> str:
    for row in rows:
        found = _DAY_ABOVE.search(row.raw) if row.line < line else None
        moment = moment_reader()(found[1]) if found else None
        if isinstance(moment, tuple):
            return moment[0]
    return ""


def _cell(cells: list[str], place: int | None) -> str:
    return cells[place] if place is not None and place < len(cells) else ""


def _wanted(columns: Mapping[str, str]) -> str:
    named = [f"{field} = {header!r}" for field, header in columns.items() if header]
    return f" with {', '.join(named)}" if named else ""


def _listed(names: tuple[str, ...]) -> str:
    shown = [repr(name) for name in names if name]
    more = f" and {len(shown) - _SHOWN_COLUMNS} more" if len(shown) > _SHOWN_COLUMNS else ""
    return ", ".join(shown[:_SHOWN_COLUMNS]) + more
