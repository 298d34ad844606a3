"""Dates and times as networks write them, and ISO text. Everything is total.

Standard library only, Python 3.9 syntax: protocols also run on cheap hosting.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Optional

COMPACT = "YYYYMMDDHHMMSS"
ISO = "YYYY-MM-DDTHH:MM:SS"
DOTTED = "DD.MM.YYYY HH:MM:SS"
SPACED = "YYYY-MM-DD HH:MM:SS"

# Where year, month, day, hour, minute and second begin in a text of each layout.
LAYOUTS = {
    COMPACT: (0, 4, 6, 8, 10, 12),
    ISO: (0, 5, 8, 11, 14, 17),
    DOTTED: (6, 3, 0, 11, 14, 17),
    SPACED: (0, 5, 8, 11, 14, 17),
}


def parse_moment(text: str, layout: str) -> Optional[str]:
    """``("20250314091530", COMPACT)`` -> ``"2025-03-14T09:15:30"``; ``None`` if the calendar lacks it."""
    if len(text) != len(layout) or not text.isascii():
        return None
    year, month, day, hour, minute, second = LAYOUTS[layout]
    iso = (
        f"{text[year : year + 4]}-{text[month : month + 2]}-{text[day : day + 2]}"
        f"T{text[hour : hour + 2]}:{text[minute : minute + 2]}:{text[second : second + 2]}"
    )
    try:
        datetime.fromisoformat(iso)
    except ValueError:
        return None
    if iso[11:13] == "24":  # some versions of Python take it for the next day
        return None
    return iso if layout == COMPACT or format_moment(iso, layout) == text else None


def format_moment(iso: str, layout: str) -> str:
    """ISO text (a zone or fraction behind it is left out) in ``layout``."""
    year, month, day = iso[0:4], iso[5:7], iso[8:10]
    hour, minute, second = iso[11:13], iso[14:16], iso[17:19]
    if layout == COMPACT:
        return year + month + day + hour + minute + second
    if layout == DOTTED:
        return f"{day}.{month}.{year} {hour}:{minute}:{second}"
    return iso[:10] + " " + iso[11:19] if layout == SPACED else iso[:19]


_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]{3}([0-9]{3})?)?(Z|[+-][0-9]{2}:[0-5][0-9])"
)


def parse_instant(text: str) -> Optional[str]:
    """``2025-03-14T09:15:30+03:00``, maybe with three or six digits behind the seconds -> the same text.

    ``Z`` becomes ``+00:00``, which older Pythons read too. ``None`` for all else, for a day that the calendar
    lacks, and outside of years 1970 to 2199: such a clock is wrong.
    """
    if _INSTANT.fullmatch(text) is None or text[11:13] == "24" or not "1970" <= text[:4] <= "2199":
        return None
    iso = text.replace("Z", "+00:00")
    return iso if ms_of_iso(iso) >= 0 else None


_WITH_OFFSET = re.compile("([0-9-]{10}T[0-9:]{8})(?:[.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})")


def parse_with_offset(text: str, hours: int) -> Optional[str]:
    """``("2025-03-14T04:15:30.5Z", 5)`` -> ``"2025-03-14T09:15:30"``: ISO 8601 with an offset, in the zone
    that is always ``hours`` ahead of UTC. A fraction is left out; ``None`` for anything else."""
    match = _WITH_OFFSET.fullmatch(text)
    iso = parse_moment(match[1], ISO) if match else None
    if match is None or iso is None:
        return None
    try:
        instant = datetime.fromisoformat(iso + ("+00:00" if match[2] == "Z" else match[2]))
        return instant.astimezone(timezone(timedelta(hours=hours))).isoformat()[:19]
    except (ValueError, OverflowError):
        return None


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# The end of the year 9999, less the two days that keep it within the calendar in every zone.
_MS_MAX = 253_402_300_799_999 - 2 * 86_400_000


def iso_of_ms(at_ms: int) -> str:
    """Milliseconds since 1970 -> ISO text with the offset of UTC; empty before, and after the year 9999."""
    if not 0 <= at_ms <= _MS_MAX:
        return ""
    return (_EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds")


def ms_of_iso(iso: str) -> int:
    """The reverse; -1 for a text that is no instant."""
    try:
        return ms_of(datetime.fromisoformat(iso))
    except (ValueError, TypeError):
        return -1


def ms_of(instant: datetime) -> int:
    """An aware instant -> whole milliseconds since 1970."""
    return (instant - _EPOCH) // timedelta(milliseconds=1)
