"""CSV: text with ``;``, ``,`` or TAB between the cells, in UTF-8 or a Cyrillic code page of Windows."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from kvit.files.errors import FileRefused
from kvit.files.source import STRETCH_ROWS, Source, Stretch

#: In this order: a TAB or a semicolon outside quotes is hardly ever a part of a header's words, a comma is.
DELIMITERS = ("\t", ";", ",")

_CHUNK_BYTES = 1 << 20
#: The header row must end within so many bytes.
_HEAD_BYTES = 1 << 16
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
#: What no text file holds, save for the end mark of DOS at the very end.
_CONTROLS = bytes([*range(0x09), *range(0x0E, 0x20)])
_CONTROL = re.compile(b"[" + _CONTROLS + b"]")
_HIGH = bytes(range(0x80, 0x100))
#: Of the bytes from 80 to BF an ordinary text in windows-1251 has these: Ё, the letters of Ukrainian and
#: Belarusian, №, dashes, quotation marks, the no-break space. DOS text has most of its letters there.
_USUAL = bytes(range(0xC0, 0x100)) + "ЁёІіЇїЄєҐґЎў№«»“”„‘’–—…•·°±§©®\xa0".encode("cp1251")
#: Letters that KZ-1048 has where windows-1251 has Serbian and Macedonian ones; Kazakh hardly does without.
_KAZAKH = "ҚқҺһӘәҢң".encode("kz1048")
#: Serbian and Macedonian letters that both pages have in the same places, and that Kazakh has not.
_BALKAN = "ЂђЉљЊњЏџЃѓ".encode("cp1251")
#: Encodings that a person may name: our names -> Python's codecs.
ENCODINGS = {
    "utf-8": "utf-8-sig",
    "windows-1251": "cp1251",
    "cp1251": "cp1251",
    "cp866": "cp866",
    "koi8-r": "koi8_r",
    "kz1048": "kz1048",
    "windows-1252": "cp1252",
    "cp1252": "cp1252",
    "iso-8859-2": "iso8859_2",
    "cp852": "cp852",
}
_SHOWN = {"utf-8-sig": "UTF-8", "cp1251": "windows-1251", "kz1048": "KZ-1048 (Kazakh)"}


def delimited_source(data: bytes, encoding: str = "") -> Source:
    """The rows of a CSV file; ``encoding`` is one of ``ENCODINGS``, or empty to find it out.

    A first line ``sep=;``, which Excel understands, names the delimiter and is no row. Quoted cells
    may hold delimiters, line breaks and doubled quotation marks. A file that is not text is refused at
    once, a misplaced quotation mark when its row is reached.
    """
    data = data.removesuffix(b"\x1a")
    if data.startswith(_UTF16_MARKS):
        raise FileRefused(
            "This text is in UTF-16 (Excel calls it 'Unicode text').",
            "Save it as 'CSV UTF-8' or as .xlsx and import it again.",
        )
    # Counting them is six times as fast as looking for the first one, which hardly any file has.
    control = _CONTROL.search(data) if _count(data, _CONTROLS) else None
    if control:
        line = data.count(b"\n", 0, control.start()) + 1
        raise FileRefused(
            f"This is not a text table: line {line} holds the control byte {control.group()[0]:02X}.",
            "Save the table as .xlsx or as 'CSV UTF-8' and import it again.",
        )
    encoding = _checked(data, encoding) if encoding else _detected(data)
    record, skipped = _first_record(data[:_HEAD_BYTES].decode(encoding, "ignore"))
    delimiter = record[4:5] if skipped else _delimiter(record)
    shown = "TAB" if delimiter == "\t" else delimiter
    words = f"CSV, {shown} between cells, {_SHOWN.get(encoding, encoding)}"
    return Source(words, data.count(b"\n") + 1, lambda: _stretches(data, encoding, delimiter, skipped), _trim)


def _trim(cells: Iterable[str]) -> list[str]:
    return list(map(str.strip, cells))


def _stretches(data: bytes, encoding: str, delimiter: str, skipped: bool) -> Iterator[Stretch]:
    lines = io.TextIOWrapper(io.BytesIO(data), encoding, newline="")
    if skipped:
        lines.readline()
    first = 2 if skipped else 1
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    # A row begins where the one before it ended; a quoted cell may go over several lines.
    begins = [first]
    rows: list[list[str]] = []
    try:
        while True:
            for cells in islice(reader, STRETCH_ROWS):
                rows.append(cells)
                begins.append(reader.line_num + first)
            if not rows:
                return
            last = begins.pop()
            yield Stretch(begins, rows)
            begins, rows = [last], []
    except csv.Error as fault:
        raise FileRefused(
            f"A quotation mark in the row that begins in line {begins[-1]} does not fit: {fault}.",
            'A cell in quotation marks ends with one, and a mark inside is written twice: "OOO ""Voda""".',
        ) from fault


def _first_record(head: str) -> tuple[str, bool]:
    """The first line that is not empty (quoted line breaks belong to it), and whether it is ``sep=``."""
    if re.match(r"sep=[;,\t]\r?\n", head, re.IGNORECASE):
        return head, True
    head = head.lstrip()
    quoted = False
    for place, sign in enumerate(head):
        if sign == '"':
            quoted = not quoted
        elif sign in "\r\n" and not quoted:
            return head[:place], False
    return head, False


def _delimiter(record: str) -> str:
    bare = re.sub(r'"[^"]*"', "", record).rstrip("\t\r\n ")
    for delimiter in DELIMITERS:
        if delimiter in bare:
            return delimiter
    return ";"


def _detected(data: bytes) -> str:
    if _decodes(data, "utf-8-sig"):
        return "utf-8-sig"
    is_kazakh = _count(data, _KAZAKH) > 0 and _count(data, _BALKAN) == 0
    encoding, usual = ("kz1048", _USUAL + _KAZAKH) if is_kazakh else ("cp1251", _USUAL)
    high = _count(data, _HIGH)
    if (high - _count(data, usual)) * 4 > high or not _decodes(data, encoding):
        raise FileRefused(
            "The letters of this file are neither UTF-8 nor windows-1251 (perhaps it is DOS text, cp866).",
            "Save it as 'CSV UTF-8' and import it again, or name its encoding.",
        )
    return encoding


def _count(data: bytes, wanted: bytes) -> int:
    """How many bytes of ``data`` are among ``wanted``."""
    return len(data) - len(data.translate(None, wanted))


def _checked(data: bytes, encoding: str) -> str:
    codec = ENCODINGS.get(encoding.lower())
    if codec is None:
        raise FileRefused(f"There is no encoding {encoding!r} here.", f"Name one of {', '.join(ENCODINGS)}.")
    if not _decodes(data, codec):
        raise FileRefused(f"This file is not {encoding} text.", "Leave the encoding out, or name another.")
    return codec


def _decodes(data: bytes, encoding: str) -> bool:
    """Whether all of ``data`` is ``encoding``; piece by piece, so that no second copy is made."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
        for start in range(0, len(data), _CHUNK_BYTES):
            decoder.decode(data[start : start + _CHUNK_BYTES])
        decoder.decode(b"", True)
    except UnicodeError:
        return False
    return True
