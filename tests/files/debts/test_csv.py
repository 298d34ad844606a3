"""CSV by a column map: the fact sheet's example byte for byte, and every switch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kvit.domain.file_terms import DebtTerms
from kvit.files.debts.base import RegisterRefused
from kvit.files.debts.catalogue import FORMATS, debt_problems
from tests.files.debts.making import TWO, Debt, head_of, written

#: The generic export that the fact sheet recommends, with its names and addresses in quotation marks.
SHEET = (
    "account;payer;address;period;invoice;amount;due_date\r\n"
    '1002344;"Тестов Т. Т.";"ул. Мира, 1-2";0326;INV-000123;1500.00;2026-03-31\r\n'
    '1002351;"Пробный П. П.";"ул. Мира, 1-3";0326;INV-000124;1234.50;2026-03-31\r\n'
)
SHEET_COLUMNS = (
    ("account", "number"), ("payer", "name"), ("address", "address"), ("period", "period"),
    ("invoice", "document"), ("amount", "amount"), ("due_date", "due"),
)  # fmt: skip
SHEET_DEBTS = (
    TWO[0]._replace(name="Тестов Т. Т.", address="ул. Мира, 1-2"),
    TWO[1]._replace(address="ул. Мира, 1-3"),
)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [("utf-8-bom", SHEET.encode("utf-8-sig")), ("windows-1251", SHEET.encode("cp1251"))],
)
def test_the_recommended_export(encoding: str, data: bytes) -> None:
    head = head_of("csv", columns=SHEET_COLUMNS, quotes="on", encoding=encoding)
    assert written(head, "csv", SHEET_DEBTS)[0] == data
    assert written(head, "csv", SHEET_DEBTS, at_once=1)[0] == data


def test_what_it_is_where_nothing_is_said() -> None:
    data, _ = written(head_of("csv"), "csv")
    assert data.decode("utf-8-sig").splitlines() == [
        "account;payer;period;invoice;amount;due_date",
        "1002344;Тестов Тест Тестович;0326;INV-000123;1500.00;2026-03-31",
        "1002351;Пробный П. П.;0326;INV-000124;1234.50;2026-03-31",
    ]
    assert FORMATS["csv"].file_name(head_of("csv")) == "bank_000001_20260318.csv"


def test_every_switch() -> None:
    columns = (
        ("N", "row"), ("Л/с", "number"), ("Сумма", "amount"), ("Валюта", "currency"), ("Месяц", "period"),
        ("Срок", "due"), ("Пусто", "empty"), ("Код", "fixed:07"), ("Дом", "attribute:House"), ("На", "as_of"),
        ("Услуга", "service"),
    )  # fmt: skip
    head = head_of(
        "csv", columns=columns, encoding="cp866", delimiter="bar", line_end="lf", header="on",
        decimal="comma", dates="dd.mm.yyyy", periods="mm.yyyy", first_line="H|{date}|{number:04}|{count}",
        last_line="T|{count}|{total}",
    )  # fmt: skip
    debts = [
        Debt("7", 5, period="2026-02", due_on="2026-03-01", service="вода", attributes='{"House": "12а"}')
    ]
    assert written(head, "csv", debts)[0].decode("cp866") == (
        "H|20260318|0001|1\n"
        "N|Л/с|Сумма|Валюта|Месяц|Срок|Пусто|Код|Дом|На|Услуга\n"
        "1|7|0,05|RUB|02.2026|01.03.2026||07|12а|18.03.2026|вода\n"
        "T|1|0,05\n"
    )


@pytest.mark.parametrize(
    ("options", "amount_minor", "printed"),
    [
        ({}, 0, "0.00"), ({}, 1, "0.01"), ({}, -12_345, "-123.45"), ({}, 100, "1.00"), ({}, 99, "0.99"),
        ({"decimal": "comma"}, 123_456_789_012, "1234567890,12"), ({"amounts": "minor"}, 150_000, "150000"),
        ({"amounts": "minor"}, 0, "0"),
    ],
)  # fmt: skip
def test_sums(options: dict[str, str], amount_minor: int, printed: str) -> None:
    settings = {"header": "off", "encoding": "utf-8", **options}
    head = head_of("csv", settings, columns=(("n", "number"), ("a", "amount")))
    assert written(head, "csv", [Debt("1", amount_minor)])[0] == f"1;{printed}\r\n".encode()
    assert written(head, "csv", [Debt("1", amount_minor), Debt("2", 5)])[0].startswith(
        f"1;{printed}\r\n".encode()
    )


@pytest.mark.parametrize(("month", "printed"), [("this", "0326"), ("last", "0226"), ("next", "0426")])
def test_by_account_the_month_is_the_one_to_be_paid(month: str, printed: str) -> None:
    columns = (("n", "number"), ("a", "amount"), ("m", "period"))
    head = head_of("csv", columns=columns, header="off", encoding="utf-8", month=month)
    assert written(head, "csv", [Debt("1", 100)])[0] == f"1;1.00;{printed}\r\n".encode()


def test_letters_and_separators_are_replaced_and_said() -> None:
    columns = (("n", "number"), ("p", "name"), ("a", "amount"))
    head = head_of("csv", columns=columns, header="off", encoding="windows-1251")
    debts = [
        Debt("1", 100, "Құдайбергенова Әсем; Өскемен"),
        Debt("2", 100, "Иванов\r\nИван\tИваныч"),
        Debt("3", 100, "ТОО «Су» – “Арнасы”"),
        Debt("4", 100, "Ōno Łukasz 日本"),
    ]
    data, writer = written(head, "csv", debts)
    assert data.decode("cp1251").splitlines() == [
        "1;Кудайбергенова Асем, Оскемен;1.00",
        "2;Иванов Иван Иваныч;1.00",
        "3;ТОО «Су» – “Арнасы”;1.00",
        "4;Ono Lukasz ??;1.00",
    ]
    assert writer.replaced.count == 3
    assert writer.replaced.examples[0] == ("Құдайбергенова Әсем; Өскемен", "Кудайбергенова Асем, Оскемен")
    dos, _ = written(head_of("csv", columns=columns, header="off", encoding="cp866"), "csv", debts[2:3])
    assert dos.decode("cp866") == '3;ТОО "Су" - "Арнасы";1.00\r\n'


@pytest.mark.parametrize(
    ("number", "encoding"), [("10;1", "utf-8"), ("10Қ1", "windows-1251"), ("10\n1", "utf-8")]
)
def test_a_number_is_never_altered(number: str, encoding: str) -> None:
    head = head_of("csv", encoding=encoding)
    with pytest.raises(RegisterRefused, match="Nothing was written"):
        written(head, "csv", [Debt("1", 100), Debt(number, 100)])


def test_formulas_are_guarded_for_people_only() -> None:
    debts = [Debt("1", -100, "=1+1"), Debt("2", 100, "@x")]
    columns = (("n", "number"), ("p", "name"), ("a", "amount"))
    for_bank = head_of("csv", columns=columns, header="off", encoding="utf-8")
    assert written(for_bank, "csv", debts)[0] == b"1;=1+1;-1.00\r\n2;@x;1.00\r\n"
    for_people = head_of("csv", columns=columns, header="off", encoding="utf-8", formula_guard="on")
    assert written(for_people, "csv", debts)[0] == b"1;'=1+1;-1.00\r\n2;'@x;1.00\r\n"
    quoted = head_of("csv", columns=columns, header="off", encoding="utf-8", formula_guard="on", quotes="on")
    assert written(quoted, "csv", debts)[0].startswith(b'1;"\'=1+1";')


def test_an_empty_register_is_valid() -> None:
    data, _ = written(head_of("csv", encoding="utf-8", last_line="T;{count};{total}"), "csv", [])
    assert data == b"account;payer;period;invoice;amount;due_date\r\nT;0;0.00\r\n"


@pytest.mark.parametrize(
    ("terms", "places"),
    [
        (DebtTerms("csw"), ["format"]),
        (DebtTerms("csv", options=(("encodin", "x"),)), ["options.encodin"]),
        (DebtTerms("csv", options=(("encoding", "utf-16"),)), ["options.encoding"]),
        (DebtTerms("csv", columns=(("a", "numbr"), ("b", "amount"))), ["columns.a"]),
        (DebtTerms("csv", columns=(("a", "number"),)), ["columns"]),
        (DebtTerms("csv", options=(("last_line", "{sum}"),)), ["options.last_line"]),
        (DebtTerms("csv", options=(("last_line", "{count"),)), ["options.last_line"]),
        (DebtTerms("csv", options=(("file_name", "../{number}"),)), ["options.file_name"]),
        (DebtTerms("csv", options=(("file_name", "debts.csv"),)), ["options.file_name"]),
        (DebtTerms("csv", options=(("delimiter", "comma"), ("decimal", "comma"))), ["options.decimal"]),
    ],
)
def test_wrong_settings_are_named(terms: DebtTerms, places: list[str]) -> None:
    assert list(debt_problems(terms)) == places


def test_lines_above_and_below_are_made_fit_too() -> None:
    head = replace(
        head_of("csv", encoding="windows-1251", first_line="H;{biller};{as_of}", last_line="T;{count}"),
        biller="Қазсу",
    )
    data, writer = written(head, "csv", [])
    lines = data.decode("cp1251").splitlines()
    assert (lines[0], lines[-1]) == ("H;Казсу;2026-03-18T09:05:00+03:00", "T;0")
    assert writer.replaced.count == 1
