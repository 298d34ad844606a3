"""The bank's file of refused rows, in the shapes that it may have."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xlsxwriter import Workbook

from kvit.domain.debts import Reject
from kvit.files.debts.rejects import read_rejects
from kvit.files.errors import FileRefused


@pytest.mark.parametrize(
    ("text", "columns", "first_row", "found"),
    [
        (
            "row,error\n2,unknown client\n5,bad amount\n", {}, 1,
            [Reject(2, 2, "", "", "unknown client"), Reject(3, 5, "", "", "bad amount")],
        ),
        (
            "№ строки;Лицевой счет;Причина отказа\r\n1;1002344;Не найден\r\n", {}, 0,
            [Reject(2, 2, "1002344", "", "Не найден")],
        ),
        ("Абонент\tКвитанция\tОшибка\n77\tINV-1\tдубль\n", {}, 1, [Reject(2, 0, "77", "INV-1", "дубль")]),
        ("3;нет такого\n\n4;нет такого\n", {"row": "1", "reason": "2"}, 1,
         [Reject(1, 3, "", "", "нет такого"), Reject(3, 4, "", "", "нет такого")]),
        ("ключ;почему\n77;x\n", {"number": "ключ", "reason": "Почему"}, 1, [Reject(2, 0, "77", "", "x")]),
        ("row;error\n", {}, 1, []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("codec", ["utf-8", "cp1251"])
def test_texts(text: str, columns: dict[str, str], first_row: int, found: list[Reject], codec: str) -> None:
    read = read_rejects(text.encode(codec), "rejects.csv", columns, first_row=first_row)
    assert (list(read.rejects), list(read.errors)) == (found, [])


def test_a_workbook() -> None:
    data = BytesIO()
    book = Workbook(data)
    sheet = book.add_worksheet()
    for place, row in enumerate((("Строка", "Лицевой счет", "Ошибка"), (2, "0077", "закрыт"), ("", 78, ""))):
        sheet.write_row(place, 0, row)
    book.close()
    read = read_rejects(data.getvalue(), "rejects.xlsx", {})
    assert read.rejects == [Reject(2, 2, "0077", "", "закрыт"), Reject(3, 0, "78", "", "")]


def test_lines_that_say_nothing_are_named() -> None:
    read = read_rejects(b"row;number;reason\n0;;x\nten;;x\n;;x\n2;7;y\n", "r.csv", {})
    assert [(error.line, error.column) for error in read.errors] == [(2, "row"), (3, "row"), (4, "")]
    assert read.rejects == [Reject(5, 2, "7", "", "y")]


@pytest.mark.parametrize(
    ("text", "columns"),
    [("what;why\n1;2\n", {}), ("row;why\n1;2\n", {"rows": "row"}), ("row;why\n", {"number": "nr"}), ("", {})],
)
def test_files_that_cannot_be_read(text: str, columns: dict[str, str]) -> None:
    with pytest.raises(FileRefused, match=r"r\.csv"):
        read_rejects(text.encode(), "r.csv", columns)


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    try:
        read_rejects(data, "r.csv", {})
        read_rejects(data, "r.csv", {"row": "1", "number": "2"})
    except FileRefused:
        pass
