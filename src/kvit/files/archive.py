"""An XLSX workbook is a ZIP archive from outside: how large is it really?

The library that reads workbooks holds a sheet as a dense rectangle in memory and every text once a cell:
one stray cell in the last row and column makes it ask for half a terabyte and abort the process, and a
workbook of 1 MB may unfold to gigabytes of text (both seen with python-calamine 0.9.1).
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial

from kvit.files.errors import FileRefused
from kvit.files.source import ROWS_MAX

SAVE_AGAIN = "Open it in Excel or LibreOffice, save it as .xlsx again and import the new file."

#: Bytes of all parts of a workbook together, unpacked.
UNPACKED_BYTES_MAX = 512 << 20
PARTS_MAX = 5_000
#: Cells of the rectangle from the first to the last used cell; each takes some 70 bytes.
CELLS_MAX = 8_000_000
#: Cells with text, times the longest text, in bytes: what the texts might take when unfolded.
TEXT_BYTES_MAX = 1 << 30

_CHUNK_BYTES = 1 << 20
#: A row is looked at as a whole, unless it is longer than any row of a real table.
_ROW_BYTES_MAX = 4 << 20
_TAG_BYTES_MAX = 1 << 10
#: Where a cell stands; a cell that closes in its own tag has a format and no value, and takes no place.
_CELL = re.compile(rb"""r\s*=\s*["']\s*([A-Za-z]+)([0-9]+)\s*["'][^>]*(?<!/)>""")
_ROW = re.compile(rb"""<(?:\w+:)?row\s[^>]*?r\s*=\s*["']\s*([0-9]+)""")
_TEXT_CELL = re.compile(rb"""t\s*=\s*["']s["']""")
_STRING_COUNT = re.compile(rb"""niqueCount\s*=\s*["']\s*([0-9]+)""")
_STRING_END = re.compile(rb"</(?:\w+:)?si\s*>")


def measure_workbook(data: bytes) -> None:
    """Refuse an archive that is no workbook, is damaged, or would unfold to too much."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if "xl/workbook.xml" not in {part.filename.lower() for part in parts}:
                raise FileRefused(
                    "This is a ZIP archive, but not an Excel workbook (.xlsx).",
                    "Unpack it and import the table inside, or save the table as .xlsx or CSV.",
                )
            if len(parts) > PARTS_MAX or sum(part.file_size for part in parts) > UNPACKED_BYTES_MAX:
                raise FileRefused(
                    f"This workbook unpacks to more than {UNPACKED_BYTES_MAX >> 20} MB.",
                    "Keep only the sheet with the table, or save it as 'CSV UTF-8'.",
                )
            _measure_parts(archive, parts)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as fault:
        raise FileRefused("This workbook is damaged.", SAVE_AGAIN) from fault


def _measure_parts(archive: zipfile.ZipFile, parts: list[zipfile.ZipInfo]) -> None:
    """Unpack every part once: its real size and check sum, and how far its cells and texts reach."""
    text_cells = longest = 0
    for part in parts:
        name = part.filename.lower()
        with archive.open(part) as stream:
            chunks = iter(partial(stream.read, _CHUNK_BYTES), b"")
            if name.startswith("xl/sharedstrings"):
                longest = max(longest, _longest_string(chunks, part.file_size))
            else:
                text_cells += _measure_sheet(chunks)
    if text_cells * longest > TEXT_BYTES_MAX:
        raise FileRefused(
            f"A text of {longest} bytes in this workbook is too long for a table of this size.",
            "Shorten or delete it, or save the sheet as 'CSV UTF-8'.",
        )


def _measure_sheet(chunks: Iterator[bytes]) -> int:
    """The number of cells with text, 0 for a part that is no sheet; cells that reach too far are refused."""
    last_row = last_column = text_cells = 0
    for rows in _whole_rows(chunks):
        text_cells += len(_TEXT_CELL.findall(rows))
        found = _CELL.findall(rows)
        last_row = max(last_row, *map(int, {row for _, row in found}), 0)
        last_column = max(last_column, *map(_column_number, {letters for letters, _ in found}), 0)
        if rows.count(b"<c r=") != rows.count(b"<c ") + rows.count(b"<c>"):
            # Cells that do not say where they stand come one after another, in a row that may say so.
            last_row = max(last_row, *map(int, _ROW.findall(rows)), 0)
            last_column = max(last_column, *(row.count(b"<c") for row in rows.split(b"<row")))
        if last_row > ROWS_MAX or last_row * last_column > CELLS_MAX:
            raise FileRefused(
                f"A sheet of this workbook reaches at least to row {last_row}, column {last_column}.",
                "Copy the table alone to a new workbook, or save the sheet as 'CSV UTF-8'.",
            )
    return text_cells


def _whole_rows(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, cut where a row begins, so that nothing is missed at the end of a chunk."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        cut = rest.rfind(b"<row")
        if cut > 0:
            yield rest[:cut]
            rest = rest[cut:]
        elif len(rest) > _ROW_BYTES_MAX:
            yield rest
            rest = rest[-_TAG_BYTES_MAX:]
    yield rest


def _longest_string(chunks: Iterator[bytes], size_bytes: int) -> int:
    """Bytes of the longest text that cells may share; a longer one than a chunk counts as it is found.

    The library makes room for as many texts as the part claims to have: not more than it has bytes.
    """
    longest = 0
    rest = b""
    for chunk in chunks:
        text = rest + chunk
        if any(int(claimed) > size_bytes for claimed in _STRING_COUNT.findall(text)):
            raise zipfile.BadZipFile("more texts claimed than there is room for")
        *strings, rest = _STRING_END.split(text)
        longest = max(longest, len(rest), *map(len, strings))
        rest = rest[-_CHUNK_BYTES:]
    return longest


def _column_number(letters: bytes) -> int:
    """``A`` -> 1, ``Z`` -> 26, ``AA`` -> 27."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number
