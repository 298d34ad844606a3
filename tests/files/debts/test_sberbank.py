"""Sberbank's layouts: the fact sheet's examples byte for byte, and the official name of the file."""

from __future__ import annotations

import pytest

from kvit.domain.debts import RegisterHead
from kvit.domain.file_terms import DebtTerms
from kvit.files.debts.catalogue import FORMATS, debt_problems
from tests.files.debts.making import TWO, Debt, head_of, written
from tests.samples import sample

NAMES = {"inn": "1234567890", "account": "40702810012345678912"}
HASH = {**NAMES, "service": "10001", "address": "show"}

#: The sheet's example of the layout with `#` lines.
SHEET = (
    "#FILESUM 2734.50\r\n"
    "#TYPE 7\r\n"
    "#SERVICE 10001\r\n"
    "Тестов Тест Тестович;г.Пример,ул.Мира,1,2;1002344;1500.00\r\n"
    "Пробный П. П.;г.Пример,ул.Мира,1,3;1002351;1234.50\r\n"
)


def test_the_sheets_example() -> None:
    head = head_of("sberbank-hash", HASH)
    assert written(head, "sberbank-hash")[0] == SHEET.encode("cp1251")
    assert written(head, "sberbank-hash", at_once=1)[0] == SHEET.encode("cp1251")


def test_the_shared_sample() -> None:
    data = sample("own-written/sber-debt-hash-header-cp1251.txt").read_bytes()
    assert written(head_of("sberbank-hash", HASH), "sberbank-hash")[0] == data


@pytest.mark.parametrize(("encoding", "codec"), [("koi8-r", "koi8_r"), ("utf-8", "utf-8")])
def test_the_other_encodings_that_the_bank_takes(encoding: str, codec: str) -> None:
    head = head_of("sberbank-hash", HASH, encoding=encoding)
    assert written(head, "sberbank-hash")[0] == SHEET.encode(codec)


def test_no_address_unless_it_is_wanted() -> None:
    head = head_of("sberbank-hash", NAMES, service="10001", service_in_rows="on")
    lines = written(head, "sberbank-hash")[0].decode("cp1251").splitlines()
    assert lines[3:] == [
        "Тестов Тест Тестович;,,,;1002344;1500.00;10001",
        "Пробный П. П.;,,,;1002351;1234.50;10001",
    ]
    assert FORMATS["sberbank-hash"].details(head.options, ()) == {"name"}


def test_the_housing_template() -> None:
    head = head_of(
        "sberbank-hash", HASH, template="housing", unified_account="ЕЛС", house="ФИАС", room="Комната"
    )
    debts = [
        TWO[0]._replace(attributes='{"ЕЛС": "70AB", "ФИАС": "c0ffee", "Комната": "2"}'),
        TWO[1]._replace(attributes='{"ЕЛС": "70AC"}'),
        Debt("7", 1),
    ]
    lines = written(head, "sberbank-hash", debts)[0].decode("cp1251").splitlines()
    assert lines[3:] == [
        "Тестов Тест Тестович;70AB;c0ffee,2;г.Пример,ул.Мира,1,2;1002344;1500.00",
        "Пробный П. П.;70AC;,;г.Пример,ул.Мира,1,3;1002351;1234.50",
        ";;,;;7;0.01",
    ]
    assert lines[0] == "#FILESUM 2734.51"


def test_a_name_is_never_a_line_of_the_head() -> None:
    data, writer = written(
        head_of("sberbank-hash", HASH), "sberbank-hash", [Debt("1", 100, "#TYPE 9", ",,,")]
    )
    assert data.decode("cp1251").splitlines()[3] == "NTYPE 9;,,,;1;1.00"
    assert writer.replaced.examples == [("#TYPE 9", "NTYPE 9")]


def test_the_plain_minimum() -> None:
    data, _ = written(head_of("sberbank", NAMES), "sberbank")
    assert (
        data.decode("cp1251") == "1002344;Тестов Тест Тестович;1500.00\r\n1002351;Пробный П. П.;1234.50\r\n"
    )
    columns = (("", "name"), ("", "amount"), ("", "number"))
    data, _ = written(head_of("sberbank", NAMES, columns=columns, delimiter="bar"), "sberbank")
    assert data.decode("cp1251").splitlines()[0] == "Тестов Тест Тестович|1500.00|1002344"


def numbered(number: int, **options: str) -> RegisterHead:
    head = head_of("sberbank", {**NAMES, **options})
    return RegisterHead(
        head.agreement_id, number, head.biller, head.currency, head.exponent, head.as_of.replace(2019, 11),
        head.rows_kind, head.contents, head.options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("number", "month", "name"),
    [
        (1, "next", "1234567890_40702810012345678912_001_1219.txt"),
        (999, "this", "1234567890_40702810012345678912_999_1119.txt"),
        (1000, "this", "1234567890_40702810012345678912_001_1119.txt"),
        (12, "last", "1234567890_40702810012345678912_012_1019.txt"),
    ],
)
def test_the_official_name(number: int, month: str, name: str) -> None:
    assert FORMATS["sberbank"].file_name(numbered(number, month=month)) == name


@pytest.mark.parametrize(
    ("form", "options", "places"),
    [
        ("sberbank", {}, ["options.inn", "options.account"]),
        ("sberbank", {"inn": "123456789", "account": NAMES["account"]}, ["options.inn"]),
        ("sberbank", {"inn": "123456789012", "account": "4070"}, ["options.account"]),
        ("sberbank-hash", {**NAMES, "service": "A"}, ["options.service"]),
        (
            "sberbank-hash",
            {**NAMES, "service": "1", "template": "housing"},
            ["options.unified_account", "options.house"],
        ),
        ("sberbank-hash", {**NAMES, "service": "1", "dates": "ddmmyy"}, ["options.dates"]),
    ],
)
def test_wrong_settings(form: str, options: dict[str, str], places: list[str]) -> None:
    assert list(debt_problems(DebtTerms(form, options=tuple(options.items())))) == places
