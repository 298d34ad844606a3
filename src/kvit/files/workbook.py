"""XLSX: the first visible sheet of a workbook, read with python-calamine.

The archive is measured before it is handed to the library (``kvit.files.archive``).
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any

from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from kvit.files.archive import SAVE_AGAIN, measure_workbook
from kvit.files.errors import FileRefused
from kvit.files.source import STRETCH_ROWS, ConvertedText, Source, Stretch

#: A spreadsheet keeps fifteen digits of a number.
EXACT_BELOW = 1e15

_MIDNIGHT = dt.time()


def workbook_source(data: bytes) -> Source:
    """The rows of the first visible sheet; formulas come as their last computed value.

    A number comes as exact decimal text, a date as ``YYYY-MM-DD``, both as ``ConvertedText``; a cell
    with a formula's error (``#N/A``) comes as empty.
    """
    measure_workbook(data)
    sheet = _first_visible(data)
    words = f"XLSX, sheet {sheet.name!r}"
    return Source(words, sheet.total_height, lambda: _stretches(sheet), list)


def number_text(value: float) -> str:
    """A cell's number as decimal text: ``100005.0`` -> ``"100005"``, ``0.1 + 0.2`` -> ``"0.3"``.

    Fifteen significant digits are kept, as a spreadsheet shows, and what lies beyond a millionth is
    taken for an error of the computation. From 10^15 on the digits are not reliable any more, and the
    text is in the scientific form that no reader of amounts or account numbers accepts.
    """
    if not abs(value) < EXACT_BELOW:
        return f"{value:.14E}"
    if value.is_integer():
        return str(int(value))
    text = f"{value:.15g}"
    if "e" in text or len(text.partition(".")[2]) > 6:
        text = f"{value:.6f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _stretches(sheet: CalamineSheet) -> Iterator[Stretch]:
    convert = _CONVERT
    rows = iter(sheet.iter_rows())
    for first in count(1, STRETCH_ROWS):
        texts = [[convert[type(cell)](cell) for cell in cells] for cells in islice(rows, STRETCH_ROWS)]
        if not texts:
            return
        yield Stretch(list(range(first, first + len(texts))), texts)


def _from_datetime(value: dt.datetime) -> str:
    if value.time() == _MIDNIGHT:
        return ConvertedText(value.date().isoformat())
    return ConvertedText(value.isoformat(" ", "seconds"))


_CONVERT: dict[type, Callable[[Any], str]] = {
    str: str.strip,
    float: lambda value: ConvertedText(number_text(value)),
    int: lambda value: ConvertedText(number_text(float(value))),
    bool: lambda value: ConvertedText("TRUE" if value else "FALSE"),
    dt.date: lambda value: ConvertedText(value.isoformat()),
    dt.datetime: _from_datetime,
    dt.time: lambda value: ConvertedText(value.isoformat()),
    dt.timedelta: ConvertedText,
}


def _first_visible(data: bytes) -> CalamineSheet:
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
        for sheet in workbook.sheets_metadata:
            if sheet.visible is SheetVisibleEnum.Visible and sheet.typ is SheetTypeEnum.WorkSheet:
                return workbook.get_sheet_by_name(sheet.name)
    except BaseException as fault:
        # A panic of the library is no Exception; every other thing of that kind is not ours to catch.
        if not isinstance(fault, Exception) and type(fault).__name__ != "PanicException":
            raise
        raise FileRefused("A part of this workbook is not as it should be.", SAVE_AGAIN) from fault
    raise FileRefused(
        "This workbook has no visible sheet.", "Unhide the sheet with the table and save it again."
    )
