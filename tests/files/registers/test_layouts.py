"""Ready layouts, from what their banks' pages and public programs say."""

from __future__ import annotations

import pytest

from kvit.domain.lines import LineIds
from kvit.files.base import Format
from kvit.files.dbf import DbfField, write_dbf
from kvit.files.formats import FORMATS
from kvit.files.registers import layouts
from tests.files.registers.reading import read_lines
from tests.files.workbooks import workbook_bytes

YOOKASSA = """\
РЕЕСТР ПЛАТЕЖЕЙ В Водоканал. № 77
Договор: 12345
Дата платежей: 18.03.2026

Идентификатор платежа;Сумма платежа;Комиссия;К перечислению;Лицевой счет;Время платежа
2d1e-01;1500.00;45.00;1455.00;1002344;23:15:02
2d1e-02;1234.50;37.04;1197.46;1002351;09:15:40
Сумма принятых платежей;2734.50
Сумма комиссии;82.04
Число платежей;2
"""
TOCHKA_NAMES = (
    "TRANS_DATE;TRANSACTION_ID;SUM;COMMISSION;ITV_COMMISSION;USER_INFO;MERCH;MERCH_SITE;PARENT_TRANSACTION_ID;"
    "TRANSACTION_TYPE;PAYMENT_METHOD_TYPE;RRN;AUTH_CODE;ORDER_UID;QRC_ID\n"
)
TOCHKA = TOCHKA_NAMES + (
    "18.03.2026 09:15:02;T1;1500,00;30,00;0,00;1002344;M1;shop;;PAYMENT;CARD;1;2;ORD-1;\n"
    "18.03.2026 10:15:02;T2;500,00;0,00;0,00;1002344;M1;shop;T1;REFUND;CARD;3;4;ORD-1;\n"
)


def _form(name: str) -> Format:
    return FORMATS[name]


def test_yookassa() -> None:
    form = _form("yookassa")
    assert form.fits("r.csv", YOOKASSA.encode()) == 70
    lines, bad, facts = read_lines(form, YOOKASSA)
    assert [
        (line.key, line.number, line.amount_minor, line.fee_minor, line.net_minor, line.at) for line in lines
    ] == [
        ("2d1e-01", "1002344", 150000, 4500, 145500, "2026-03-18T23:15:02"),
        ("2d1e-02", "1002351", 123450, 3704, 119746, "2026-03-18T09:15:40"),
    ]
    assert (bad, facts.problems) == ([], [])
    lines, _, _ = read_lines(form, YOOKASSA, agreement_timezone="Asia/Almaty")
    assert (lines[0].day, lines[0].at) == ("2026-03-19", "2026-03-19T01:15:02")


@pytest.mark.parametrize(
    ("old", "new"), [(";2734.50", ";2734.00"), ("Число платежей;2", "Число платежей;3"), (";82.04", ";82.05")]
)
def test_yookassa_totals_that_do_not_hold(old: str, new: str) -> None:
    _, _, facts = read_lines(_form("yookassa"), YOOKASSA.replace(old, new))
    assert len(facts.problems) == 1
    assert "2734.50" in facts.problems[0]


def test_yookassa_without_payments() -> None:
    rows = YOOKASSA.splitlines(keepends=True)
    text = "".join(rows[:5]) + "Сумма принятых платежей;0.00\nСумма комиссии;0.00\nЧисло платежей;0\n"
    assert read_lines(_form("yookassa"), text)[:2] == ([], [])
    assert read_lines(_form("yookassa"), text)[2].problems == []


def test_tochka_has_refunds_in_the_same_file() -> None:
    form = _form("tochka")
    assert form.fits("r.csv", TOCHKA.encode()) == 95
    lines, bad, facts = read_lines(form, TOCHKA)
    assert [
        (line.key, line.direction, line.is_reversal, line.amount_minor, line.fee_minor, line.more)
        for line in lines
    ] == [
        ("T1", "in", False, 150000, 3000, ()),
        ("T2/reversal", "out", True, 50000, 0, (("reverses", "T1"),)),
    ]
    assert [(line.number, line.text, line.document) for line in lines] == [("", "1002344", "ORD-1")] * 2
    assert (bad, facts.problems) == ([], [])
    assert read_lines(form, TOCHKA, columns={"number": "USER_INFO"})[0][0].number == "1002344"
    for empty in ("", TOCHKA_NAMES):
        assert read_lines(form, empty)[:2] == ([], [])


