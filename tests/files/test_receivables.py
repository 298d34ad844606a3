"""Accounts, charges and balances from whole files."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvit.domain.money import format_amount
from kvit.domain.numbers import with_check
from kvit.files import records
from kvit.files.errors import FileRefused, RowError
from kvit.files.receivables import read_accounts, read_balances, read_charges
from kvit.files.records import AccountRow, BalanceRow, ChargeRow
from kvit.files.tables import Table, read_table
from tests.files.workbooks import workbook_bytes


def table(text: str) -> Table:
    return read_table(text.encode(), "file.csv")


def test_accounts() -> None:
    rows = read_accounts(
        table(
            "Лицевой счёт;ФИО;Адрес;Телефон;E-mail;Счётчик;Этаж\n"
            '000100234;Иванова Анна;"ул. Абая,  5";+7 701 123-45-67;anna@example.org;M-17;3\n'
            "А-17/б;ТОО Су;;;;;\n"
        )
    )
    assert rows.errors == []
    assert rows.row_count == 2
    assert rows.columns_used == (
        ("number", "Лицевой счёт"),
        ("name", "ФИО"),
        ("address", "Адрес"),
        ("phone", "Телефон"),
        ("email", "E-mail"),
    )
    assert rows.columns_other == ("Счётчик", "Этаж")
    assert rows.records == [
        AccountRow(
            line=2,
            number="000100234",
            name="Иванова Анна",
            address="ул. Абая, 5",
            phone="+7 701 123-45-67",
            email="anna@example.org",
            attributes=(("Счётчик", "M-17"), ("Этаж", "3")),
        ),
        AccountRow(3, "А-17/б", "ТОО Су", "", "", "", (("Счётчик", ""), ("Этаж", ""))),
    ]


def test_a_column_that_is_absent_is_not_an_empty_one() -> None:
    rows = read_accounts(table("number;phone\n1;\n"))
    assert rows.records == [AccountRow(2, "1", name=None, address=None, phone="", email=None)]


def test_accounts_of_a_workbook() -> None:
    data = workbook_bytes(
        [
            ["number", "name", "phone", "since", "debt"],
            [100234, "Анна", 77011234567, dt.date(2020, 1, 5), 12.5],
            ["000100235", None, None, None, None],
            [100236.5, "Болат", None, None, None],
            [dt.date(2026, 10, 1), "Вера", None, None, None],
            [1e15, "Галым", None, None, None],
            ["1,00234E+11", "Дана", None, None, None],
        ]
    )
    rows = read_accounts(read_table(data))
    assert rows.records == [
        AccountRow(
            2, "100234", "Анна", None, "77011234567", None, (("since", "2020-01-05"), ("debt", "12.5"))
        ),
        AccountRow(3, "000100235", "", None, "", None, (("since", ""), ("debt", ""))),
    ]
    assert [(error.line, error.column, error.value) for error in rows.errors] == [
        (4, "number", "100236.5"),
        (5, "number", "2026-10-01"),
        (6, "number", "1.00000000000000E+15"),
        (7, "number", "1,00234E+11"),
    ]
    assert all("format the column as text" in error.reason for error in rows.errors)


def test_records_hold_plain_text_only() -> None:
    """A database driver need not know the kinds of text that a workbook's cells come in."""
    data = workbook_bytes(
        [["number", "name", "n", "amount", "period", "due", "document"], [7, 8, 9, 1, 2026, None, 5]]
    )
    account = read_accounts(read_table(data)).records[0]
    charge = read_charges(read_table(data), "RUB").records[0]
    balance = read_balances(read_table(data), "RUB").records[0]
    for record in (account, charge, balance):
        for value in record:
            assert type(value) in {str, int, tuple, type(None)}
    assert all(type(text) is str for pair in account.attributes for text in pair)


