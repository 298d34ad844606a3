"""Sberbank's three registers: keys and values, bars with totals, twelve cells with a trailer."""

from __future__ import annotations

import pytest

from kvit.domain.lines import LineIds
from kvit.files.registers import sberbank_a, sberbank_b, sberbank_c
from tests.files.registers.reading import read_lines

A = (
    "Реестр платежей за 18/03/2026\r\n"
    "8047;0001;00;01;1500.00;15.00;18/03/2026;CLIENTNO:1002344;CLIENTDOCNO:900001;method_pay:SBOL\r\n"
    "8047;0001;00;01;1234.50;0.00;18/03/2026;CLIENTNO : 1002351;CLIENTDOCNO : 900002;method_pay:УС;"
    "CounterVal_1:17.5\r\n"
    "8047;2734.50;15.00;2\r\n"
)
B = (
    "18.03.2026|123456\r\n"
    "18.03.2026| 0011002344 | 1500.00|15.00 |1485.00|044525225\r\n"
    "18.03.2026|0011002344|1500.00|15.00|1485.00|044525225\r\n"
    "3000.00|30.00|2970.00\r\n"
)
C = (
    "18-03-2026;09-15-02;8047/0001;SBOL;OP1;1002344;Тестов Т.;ул. Мира 1;0226;1500,00;1485,00;15,00\n"
    "18-03-2026;09-15-40;8047/0001;УС;OP2;1002351;Пробный П.;ул. Мира 2;0226;1234,50;1222,15;12,35\n"
    "=2;2734,50;2707,15;27,35;123456;19-03-2026\n"
)


def test_a_names_values_by_key() -> None:
    lines, bad, facts = read_lines(sberbank_a.FORMAT, A.encode("cp1251"))
    assert bad == []
    assert [
        (line.line, line.number, line.document, line.amount_minor, line.fee_minor, line.net_minor, line.day)
        for line in lines
    ] == [
        (2, "1002344", "900001", 150000, 1500, 148500, "2026-03-18"),
        (3, "1002351", "900002", 123450, 0, 123450, "2026-03-18"),
    ]
    assert lines[1].more == (("branch", "8047/0001"), ("method_pay", "УС"), ("CounterVal_1", "17.5"))
    assert lines[0].key == ""
    assert facts.encoding == "windows-1251"
    assert facts.notes == ["2 lines without CLIENTNO are no payments."]
    assert facts.problems == []


def test_a_says_what_is_wrong() -> None:
    row = "8047;0001;00;01;{};0.00;{};CLIENTNO:{}"
    text = "\n".join(
        [
            row.format("15OO", "18/03/2026", "1"),
            row.format("1.00", "2026", "1"),
            row.format("1.00", "31/02/2026", "1"),
            row.format("0.00", "18/03/2026", "1"),
            row.format("1.00", "18/03/2026", ""),
            "1;2;CLIENTNO:7",
            row.format("1,00", "18/03/2026", "1"),
        ]
    )
    lines, bad, _ = read_lines(sberbank_a.FORMAT, text)
    assert lines == []
    assert [(each.line, each.reason) for each in bad] == [
        (1, "not an amount; it should be like 1234.50"),
        (2, "there is no date like 18/03/2026 in this line"),
        (3, "there is no such day"),
        (4, "the amount is zero: no money came with this line"),
        (5, "the account number is missing"),
        (6, "the line has only 3 cells"),
        (7, "not an amount; it should be like 1234.50"),
    ]


def test_b_has_order_and_totals() -> None:
    lines, bad, facts = read_lines(sberbank_b.FORMAT, B.encode("cp1251"))
    assert bad == []
    assert [
        (line.line, line.number, line.document, line.amount_minor, line.fee_minor, line.net_minor)
        for line in lines
    ] == [
        (2, "1002344", "0011002344", 150000, 1500, 148500),
        (3, "1002344", "0011002344", 150000, 1500, 148500),
    ]
    assert (facts.order_number, facts.order_date, facts.problems) == ("123456", "2026-03-18", [])
    ids = LineIds()
    assert len({ids.of(line) for line in lines}) == 2
    lines, _, _ = read_lines(sberbank_b.FORMAT, B, number_skip="0")
    assert lines[0].number == "0011002344"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("3000.00|30.00", "3000.01|30.00", "The totals name 3000.01 paid, the lines add up to 3000.00."),
        ("|30.00|", "|31.00|", "The totals name 31.00 commission, the lines add up to 30.00."),
        ("|2970.00", "|2970.10", "The totals name 2970.10 to transfer, the lines add up to 2970.00."),
        (
            "3000.00|30.00|2970.00\r\n", "",
            "The last line, with the totals, is missing: the file may have been cut off.",
        ),
        ("18.03.2026|123456\r\n", "", "The first line, with the payment order, is missing."),
    ],
)  # fmt: skip
def test_b_totals_that_do_not_hold(old: str, new: str, problem: str) -> None:
    assert read_lines(sberbank_b.FORMAT, B.replace(old, new))[2].problems == [problem]


def test_b_may_be_empty() -> None:
    lines, bad, facts = read_lines(sberbank_b.FORMAT, "18.03.2026|123456\r\n0.00|0.00|0.00\r\n")
    assert (lines, bad, facts.problems) == ([], [], [])


def test_c_has_an_id_and_a_trailer() -> None:
    lines, bad, facts = read_lines(sberbank_c.FORMAT, C.encode("cp1251"))
    assert bad == []
    assert [
        (line.key, line.number, line.payer, line.at, line.amount_minor, line.net_minor, line.fee_minor)
        for line in lines
    ] == [
        ("OP1", "1002344", "Тестов Т.", "2026-03-18T09:15:02", 150000, 148500, 1500),
        ("OP2", "1002351", "Пробный П.", "2026-03-18T09:15:40", 123450, 122215, 1235),
    ]
    assert lines[0].more == (("period", "0226"),)
    assert (facts.order_number, facts.order_date, facts.problems) == ("123456", "2026-03-19", [])


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("=2;", "=3;", "The totals name 3 payments, the file holds 2."),
        ("=2;2734,50", "=2;2734,51", "The totals name 2734.51 paid, the lines add up to 2734.50."),
        (
            "=2;2734,50;2707,15;27,35;123456;19-03-2026\n", "",
            "The last line, with the totals, is missing: the file may have been cut off.",
        ),
        (
            "=2;2734,50;2707,15", "=2;much;all",
            "The line of totals cannot be read: '2;much;all;27,35;123456;19-03-2026'.",
        ),
    ],
)  # fmt: skip
def test_c_totals_that_do_not_hold(old: str, new: str, problem: str) -> None:
    assert read_lines(sberbank_c.FORMAT, C.replace(old, new))[2].problems == [problem]


def test_each_is_recognised_and_no_other() -> None:
    fits = {"a": sberbank_a.fits, "b": sberbank_b.fits, "c": sberbank_c.fits}
    for name, text in {"a": A, "b": B, "c": C}.items():
        data = text.encode("cp1251")
        assert {other for other, fit in fits.items() if fit("x.txt", data)} == {name}
    assert sberbank_c.fits("", b"=0;0,00;0,00;0,00;1;19-03-2026\n") > 80
    assert not any(fit("x.txt", b"") for fit in fits.values())
