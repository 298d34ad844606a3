"""A table file of any kind -> header names and rows of text cells."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from kvit.files.delimited import delimited_source
from kvit.files.errors import FileRefused, naming
from kvit.files.source import ROWS_MAX, Source, Stretch
from kvit.files.workbook import workbook_source

FILE_BYTES_MAX = 256 << 20
COLUMNS_MAX = 200
HEADER_LENGTH_MAX = 100

_SAVE_AS = "Open it in Excel or LibreOffice, save it as .xlsx or as 'CSV UTF-8', and import the new file."
_ZIP = b"PK\x03\x04"
#: First bytes of files that are no tables we read: what they are.
_STRANGERS = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "This is an old Excel workbook (.xls) or one with a password.",
    b"<": "This is a web page or XML, whatever its name says.",
    b"%PDF": "This is a PDF document, not a table.",
    b"{\\rtf": "This is an RTF document, not a table.",
    b"\x1f\x8b": "This is a packed file (gzip), not a table.",
    b"Rar!": "This is a packed file (RAR), not a table.",
    b"7z\xbc\xaf": "This is a packed file (7-Zip), not a table.",
}
#: Typed by mistake, or for want of the letter on the keyboard.
_LOOK_ALIKES = str.maketrans("aceiopxy", "асеіорху")
_CYRILLIC = re.compile("[\u0400-\u04ff]")


@dataclass(frozen=True, slots=True)
class Table:
    """A file with a header row. ``rows()`` may be called again and starts anew.

    ``header``: the columns' names as written, in order, each once. ``name``: the file's name, for
    messages. ``description``: how it was understood ("CSV, ; between cells, windows-1251").
    ``rows_expected``: an upper bound of the number of rows, for a progress bar.
    """

    name: str
    header: tuple[str, ...]
    description: str
    rows_expected: int
    _header_line: int = field(repr=False)
    _source: Source = field(repr=False)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """(line number from 1, trimmed cells) of every row under the header that is not empty.

        A row has as many cells as the header; it has more only where the surplus is not empty, which is
        for the reader to refuse. ``FileRefused`` may come midway: a torn quotation, too many rows.
        """
        count = 0
        for stretch in self.stretches():
            for row in self.filled(stretch):
                count += 1
                self.refuse_beyond(count)
                yield row

    def stretches(self) -> Iterator[Stretch]:
        """The same rows many at a time, as they stand in the file: empty ones too, of any length."""
        with naming(self.name):
            for stretch in self._source.stretches():
                lines, rows = stretch
                if lines[0] > self._header_line:
                    yield stretch
                elif lines[-1] > self._header_line:
                    start = bisect_right(lines, self._header_line)
                    yield Stretch(lines[start:], rows[start:])

    def filled(self, stretch: Stretch) -> Iterator[tuple[int, list[str]]]:
        """The rows of ``stretch`` as ``rows`` gives them."""
        trim, width = self._source.trim, len(self.header)
        for line, row in zip(*stretch, strict=True):
            cells = trim(row)
            if not any(cells):
                continue
            if len(cells) < width:
                cells.extend([""] * (width - len(cells)))
            while len(cells) > width and not cells[-1]:
                cells.pop()
            yield line, cells

    def columns(self, stretch: Stretch) -> list[list[str]] | None:
        """The columns of ``stretch``, trimmed; ``None`` unless all its rows are of the header's length.

        Cells beyond it do not count where they are all empty. A row of the right length may still be empty.
        """
        width = len(self.header)
        widths = set(map(len, stretch.rows))
        if len(widths) != 1 or min(widths) < width:
            return None
        columns = [self._source.trim(column) for column in zip(*stretch.rows, strict=True)]
        return None if any(map(any, columns[width:])) else columns[:width]

    def refuse_beyond(self, count: int) -> None:
        """Raises ``FileRefused`` where ``count`` rows are too many."""
        if count > ROWS_MAX:
            with naming(self.name):
                raise FileRefused(
                    f"The table has more than {ROWS_MAX:,} rows.", "Split it into several files."
                )


def read_table(data: bytes, name: str = "", encoding: str = "") -> Table:
    """Tell what kind of file ``data`` is, by its content, and read its header row.

    CSV (``;``, ``,`` or TAB; UTF-8, else windows-1251, or ``encoding`` where it is given) or XLSX (the
    first visible sheet). ``name`` is only for messages. Anything else, an empty file or a header with
    unnamed or repeated columns raises ``FileRefused``, which says what to do.
    """
    with naming(name):
        source = _source_of(data, encoding)
        for stretch in source.stretches():
            for line, row in zip(*stretch, strict=True):
                cells = source.trim(row)
                if any(cells):
                    names = _header(cells)
                    return Table(name, names, source.description, source.rows_expected, line, source)
        raise FileRefused("The file is empty.", "It needs a header row that names the columns.")


def header_key(header: str) -> str:
    """What two spellings of a column's name have in common.

    Case, ё, spaces and signs do not count, nor Latin letters that look Cyrillic inside a Cyrillic word.
    """
    folded = unicodedata.normalize("NFKC", header.replace("№", " ")).casefold().replace("ё", "е")
    words = re.findall(r"[^\W_]+", folded)
    return "".join(word.translate(_LOOK_ALIKES) if _CYRILLIC.search(word) else word for word in words)


def _source_of(data: bytes, encoding: str) -> Source:
    if len(data) > FILE_BYTES_MAX:
        raise FileRefused(
            f"The file is larger than {FILE_BYTES_MAX >> 20} MB.", "Split it into several files."
        )
    if data.startswith(_ZIP):
        return workbook_source(data)
    start = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    for signature, what in _STRANGERS.items():
        if start.startswith(signature):
            raise FileRefused(what, _SAVE_AS)
    return delimited_source(data, encoding)


def _header(cells: list[str]) -> tuple[str, ...]:
    names = [" ".join(cell.split()) for cell in cells]
    while not names[-1]:
        names.pop()
    if len(names) > COLUMNS_MAX or max(map(len, names)) > HEADER_LENGTH_MAX:
        raise FileRefused(
            f"The first row is no header: it has more than {COLUMNS_MAX} columns, or a name longer than"
            f" {HEADER_LENGTH_MAX} characters.",
            "The first row must name the columns; delete any title above it.",
        )
    seen: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if not name:
            raise FileRefused(
                f"Column {place} has no name.", "Name it in the first row, or delete the column."
            )
        # A name of signs alone ("№", "%") has an empty key: then the signs themselves are compared.
        first = seen.setdefault(header_key(name) or name, place)
        if first != place:
            raise FileRefused(
                f"Columns {first} and {place} have the same name: {name!r}.", "Rename or delete one of them."
            )
    return tuple(names)
