"""What carries a table: delimited text, text of fixed widths, a DBF, a workbook -> stretches of rows.

Text and DBF stream; a workbook is held as a whole, as its library wants it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Protocol

from kvit.domain.lines import FileFacts
from kvit.files.base import ByteSource
from kvit.files.dbf import DRIVERS, DbfWalk, cell_texts, is_deleted, is_live, read_header
from kvit.files.registers.kit import split_columns, split_proven
from kvit.files.source import ConvertedText, Stretch
from kvit.files.texts import best_page, codec_of, shown, text_blocks
from kvit.files.workbook import workbook_source

ZIP = b"PK\x03\x04"
DBF_HEAD_BYTES = 16 << 10
#: A quoted cell goes over at most so many lines.
QUOTED_LINES_MAX = 20
#: Blocks that are put together to find the end of a quoted cell.
_OPEN_BLOCKS_MAX = 4
_NUMERIC_KINDS = "NFIYB"


class Row(NamedTuple):
    """One row: the line it begins in, its cells trimmed, and its text as it stands."""

    line: int
    cells: list[str]
    raw: str


class Rows(Protocol):
    """Some rows one after another."""

    @property
    def lines(self) -> Sequence[int]:
        """Of ``columns``: where each row begins."""
        ...

    def columns(self, width: int) -> list[list[str]] | None:
        """By column, not trimmed; ``None`` unless every row is of ``width`` cells."""
        ...

    def rows(self, width: int = 0) -> Iterator[Row]:
        """``width``: cells of the header, 0 where it is not known yet."""
        ...


@dataclass(frozen=True, slots=True)
class Carrier:
    """A file of rows. ``stretches`` starts anew with each call and may add to what is said of the file."""

    description: str
    encoding: str
    stretches: Callable[[FileFacts], Iterator[Rows]]


@dataclass(slots=True)
class TextRows:
    """Lines of text, each with its end; cells in quotation marks where ``quoted``."""

    first: int
    text: str
    delimiter: str
    quoted: bool

    @property
    def lines(self) -> Sequence[int]:
        return range(self.first, self.first + self.text.count("\n"))

    def proven_columns(self, width: int) -> list[list[str]]:
        """``columns`` of text that the layout's pattern of lines has matched."""
        return split_proven(self.text, self.delimiter, width)

    def columns(self, width: int) -> list[list[str]] | None:
        if not (self.quoted and '"' in self.text):
            return split_columns(self.text, self.delimiter, width)
        lines = self.text[:-1].split("\n")
        try:
            rows = list(csv.reader(lines, delimiter=self.delimiter, strict=True))
        except csv.Error:
            return None
        if len(rows) != len(lines) or set(map(len, rows)) != {width}:
            return None
        return list(map(list, zip(*rows, strict=True)))

    def rows(self, width: int = 0) -> Iterator[Row]:
        lines = self.text[:-1].split("\n")
        at = 0
        while at < len(lines):
            cells, used = self._row(lines, at, width)
            yield Row(self.first + at, [cell.strip() for cell in cells], "\n".join(lines[at : at + used]))
            at += used

    def _row(self, lines: list[str], at: int, width: int) -> tuple[list[str], int]:
        """The cells of the row that begins at ``at``, and of how many lines it is.

        Where the quotation marks are no quotation (``"Voda" Ltd``), they are letters. A mark without its
        fellow must not swallow the payments under it: lines are put together only if none of them is a
        whole row, and together they are one.
        """
        line = lines[at]
        if not (self.quoted and '"' in line):
            return line.split(self.delimiter), 1
        for used in range(1, min(QUOTED_LINES_MAX, len(lines) - at) + 1):
            pieces = [each + "\n" for each in lines[at : at + used]]
            if used > 1 and width and pieces[-1].count(self.delimiter) >= width - 1:
                break
            try:
                [cells] = csv.reader(pieces, delimiter=self.delimiter, strict=True)
            except csv.Error as fault:
                if "unexpected end" in str(fault):
                    continue
                break
            if used > 1 and width and len(cells) != width:
                break
            return cells, used
        return line.split(self.delimiter), 1


@dataclass(slots=True)
class CellRows:
    """Rows whose cells are known already."""

    stretch: Stretch

    @property
    def lines(self) -> Sequence[int]:
        return self.stretch.lines

    def columns(self, width: int) -> list[list[str]] | None:
        if set(map(len, self.stretch.rows)) != {width}:
            return None
        return list(map(list, zip(*self.stretch.rows, strict=True)))

    def rows(self, width: int = 0) -> Iterator[Row]:  # noqa: ARG002 - cells are known here
        for line, cells in zip(*self.stretch, strict=True):
            trimmed = [cell if isinstance(cell, ConvertedText) else cell.strip() for cell in cells]
            yield Row(line, trimmed, " | ".join(cells))


