"""Days and instants: which day a payment is booked on. Pure: the caller says what time it is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

#: A network's time stamp further away than this from ours is a broken clock, and its day is not used.
NETWORK_BEHIND_DAYS_MAX = 31
NETWORK_AHEAD_DAYS_MAX = 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """Raises ``ZoneInfoNotFoundError`` for an unknown name."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError) as error:  # a folder of zones such as "Europe"; no name of a file at all
        raise ZoneInfoNotFoundError(name) from error


def to_us(instant: datetime) -> int:
    """An aware instant -> microseconds since 1970 in UTC."""
    delta = instant - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


@lru_cache(maxsize=256)  # the payments of a batch share their moments
def from_us(at_us: int, timezone: str = "UTC") -> datetime:
    """Microseconds since 1970 -> an aware instant in ``timezone``."""
    return (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone(timezone))


@lru_cache(maxsize=256)
def told_at(at_us: int | None, timezone: str) -> datetime | None:
    """Microseconds since 1970 -> an aware instant; ``None`` for none, and outside years 1 to 9999."""
    if at_us is None:
        return None
    try:
        return from_us(at_us, timezone)
    except OverflowError:
        return None


def local_instant(network_time: str, timezone: str) -> datetime | None:
    """ISO text -> aware instant; ``None`` when it is empty or no time at all.

    A text without an offset is local to ``timezone``; one that a clock change skips or repeats is read with
    the offset before the change.
    """
    if not network_time:
        return None
    try:
        instant = datetime.fromisoformat(network_time)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=zone(timezone))


def accounting_date(network_at: datetime | None, now: datetime, timezone: str, closed_through: str) -> str:
    """The day a payment is booked on: the network's local day, moved out of closed periods.

    Without a usable network time (absent, or a clock that is off by days) it is our own day.
    """
    today = now.astimezone(zone(timezone)).date()
    day = today
    if network_at is not None:
        theirs = network_at.astimezone(zone(timezone)).date()
        behind = (today - theirs).days
        if -NETWORK_AHEAD_DAYS_MAX <= behind <= NETWORK_BEHIND_DAYS_MAX:
            day = theirs
    return next_open_day(day.isoformat(), closed_through)


def next_open_day(day: str, closed_through: str) -> str:
    """``day`` itself, or the first day after the closed period."""
    if closed_through and day <= closed_through:
        return (date.fromisoformat(closed_through) + timedelta(days=1)).isoformat()
    return day


def month_end(period: str) -> str:
    """``2026-10`` -> ``2026-10-31``; empty for anything that is not a month."""
    try:
        first = date.fromisoformat(period + "-01")
    except ValueError:
        return ""
    return ((first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)).isoformat()
