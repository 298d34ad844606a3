"""CSV: delimiters, quotation marks, encodings, and everything that is not CSV."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvit.files.errors import FileRefused
from kvit.files.tables import FILE_BYTES_MAX, header_key, read_table

TEXT = "Лицевой счёт;ФИО;Адрес\n000100234;Иванова Анна;ул. Абая, 5\n"


def rows_of(data: bytes | str, encoding: str = "") -> list[list[str]]:
    table = read_table(data.encode() if isinstance(data, str) else data, encoding=encoding)
    return [cells for _, cells in table.rows()]


def refusal(data: bytes, name: str = "", encoding: str = "") -> str:
    with pytest.raises(FileRefused) as caught:
        list(read_table(data, name, encoding).rows())
    said = str(caught.value)
    assert caught.value.what in said
    assert caught.value.advice in said
    return said


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("cp1251", "windows-1251")],
)
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_encodings_delimiters_and_line_ends(encoding: str, shown: str, delimiter: str, line_end: str) -> None:
    text = TEXT.replace(", ", " ").replace(";", delimiter).replace("\n", line_end)
    table = read_table(text.encode(encoding), "clients.csv")
    assert table.header == ("Лицевой счёт", "ФИО", "Адрес")
    assert list(table.rows()) == [(2, ["000100234", "Иванова Анна", "ул. Абая 5"])]
    mark = "TAB" if delimiter == "\t" else delimiter
    assert table.description == f"CSV, {mark} between cells, {shown}"
    # A second walk starts anew.
    assert len(list(table.rows())) == 1


def test_a_comma_inside_a_semicolon_file_is_text() -> None:
    assert rows_of("number;Сумма, руб., с НДС\n1;10,5\n") == [["1", "10,5"]]
    assert rows_of('number,"name; short"\n1,a\n') == [["1", "a"]]


def test_excel_may_name_the_delimiter() -> None:
    table = read_table(b"sep=,\r\nnumber,name\r\n1,a;b\r\n")
    assert table.header == ("number", "name")
    assert list(table.rows()) == [(3, ["1", "a;b"])]
    assert rows_of(codecs.BOM_UTF8 + b"sep=;\nnumber;name\n1;a\n") == [["1", "a"]]


def test_one_column_is_a_table() -> None:
    assert rows_of("number\n000100\n\n200\n") == [["000100"], ["200"]]


def test_quoted_cells() -> None:
    text = 'number;name;address\n1;"ТОО ""Су; Арнасы""";"ул. Абая\nдом 5"\n\n2;ООО "Ромашка";-\n'
    table = read_table(text.encode())
    assert list(table.rows()) == [
        (2, ["1", 'ТОО "Су; Арнасы"', "ул. Абая\nдом 5"]),
        (5, ["2", 'ООО "Ромашка"', "-"]),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        # Read leniently, rows 2 and 3 would silently be one.
        ('number;name;x\n1;"Ромашка;a\n2;Иванов "Ваня";b\n', 2),
        ('number;name\n1;a\n2;"Ромашка\n', 3),
        ('number;name\n1;"Ромашка" ООО\n', 2),
    ],
)
def test_a_torn_quotation_is_refused_with_its_line(text: str, line: int) -> None:
    said = refusal(text.encode(), "clients.csv")
    assert said.startswith(f"clients.csv: A quotation mark in the row that begins in line {line} ")
    assert "written twice" in said


def test_a_cell_beyond_all_measure_is_refused() -> None:
    assert "in line 2" in refusal(b"number;name\n1;" + b"x" * 200_000 + b"\n")


def test_spaces_and_empty_lines() -> None:
    text = "\n;;\n number\u00a0; name \n\n \u00a0001 ;\u202f Анна \u00a0\n;;\n \n2;\n"
    table = read_table(text.encode())
    assert table.header == ("number", "name")
    assert list(table.rows()) == [(5, ["001", "Анна"]), (8, ["2", ""])]
    assert table.rows_expected >= 2


def test_short_rows_are_filled_and_empty_surplus_is_dropped() -> None:
    assert rows_of("a;b;c;\n1\n1;2;3;;;\n1;2;3;;4\n") == [
        ["1", "", ""],
        ["1", "2", "3"],
        ["1", "2", "3", "", "4"],
    ]


def test_a_header_alone_is_an_empty_table() -> None:
    for data in (
        b"number;name",
        b"number;name\r\n",
        codecs.BOM_UTF8 + b"number;name\n",
        b"number;name\n\x1a",
    ):
        assert rows_of(data) == []


def test_kazakh_letters_of_the_old_code_page() -> None:
    text = "нөмір;аты-жөні\n1;Қайратұлы Әлімжан\n2;Ғабдуллин Теңіз\n"
    table = read_table(text.encode("kz1048"))
    assert [cells[1] for _, cells in table.rows()] == ["Қайратұлы Әлімжан", "Ғабдуллин Теңіз"]
    assert "KZ-1048" in table.description
    serbian = "broj;ime\n1;Јовановић Љубиша\n"
    assert rows_of(serbian.encode("cp1251")) == [["1", "Јовановић Љубиша"]]


