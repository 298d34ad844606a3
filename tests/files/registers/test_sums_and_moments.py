"""Sums, days and times as registers write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvit.domain.money import format_amount
from kvit.files.cells import Unreadable
from kvit.files.errors import FileRefused
from kvit.files.registers.moments import ZoneShift, moment_reader, read_days, read_time, read_times
from kvit.files.registers.sums import SumStyle, currency_of, read_sum, read_sums

RUB = SumStyle("RUB")


@pytest.mark.parametrize(
    ("text", "amount_minor"),
    [
        ("1500.00", 150000), ("1500,00", 150000), ("1500", 150000), ("1500.5", 150050), ("0.29", 29),
        ("1 500,00", 150000), ("1\u00a0500,00", 150000), ("1'500.00", 150000), ("1,533.50", 153350),
        ("1.533,50", 153350), ("1,234,567", 123456700), ("12 345 678,90", 1234567890), ("-1500.00", -150000),
        ("−1500,00", -150000), ("+1.00", 100), (" 1500.00 руб.", 150000), ("1500,00 ₽", 150000),
        ("1500.00 RUB", 150000), ("0", 0),
    ],
)  # fmt: skip
def test_a_sum_that_means_one_thing(text: str, amount_minor: int) -> None:
    assert read_sum(text, RUB) == amount_minor


@pytest.mark.parametrize(
    "text",
    ["", "  ", "abc", "1,234", "1.500", "1e5", "1500.001", "15 00,00", "1,23,456", "1.2.3", "1500.00 KZT",
     "1500.00 шт",
     "٣", "1 500'000,00", "--1", "1-", "99999999999999999", "1.", ".5", "1,5,", "(5)"],
)  # fmt: skip
def test_a_sum_that_may_mean_two_or_none(text: str) -> None:
    assert isinstance(read_sum(text, RUB), Unreadable)


def test_what_is_set_decides() -> None:
    assert read_sum("1,234", SumStyle("RUB", thousands=",", mark=".")) == 123400
    assert read_sum("1.500", SumStyle("RUB", mark=".")) == 150
    assert read_sum("1.500", SumStyle("RUB", mark=",", thousands=".")) == 150000
    assert isinstance(read_sum("1,5", SumStyle("RUB", mark=".")), Unreadable)
    assert read_sum("150000", SumStyle("RUB", in_minor=True)) == 150000
    assert isinstance(read_sum("1500.00", SumStyle("RUB", in_minor=True)), Unreadable)
    assert read_sum("1500", SumStyle("JPY")) == 1500
    assert isinstance(read_sum("1500.5", SumStyle("JPY")), Unreadable)
    assert read_sum("1.234", SumStyle("KWD")) == 1234
    assert currency_of("тг.") == "KZT"
    assert currency_of("шт") == ""


@given(st.integers(-(10**12), 10**12), st.sampled_from([".", ","]), st.sampled_from(["", " ", "'"]))
def test_sums_written_are_sums_read(amount_minor: int, mark: str, gap: str) -> None:
    whole, _, fraction = format_amount(abs(amount_minor)).partition(".")
    grouped = f"{int(whole):,}".replace(",", gap) if gap else whole
    text = f"{'-' if amount_minor < 0 else ''}{grouped}{mark}{fraction}"
    assert read_sum(text, RUB) == amount_minor


@given(
    st.lists(st.from_regex(r"-?[0-9]{1,4}(?:[.,][0-9]{1,3})?", fullmatch=True), min_size=1, max_size=6),
    st.sampled_from([RUB, SumStyle("RUB", mark=","), SumStyle("JPY"), SumStyle("RUB", in_minor=True)]),
)
def test_a_column_is_what_its_cells_are(texts: list[str], style: SumStyle) -> None:
    column = read_sums(texts, style)
    if column is not None:
        assert column == [read_sum(text, style) for text in texts]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("18.03.2026", ("2026-03-18", "")), ("18/03/2026", ("2026-03-18", "")),
        ("2026-03-18", ("2026-03-18", "")),
        ("18-03-2026", ("2026-03-18", "")), ("20260318", ("2026-03-18", "")),
        ("18.03.26", ("2026-03-18", "")),
        ("18.03.2026 9:15", ("2026-03-18", "09:15:00")),
        ("2026-03-18T09:15:02", ("2026-03-18", "09:15:02")),
        (" 18.03.2026  09:15:02.123 ", ("2026-03-18", "09:15:02")),
        ("18.03.2026, 09:15", ("2026-03-18", "09:15:00")),
    ],
)  # fmt: skip
def test_days_in_the_usual_ways(text: str, moment: tuple[str, str]) -> None:
    assert moment_reader()(text) == moment


@pytest.mark.parametrize(
    "text",
    ["", "x", "31.02.2026", "2026-13-01", "18.03", "0206-03-18", "18.03.2026 25:00", "12/31/2026",
     "2026-03-18T09:15:02Z", "2026-03-18T09:15:02+05:00"],
)  # fmt: skip
def test_what_is_no_day(text: str) -> None:
    assert isinstance(moment_reader()(text), Unreadable)


def test_days_by_a_pattern() -> None:
    assert moment_reader("mm/dd/yyyy")("12/31/2026") == ("2026-12-31", "")
    assert moment_reader("ddmmyy")("180326") == ("2026-03-18", "")
    assert moment_reader("yyyymmddhhmiss")("20260318091502") == ("2026-03-18", "09:15:02")
    assert moment_reader("DD.MM.YYYY hh:mi")("18.03.2026 9:15") == ("2026-03-18", "09:15:00")
    # What a workbook holds as a day comes in ISO, whatever texts look like.
    assert moment_reader("mm/dd/yyyy")("2026-12-31") == ("2026-12-31", "")
    assert isinstance(moment_reader("mm/dd/yyyy")("31.12.2026"), Unreadable)
    for pattern in ("dd.mm", "yyyy-yyyy", "day"):
        with pytest.raises(FileRefused, match="date pattern"):
            moment_reader(pattern)


def test_times() -> None:
    assert [read_time(text) for text in ("9:15", "09-15-02", "09.15", "")] == [
        "09:15:00",
        "09:15:02",
        "09:15:00",
        "",
    ]
    assert all(isinstance(read_time(text), Unreadable) for text in ("24:00", "9", "09:60", "x"))
    assert read_times(["09:15:02", "9:15"]) == ["09:15:02", "09:15:00"]
    assert read_times(["09:15:02", "x"]) is None


def test_a_column_of_moments() -> None:
    reader = moment_reader()
    assert read_days(["18.03.2026 09:15:02", "19.03.2026 10:00:00"], reader) == (
        ["2026-03-18", "2026-03-19"],
        ["09:15:02", "10:00:00"],
    )
    assert read_days(["18.03.2026", "2026-03-19"], reader) == (["2026-03-18", "2026-03-19"], "")
    assert read_days(["18.03.2026", "19.03.2026 9:00"], reader) == (
        ["2026-03-18", "2026-03-19"],
        ["", "09:00:00"],
    )
    assert read_days(["18.03.2026", ""], reader) is None


def test_zones() -> None:
    shift = ZoneShift("Europe/Moscow", "Asia/Almaty")
    assert shift.shifted("2026-03-18T22:30:05") == "2026-03-19T00:30:05"
    assert (
        ZoneShift("Europe/Moscow", "Asia/Kathmandu").shifted("2026-03-18T22:30:05") == "2026-03-19T01:15:05"
    )
    # The hour that comes twice, and the one that does not come.
    berlin = ZoneShift("Europe/Moscow", "Europe/Berlin")
    assert berlin.shifted("2026-03-29T03:59:59") == "2026-03-29T01:59:59"
    assert berlin.shifted("2026-03-29T04:00:00") == "2026-03-29T03:00:00"
    assert not ZoneShift("Europe/Moscow", "").is_needed
    assert not ZoneShift("Europe/Moscow", "Europe/Moscow").is_needed
    with pytest.raises(FileRefused, match="no time zone"):
        ZoneShift("Mars/Base", "")
