"""Whole stretches at once and row by row: the same lines come out, whatever stands in the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvit.domain.lines import LineIds
from kvit.files.base import Format, ReadOptions, source_of_bytes
from kvit.files.errors import FileRefused
from kvit.files.formats import FORMATS
from kvit.files.registers import carriers, framed, qiwi, table
from kvit.files.registers.rows import RowReader
from kvit.files.texts import text_blocks
from tests.files.registers.reading import read_lines

#: Never in a row: to look for it makes every row be read by itself.
NEVER = "no such row"
HEADER = "Id;Лицевой счет;Плательщик;Сумма;Комиссия;Дата;Время\n"
REGISTERS = [form for form in FORMATS.values() if form.kind == "register"]

_cells = st.one_of(
    st.from_regex(r"[0-9]{1,9}", fullmatch=True),
    st.from_regex(r"-?[0-9]{1,4}[.,][0-9]{2}", fullmatch=True),
    st.sampled_from(
        ["", " ", "0.00", "1 234,50", "Итого", "18.03.2026", "31.02.2026", "2026-03-18 09:15:02", "09:15:02",
         "9:15", "25:00:00", "Тестов  Тест", " x ", '"', '""', '"a;b"', 'ООО "Вода"', "\u00a0", "1e5", "٣",
         "A-1", "x" * 130]
    ),
    st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=8),
)  # fmt: skip
_good = st.tuples(
    st.from_regex(r"[A-Z]-[0-9]{1,5}", fullmatch=True),
    st.from_regex(r"[0-9]{4,9}", fullmatch=True),
    st.sampled_from(["Тестов Т.", "Пробный П.", ""]),
    st.from_regex(r"[1-9][0-9]{0,4}\.[0-9]{2}", fullmatch=True),
    st.from_regex(r"[0-9]{1,2}\.[0-9]{2}", fullmatch=True),
    st.sampled_from(["18.03.2026", "2026-03-19", "20.03.2026"]),
    st.from_regex(r"(0[0-9]|1[0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]", fullmatch=True),
)
_odd = st.lists(_cells, min_size=1, max_size=8).map(tuple)


@contextmanager
def small_blocks(count: int) -> Iterator[None]:
    """Blocks of so many bytes, so that little files have many."""
    smaller = partial(text_blocks, block_bytes=count)
    with patch.object(carriers, "text_blocks", smaller), patch.object(framed, "text_blocks", smaller):
        yield


@given(st.lists(st.one_of(_good, _good, _odd), max_size=12), st.integers(20, 400))
def test_a_table_read_at_once_and_row_by_row(rows: list[tuple[str, ...]], block_bytes: int) -> None:
    text = HEADER + "".join(";".join(row) + "\n" for row in rows)
    with small_blocks(block_bytes):
        at_once = read_lines(table.FORMAT, text)
        singly = read_lines(table.FORMAT, text, skip_rows=NEVER)
    whole = read_lines(table.FORMAT, text)
    assert at_once[:2] == singly[:2]
    if '"' not in text:  # a mark without its fellow is looked for in some blocks only
        assert at_once == whole
    assert at_once[2].problems == singly[2].problems


def test_stretches_are_read_at_once() -> None:
    """The comparison above means something: plain rows do go the quick ways, and quoted ones too."""
    rows = "".join(
        f"A-{number};100{number};Тестов;1.00;0.10;18.03.2026;09:15:02\n" for number in range(10, 99)
    )
    for text, way in ((rows, "proven"), (rows.replace("Тестов", '"Тестов; Т."'), "at_once")):
        with (
            small_blocks(500),
            patch.object(RowReader, "one", autospec=True, side_effect=RowReader.one) as one,
            patch.object(RowReader, way, autospec=True, side_effect=getattr(RowReader, way)) as quick,
        ):
            lines, bad, _ = read_lines(table.FORMAT, HEADER + text)
        assert (len(lines), bad) == (89, [])
        assert quick.call_count > 5
        assert one.call_count < 30


_qiwi = st.tuples(
    st.from_regex(r"[0-9]{3,10}", fullmatch=True), st.sampled_from(["18.03.2026", "2026-03-18", "x"]),
    st.sampled_from(["09:15:02", "23:59:59", "9:15", ""]), st.from_regex(r"[0-9]{4,9}", fullmatch=True),
    st.sampled_from(["1.00", "1500.00", "-5.00", "0.00", "1,00", "1"]),
)  # fmt: skip


@given(st.lists(_qiwi, max_size=12), st.integers(20, 300))
def test_qiwi_read_at_once_and_row_by_row(rows: list[tuple[str, ...]], block_bytes: int) -> None:
    text = "".join("\t".join(row) + "\n" for row in rows) + f"Total: {len(rows)}\t1.00\n"
    with small_blocks(block_bytes):
        at_once = read_lines(qiwi.FORMAT, text)
        with (
            patch.object(RowReader, "proven", return_value=None),
            patch.object(RowReader, "at_once", return_value=None),
        ):
            singly = read_lines(qiwi.FORMAT, text)
    assert at_once == singly


@pytest.mark.parametrize("form", REGISTERS, ids=lambda form: form.name)
@given(data=st.data())
@settings(max_examples=60)
def test_no_bytes_break_a_reader(form: Format, data: st.DataObject) -> None:
    start = data.draw(st.sampled_from(STARTS))
    noise = data.draw(st.binary(max_size=200))
    cut = data.draw(st.integers(0, len(start)))
    content = start[:cut] + noise + start[cut + len(noise) :]
    assert form.fits("register", content) in range(101)
    try:
        reading = form.read(source_of_bytes(content, "register"), ReadOptions("RUB"))
        batches = list(reading.batches())
    except FileRefused:
        return
    for batch in batches:
        for line in batch.lines:
            assert line.amount_minor > 0
            assert line.day
            assert line.key or line.known_by
        assert all(len(bad.raw) <= 1_000 and bad.reason for bad in batch.bad)
    assert batches == list(reading.batches())


STARTS = [
    b"",
    (HEADER + "A-1;1002344;Тестов;1500.00;1.00;18.03.2026;09:15:02\nИтого;;;1500.00;;;\n").encode(),
    b"3049857723\t18.03.2026\t09:15:02\t1002344\t1500.00\nTotal: 1\t1500.00\n",
    b"8047;1;00;01;1500.00;0.00;18/03/2026;CLIENTNO:1002344;CLIENTDOCNO:9\n",
    b"18.03.2026|123456\n18.03.2026|0011002344|1500.00|15.00|1485.00|044525225\n1500.00|15.00|1485.00\n",
    b"18-03-2026;09-15-02;1;2;OP1;1002344;T;A;0226;1500,00;1485,00;15,00\n=1;1500,00;1485,00;15,00;1;19-03-2026\n",
    "Реєстр платежів\n-----\n|1|18.03.2026|Т|1002344|А|1|02|1500.00|15.00|\n-----\n".encode("cp1251"),
]


@given(st.lists(_good, min_size=1, max_size=20), st.data())
def test_a_longer_file_keeps_the_ids_of_the_shorter(rows: list[tuple[str, ...]], data: st.DataObject) -> None:
    """Also under another encoding, delimiter and name; equal rows stay payments of their own."""
    header = HEADER.replace("Id;", "")  # without ids, all hangs on what the rows say
    bodies = [row[1:] for row in rows]
    shorter = bodies[: data.draw(st.integers(0, len(bodies)))]
    first = _ids(header + "".join(";".join(row) + "\n" for row in bodies), "utf-8")
    part = (header + "".join(";".join(row) + "\n" for row in shorter)).replace(";", "|")
    assert _ids(part, "cp1251") == first[: len(shorter)]
    assert len(set(first)) == len(bodies)


def _ids(text: str, encoding: str) -> list[str]:
    lines, bad, _ = read_lines(table.FORMAT, text.encode(encoding))
    assert bad == []
    ids = LineIds()
    return [ids.of(line) for line in lines]


@given(
    st.lists(_good, max_size=10),
    st.sampled_from(["Итого", "Всего:", "TOTAL", " Разом", "Барлығы", '"Итого"']),
)
def test_a_row_of_totals_is_never_a_payment(rows: list[tuple[str, ...]], word: str) -> None:
    text = HEADER + "".join(";".join(row) + "\n" for row in rows)
    sum_minor = sum(int(row[3].replace(".", "")) for row in rows)
    total = f"{sum_minor // 100}.{sum_minor % 100:02d}"
    for last in (
        f"{word};;;{total};;;\n",
        f"{word};{len(rows)};;{total};;;\n",
        f"{word};{len(rows)};;{total};;18.03.2026;\n",
        f";{word};;{total};;;\n",
    ):
        with small_blocks(120):
            lines, bad, facts = read_lines(table.FORMAT, text + last)
        assert (len(lines), bad, facts.problems) == (len(rows), [], [])
        wrong = read_lines(table.FORMAT, text + last.replace(total, f"1{total}"))[2]
        assert len(wrong.problems) == 1
