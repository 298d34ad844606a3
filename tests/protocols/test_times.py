"""Dates and times that bring their own offset, or are counted from 1970."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from kvit.protocols.kits import times


@pytest.mark.parametrize(
    ("text", "hours", "iso"),
    [
        ("2014-11-06T15:24:33+05:00", 5, "2014-11-06T15:24:33"),
        ("2014-11-06T15:24:33.999999999+05:00", 5, "2014-11-06T15:24:33"),
        ("2014-11-06T23:24:33Z", 5, "2014-11-07T04:24:33"),
        ("2014-11-06T00:24:33+06:00", 5, "2014-11-05T23:24:33"),
        ("2014-11-06T15:24:33-03:30", -4, "2014-11-06T14:54:33"),
        ("2014-11-06T15:24:33", 5, None),
        ("2014-11-06 15:24:33+05:00", 5, None),
        ("2014-02-30T15:24:33+05:00", 5, None),
        ("2014-11-06T24:00:00+05:00", 5, None),
        ("2014-11-06T15:24:33+25:00", 5, None),
        ("2014-11-06T15:24:33.+05:00", 5, None),
        ("2014-11-06T15:24:33+0500", 5, None),
        ("9999-12-31T23:00:00-12:00", 5, None),
        ("0001-01-01T01:00:00+12:00", -5, None),
        ("٢٠١٤-11-06T15:24:33+05:00", 5, None),
        ("", 5, None),
    ],
)
def test_a_time_with_an_offset(text: str, hours: int, iso: str | None) -> None:
    assert times.parse_with_offset(text, hours) == iso


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Asia/Manila", "Etc/GMT+12", "UTC"])
def test_what_is_counted_from_1970_is_a_moment_in_every_zone(zone: str) -> None:
    last_ms = 253_402_127_999_999
    assert times.iso_of_ms(0) == "1970-01-01T00:00:00.000+00:00"
    assert times.iso_of_ms(last_ms) == "9999-12-29T23:59:59.999+00:00"
    for at_ms in (0, last_ms):
        there = datetime.fromisoformat(times.iso_of_ms(at_ms)).astimezone(ZoneInfo(zone))
        assert times.ms_of(there) == at_ms
    assert times.iso_of_ms(last_ms + 1) == times.iso_of_ms(-1) == ""
