"""Whatever stands in names, addresses and documents, a register can be read back row by row."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvit.files.dbf import DbfWalk, cell_texts, read_header
from tests.files.debts.making import Debt, head_of, written

TEXTS = st.one_of(st.text(max_size=20), st.text('аҚІ“;|#\t\r\n"=ōß\u00a0\u2028\ufffe\u00ad1,', max_size=20))
DEBTS = st.lists(
    st.builds(
        Debt,
        number=st.integers(1, 10**12).map(str),
        amount_minor=st.integers(-(10**9), 10**9),
        name=TEXTS,
        address=TEXTS,
        document=TEXTS,
        **dict.fromkeys(("period", "due_on", "service", "attributes"), st.just("")),
    ),
    max_size=6,
)
COLUMNS = (("n", "number"), ("p", "name"), ("s", "address"), ("d", "document"), ("a", "amount"))
BANK = {"inn": "1234567890", "account": "40702810012345678912", "service": "1", "address": "show"}


@pytest.mark.parametrize("encoding", ["windows-1251", "cp866", "koi8-r", "utf-8", "kz1048"])
@given(debts=DEBTS)
@settings(max_examples=25)
def test_lines(encoding: str, debts: list[Debt]) -> None:
    codec = {"windows-1251": "cp1251"}.get(encoding, encoding)
    data, writer = written(head_of("csv", columns=COLUMNS, header="off", encoding=encoding), "csv", debts)
    rows = [line.split(";") for line in data.decode(codec).split("\r\n")[:-1]]
    assert [(row[0], row[4]) for row in rows] == [(debt.number, f"{cents(debt)}") for debt in debts]
    assert {len(row) for row in rows} <= {5}
    changed = sum(
        row[at] != text
        for row, debt in zip(rows, debts, strict=True)
        for at, text in ((1, debt.name), (2, debt.address), (3, debt.document))
    )
    assert writer.replaced.count == changed, "each text that is not as it was is counted"


@given(debts=DEBTS)
@settings(max_examples=25)
def test_quoted(debts: list[Debt]) -> None:
    head = head_of("csv", columns=COLUMNS, header="off", encoding="utf-8", quotes="on")
    text = written(head, "csv", debts)[0].decode()
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    assert [row[0] for row in rows] == [debt.number for debt in debts]


@given(debts=DEBTS)
@settings(max_examples=25)
def test_lines_with_a_head(debts: list[Debt]) -> None:
    lines = written(head_of("sberbank-hash", BANK), "sberbank-hash", debts)[0].decode("cp1251").split("\r\n")
    assert [line[0] for line in lines[:3]] == ["#", "#", "#"]
    assert not any(line.startswith("#") for line in lines[3:])
    total = sum(int(line.split(";")[3].replace(".", "")) for line in lines[3:-1])
    assert lines[0] == f"#FILESUM {cents(Debt('', total))}", "the total is that of the printed rows"


@given(debts=DEBTS)
@settings(max_examples=25)
def test_dbf(debts: list[Debt]) -> None:
    data, _ = written(head_of("dbf", columns=COLUMNS), "dbf", debts)
    header = read_header(data)
    walk = DbfWalk(header, [])
    found = [
        pair
        for records in walk.records(io.BytesIO(data))
        for pair in zip(
            cell_texts(header.fields[0], records.columns[0], "cp866"),
            cell_texts(header.fields[4], records.columns[4], "cp866"),
            strict=True,
        )
    ]
    assert found == [(debt.number, cents(debt)) for debt in debts]
    assert walk.problems == []


@given(debts=DEBTS)
@settings(max_examples=25)
def test_xml(debts: list[Debt]) -> None:
    head = head_of("pain013", {"account": "1", "agent": "2", "debtor_agent": "3"})
    root = ET.fromstring(written(head, "pain013", debts)[0])  # noqa: S314 - our own bytes
    assert sum(1 for each in root.iter() if each.tag.endswith("}PmtInf")) == len(debts)


def cents(debt: Debt) -> str:
    sign, units = ("-", -debt.amount_minor) if debt.amount_minor < 0 else ("", debt.amount_minor)
    return f"{sign}{units // 100}.{units % 100:02d}"
