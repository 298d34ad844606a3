"""DBF and XLSX registers, read back by libraries that did not write them; and the Ukrainian banks' tables."""

from __future__ import annotations

import zipfile
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import dbf  # type: ignore[import-untyped]
import pytest
from python_calamine import CalamineWorkbook

from kvit.domain.file_terms import DebtTerms
from kvit.files.debts.base import RegisterRefused
from kvit.files.debts.catalogue import debt_problems
from tests.files.debts.making import Debt, head_of, written


def read_dbf(data: bytes, folder: Path, codec: str) -> list[dict[str, object]]:
    path = folder / "register.dbf"
    path.write_bytes(data)
    table = dbf.Table(str(path), codepage=codec)
    table.open(dbf.READ_ONLY)
    try:
        return [{name: record[name] for name in table.field_names} for record in table]
    finally:
        table.close()


def test_a_dbf_register(tmp_path: Path) -> None:
    data, _ = written(head_of("dbf"), "dbf", at_once=1)
    assert data == written(head_of("dbf"), "dbf")[0]
    assert data[29] in (0x26, 0x65), "the language driver of cp866"
    rows = read_dbf(data, tmp_path, "cp866")
    assert [str(row["ACCOUNT"]).rstrip() for row in rows] == ["1002344", "1002351"]
    assert [str(row["NAME"]).rstrip() for row in rows] == ["Тестов Тест Тестович", "Пробный П. П."]
    assert [round(Decimal(str(row["AMOUNT"])), 2) for row in rows] == [Decimal("1500.00"), Decimal("1234.50")]
    assert {str(row["DUE"]) for row in rows} == {"2026-03-31"}
    assert {str(row["PERIOD"]).rstrip() for row in rows} == {"0326"}


def test_widths_and_letters_of_dbf(tmp_path: Path) -> None:
    columns = (("LS:8", "number"), ("FIO:10", "name"), ("SUMMA:12", "amount"), ("KOD", "fixed:07"))
    head = head_of("dbf", columns=columns, encoding="windows-1251")
    debts = [Debt("12345678", -150, "Құдайбергенова Әсем"), Debt("1", 0, "А")]
    data, writer = written(head, "dbf", debts)
    assert data[29] == 0xC9
    rows = read_dbf(data, tmp_path, "cp1251")
    assert [str(row["FIO"]).rstrip() for row in rows] == ["Кудайберге", "А"]
    assert [round(Decimal(str(row["SUMMA"])), 2) for row in rows] == [Decimal("-1.50"), Decimal("0.00")]
    assert {row["KOD"] for row in rows} == {"07"}
    assert writer.replaced.count == 2, "letters, and the length"
    with pytest.raises(RegisterRefused, match="longer than 8"):
        written(head, "dbf", [Debt("123456789", 1)])
    with pytest.raises(RegisterRefused, match="cannot stand"):
        written(head, "dbf", [Debt("1", 10**13)])


def test_an_empty_dbf_register(tmp_path: Path) -> None:
    assert read_dbf(written(head_of("dbf"), "dbf", [])[0], tmp_path, "cp866") == []


@pytest.mark.parametrize(
    ("form", "row"),
    [
        ("privatbank-dbf", {"N_DOGOV": "1002344", "FIO_PLAT": "Тестов Тест Тестович", "SUMMA": 1500}),
        ("oschadbank-dbf", {"ABCOUNT": "1002344", "FIO": "Тестов Тест Тестович", "SUMM": 1500}),
    ],
)
def test_the_banks_tables(form: str, row: dict[str, object], tmp_path: Path) -> None:
    found = read_dbf(written(head_of(form), form)[0], tmp_path, "cp866")[0]
    assert {name: value.rstrip() if isinstance(value, str) else value for name, value in found.items()} == row


def test_privatbank_in_lines() -> None:
    data, _ = written(head_of("privatbank", header="on"), "privatbank")
    assert data.decode("cp1251").splitlines() == [
        "N_DOGOV|FIO_PLAT|SUMMA", "1002344|Тестов Тест Тестович|1500.00", "1002351|Пробный П. П.|1234.50",
    ]  # fmt: skip


def read_xlsx(data: bytes) -> list[list[object]]:
    workbook = CalamineWorkbook.from_filelike(BytesIO(data))
    return [list(row) for row in workbook.get_sheet_by_index(0).to_python()]


def test_an_xlsx_register() -> None:
    data, _ = written(head_of("xlsx"), "xlsx")
    assert read_xlsx(data) == [
        ["Account", "Payer", "Period", "Invoice", "Amount", "Due date"],
        ["1002344", "Тестов Тест Тестович", "0326", "INV-000123", 1500.0, "2026-03-31"],
        ["1002351", "Пробный П. П.", "0326", "INV-000124", 1234.5, "2026-03-31"],
    ]
    assert data == written(head_of("xlsx"), "xlsx", at_once=1)[0], "the same debts, the same bytes"


def test_sums_of_xlsx_are_exact() -> None:
    debts = [Debt("1", 999_999_999_999_999), Debt("2", 10**15), Debt("3", -1), Debt("4", 0)]
    data, _ = written(head_of("xlsx", columns=(("n", "number"), ("a", "amount"))), "xlsx", debts)
    assert [row[1] for row in read_xlsx(data)[1:]] == [9_999_999_999_999.99, "10000000000000.00", -0.01, 0.0]
    sheet = zipfile.ZipFile(BytesIO(data)).read("xl/worksheets/sheet1.xml").decode()
    assert "<v>9999999999999.99</v>" in sheet


def test_formulas_in_xlsx_are_texts() -> None:
    columns = (("n", "number"), ("p", "name"), ("a", "amount"))
    debts = [Debt("1", 100, "=1+1")]
    assert read_xlsx(written(head_of("xlsx", columns=columns), "xlsx", debts)[0])[1] == ["1", "=1+1", 1.0]
    guarded = head_of("xlsx", columns=columns, formula_guard="on")
    assert read_xlsx(written(guarded, "xlsx", debts)[0])[1] == ["1", "'=1+1", 1.0]


@pytest.mark.parametrize(
    ("terms", "places"),
    [
        (DebtTerms("dbf", columns=(("LONG_COLUMN", "number"), ("A", "amount"))), ["columns.LONG_COLUMN"]),
        (DebtTerms("dbf", columns=(("Л", "number"), ("A", "amount"))), ["columns.Л"]),
        (DebtTerms("dbf", columns=(("a", "number"), ("A", "amount"))), ["columns.A"]),
        (
            DebtTerms("dbf", columns=(("a:300", "number"), ("b:x", "amount"))),
            ["columns.a:300", "columns.b:x"],
        ),
        (DebtTerms("xlsx", options=(("sheet", "a/b"),)), ["options.sheet"]),
        (DebtTerms("privatbank", options=(("file_name", "a.txt"),)), ["options.file_name"]),
    ],
)
def test_wrong_settings(terms: DebtTerms, places: list[str]) -> None:
    assert list(debt_problems(terms)) == places
