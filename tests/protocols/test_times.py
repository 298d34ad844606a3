"""Dates and times that bring their own offset."""

from __future__ import annotations

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
