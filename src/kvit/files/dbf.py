"""DBF tables (dBase III and IV, FoxPro without memo): read record by record, and written.

What stands in the header is checked, not believed. Cells are texts: a number comes exactly as its digits
stand in the file, a float never gets in. Facts: the layout of the header and the language drivers 26 and
65 (cp866) and C9 (cp1251) are dBase's own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, NamedTuple

from kvit.files.errors import FileRefused

#: First byte of the files that are read: dBase III, IV and FoxPro, with and without memo.
VERSIONS = frozenset({0x03, 0x04, 0x30, 0x31, 0x43, 0x83, 0x8B, 0xF5})
#: Language driver (byte 29) -> codec. Often 00 or wrong: a profile's own code page wins.
DRIVERS = {0x26: "cp866", 0x65: "cp866", 0xC9: "cp1251"}
RECORDS_AT_ONCE = 1_000

TEXT_LENGTH_MAX = 254
NUMBER_LENGTH_MAX = 20
_FIELDS_MAX = 255
_NAME_LENGTH_MAX = 10
_HEADER_BYTES = 32
_END_OF_FIELDS = 0x0D
_END_OF_FILE = b"\x1a"
_LIVE = b" "
_DELETED = b"*"
_DRIVER_OF = {"cp866": 0x26, "cp1251": 0xC9}
_ADVICE = "Save the table anew as dBase III (.dbf), or as CSV or .xlsx."


class DbfField(NamedTuple):
    """A column. ``kind``: ``C`` text, ``N`` number (``F`` too), ``D`` day, ``L`` yes or no.

    ``length`` in bytes; ``decimals`` of numbers, counted in ``length`` with the point.
    """

    name: str
    kind: str
    length: int
    decimals: int = 0


class DbfHeader(NamedTuple):
    """What the file says of itself; ``driver``: the language driver's byte."""

    record_count: int
    header_bytes: int
    record_bytes: int
    driver: int
    fields: tuple[DbfField, ...]


class DbfRecords(NamedTuple):
    """Some records one after another: the number of the first from 1, their marks, their cells by column."""

    first: int
    marks: Sequence[bytes]
    columns: Sequence[Sequence[bytes]]


def read_header(head: bytes) -> DbfHeader:
    """Raises ``FileRefused`` for what is no DBF table."""
    header = find_header(head)
    if header is None:
        raise FileRefused("This is no DBF table, or its header is damaged.", _ADVICE)
    return header


def find_header(head: bytes) -> DbfHeader | None:
    """The header, where ``head`` (at least 9 KB of a file, if it has so many) begins with one that holds."""
    if len(head) < _HEADER_BYTES or head[0] not in VERSIONS:
        return None
    count, header_bytes, record_bytes = struct.unpack_from("<LHH", head, 4)
    fields: list[DbfField] = []
    for start in range(_HEADER_BYTES, min(header_bytes, len(head)), 32):
        if head[start] == _END_OF_FIELDS:
            break
        if len(head) < start + 32 or len(fields) == _FIELDS_MAX:
            return None
        fields.append(_field(head[start : start + 32]))
    used = _HEADER_BYTES + 32 * len(fields)
    widths = 1 + sum(field.length for field in fields)
    if not fields or header_bytes < used or len(head) < used or widths != record_bytes:
        return None
    if not all(field.name.isprintable() and field.name and field.kind.isalpha() for field in fields):
        return None
    return DbfHeader(count, header_bytes, record_bytes, head[29], tuple(fields))


def _field(descriptor: bytes) -> DbfField:
    name = descriptor[:11].partition(b"\0")[0].decode("cp866").strip()
    kind, length, decimals = chr(descriptor[11]), descriptor[16], descriptor[17]
    if kind == "C":  # a text of 256 bytes and more keeps the rest of its length where decimals stand
        return DbfField(name, kind, length + 256 * decimals)
    return DbfField(name, kind, length, decimals)


@dataclass(slots=True)
class DbfWalk:
    """The records of a file; ``problems`` says afterwards how it differs from what its header claims."""

    header: DbfHeader
    problems: list[str]

    def records(self, stream: BinaryIO) -> Iterator[DbfRecords]:
        """All records that the header counts, deleted ones too. ``stream`` stands at the file's begin."""
        header = self.header
        stream.read(header.header_bytes)
        cut = struct.Struct("1s" + "".join(f"{field.length}s" for field in header.fields))
        first = 1
        left = header.record_count
        while left:
            data = stream.read(min(left, RECORDS_AT_ONCE) * header.record_bytes)
            whole = len(data) // header.record_bytes
            rows = list(islice(cut.iter_unpack(data[: whole * header.record_bytes]), whole))
            # The end mark may stand where the next record should be.
            rows = rows[: next((at for at, row in enumerate(rows) if row[0] == _END_OF_FILE), len(rows))]
            if rows:
                marks, *columns = zip(*rows, strict=True)
                yield DbfRecords(first, marks, columns)
            first += len(rows)
            if len(rows) < min(left, RECORDS_AT_ONCE):
                self.problems.append(
                    f"The header counts {header.record_count} records, the file holds {first - 1}: it was"
                    " cut off."
                )
                return
            left -= len(rows)
        rest = stream.read(header.record_bytes)
        if len(rest) == header.record_bytes and rest[:1] in {_LIVE, _DELETED}:
            self.problems.append(
                f"The header counts {header.record_count} records, and more follow: they were not read."
            )


