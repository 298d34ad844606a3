"""DBF: read record by record, written, and compared with what another program makes of it."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvit.files.dbf import (
    RECORDS_AT_ONCE,
    DbfField,
    DbfHeader,
    DbfValue,
    DbfWalk,
    cell_texts,
    find_header,
    is_deleted,
    is_live,
    read_header,
    write_dbf,
)
from kvit.files.errors import FileRefused

FIELDS = (
    DbfField("ABCOUNT", "C", 12),
    DbfField("FIO", "C", 20),
    DbfField("SUMM", "N", 12, 2),
    DbfField("PDATE", "D", 8),
    DbfField("OK", "L", 1),
)
ROWS: tuple[tuple[DbfValue, ...], ...] = (
    ("1002344", "Тестов Тест", 150000, "2026-03-18", True),
    ("0012351", "", -5, None, False),
    ("", "Ё", None, "", None),
)


def _bytes(rows: tuple[tuple[DbfValue, ...], ...] = ROWS, encoding: str = "cp866") -> bytes:
    return b"".join(write_dbf(FIELDS, rows, encoding, day="2026-03-19"))


def _read(data: bytes, encoding: str = "cp866") -> tuple[list[list[str]], list[bytes], list[str]]:
    """Rows as texts, their marks, and what is wrong with the file."""
    walk = DbfWalk(read_header(data[: 9 << 10]), [])
    rows: list[list[str]] = []
    marks: list[bytes] = []
    for part in walk.records(io.BytesIO(data)):
        assert part.first == len(rows) + 1
        columns = [
            cell_texts(field, cells, encoding)
            for field, cells in zip(walk.header.fields, part.columns, strict=True)
        ]
        rows += map(list, zip(*columns, strict=True))
        marks += part.marks
    return rows, marks, walk.problems


def _other_program(script: str, path: Path) -> Any:  # noqa: ANN401 - whatever the script prints
    """What the library ``dbf`` says, in a process of its own: it leaves its files open."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(path)], check=True, capture_output=True, timeout=60
    )
    return json.loads(done.stdout or "null")


_READ = """
import dbf, json, sys
table = dbf.Table(sys.argv[1])
with table.open():
    print(json.dumps([[str(cell).strip() for cell in record] for record in table]))
"""
_WRITE = """
import dbf, sys
table = dbf.Table(sys.argv[1], "number C(12); sum N(12,2); day D; ok L", codepage="cp866", dbf_type="db3")
with table.open(mode=dbf.READ_WRITE):
    table.append(("0012", 0.29, dbf.Date(2026, 3, 18), True))
    table.append(("Ж", 99999999.99, None, None))
    table.append(("gone", 1, None, False))
    dbf.delete(table.last_record)
"""


def test_the_bytes_are_those_of_the_layout() -> None:
    data = _bytes()
    # Version, YY MM DD from 1900, count, length of header and of record with its mark, cp866.
    assert data[:12] == bytes([3, 126, 3, 19]) + struct.pack("<LHH", 3, 32 + 5 * 32 + 1, 1 + 53)
    assert data[29] == 0x26
    assert data[32:44] == b"ABCOUNT\0\0\0\0C"
    assert data[192:193] == b"\r"
    assert (
        data[193:247] == b" 1002344     " + "Тестов Тест".encode("cp866").ljust(20) + b"     1500.0020260318T"
    )
    assert data[-1:] == b"\x1a"
    assert _bytes(encoding="cp1251")[29] == 0xC9


def test_what_was_written_is_read_again() -> None:
    rows, marks, problems = _read(_bytes())
    assert rows == [
        ["1002344", "Тестов Тест", "1500.00", "2026-03-18", "T"],
        ["0012351", "", "-0.05", "", "F"],
        ["", "Ё", "", "", "?"],
    ]
    assert all(map(is_live, marks))
    assert problems == []


def test_another_program_reads_what_we_write(tmp_path: Path) -> None:
    path = tmp_path / "ours.dbf"
    path.write_bytes(_bytes())
    assert _other_program(_READ, path) == [
        ["1002344", "Тестов Тест", "1500.0", "2026-03-18", "True"],
        ["0012351", "", "-0.05", "None", "False"],
        ["", "Ё", "None", "None", "None"],
    ]


