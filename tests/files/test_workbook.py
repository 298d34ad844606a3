"""XLSX: what cells become, which sheet is read, and workbooks that would harm."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import re
import zipfile
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvit.files import archive
from kvit.files.errors import FileRefused
from kvit.files.source import ROWS_MAX, ConvertedText
from kvit.files.tables import Table, read_table
from tests.files.workbooks import Made, new_workbook, with_part, workbook_bytes

SHEET = "xl/worksheets/sheet1.xml"


def refusal(data: bytes) -> str:
    with pytest.raises(FileRefused) as caught:
        read_table(data, "clients.xlsx")
    return str(caught.value)


def test_cells_become_text() -> None:
    table = read_table(
        workbook_bytes(
            [
                ["number", "amount", "when", "flag", "text"],
                ["000100234", 1234.5, dt.date(2026, 10, 25), True, " Анна\u00a0"],
                [100005, 0.1 + 0.2, dt.datetime.fromisoformat("2026-10-25T13:30"), False, "a\nb"],
                [None, None, None, None, None],
                [-3.0, -12.5, dt.time(5, 30), None, ""],
            ]
        ),
        "clients.xlsx",
    )
    assert table.header == ("number", "amount", "when", "flag", "text")
    assert table.description == "XLSX, sheet 'Лист1'"
    assert table.rows_expected >= 3
    rows = list(table.rows())
    assert rows == [
        (2, ["000100234", "1234.5", "2026-10-25", "TRUE", "Анна"]),
        (3, ["100005", "0.3", "2026-10-25 13:30:00", "FALSE", "a\nb"]),
        (5, ["-3", "-12.5", "05:30:00", "", ""]),
    ]
    converted = [[isinstance(cell, ConvertedText) for cell in cells] for _, cells in rows]
    assert converted == [
        [False, True, True, True, False],
        [True, True, True, True, False],
        [True, True, True, False, False],
    ]
    assert list(table.rows()) == rows


def test_the_table_may_begin_anywhere() -> None:
    table = read_table(workbook_bytes([["number", "name"], ["1", "a"]], first_row=3, first_column=2))
    assert table.header == ("number", "name")
    assert list(table.rows()) == [(5, ["1", "a"])]


def test_formulas_come_as_their_values() -> None:
    made = Made()
    with new_workbook(made) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["number", "amount"])
        sheet.write_formula(1, 0, '="00"&"17"', None, "0017")
        sheet.write_formula(1, 1, "=10*1.5", None, 15)
        sheet.write(2, 0, "18")
        sheet.write_formula(2, 1, "=1/0", None, "#DIV/0!")
    assert list(read_table(made.data).rows()) == [(2, ["0017", "15"]), (3, ["18", ""])]


def test_the_first_visible_sheet_is_read() -> None:
    made = Made()
    with new_workbook(made) as book:
        for name in ("hidden", "very hidden", "shown", "later"):
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, ["number", name])
            sheet.write(1, 0, "1")
        book.add_chartsheet("chart")
        book.worksheets()[2].activate()
        book.worksheets()[2].set_first_sheet()
        book.worksheets()[0].hide()
        book.worksheets()[1].very_hidden()
    assert read_table(made.data).header == ("number", "shown")


def test_a_workbook_without_a_visible_sheet_is_refused() -> None:
    data = with_part(
        workbook_bytes([["number"]]),
        "xl/workbook.xml",
        lambda part: part.replace(b"<sheet name=", b'<sheet state="hidden" name='),
    )
    assert "no visible sheet" in refusal(data)


def test_an_empty_sheet_is_refused_and_a_header_alone_is_not() -> None:
    assert "The file is empty" in refusal(workbook_bytes([]))
    assert list(read_table(workbook_bytes([["number", "name"]])).rows()) == []


def test_other_archives_are_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive_file:
        archive_file.writestr("clients.csv", "number;name\n1;a\n")
    assert "not an Excel workbook" in refusal(stream.getvalue())


def test_damaged_workbooks_are_refused() -> None:
    whole = workbook_bytes([["number", "name"], ["1", "a"]])
    assert "damaged" in refusal(whole[: len(whole) // 2])
    assert "damaged" in refusal(b"PK\x03\x04" + bytes(100))
    stored = bytearray(whole)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive_file:
        part = archive_file.getinfo(SHEET)
    stored[part.header_offset + 60] ^= 0xFF
    assert "damaged" in refusal(bytes(stored))
    assert "not as it should be" in refusal(with_part(whole, SHEET, lambda part: part[:200]))
    assert "not as it should be" in refusal(with_part(whole, "xl/workbook.xml", lambda part: b"<x"))


def test_a_stray_cell_far_away_is_refused_before_it_takes_all_memory() -> None:
    made = Made()
    with new_workbook(made) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "number")
        sheet.write(999_998, 16_383, "stray")
    assert "reaches at least to row 999999, column 16384" in refusal(made.data)
    # The same without the library's own bookkeeping: other quotation marks, other spacing.
    data = with_part(
        workbook_bytes([["number"], ["1"]]),
        SHEET,
        lambda part: part.replace(b'<c r="A2" t="s">', b"<c\n r = 'XFD999999' t = 's' >"),
    )
    assert "reaches at least to row 999999, column 16384" in refusal(data)


def test_rows_and_cells_that_do_not_say_where_they_stand() -> None:
    def without_places(part: bytes) -> bytes:
        return re.sub(rb'<(row|c) r="[A-Z]*[0-9]+"', rb"<\1", part)

    rows: list[list[object]] = [["number", "amount"], ["1", 12.5], ["2", 13.5]]
    data = with_part(workbook_bytes(rows), SHEET, without_places)
    assert [cells for _, cells in read_table(data).rows()] == [["1", "12.5"], ["2", "13.5"]]
    # Only the rows say where they stand, and the last one is far away and wide.
    cells: list[list[object]] = [["number"], [None], [1] * 900]
    wide = workbook_bytes(cells)
    data = with_part(wide, SHEET, lambda part: re.sub(rb'<c r="[A-Z]*[0-9]+"', rb"<c", part))
    assert read_table(data).header == ("number",)
    data = with_part(data, SHEET, lambda part: part.replace(b'<row r="3"', b'<row r="999999"'))
    assert "reaches at least to row 999999, column 900" in refusal(data)


def test_a_workbook_that_claims_more_texts_than_it_has_bytes_is_damaged() -> None:
    data = with_part(
        workbook_bytes([["number"], ["1"]]),
        "xl/sharedStrings.xml",
        lambda part: part.replace(b'uniqueCount="2"', b'uniqueCount="4294967296"'),
    )
    assert "damaged" in refusal(data)


def test_a_row_number_beyond_all_measure_is_refused() -> None:
    data = with_part(
        workbook_bytes([["number"], ["1"]]), SHEET, lambda part: part.replace(b'"A2"', b'"A9999999991"')
    )
    assert "reaches at least to row 9999999991" in refusal(data)


def test_an_empty_formatted_last_row_is_no_stray_row() -> None:
    # LibreOffice writes such a row at the end of some sheets, beside the widths of the columns.
    last = b'<row r="1048576" ht="12.8"/><row r="1048577"><c r="A1048577" s="1"/></row></sheetData>'
    data = with_part(
        workbook_bytes([["number"], ["1"]]),
        SHEET,
        lambda part: part.replace(b"<sheetData>", b'<cols><col min="1" max="2"/></cols><sheetData>').replace(
            b"</sheetData>", last
        ),
    )
    assert list(read_table(data).rows()) == [(2, ["1"])]


def test_a_format_far_away_is_no_stray_cell() -> None:
    made = Made()
    with new_workbook(made) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "number")
        sheet.write_blank(1_048_575, 16_383, None, book.add_format({"bold": True}))
    assert read_table(made.data).header == ("number",)


def test_too_many_rows_are_refused() -> None:
    made = Made()
    with new_workbook(made) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "number")
        sheet.write(ROWS_MAX, 0, "1")
    assert "reaches at least to row 1000001, column 1" in refusal(made.data)


def test_a_false_dimension_does_no_harm() -> None:
    data = with_part(
        workbook_bytes([["number"], ["1"]]),
        SHEET,
        lambda part: part.replace(b'<dimension ref="A1:A2"/>', b'<dimension ref="A1:XFD1048576"/>'),
    )
    assert list(read_table(data).rows()) == [(2, ["1"])]


def test_zip_bombs_are_refused_by_their_declared_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "UNPACKED_BYTES_MAX", 32 << 20)
    data = with_part(workbook_bytes([["number"]]), "xl/media/a.bin", lambda _: bytes(32 << 20))
    assert len(data) < 1 << 16
    assert "unpacks to more than 32 MB" in refusal(data)


def test_zip_bombs_that_lie_about_their_size_are_damaged() -> None:
    data = bytearray(with_part(workbook_bytes([["number"]]), "xl/media/a.bin", lambda _: bytes(1 << 24)))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.rindex(signature)
        assert int.from_bytes(data[place + offset : place + offset + 4], "little") == 1 << 24
        data[place + offset : place + offset + 4] = (100).to_bytes(4, "little")
    assert "damaged" in refusal(bytes(data))


def test_too_many_parts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PARTS_MAX", 5)
    assert "unpacks to more" in refusal(workbook_bytes([["number"]]))


def test_one_long_text_in_very_many_cells_is_refused() -> None:
    made = Made()
    with new_workbook(made) as book:
        sheet = book.add_worksheet()
        for row in range(40_000):
            sheet.write(row, 0, "x" * 32_000)
    assert len(made.data) < 1 << 20
    assert "A text of 32" in refusal(made.data)


def test_a_long_text_in_a_small_workbook_is_fine() -> None:
    rows = list(read_table(workbook_bytes([["number", "note"], ["1", "x" * 32_000]])).rows())
    assert len(rows[0][1][1]) == 32_000


@pytest.mark.parametrize("chunk_bytes", [200, 1 << 20])
def test_measuring_does_not_depend_on_where_a_chunk_ends(
    chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_CHUNK_BYTES", chunk_bytes)
    monkeypatch.setattr(archive, "CELLS_MAX", 99)
    full = [[f"text {row} {column}" for column in range(9)] for row in range(11)]
    assert len(list(read_table(workbook_bytes(full)).rows())) == 10
    wide = [[*full[0], "one more"], *full[1:]]
    assert "reaches at least to row 10, column 10" in refusal(workbook_bytes(wide))
    long = [*full, ["one more"]]
    assert "reaches at least to row 12, column 9" in refusal(workbook_bytes(long))


def read_all(data: bytes) -> Iterator[list[str]]:
    table: Table = read_table(data)
    for _, cells in table.rows():
        yield cells


@settings(max_examples=150)
@given(st.data())
def test_a_spoiled_workbook_is_read_or_refused(data: st.DataObject) -> None:
    """The parts are changed inside the archive, so that the library itself meets nonsense."""
    whole = workbook_bytes([["number", "amount"], ["1", 12.5], [2, dt.date(2026, 1, 5)]])
    part = data.draw(
        st.sampled_from(
            [SHEET, "xl/workbook.xml", "xl/sharedStrings.xml", "xl/styles.xml", "[Content_Types].xml"]
        )
    )

    def spoil(content: bytes) -> bytes:
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 20)))
        return content[:start] + data.draw(st.binary(max_size=6)) + content[end:]

    with contextlib.suppress(FileRefused):
        for cells in read_all(with_part(whole, part, spoil)):
            assert all(isinstance(cell, str) for cell in cells)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8),
            st.integers(-(10**12), 10**12),
        ),
        max_size=8,
    )
)
def test_what_a_workbook_writer_writes_is_read_back(rows: list[tuple[str, int]]) -> None:
    made = Made()
    with new_workbook(made) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["number", "amount"])
        for line, (number, amount) in enumerate(rows, 1):
            sheet.write_string(line, 0, number)
            sheet.write_number(line, 1, amount)
    assert list(read_all(made.data)) == [[number, str(amount)] for number, amount in rows]