def delimited(source: ByteSource, encoding: str, delimiter: str, *, quoted: bool = True) -> Carrier:
    def stretches(_facts: FileFacts) -> Iterator[Rows]:
        first, text, blocks = 1, "", 0
        for block in text_blocks(source, encoding):
            if not text:
                first, blocks = block.first, 0
            text += block.text
            blocks += 1
            # An odd number of marks: a quoted cell may go on in the next block.
            if quoted and blocks < _OPEN_BLOCKS_MAX and text.count('"') % 2:
                continue
            yield TextRows(first, text, delimiter, quoted)
            text = ""
        if text:
            yield TextRows(first, text, delimiter, quoted)

    name = "TAB" if delimiter == "\t" else delimiter
    return Carrier(f"text, {name} between cells, {shown(encoding)}", shown(encoding), stretches)


def of_widths(source: ByteSource, encoding: str, widths: Sequence[int]) -> Carrier:
    """Text whose cells are so many characters wide each; what is beyond the last is a cell of its own."""
    cuts = [0]
    for width in widths:
        cuts.append(cuts[-1] + width)

    def cells(line: str) -> list[str]:
        found = [line[start:end] for start, end in pairwise(cuts)]
        rest = line[cuts[-1] :]
        return [*found, rest] if rest.strip() else found

    def stretches(_facts: FileFacts) -> Iterator[Rows]:
        for block in text_blocks(source, encoding):
            texts = block.text[:-1].split("\n")
            lines = list(range(block.first, block.first + len(texts)))
            yield CellRows(Stretch(lines, [cells(text) for text in texts]))

    return Carrier(f"text of fixed widths, {shown(encoding)}", shown(encoding), stretches)


def workbook(source: ByteSource) -> Carrier:
    """Raises ``FileRefused`` for what is no workbook."""
    held = workbook_source(source.whole())
    return Carrier(held.description, "", lambda _facts: map(CellRows, held.stretches()))


def dbf(source: ByteSource, wanted: str, declared: str = "") -> Carrier:
    """A DBF; its first row are the names of the fields. ``wanted``: an encoding that a person named.

    ``declared``: the codec that the format's own documents name, before the header's. Raises
    ``FileRefused``.
    """
    header = read_header(source.head(DBF_HEAD_BYTES))
    encoding = codec_of(wanted) if wanted else dbf_page(source, declared)

    def stretches(facts: FileFacts) -> Iterator[Rows]:
        walk = DbfWalk(header, facts.problems)
        deleted = 0
        yield CellRows(Stretch([0], [[field.name for field in header.fields]]))
        with source.open() as stream:
            for part in walk.records(stream):
                columns = [
                    _texts(field.kind, cell_texts(field, cells, encoding))
                    for field, cells in zip(header.fields, part.columns, strict=True)
                ]
                lines = list(range(part.first, part.first + len(part.marks)))
                rows = list(map(list, zip(*columns, strict=True)))
                if not all(map(is_live, part.marks)):
                    deleted += sum(map(is_deleted, part.marks))
                    kept = [at for at, mark in enumerate(part.marks) if not is_deleted(mark)]
                    lines, rows = [lines[at] for at in kept], [rows[at] for at in kept]
                if rows:
                    yield CellRows(Stretch(lines, rows))
        if deleted:
            facts.notes.append(f"{deleted} deleted records were left out.")

    return Carrier(f"DBF, {shown(encoding)}", shown(encoding), stretches)


def dbf_page(source: ByteSource, declared: str = "") -> str:
    """The code page of a DBF: what its letters make sense in; the header's driver where in doubt."""
    head = source.head()
    header = read_header(head[:DBF_HEAD_BYTES])
    records = head[header.header_bytes :]
    width = header.record_bytes
    lines = b"\n".join(records[start : start + width] for start in range(0, len(records), width))
    return best_page(lines, declared or DRIVERS.get(header.driver, ""))


def _texts(kind: str, texts: list[str]) -> list[str]:
    """A number's digits are marked: a client's number in such a column has lost its leading zeros."""
    return list(map(ConvertedText, texts)) if kind in _NUMERIC_KINDS else texts