def test_privatbank_dbf() -> None:
    fields = [
        DbfField("N_DOGOV", "C", 12), DbfField("FIO_PLAT", "C", 30), DbfField("ADR_TEL", "C", 30),
        DbfField("SUMMA", "N", 12, 2), DbfField("N_DOKUM", "C", 8), DbfField("OPERDEN", "D", 8),
    ]  # fmt: skip
    data = b"".join(write_dbf(fields, [("0012", "Тестов", "вул. Миру", 150000, "7", "2026-03-18")], "cp866"))
    form = _form("privatbank-dbf")
    assert form.fits("x.dbf", data) == 95
    lines, bad, facts = read_lines(form, data)
    line = lines[0]
    assert (line.line, line.number, line.payer, line.text) == (1, "0012", "Тестов", "вул. Миру")
    assert (line.amount_minor, line.document, line.day) == (150000, "7", "2026-03-18")
    assert (bad, facts.encoding) == ([], "cp866")


@pytest.mark.parametrize(
    "names",
    [("ABCOUNT", "FIO", "SUMM", "PTIME", "PDATE"), ("ABCOUNTT", "FIOTDT", "SUMMT", "PTIMETT", "PDATETT")],
)
def test_oschadbank_dbf_of_branch_and_terminal(names: tuple[str, ...]) -> None:
    kinds = (("C", 12, 0), ("C", 20, 0), ("N", 10, 2), ("C", 8, 0), ("C", 10, 0))
    fields = [DbfField(name, *kind) for name, kind in zip(names, kinds, strict=True)]
    row = ("1002344", "Тестов", 150000, "09:15:02", "18.03.2026")
    rows = [row, row, ("", "Тестов", 0, "", "18.03.2026")]
    form = _form("oschadbank-dbf")
    for encoding in ("cp866", "cp1251"):
        data = b"".join(write_dbf(fields, rows, encoding))
        assert form.fits("x.dbf", data) == 95
        lines, bad, facts = read_lines(form, data)
        assert [(line.number, line.payer, line.amount_minor, line.at) for line in lines] == [
            ("1002344", "Тестов", 150000, "2026-03-18T09:15:02")
        ] * 2
        assert bad == []
        assert facts.notes == ["1 rows hold no payment and were left out."]
        ids = LineIds()
        assert len({ids.of(line) for line in lines}) == 2


def test_kaspi_statement_export() -> None:
    rows: list[list[object]] = [[f"Строка {number}"] for number in range(9)]
    rows += [
        [
            "Дата операции",
            "Номер документа",
            "Дебет",
            "Кредит",
            "Отправитель",
            None,
            None,
            "Назначение платежа",
        ],
        [None, None, None, None, "Наименование", "ИИН/БИН", "Счет", None],
        [1, 2, 3, 4, 5, 6, 7, 8],
        ["18.03.2026", "11", None, 1500, "Тестов Т.", "900101300123", "KZ00", "за воду 1002344"],
        ["18.03.2026", "12", 99.5, None, "Водоканал", "900101300999", "KZ01", "комиссия"],
        ["Итого", None, 99.5, 1500, None, None, None, None],
    ]
    lines, bad, facts = read_lines(_form("kaspi"), workbook_bytes(rows), currency="KZT")
    assert [(line.line, line.amount_minor, line.payer, line.text, line.document) for line in lines] == [
        (13, 150000, "Тестов Т.", "за воду 1002344", "11")
    ]
    assert lines[0].currency == "KZT"
    assert (bad, facts.problems) == ([], [])


def test_no_two_formats_claim_the_same_file() -> None:
    for content, name in ((YOOKASSA, "yookassa"), (TOCHKA, "tochka")):
        fits = {form.name: form.fits("r.csv", content.encode()) for form in FORMATS.values()}
        assert max(fits, key=lambda each: fits[each]) == name
        assert sorted(fits.values())[-2] < fits[name]
    assert {form.name for form in layouts.FORMATS} <= FORMATS.keys()