@pytest.mark.parametrize(
    "line",
    ["№ 5 «Су» – “Арнасы”…", "Єва Їжак, Ґалаґан", "Ўладзімір Аляхновіч", "Алёна Ёлкина", "№;№;№"],
)
def test_usual_signs_of_windows_text_are_no_reason_to_refuse(line: str) -> None:
    text = f"number;name\n{line}\n"
    assert rows_of(text.encode("cp1251")) == rows_of(text)


def test_a_named_encoding_is_taken_or_refused() -> None:
    assert rows_of(TEXT.encode("cp866"), "cp866") == rows_of(TEXT)
    assert rows_of(TEXT.encode("utf-8-sig"), "utf-8") == rows_of(TEXT)
    assert "not utf-8 text" in refusal(TEXT.encode("cp1251"), encoding="utf-8")
    for encoding in ("cp12510", "hex", "utf-16"):
        assert f"no encoding {encoding!r}" in refusal(TEXT.encode(), encoding=encoding)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "The file is empty"),
        (codecs.BOM_UTF8, "The file is empty"),
        (b" \r\n;;;\n\n", "The file is empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512, "an old Excel workbook (.xls)"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "a web page or XML"),
        (codecs.BOM_UTF8 + b"\r\n  <?xml version='1.0'?><Workbook/>", "a web page or XML"),
        (b"%PDF-1.7\n1;2", "a PDF document"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"Rar!\x1a\x07", "RAR"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        (codecs.BOM_UTF16_LE + "number;name\n".encode("utf-16-le"), "UTF-16"),
        (codecs.BOM_UTF16_BE + "number;name\n".encode("utf-16-be"), "UTF-16"),
        ("number;name\n".encode("utf-16-le"), "line 1 holds the control byte 00"),
        (b"number;name\n1;a\n2;\x03b\n", "line 3 holds the control byte 03"),
        (TEXT.encode("cp866"), "neither UTF-8 nor windows-1251"),
        (b"number;name\n1;\x98\xe8\n", "neither UTF-8 nor windows-1251"),
        (TEXT.encode() + b"\xff", "neither UTF-8 nor windows-1251"),
    ],
)
def test_what_is_no_table_is_refused_with_advice(data: bytes, said: str) -> None:
    assert said in refusal(data)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("number;;name", "Column 2 has no name"),
        ("number;name;Number", "Columns 1 and 3 have the same name"),
        ("a;a", "Columns 1 and 2 have the same name"),
        ("Счёт;счет ", "Columns 1 and 2 have the same name"),
        ("number;%;%", "Columns 2 and 3 have the same name"),
        (";".join(f"c{n}" for n in range(201)), "no header"),
        ("number;" + "x" * 101, "no header"),
    ],
)
def test_unfit_headers(header: str, said: str) -> None:
    assert said in refusal(f"{header}\n1;2;3\n".encode())


def test_headers_of_signs_are_told_apart() -> None:
    assert read_table(b"number;%;#\n").header == ("number", "%", "#")


def test_a_file_beyond_all_measure_is_refused() -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return FILE_BYTES_MAX + 1

    assert "larger than 256 MB" in refusal(Huge(b"number\n1\n"))


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvit.files.tables.ROWS_MAX", 3)
    assert rows_of("number\n1\n2\n\n3\n") == [["1"], ["2"], ["3"]]
    assert "more than 3 rows" in refusal(b"number\n1\n2\n3\n4\n")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Лицевой счёт", "ЛИЦЕВОЙ_СЧЕТ"),
        ("Л/С", "№ лс"),
        ("E-mail", "email"),
        ("Лицевой cчет", "лицевой счет"),
        ("мерзiмi", "мерзімі"),
        ("Телефон\u0438\u0306", "телефонй"),
    ],
)
def test_spellings_of_one_header(one: str, other: str) -> None:
    assert header_key(one) == header_key(other)


cells = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=8)


@given(
    st.lists(st.lists(cells, min_size=3, max_size=3), max_size=6),
    st.sampled_from([";", ",", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_what_a_csv_writer_writes_is_read_back(rows: list[list[str]], delimiter: str, encoding: str) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([["a", "b", "c"], *rows])
    assert rows_of(text.getvalue().encode(encoding)) == [row for row in rows if any(row)]


@given(st.binary(max_size=200))
@example(b"PK\x03\x04")
@example(b"sep=;\n")
@example(b'"')
def test_any_bytes_are_a_table_or_refused(data: bytes) -> None:
    with contextlib.suppress(FileRefused):
        table = read_table(data)
        for line, row in table.rows():
            assert line > 1
            assert len(row) >= len(table.header)
