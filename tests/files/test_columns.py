"""A column read as a whole gives what its cells give, or nothing; a file by columns what it gives by rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvit.files import reading
from kvit.files.cells import read_amount, read_number, read_text
from kvit.files.columns import read_amounts, read_numbers, read_texts
from kvit.files.receivables import read_accounts, read_charges
from kvit.files.source import STRETCH_ROWS, ConvertedText
from kvit.files.tables import Table, read_table

WAYS: list[tuple[Callable[[list[str]], Any], Callable[[str], Any]]] = [
    (read_numbers, read_number),
    (partial(read_texts, length_max=6), partial(read_text, length_max=6)),
    *(
        (partial(read_amounts, exponent=exponent), partial(read_amount, exponent=exponent))
        for exponent in (0, 2, 3)
    ),
]
TEXTS = st.text("01239.,-; |aЖ\n\r\u00a0\u0661\u0301\x07", max_size=8) | st.sampled_from(
    ["12.50", "1.500", "1,50", "7", "0", "", "9" * 40, "9" * 41, "1.00\n2.00", "Итого", "1,00E+11"]
)


@given(st.lists(TEXTS.map(str.strip), min_size=1, max_size=6), st.booleans())
def test_a_column_gives_what_its_cells_give(texts: list[str], converted: bool) -> None:
    cells: list[str] = [ConvertedText(text) for text in texts] if converted else texts
    for read_column, read_cell in WAYS:
        values = read_column(cells)
        if values is not None:
            assert values == list(map(read_cell, cells))
            assert {type(value) for value in values} <= {str, int}


def test_plain_columns_are_read_as_a_whole() -> None:
    assert read_numbers(["001", "2"]) == ["001", "2"]
    assert read_texts(["Анна", ""], 4) == ["Анна", ""]
    assert read_amounts(["0.50", "12.00"], 2) == [50, 1200]
    assert read_amounts(["5", "12"], 0) == [5, 12]


CELLS = st.sampled_from(
    ["1", "2.50", "", "  x  y ", "a\nb", "7" * 41, "77", "2026-10-01", '"', "Итого", " 5 "]
)


@given(st.lists(st.lists(CELLS, max_size=5), max_size=12), st.integers(0, 3))
def test_columns_and_rows_find_the_same(cells: list[list[str]], skipped: int) -> None:
    rows = [[str(1000 + place), "2.00", "a", "b"] for place in range(skipped)] + cells
    text = "number;amount;service;note\n" + "".join(";".join(map(_quoted, row)) + "\n" for row in rows)
    table = read_table(text.encode())

    def found() -> list[Any]:
        return [
            (read.records, read.errors, read.row_count)
            for read in (read_accounts(table), read_charges(table, "RUB"))
        ]

    by_columns = found()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_at_once", lambda *_: None)
        assert found() == by_columns


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if set(cell) & {'"', "\n"} else cell


def test_lines_hold_over_stretches_and_breaks_inside_cells() -> None:
    count = 2 * STRETCH_ROWS + 10
    table = read_table(
        ("number;note\n" + "".join(f'{place};"a\r\nb"\n\n' for place in range(count))).encode()
    )
    records = read_accounts(table).records
    assert [record.line for record in records] == [2 + 3 * place for place in range(count)]


def test_one_wrong_row_does_not_hide_its_neighbours() -> None:
    lines = [f"{place};1.00" for place in range(3 * STRETCH_ROWS)]
    lines[STRETCH_ROWS + 5] = "77;1.0.0"
    rows = read_charges(_table(lines), "RUB")
    assert [(error.line, error.column) for error in rows.errors] == [(STRETCH_ROWS + 7, "amount")]
    assert len(rows.records) == rows.row_count - 1 == 3 * STRETCH_ROWS - 1


def test_a_number_that_comes_again_in_another_stretch_is_found() -> None:
    lines = [f"{place};1.00" for place in range(2 * STRETCH_ROWS)] + ["5;2.00"]
    rows = read_accounts(_table(lines))
    assert [(error.line, error.value) for error in rows.errors] == [(len(lines) + 1, "5")]


def _table(lines: list[str]) -> Table:
    return read_table("\n".join(["number;amount", *lines]).encode())
