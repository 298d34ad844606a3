"""PrivatBank's drawn table: rows over several lines, two languages, totals below."""

from __future__ import annotations

import pytest

from kvit.files.registers import privatbank_text
from tests.files.registers.reading import read_lines

HEAD = """\
----------------------------------------------------------------------
19.03.26 08:00:00
Платник: ПРИВАТБАНК, МФО 305299, рах. 2902
Одержувач: ТОВ Вода, код 12345678, рах. 2600
Реєстр платежів (платежі громадян) за воду
Платіжне доручення № @2PL123456 від 19.03.2026
"""
TABLE = """\
----------------------------------------------------------------------------------------
|№ док |Опер. день|Платник     |№ дог. |Адреса/тел.|Лічильник|Період |Сума     |Комісія |
|      |          |            |       |           |         |       |         |з одерж.|
----------------------------------------------------------------------------------------
|1     |18.03.2026|Тестов      |1002344|вул. Миру 1|10-17    |02.2026|  1500.00|   15.00|
|      |          |Тест        |       |кв. 2      |         |       |         |        |
|2     |18.03.2026|Пробний П.  |1002351|вул. Миру 2|         |02.2026|  1234.50|   12.35|
----------------------------------------------------------------------------------------
"""
TAIL = """\
Разом за рахунком 2600: 2734.50
Кількість платежів: 2
Прийнято на суму: 2734.50
Комісія банку: 27.35
До перерахування: 2707.15
"""


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251"])
def test_a_row_goes_over_several_lines(encoding: str) -> None:
    lines, bad, facts = read_lines(privatbank_text.FORMAT, (HEAD + TABLE + TAIL).encode(encoding))
    assert bad == []
    assert [
        (
            line.line,
            line.document,
            line.day,
            line.payer,
            line.number,
            line.text,
            line.amount_minor,
            line.fee_minor,
        )
        for line in lines
    ] == [
        (11, "1", "2026-03-18", "Тестов Тест", "1002344", "вул. Миру 1 кв. 2", 150000, 1500),
        (13, "2", "2026-03-18", "Пробний П.", "1002351", "вул. Миру 2", 123450, 1235),
    ]
    assert lines[0].more == (("period", "02.2026"),)
    assert (facts.order_number, facts.order_date) == ("@2PL123456", "2026-03-19")
    assert (facts.problems, facts.notes) == ([], [])


def test_the_order_may_have_no_date_and_labels_be_russian() -> None:
    text = (HEAD + TABLE).replace("Платіжне доручення", "Платежное поручение").replace(" від 19.03.2026", "")
    tail = "Количество платежей 2\nПринято на сумму 2734,50\nКомиссия банка 27,35\nК перечислению 2707,15\n"
    lines, bad, facts = read_lines(privatbank_text.FORMAT, (text + tail).encode("cp866", "replace"))
    assert (len(lines), bad) == (2, [])
    assert (facts.order_number, facts.order_date, facts.problems) == ("@2PL123456", "", [])


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("платежів: 2", "платежів: 3", "The totals name 3 payments, the file holds 2."),
        (
            "на суму: 2734.50", "на суму: 2734.51",
            "The totals name 2734.51 paid, the lines add up to 2734.50.",
        ),
        ("банку: 27.35", "банку: 27.30", "The totals name 27.30 commission, the lines add up to 27.35."),
        (
            "ння: 2707.15", "ння: 2707.10",
            "The totals name 2707.10 to transfer, the lines add up to 2707.15.",
        ),
    ],
)  # fmt: skip
def test_totals_that_do_not_hold(old: str, new: str, problem: str) -> None:
    assert read_lines(privatbank_text.FORMAT, HEAD + TABLE + TAIL.replace(old, new))[2].problems == [problem]


def test_a_row_that_cannot_be_read_is_kept_whole() -> None:
    table = TABLE.replace("18.03.2026|Тестов  ", "18.O3.2026|Тестов  ")
    lines, bad, _ = read_lines(privatbank_text.FORMAT, HEAD + table + TAIL)
    assert len(lines) == 1
    assert (bad[0].line, len(bad[0].raw.splitlines())) == (11, 2)
    assert "Тестов" in bad[0].raw


def test_an_empty_table_is_a_register() -> None:
    rows = TABLE.splitlines(keepends=True)
    text = HEAD + "".join(rows[:4] + rows[7:])
    lines, bad, facts = read_lines(privatbank_text.FORMAT, text)
    assert (lines, bad, facts.problems) == ([], [], [])


def test_recognised_by_title_and_table() -> None:
    assert privatbank_text.fits("r.txt", (HEAD + TABLE).encode("cp1251")) == 90
    assert privatbank_text.fits("r.txt", TABLE.encode()) == 0
    assert privatbank_text.fits("r.txt", b"") == 0