def test_wrong_accounts_are_named_with_line_and_column() -> None:
    rows = read_accounts(
        table(
            "number;name;phone;note\n"
            "1;a;;\n"
            "\n"
            ";b;;\n"
            "1;c;;\n"
            f"2;{'x' * 201};{'9' * 61};{'n' * 501}\n"
            "3 4;\x7f;;\n"
            "5;d;;;surplus\n"
            "Итого:;;;\n"
        )
    )
    assert [record.number for record in rows.records] == ["1"]
    assert rows.row_count == 7
    assert rows.errors == [
        RowError(4, "number", "", "the account number is missing"),
        RowError(5, "number", "1", "this number stands in line 2 already"),
        RowError(6, "name", "x" * 57 + "...", "longer than 200 characters"),
        RowError(6, "phone", "9" * 57 + "...", "longer than 60 characters"),
        RowError(6, "note", "n" * 57 + "...", "longer than 500 characters"),
        RowError(
            7, "number", "3 4", "an account number has no spaces, line breaks or invisible signs inside"
        ),
        RowError(7, "name", "\x7f", "holds a control character; type the text anew"),
        RowError(
            8,
            "",
            "surplus",
            "the row has 5 cells, the header only 4; put a text or an amount that holds the delimiter in"
            " quotation marks, or name the column",
        ),
        RowError(9, "number", "Итого:", "this looks like a row of totals; delete it from the file"),
    ]


def test_check_digits_of_accounts() -> None:
    good = with_check("100234", "luhn")
    rows = read_accounts(table(f"number\n{good}\n1002345\nА-17\n"), check_scheme="luhn")
    assert [record.number for record in rows.records] == [good]
    assert [(error.line, error.value) for error in rows.errors] == [(3, "1002345"), (4, "А-17")]
    assert "check digits (luhn) are wrong" in rows.errors[0].reason
    good = with_check("100234", "mod97")
    assert read_accounts(table(f"number\n{good}\n"), check_scheme="mod97").errors == []
    with pytest.raises(KeyError):
        read_accounts(table("number\n1\n"), check_scheme="damm")


def test_charges() -> None:
    rows = read_charges(
        table(
            "лс;услуга;период;начислено, руб.;оплатить до;документ;комментарий\n"
            "001;Вода;октябрь 2026;1 234,50;25.11.2026;СЧ-1;x\n"
            "001;Вода;01.10.2026;0;;;\n"
            "001;Вода;01.10.2026;0;;;\n"
            "002;;;5;20261125;;\n"
        ),
        "RUB",
    )
    assert rows.errors == []
    assert rows.columns_other == ("комментарий",)
    assert rows.records == [
        ChargeRow(2, "001", "Вода", "2026-10", 123450, "2026-11-25", "СЧ-1"),
        ChargeRow(3, "001", "Вода", "2026-10", 0, "", ""),
        ChargeRow(4, "001", "Вода", "2026-10", 0, "", ""),
        ChargeRow(5, "002", "", "", 500, "2026-11-25", ""),
    ]


def test_charges_of_a_workbook() -> None:
    data = workbook_bytes(
        [
            ["number", "service", "period", "amount", "due", "document"],
            ["001", "Вода", dt.date(2026, 10, 1), 0.1 + 0.2, dt.date(2026, 11, 25), 17],
            [2, "Вода", 10.2020, 1234.56, "25.11.2026", "СЧ-2"],
            [3, "Вода", "2026-10", 12.345, 46000, None],
            [4, "Вода", "2026-10", "12,345", None, None],
            [5, "Вода", "2026-10", -1, None, None],
            [6, "Вода", "2026-10", None, None, None],
        ]
    )
    rows = read_charges(read_table(data), "RUB")
    assert rows.records == [
        ChargeRow(2, "001", "Вода", "2026-10", 30, "2026-11-25", "17"),
        ChargeRow(3, "2", "Вода", "2020-10", 123456, "2026-11-25", "СЧ-2"),
    ]
    assert [(error.line, error.column, error.value) for error in rows.errors] == [
        (4, "amount", "12.345"),
        (4, "due", "46000"),
        (5, "amount", "12,345"),
        (6, "amount", "-1"),
        (7, "amount", ""),
    ]


