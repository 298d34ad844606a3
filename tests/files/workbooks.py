"""Workbooks for the tests, and ways of spoiling them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import xlsxwriter


class Made:
    """The bytes of a workbook, once it is finished."""

    data: bytes = b""


@contextmanager
def new_workbook(made: Made) -> Iterator[Any]:
    """XlsxWriter's workbook to write into; its bytes are in ``made`` after the block."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"default_date_format": "dd.mm.yyyy"}) as book:
        yield book
    made.data = stream.getvalue()


def workbook_bytes(rows: Sequence[Sequence[object]], *, first_row: int = 0, first_column: int = 0) -> bytes:
    """A workbook of one sheet: texts as texts, numbers as numbers, ``None`` as no cell."""
    made = Made()
    with new_workbook(made) as book:
        sheet = book.add_worksheet("Лист1")
        for row_number, row in enumerate(rows, first_row):
            for column_number, value in enumerate(row, first_column):
                if value is not None:
                    sheet.write(row_number, column_number, value)
    return made.data


def with_part(data: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The same archive with the part ``name`` changed, and made anew if it is not there."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        names = old.namelist()
        for part in names:
            content = old.read(part)
            new.writestr(part, change(content) if part == name else content)
        if name not in names:
            new.writestr(name, change(b""))
    return stream.getvalue()
