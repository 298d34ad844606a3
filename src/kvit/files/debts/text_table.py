"""Debt registers as lines of cells with a sign between: what CSV and the banks' own layouts share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kvit.domain.debts import DebtSlice, RegisterHead, Replaced, Totals
from kvit.domain.file_terms import Pairs
from kvit.files.base import Option
from kvit.files.debts.base import name_values, put_in
from kvit.files.debts.fields import PRINTING, Cells, cells_of, sum_printer
from kvit.files.debts.letters import BOM, CODECS, Letters

DELIMITERS = {"semicolon": ";", "comma": ",", "bar": "|", "tab": "\t"}
LINE_ENDS = {"crlf": "\r\n", "lf": "\n"}

#: Values that the first and the last line may name, beside those of file names.
LINE_VALUES = (
    "count", "total", "currency", "biller", "as_of", "agreement", "number", "date", "time", "day", "month",
    "year", "mmyy", "ddmmyy",
)  # fmt: skip


def text_options(encoding: str, delimiter: str, **defaults: str) -> dict[str, Option]:
    """The options of a layout in lines, with its own defaults."""
    options = {
        "encoding": Option("The code page.", encoding, tuple(CODECS)),
        "delimiter": Option("What parts the cells.", delimiter, tuple(DELIMITERS)),
        "line_end": Option("How a line ends.", "crlf", tuple(LINE_ENDS)),
        **PRINTING,
    }
    for name, value in defaults.items():
        options[name] = Option(options[name].meaning, value, options[name].choices)
    return options


@dataclass(frozen=True, slots=True)
class Layout:
    """What the lines are made of. ``columns``: (header, field); first and last line are templates.

    ``quoted``: the fields whose cells stand in quotation marks. ``guard``: cells that a spreadsheet would
    run as a formula are made texts, for people's eyes only. ``forbidden``: more signs that no text may hold.
    """

    columns: Pairs
    has_header: bool = False
    first_line: str = ""
    last_line: str = ""
    quoted: frozenset[str] = frozenset()
    guard: bool = False
    forbidden: str = ""


class TextWriter:
    """Lines in the order of the debts."""

    def __init__(self, head: RegisterHead, layout: Layout) -> None:
        self.replaced = Replaced()
        self.notes: Sequence[str] = ()
        self._head = head
        self._layout = layout
        self._delimiter = DELIMITERS[head.options["delimiter"]]
        self._end = LINE_ENDS[head.options["line_end"]]
        self._encoding = head.options["encoding"]
        self._letters = Letters(CODECS[self._encoding], self._delimiter + layout.forbidden, self.replaced)
        # Between quotation marks a separator means itself, but not a quotation mark.
        self._inside = inside = Letters(CODECS[self._encoding], "", self.replaced)
        self._columns = [
            self._cells(field, inside if field in layout.quoted else self._letters)
            for _, field in layout.columns
        ]
        self._row_count = 0

    def _cells(self, field: str, letters: Letters) -> Callable[[DebtSlice, int], Sequence[str]]:
        plain = cells_of(field, self._head, letters)
        if self._layout.guard and field not in ("amount", "row"):
            plain = _each(guarded, plain)
        return _each(_quoted, plain) if field in self._layout.quoted else plain

    def rows(self, debts: DebtSlice) -> bytes:
        if not debts.keys:
            return b""
        first = self._row_count + 1
        self._row_count += len(debts.keys)
        columns = [cells(debts, first) for cells in self._columns]
        lines = map(self._delimiter.join, zip(*columns, strict=True))
        return (self._end.join(lines) + self._end).encode(self._letters.codec)

    def head(self, totals: Totals) -> bytes:
        lines = []
        if self._layout.first_line:
            lines.append(self._line(self._layout.first_line, totals))
        if self._layout.has_header:
            lines.append(
                self._delimiter.join(map(self._letters.text, (name for name, _ in self._layout.columns)))
            )
        return BOM.get(self._encoding, b"") + self.encoded(lines)

    def foot(self, totals: Totals) -> bytes:
        return self.encoded([self._line(self._layout.last_line, totals)] if self._layout.last_line else [])

    def encoded(self, lines: Sequence[str]) -> bytes:
        """Whole lines as bytes."""
        return "".join([self._inside.text(line) + self._end for line in lines]).encode(self._letters.codec)

    def _line(self, template: str, totals: Totals) -> str:
        return put_in(template, line_values(self._head, totals))


def line_values(head: RegisterHead, totals: Totals) -> Mapping[str, str]:
    """What may stand in the first and the last line."""
    return name_values(head) | {
        "count": str(totals.row_count), "total": sum_printer(head)([totals.sum_minor])[0],
        "currency": head.currency, "biller": head.biller, "as_of": head.as_of.isoformat(timespec="seconds"),
    }  # fmt: skip


def _each(change: Callable[[str], str], plain: Cells) -> Cells:
    return lambda debts, first: list(map(change, plain(debts, first)))


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def guarded(cell: str) -> str:
    """A cell that a spreadsheet shows and does not run."""
    return "'" + cell if cell.startswith(("=", "+", "-", "@", "\t")) else cell


def comma_problem(options: Mapping[str, str]) -> str:
    """Why these options cannot be told apart in the file; empty where they can."""
    commas = options["delimiter"] == "comma" and options["decimal"] == "comma"
    return "sums with a comma cannot stand between commas" if commas and options["amounts"] == "major" else ""
