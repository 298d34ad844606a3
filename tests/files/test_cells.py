"""One cell at a time: what is taken, what is refused and why."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvit.domain.money import format_amount
from kvit.files.cells import Unreadable, read_amount, read_day, read_number, read_period, read_text
from kvit.files.source import ConvertedText
from kvit.files.workbook import number_text

AMOUNTS = [
    ("1234.50", 123450),
    ("1234,50", 123450),
    ("1234,5", 123450),
    ("1234", 123400),
    ("0", 0),
    ("0.00", 0),
    ("1 234,50", 123450),
    ("1\u00a0234,50", 123450),
    ("1\u202f234\u202f567.89", 123456789),
    ("12 345", 1234500),
    ("007.10", 710),
    ("99999999999999.99", 9999999999999999),
]

NOT_AMOUNTS = [
    ("", "missing"),
    ("1e3", "not an amount"),
    ("1.00000000000000E+15", "not an amount"),
    ("12 34", "not an amount"),
    ("1234 567.00", "not an amount"),
    ("1  234.00", "not an amount"),
    ("1 234 56", "not an amount"),
    ("1.", "not an amount"),
    (".50", "not an amount"),
    ("+1", "not an amount"),
    ("1-", "not an amount"),
    ("--1", "not an amount"),
    ("− 1", "not an amount"),
    ("(100)", "not an amount"),
    ("100 руб", "not an amount"),
    ("١٢٣", "not an amount"),
    ("1'234.50", "not an amount"),
    ("1.234,50", "a point and a comma"),
    ("1,234.50", "a point and a comma"),
    ("1,234", "may mean 1234 or 1.234"),
    ("1 234,567", "digits after the decimal mark"),
    ("1234.567", "more than 2 digits"),
    ("1.234", "more than 2 digits"),
    ("1234,567", "more than 2 digits"),
    ("100000000000000000.00", "too many digits"),
    ("-1.00", "below zero"),
    ("-1 000,00", "below zero"),
]


@pytest.mark.parametrize(("text", "amount_minor"), AMOUNTS)
def test_amounts(text: str, amount_minor: int) -> None:
    assert read_amount(text, 2) == amount_minor


@pytest.mark.parametrize(("text", "reason"), NOT_AMOUNTS)
def test_texts_that_are_no_amounts(text: str, reason: str) -> None:
    verdict = read_amount(text, 2)
    assert isinstance(verdict, Unreadable)
    assert reason in verdict.reason


def test_signs_and_exponents() -> None:
    assert read_amount("-12.50", 2, signed=True) == -1250
    assert read_amount("-1 234,50", 2, signed=True) == -123450
    assert read_amount("-0", 2, signed=True) == 0
    assert isinstance(read_amount("--1", 2, signed=True), Unreadable)
    assert isinstance(read_amount("- 1", 2, signed=True), Unreadable)
    assert read_amount("1500", 0) == 1500
    assert isinstance(read_amount("1500.0", 0), Unreadable)
    assert read_amount("1.234", 3) == 1234
    assert read_amount("1234,567", 3) == 1234567
    # Either 1,234 dinars or 1.234: nobody can tell.
    assert isinstance(read_amount("1,234", 3), Unreadable)


@given(
    st.integers(-(10**15), 10**15),
    st.sampled_from([0, 2, 3]),
    st.booleans(),
    st.sampled_from(" \u00a0\u202f"),
)
def test_every_way_of_writing_a_sum_gives_it_back(
    amount_minor: int, exponent: int, gaps: bool, gap: str
) -> None:
    text = format_amount(amount_minor, exponent)
    if gaps:
        whole, point, fraction = text.partition(".")
        sign = "-" if whole.startswith("-") else ""
        text = sign + f"{int(whole.removeprefix('-')):,}".replace(",", gap) + point + fraction
    assert read_amount(text, exponent, signed=True) == amount_minor
    if exponent == 2:
        assert read_amount(text.replace(".", ","), exponent, signed=True) == amount_minor


@given(st.text("0123456789., \u00a0-+eE", max_size=14))
@example("1 2 3")
def test_what_is_taken_is_worth_what_it_says(text: str) -> None:
    amount_minor = read_amount(text, 2, signed=True)
    if isinstance(amount_minor, int):
        plain = text.replace(" ", "").replace("\u00a0", "").replace(",", ".")
        assert Decimal(plain) * 100 == amount_minor


NUMBER_CELLS = [
    (100005.0, "100005"),
    (0.0, "0"),
    (-0.0, "0"),
    (12.5, "12.5"),
    (-12.5, "-12.5"),
    (0.1 + 0.2, "0.3"),
    (1234.56, "1234.56"),
    (1234.5600000000001, "1234.56"),
    (1234.5600001, "1234.56"),
    (1234.561, "1234.561"),
    (1234.56001, "1234.56001"),
    (0.00001, "0.00001"),
    (-0.0000001, "0"),
    (99999999999999.5, "99999999999999.5"),
    (999999999999999.0, "999999999999999"),
    (1e15, "1.00000000000000E+15"),
    (-1e300, "-1.00000000000000E+300"),
    (float("inf"), "INF"),
    (float("nan"), "NAN"),
]


@pytest.mark.parametrize(("value", "text"), NUMBER_CELLS)
def test_numbers_of_a_workbook_become_exact_text(value: float, text: str) -> None:
    assert number_text(value) == text


@given(st.integers(-(10**13), 10**13))
def test_every_sum_survives_a_workbook(amount_minor: int) -> None:
    assert read_amount(number_text(amount_minor / 100), 2, signed=True) == amount_minor


@given(st.integers(0, 10**10), st.floats(1e-5, 0.0049))
def test_a_part_of_a_minor_unit_is_refused(amount_minor: int, surplus: float) -> None:
    value = amount_minor / 100 + surplus
    assert isinstance(read_amount(number_text(value), 2), Unreadable)


NUMBERS = ["100234", "000100234", "1", "А-17/б", "kv.12", "ab12", "AB12", "0" * 40, "12.10", "12E5", "дом№5"]

NOT_NUMBERS = [
    ("", "missing"),
    ("1" * 41, "at most 40"),
    ("ы" * 41, "at most 40"),
    ("100 234", "no spaces"),
    ("100\u00a0234", "no spaces"),
    ("100\n234", "no spaces"),
    ("100\u200b234", "invisible"),
    ("100\x07", "invisible"),
    ("1,00234E+11", "format the column as text"),
    ("1.00234E+11", "format the column as text"),
    ("1E+05", "format the column as text"),
    ("1002344.0", "format the column as text"),
    ("Итого", "row of totals"),
    ("ИТОГО:", "row of totals"),
    ("Total", "row of totals"),
    ("Жиыны", "row of totals"),
]


@pytest.mark.parametrize("text", NUMBERS)
def test_account_numbers_are_kept_as_written(text: str) -> None:
    assert read_number(text) == text


@pytest.mark.parametrize(("text", "reason"), NOT_NUMBERS)
def test_texts_that_are_no_account_numbers(text: str, reason: str) -> None:
    verdict = read_number(text)
    assert isinstance(verdict, Unreadable)
    assert reason in verdict.reason


def test_a_number_in_two_unicode_spellings_is_one() -> None:
    assert read_number("и\u0306-1") == read_number("й-1")


@pytest.mark.parametrize(
    "text", ["12.1", "-5", "2026-10-01", "TRUE", "1.00000000000000E+15", "1 day, 6:00:00"]
)
def test_a_workbook_cell_that_was_no_text_and_is_no_whole_number_is_refused(text: str) -> None:
    verdict = read_number(ConvertedText(text))
    assert isinstance(verdict, Unreadable)
    assert "format the column as text" in verdict.reason


def test_values_are_plain_text() -> None:
    for value in (
        read_number(ConvertedText("100005")),
        read_text(ConvertedText("77011234567"), 60),
        read_period(ConvertedText("2026")),
        read_day(ConvertedText("2026-10-25")),
    ):
        assert type(value) is str


def test_texts() -> None:
    assert read_text("", 5) == ""
    assert read_text(" ул.  Абая,\r\n 5\u00a0кв. 7 ", 40) == "ул. Абая, 5 кв. 7"
    assert read_text("а" * 5, 5) == "ааааа"
    too_long = read_text("а" * 6, 5)
    assert isinstance(too_long, Unreadable)
    assert "longer than 5" in too_long.reason
    control = read_text("a\x07b", 5)
    assert isinstance(control, Unreadable)
    assert "control character" in control.reason
    assert read_text("नीता\u200d", 10) == "नीता\u200d"


PERIODS = [
    ("", ""),
    ("2026-10", "2026-10"),
    ("2026/10", "2026-10"),
    ("2026.10", "2026-10"),
    ("202610", "2026-10"),
    ("10.2026", "2026-10"),
    ("10/2026", "2026-10"),
    ("1.2026", "2026-01"),
    ("01.10.2026", "2026-10"),
    ("01/10/2026", "2026-10"),
    ("2026-10-01", "2026-10"),
    ("01.10.2026 0:00:00", "2026-10"),
    ("октябрь 2026", "2026-10"),
    ("Октябрь  2026 г.", "2026-10"),
    ("за октябрь 2026 года", "2026-10"),
    ("ОКТ 2026", "2026-10"),
    ("October 2026", "2026-10"),
    ("Oct. 2026", "2026-10"),
    ("2026 жылғы қазан", "2026-10"),
    ("қазан 2026 ж.", "2026-10"),
    ("май 2026", "2026-05"),
    # A day is its own period, or two weekly charges would be one.
    ("15.10.2026", "2026-10-15"),
    ("2026-10-31", "2026-10-31"),
    # Words that the month would lose stay.
    ("1 октября 2026", "1 октября 2026"),
    ("октябрь 2026 перерасчёт", "октябрь 2026 перерасчёт"),
    ("сентябрь-октябрь 2026", "сентябрь-октябрь 2026"),
    ("октябрь", "октябрь"),
    ("13.2026", "13.2026"),
    ("2026-00", "2026-00"),
    ("10.1026", "10.1026"),
    ("31.02.2026", "31.02.2026"),
    ("IV квартал  2026", "IV квартал 2026"),
    ("2026", "2026"),
    ("x" * 40, "x" * 40),
]


@pytest.mark.parametrize(("text", "period"), PERIODS)
def test_periods(text: str, period: str) -> None:
    assert read_period(text) == period


def test_too_long_a_period() -> None:
    assert isinstance(read_period("x" * 41), Unreadable)


def test_a_month_that_a_spreadsheet_took_for_a_quantity() -> None:
    assert read_period(ConvertedText(number_text(10.2020))) == "2020-10"
    assert read_period(ConvertedText(number_text(1.2026))) == "2026-01"
    # As text it is what it says.
    assert read_period("10.202") == "10.202"


DAYS = [
    ("", ""),
    ("2026-10-25", "2026-10-25"),
    ("2026-1-5", "2026-01-05"),
    ("25.10.2026", "2026-10-25"),
    ("5.1.2026", "2026-01-05"),
    ("25/10/2026", "2026-10-25"),
    ("20261025", "2026-10-25"),
    ("25.10.2026 0:00:00", "2026-10-25"),
    ("2026-10-25T23:59:59", "2026-10-25"),
    ("29.02.2028", "2028-02-29"),
]

NOT_DAYS = [
    ("29.02.2026", "no such day"),
    ("10/25/2026", "no such day"),
    ("2026-13-01", "no such day"),
    ("00.10.2026", "no such day"),
    ("25.10.0206", "cannot be meant"),
    ("25.10.2206", "cannot be meant"),
    ("25.10.26", "not a date"),
    ("46000", "not a date"),
    ("завтра", "not a date"),
    ("25 октября", "not a date"),
    ("٢٥.١٠.٢٠٢٦", "not a date"),
]


@pytest.mark.parametrize(("text", "day"), DAYS)
def test_days(text: str, day: str) -> None:
    assert read_day(text) == day


@pytest.mark.parametrize(("text", "reason"), NOT_DAYS)
def test_texts_that_are_no_days(text: str, reason: str) -> None:
    verdict = read_day(text)
    assert isinstance(verdict, Unreadable)
    assert reason in verdict.reason


@given(
    st.dates(dt.date(1990, 1, 1), dt.date(2100, 12, 31)),
    st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%Y%m%d"]),
)
def test_every_day_in_every_form(day: dt.date, form: str) -> None:
    assert read_day(day.strftime(form)) == day.isoformat()
    period = read_period(day.strftime(form))
    assert period == (day.isoformat() if day.day > 1 else day.isoformat()[:7])


@given(st.text(max_size=60))
def test_any_text_gets_a_verdict(text: str) -> None:
    for verdict in (read_number(text), read_text(text, 40), read_period(text), read_day(text)):
        assert isinstance(verdict, str | Unreadable)
    assert isinstance(read_amount(text, 2), int | Unreadable)
    assert isinstance(read_number(ConvertedText(text)), str | Unreadable)
    assert isinstance(read_period(ConvertedText(text)), str | Unreadable)