def test_we_read_what_another_program_writes(tmp_path: Path) -> None:
    path = tmp_path / "theirs.dbf"
    _other_program(_WRITE, path)
    rows, marks, problems = _read(path.read_bytes())
    assert rows == [
        ["0012", "0.29", "2026-03-18", "T"],
        ["Ж", "99999999.99", "", "?"],
        ["gone", "1.00", "", "F"],
    ]
    assert [is_deleted(mark) for mark in marks] == [False, False, True]
    assert problems == []


def test_foxpro_money_and_integers_are_exact() -> None:
    cells = [struct.pack("<q", units) for units in (15000000, -1, 123456)]
    assert cell_texts(DbfField("S", "Y", 8), cells, "cp866") == ["1500.00", "-0.0001", "12.3456"]
    assert cell_texts(DbfField("N", "I", 4), [struct.pack("<i", -7)], "cp866") == ["-7"]
    assert cell_texts(DbfField("M", "M", 10), [b"0000000001"], "cp866") == [""]


@pytest.mark.parametrize("end", [b"", b"\x1a"])
def test_the_end_mark_may_be_absent(end: bytes) -> None:
    rows, _, problems = _read(_bytes().removesuffix(b"\x1a") + end)
    assert (len(rows), problems) == (3, [])


def test_a_file_cut_off_says_so() -> None:
    rows, _, problems = _read(_bytes()[:-60])
    assert len(rows) == 1
    assert problems == ["The header counts 3 records, the file holds 1: it was cut off."]


def test_no_record_beyond_the_count_is_read() -> None:
    data = bytearray(_bytes())
    struct.pack_into("<L", data, 4, 2)
    rows, _, problems = _read(bytes(data))
    assert len(rows) == 2
    assert problems == ["The header counts 2 records, and more follow: they were not read."]


def test_a_table_without_rows_is_a_table() -> None:
    assert _read(_bytes(rows=())) == ([], [], [])


@pytest.mark.parametrize(
    "value",
    [
        ("1" * 13, "", 0, "", None),
        ("Қ", "", 0, "", None),
        ("", "", 10**12, "", None),
        ("", "", 0, "2026-03-181", None),
    ],
    ids=["too long", "no such letter", "too large", "no day"],
)
def test_what_has_no_place_is_not_written(value: tuple[DbfValue, ...]) -> None:
    with pytest.raises(ValueError, match=r"fit|encode"):
        _bytes(rows=(value,))


@pytest.mark.parametrize(
    "field",
    [DbfField("A", "C", 255), DbfField("A", "X", 1), DbfField("ELEVENCHARS", "C", 1), DbfField("D", "D", 6)],
)
def test_fields_that_cannot_be_are_refused(field: DbfField) -> None:
    with pytest.raises(ValueError, match="field"):
        list(write_dbf([field], [], "cp866"))


def test_rows_without_length_need_a_count() -> None:
    with pytest.raises(ValueError, match="row_count"):
        list(write_dbf(FIELDS, iter(ROWS), "cp866"))
    assert b"".join(write_dbf(FIELDS, iter(ROWS), "cp866", row_count=3, day="2026-03-19")) == _bytes()
    with pytest.raises(ValueError, match="4 rows were announced, 3 came"):
        list(write_dbf(FIELDS, iter(ROWS), "cp866", row_count=4))


def test_many_records_come_in_parts() -> None:
    rows = tuple((str(number), "", number, "", None) for number in range(2 * RECORDS_AT_ONCE + 1))
    read, _, problems = _read(_bytes(rows=rows))
    assert [row[0] for row in read] == [row[0] for row in rows]
    assert problems == []


def test_a_damaged_header_is_no_table() -> None:
    data = _bytes()
    with pytest.raises(FileRefused):
        read_header(data[:100])
    with pytest.raises(FileRefused):
        read_header(b"\x05" + data[1:])
    wrong_width = data[:10] + struct.pack("<H", 55) + data[12:]
    with pytest.raises(FileRefused):
        read_header(wrong_width)


@given(st.binary(max_size=300), st.integers(0, 300), st.binary(max_size=20))
def test_no_bytes_break_the_reader(noise: bytes, place: int, patch: bytes) -> None:
    data = _bytes()
    for damaged in (noise, data[:place] + patch + data[place + len(patch) :], data[:place]):
        header: DbfHeader | None = find_header(damaged[: 9 << 10])
        if header is None:
            continue
        walk = DbfWalk(header, [])
        for part in walk.records(io.BytesIO(damaged)):
            for field, cells in zip(header.fields, part.columns, strict=True):
                texts: list[Any] = cell_texts(field, cells, "cp1251")
                assert len(texts) == len(part.marks)
