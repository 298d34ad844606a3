"""Rule 18: two times, the accounting date from the network's, and closed periods that take nothing new."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvit.domain import days

MOSCOW = "Europe/Moscow"
zones = st.sampled_from(
    [MOSCOW, "Asia/Almaty", "UTC", "Europe/Berlin", "America/New_York", "Pacific/Chatham"]
)
instants = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
local_days = st.dates(date(2020, 1, 1), date(2030, 12, 31))
NOW = datetime(2026, 11, 23, 20, 30, tzinfo=UTC)  # in Moscow it is 23:30


@given(instants, zones)
def test_an_instant_comes_back_to_the_microsecond(instant: datetime, timezone: str) -> None:
    at_us = days.to_us(instant.astimezone(days.zone(timezone)))
    assert type(at_us) is int
    # In UTC: a time of the hour that a zone has twice is never equal to a time in another zone (PEP 495).
    assert days.from_us(at_us, timezone).astimezone(UTC) == instant
    assert days.to_us(days.from_us(at_us)) == at_us


@pytest.mark.parametrize(
    ("network_time", "expected"),
    [
        ("", "2026-11-23"),
        ("2026-11-22T23:59:59", "2026-11-22"),
        ("2026-11-24T00:00:00", "2026-11-24"),
        ("2026-10-23T12:00:00", "2026-10-23"),
        ("2026-10-22T12:00:00", "2026-11-23"),  # 32 days ago: a broken clock
        ("2026-11-25T00:00:00", "2026-11-23"),  # the day after tomorrow: a broken clock
        ("1970-01-01T00:00:00", "2026-11-23"),
        ("0001-01-01T00:00:00", "2026-11-23"),
        ("9999-12-31T23:59:59", "2026-11-23"),
        ("no time at all", "2026-11-23"),
    ],
)
def test_the_accounting_date_is_the_network_s_day_unless_its_clock_is_broken(
    network_time: str, expected: str
) -> None:
    network_at = days.local_instant(network_time, MOSCOW)
    assert days.accounting_date(network_at, NOW, MOSCOW, "") == expected


def test_near_midnight_the_agreement_s_zone_decides() -> None:
    assert days.accounting_date(None, NOW, "Asia/Almaty", "") == "2026-11-24"
    assert days.accounting_date(None, NOW, "UTC", "") == "2026-11-23"


@given(instants, instants | st.none(), zones, local_days)
def test_a_closed_period_takes_nothing(
    now: datetime, network_at: datetime | None, timezone: str, closed: date
) -> None:
    open_day = days.accounting_date(network_at, now, timezone, "")
    booked = days.accounting_date(network_at, now, timezone, closed.isoformat())
    assert booked > closed.isoformat()
    if open_day > closed.isoformat():
        assert booked == open_day
    else:
        assert booked == (closed + timedelta(days=1)).isoformat()


@pytest.mark.parametrize(
    ("closed_through", "expected"),
    [
        ("", "2026-11-30"),
        ("2026-11-29", "2026-11-30"),
        ("2026-11-30", "2026-12-01"),
        ("2026-12-31", "2027-01-01"),
    ],
)
def test_the_last_day_of_a_closed_period_is_closed(closed_through: str, expected: str) -> None:
    assert days.next_open_day("2026-11-30", closed_through) == expected


@given(instants, instants | st.none(), zones)
def test_a_day_is_at_most_a_month_back_and_a_day_ahead(
    now: datetime, network_at: datetime | None, timezone: str
) -> None:
    today = now.astimezone(days.zone(timezone)).date()
    booked = date.fromisoformat(days.accounting_date(network_at, now, timezone, ""))
    assert -31 <= (booked - today).days <= 1


@given(
    st.text(max_size=30) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:+Z.]{0,14}", fullmatch=True), zones
)
def test_no_text_of_a_network_makes_trouble(text: str, timezone: str) -> None:
    network_at = days.local_instant(text, timezone)
    if network_at is not None:
        assert network_at.tzinfo is not None
        days.to_us(network_at)
        days.accounting_date(network_at, NOW, timezone, "")


def test_hours_that_a_clock_change_skips_or_repeats() -> None:
    skipped = days.local_instant("2026-03-29T02:30:00", "Europe/Berlin")
    repeated = days.local_instant("2026-10-25T02:30:00", "Europe/Berlin")
    assert skipped is not None
    assert repeated is not None
    assert skipped.astimezone(UTC) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert repeated.astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "expected"),
    [("2026-10", "2026-10-31"), ("2024-02", "2024-02-29"), ("2026-02", "2026-02-28"),
     ("2026-12", "2026-12-31"), ("2026-13", ""), ("", ""), ("October", ""), ("2026-10-01", "")],
)  # fmt: skip
def test_the_end_of_a_month(period: str, expected: str) -> None:
    assert days.month_end(period) == expected


def test_an_unknown_zone_is_said_to_be_unknown() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        days.zone("Europe/Gotham")
