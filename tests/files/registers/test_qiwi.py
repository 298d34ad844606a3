"""QIWI's daily register, from the rules: TAB, Moscow time, ``Total:`` with count and sum."""

from __future__ import annotations

from kvit.domain.lines import LineIds, MoneyLine
from kvit.files.registers import qiwi
from tests.files.registers.reading import read_lines, reading_of

ROWS = (
    "3049857723\t18.03.2026\t09:15:02\t1002344\t1500.00\n3049857811\t2026-03-18\t09:15:40\t1002344\t1500.00\n"
)
TOTAL = "Total: 2\t3000.00\n"


def test_two_equal_payments_are_two() -> None:
    lines, bad, facts = read_lines(qiwi.FORMAT, ROWS + TOTAL)
    assert lines == [
        MoneyLine(
            1, "3049857723", "", 150000, "in", "2026-03-18", "2026-03-18T09:15:02", "1002344", currency="RUB"
        ),
        MoneyLine(
            2, "3049857811", "", 150000, "in", "2026-03-18", "2026-03-18T09:15:40", "1002344", currency="RUB"
        ),
    ]
    assert bad == []
    assert (facts.format, facts.encoding, facts.problems) == ("qiwi", "utf-8", [])
    assert (facts.first_day, facts.last_day) == ("2026-03-18", "2026-03-18")
    ids = LineIds()
    assert [ids.of(line) for line in lines] == ["3049857723", "3049857811"]


def test_an_empty_day_is_a_register() -> None:
    lines, bad, facts = read_lines(qiwi.FORMAT, "Total: 0\t0.00\n")
    assert (lines, bad, facts.problems) == ([], [], [])


def test_totals_that_do_not_hold_are_said() -> None:
    assert read_lines(qiwi.FORMAT, ROWS + "Total: 3\t3000.00\n")[2].problems == [
        "The totals name 3 payments, the file holds 2."
    ]
    assert read_lines(qiwi.FORMAT, ROWS + "Total: 2\t3000.01\n")[2].problems == [
        "The totals name 3000.01 paid, the lines add up to 3000.00."
    ]
    assert read_lines(qiwi.FORMAT, ROWS)[2].problems == [
        "The line Total: is missing: the file may have been cut off."
    ]
    assert read_lines(qiwi.FORMAT, ROWS + "Total: some\n")[2].problems == [
        "The line of totals cannot be read: 'Total: some'."
    ]
    assert read_lines(qiwi.FORMAT, TOTAL + ROWS)[2].problems[:1] == ["Line 2 follows the line of totals."]


def test_what_cannot_be_read_is_kept_with_its_text() -> None:
    text = (
        "1\t18.03.2026\t09:15:02\t1002344\t15oo.00\n"
        "2\t31.02.2026\t09:15:02\t1002344\t1.00\n"
        "3\t18.03.2026\t25:15:02\t1002344\t1.00\n"
        "\t18.03.2026\t09:15:02\t1002344\t1.00\n"
        "5\t18.03.2026\t09:15:02\t\t1.00\n"
        "6\t18.03.2026\t09:15:02\t1002344\t0.00\n"
        "7\t18.03.2026\t09:15:02\t1002344\n"
        "8\t18.03.2026\t9:15:02\t 1002344 \t1,00\r\n"
        "Total: 1\t1.00\n"
    )
    lines, bad, facts = read_lines(qiwi.FORMAT, text)
    assert [(line.line, line.key, line.amount_minor, line.number) for line in lines] == [
        (8, "8", 100, "1002344")
    ]
    assert lines[0].at == "2026-03-18T09:15:02"
    assert [(each.line, each.reason) for each in bad] == [
        (1, "not an amount; it should be like 1234.50"),
        (2, "there is no such day: day 31, month 2, year 2026"),
        (3, "not a time of day; it should be like 09:15:02"),
        (4, "the id of the payment is missing"),
        (5, "the number is missing"),
        (6, "the amount is zero: no money came with this line"),
        (7, "a row has 5 cells, this one 4"),
    ]
    assert bad[0].raw == "1\t18.03.2026\t09:15:02\t1002344\t15oo.00"
    assert facts.problems == []


def test_a_payment_taken_back_goes_out() -> None:
    lines, _, facts = read_lines(
        qiwi.FORMAT, "7\t18.03.2026\t09:15:02\t1002344\t-1500.00\nTotal: 1\t-1500.00\n"
    )
    assert (lines[0].key, lines[0].amount_minor, lines[0].direction) == ("7/reversal", 150000, "out")
    assert lines[0].is_reversal
    assert lines[0].more == (("reverses", "7"),)
    assert facts.problems == []


def test_moscow_time_becomes_the_agreements() -> None:
    text = "7\t18.03.2026\t22:30:05\t1002344\t1.00\nTotal: 1\t1.00\n"
    lines, _, _ = read_lines(qiwi.FORMAT, text, agreement_timezone="Asia/Almaty")
    assert (lines[0].day, lines[0].at) == ("2026-03-19", "2026-03-19T00:30:05")
    lines, _, _ = read_lines(qiwi.FORMAT, text, agreement_timezone="Asia/Kolkata")
    assert lines[0].at == "2026-03-19T01:00:05"
    lines, _, _ = read_lines(qiwi.FORMAT, text, timezone="Asia/Almaty", agreement_timezone="Europe/Moscow")
    assert lines[0].at == "2026-03-18T20:30:05"


def test_a_walk_may_be_repeated() -> None:
    reading = reading_of(qiwi.FORMAT, ROWS)
    assert list(reading.batches()) == list(reading.batches())
    assert len(reading.facts.problems) == 1


def test_recognised_by_name_and_content() -> None:
    head = (ROWS + TOTAL).encode()
    assert qiwi.fits("QIWI_1234_202603181.csv", head) > qiwi.fits("x.csv", head) >= 90
    assert qiwi.fits("x.csv", b"Total: 0\t0.00\n") >= 80
    assert qiwi.fits("QIWI_1234_202603181.csv", b"") == 0
    assert qiwi.fits("QIWI_1234_202603181.csv", head.replace(b"\t", b";")) == 0