def is_live(mark: bytes) -> bool:
    return mark == _LIVE


def is_deleted(mark: bytes) -> bool:
    return mark == _DELETED


def cell_texts(field: DbfField, cells: Sequence[bytes], encoding: str) -> list[str]:
    """What stands in one column, trimmed; a day as ``YYYY-MM-DD``, FoxPro's money and integers as digits.

    Kinds that hold no text (memo, pictures, binary floats) come as empty texts.
    """
    if field.kind == "Y" and field.length == 8:
        return [_currency_text(*struct.unpack("<q", cell)) for cell in cells]
    if field.kind == "I" and field.length == 4:
        return [str(*struct.unpack("<i", cell)) for cell in cells]
    if field.kind not in "CNFDL":
        return [""] * len(cells)
    texts = [cell.decode(encoding, "replace").strip(" \0") for cell in cells]
    if field.kind == "D":
        return [f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 else text for text in texts]
    return texts


def _currency_text(ten_thousandths: int) -> str:
    sign = "-" if ten_thousandths < 0 else ""
    whole, rest = divmod(abs(ten_thousandths), 10_000)
    text = f"{rest:04d}"
    return f"{sign}{whole}.{text[:2]}{text[2:].rstrip('0')}"


#: What a cell is written from: text; an integer, of the last decimal of a number (150000 of N(12,2) is
#: 1500.00); yes or no; ``None`` for nothing.
DbfValue = str | int | bool | None


def write_dbf(
    fields: Sequence[DbfField],
    rows: Iterable[Sequence[DbfValue]],
    encoding: str,
    *,
    row_count: int | None = None,
    day: str = "1980-01-01",
) -> Iterator[bytes]:
    """A dBase III table, piece by piece: the header, the records, the end mark.

    ``rows``: one value a field, in that order; days as ``YYYY-MM-DD``. ``row_count`` must be given where
    ``rows`` has no length, since it stands in the header. ``day``: of the last change. ``encoding``: a
    one-byte codec, such as cp866 or cp1251. Raises ``ValueError`` for a value that has no place (too long,
    letters that the code page has not), and where the rows are not as many as was said.
    """
    if row_count is None:
        if not isinstance(rows, Sized):
            raise ValueError("rows without a length need row_count")
        row_count = len(rows)
    yield _header_bytes(fields, row_count, encoding, day)
    written = 0
    source = iter(rows)
    while some := list(islice(source, RECORDS_AT_ONCE)):
        columns = zip(*some, strict=True)
        written += len(some)
        cells = [
            [_cell_bytes(field, value, encoding) for value in column]
            for field, column in zip(fields, columns, strict=True)
        ]
        yield b"".join(_LIVE + b"".join(row) for row in zip(*cells, strict=True))
    if written != row_count:
        raise ValueError(f"{row_count} rows were announced, {written} came")
    yield _END_OF_FILE


def _header_bytes(fields: Sequence[DbfField], row_count: int, encoding: str, day: str) -> bytes:
    year, month, date = (int(part) for part in day.split("-"))
    descriptors = []
    for field in fields:
        _check_field(field)
        high = field.decimals if field.kind == "N" else 0
        descriptors.append(
            struct.pack("<11sc4xBB14x", field.name.encode("ascii"), field.kind.encode(), field.length, high)
        )
    record_bytes = 1 + sum(field.length for field in fields)
    length = _HEADER_BYTES + 32 * len(fields) + 1
    start = struct.pack(
        "<BBBBLHH17xB2x",
        0x03, year - 1900, month, date, row_count, length, record_bytes, _DRIVER_OF.get(encoding, 0),
    )  # fmt: skip
    return start + b"".join(descriptors) + bytes([_END_OF_FIELDS])


def _check_field(field: DbfField) -> None:
    longest = {"C": TEXT_LENGTH_MAX, "N": NUMBER_LENGTH_MAX, "D": 8, "L": 1}.get(field.kind, 0)
    if not 1 <= field.length <= longest or (field.kind == "D" and field.length != 8):
        raise ValueError(f"a field of kind {field.kind} cannot have the length {field.length}: {field.name}")
    if not 1 <= len(field.name) <= _NAME_LENGTH_MAX:
        raise ValueError(f"a name of a field has 1 to {_NAME_LENGTH_MAX} letters: {field.name!r}")


def _cell_bytes(field: DbfField, value: DbfValue, encoding: str) -> bytes:
    if field.kind == "L":
        return b"?" if value is None else b"T" if value else b"F"
    if field.kind == "N":
        text = "" if value is None else value if isinstance(value, str) else _digits(value, field.decimals)
        cell = text.encode("ascii").rjust(field.length)
    elif field.kind == "D":
        cell = str(value or "").replace("-", "").encode("ascii").ljust(field.length)
    else:
        cell = ("" if value is None else str(value)).encode(encoding).ljust(field.length)
    if len(cell) > field.length:
        raise ValueError(f"{value!r} does not fit in the {field.length} characters of {field.name}")
    return cell


def _digits(units: int, decimals: int) -> str:
    digits = str(abs(units)).rjust(decimals + 1, "0")
    sign = "-" if units < 0 else ""
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else sign + digits