def test_the_currency_says_how_many_digits_an_amount_has() -> None:
    text = "number;amount\n1;1500\n2;1.5\n3;1.234\n"
    assert [row.amount_minor for row in read_charges(table(text), "JPY").records] == [1500]
    assert [row.amount_minor for row in read_charges(table(text), "RUB").records] == [150000, 150]
    assert [row.amount_minor for row in read_charges(table(text), "KWD").records] == [1500000, 1500, 1234]


def test_an_unquoted_decimal_comma_in_a_comma_file_does_not_become_another_sum() -> None:
    rows = read_charges(table("number,amount\n1,250,50\n"), "RUB")
    assert rows.records == []
    assert "put a text or an amount that holds the delimiter in quotation marks" in rows.errors[0].reason
    assert read_charges(table('number,amount\n1,"250,50"\n'), "RUB").records[0].amount_minor == 25050


def test_balances() -> None:
    rows = read_balances(
        table("Лицевой счёт;Сальдо;Услуга\n1;100.50;\n2;-12.50;\n3;0;\n1;5;Вода\n1;6;\n2;-1,234;\n"), "RUB"
    )
    assert rows.records == [
        BalanceRow(2, "1", 10050, ""),
        BalanceRow(3, "2", -1250, ""),
        BalanceRow(4, "3", 0, ""),
        BalanceRow(5, "1", 500, "Вода"),
    ]
    assert rows.errors[0] == RowError(6, "Лицевой счёт", "1", "its balance stands in line 2 already")
    assert (rows.errors[1].line, rows.errors[1].column) == (7, "Сальдо")


def test_columns_may_be_named_by_a_person() -> None:
    rows = read_charges(
        table("Кто;Сколько;amount\n1;5;6\n"), "RUB", columns={"number": "Кто", "amount": "Сколько"}
    )
    assert rows.records[0].amount_minor == 500
    assert rows.columns_other == ("amount",)


def test_a_refusal_names_the_file() -> None:
    for read in (read_accounts, lambda t: read_charges(t, "RUB"), lambda t: read_balances(t, "RUB")):
        with pytest.raises(FileRefused, match=r"^file\.csv: There is no column for the account number"):
            read(table("a;b\n1;2\n"))


def test_a_header_alone_holds_nothing_and_is_fine() -> None:
    told: list[int] = []
    rows = read_accounts(table("number;name\n"), progress=told.append)
    assert (rows.records, rows.errors, rows.row_count, told) == ([], [], 0, [0])


def test_progress_is_told_about_each_thousand_rows() -> None:
    told: list[int] = []
    text = "number\n" + "".join(f"{number}\n" for number in range(2_500))
    read_accounts(table(text), progress=told.append)
    assert told == [999, 1_999, 2_500]


def test_only_so_many_errors_are_kept() -> None:
    text = "number;amount\n" + "1;x\n" * (records.ERRORS_MAX + 7)
    rows = read_charges(table(text), "RUB")
    assert (len(rows.errors), rows.errors_omitted) == (records.ERRORS_MAX, 7)
    assert rows.row_count == records.ERRORS_MAX + 7


charge_rows = st.lists(
    st.tuples(
        st.text("0123456789АБ-", min_size=1, max_size=12),
        st.integers(0, 10**12),
        st.dates(dt.date(2000, 1, 1), dt.date(2090, 12, 31)),
    ),
    max_size=8,
)


@given(charge_rows)
def test_csv_and_workbook_give_the_same_charges(rows: list[tuple[str, int, dt.date]]) -> None:
    text = "number;amount;due;period\n" + "".join(
        f"{number};{format_amount(amount).replace('.', ',')};{due:%d.%m.%Y};{due:%m.%Y}\n"
        for number, amount, due in rows
    )
    cells: list[list[object]] = [["number", "amount", "due", "period"]]
    cells += [[number, amount / 100, due, due.replace(day=1)] for number, amount, due in rows]
    from_text = read_charges(table(text), "RUB")
    from_workbook = read_charges(read_table(workbook_bytes(cells)), "RUB")
    assert from_text.errors == from_workbook.errors == []
    assert from_text.records == from_workbook.records
    assert [(row.number, row.amount_minor, row.due) for row in from_text.records] == [
        (number, amount, due.isoformat()) for number, amount, due in rows
    ]
