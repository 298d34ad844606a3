"""Days and times as registers write them -> ISO, and from the bank's zone into the agreement's."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from datetime import UTC
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kvit.files.cells import YEARS, Unreadable
from kvit.files.cells import read_day as read_usual_day
from kvit.files.errors import FileRefused

_NOT_A_DAY = Unreadable("not a date; it should be like 18.03.2026 or 2026-03-18")
_NOT_A_TIME = Unreadable("not a time of day; it should be like 09:15:02")
_DASHED = re.compile(r"([0-9]{1,2})-([0-9]{1,2})-([0-9]{4})")
_SHORT_YEAR = re.compile(r"([0-9]{1,2}\.[0-9]{1,2}\.)([0-9]{2})")
_ISO = re.compile(r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}\b")
_TIME = re.compile(r"([0-9]{1,2})[:.-]([0-9]{2})(?:[:.-]([0-9]{2})(?:[.,][0-9]+)?)?")
#: What days and times look like in cells that need no look at each.
PLAIN_DAY = "[0-9./-]{6,10}+(?:[ T][0-9:]{8}+)?"
PLAIN_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_PLAIN_TIMES = re.compile(f"(?:{PLAIN_TIME}\n)+")
#: A day with a time in one cell.
_MOMENT = re.compile(r"([^\sT,]+)(?:[ T]+|,\s*)([0-9]{1,2}[:.-][0-9]{2}\S*)")
_DAY_LENGTH = len("18.03.2026")
_MOMENT_LENGTH = len("18.03.2026 09:15:02")
#: Parts of a pattern -> what they match.
_PARTS = {
    "yyyy": "(?P<year>[0-9]{4})", "yy": "(?P<short>[0-9]{2})", "mm": "(?P<month>[0-9]{1,2})",
    "dd": "(?P<day>[0-9]{1,2})", "hh": "(?P<hour>[0-9]{1,2})", "mi": "(?P<minute>[0-9]{2})",
    "ss": "(?P<second>[0-9]{2})",
}  # fmt: skip

#: A cell's text -> (ISO day, ``HH:MM:SS`` or empty).
MomentReader = Callable[[str], "tuple[str, str] | Unreadable"]


def moment_reader(pattern: str = "") -> MomentReader:
    """A reader of cells with a day and perhaps a time; an empty cell is refused.

    ``pattern``: like ``dd.mm.yyyy``, ``yyyymmdd`` or ``mm/dd/yyyy hh:mi:ss``; empty: the usual ways, day
    before month. Raises ``FileRefused`` for a pattern without year, month and day.
    """
    return lru_cache(maxsize=4096)(_by_pattern(pattern) if pattern else _usual)


def read_time(text: str) -> str | Unreadable:
    """``HH:MM:SS`` of ``9:15``, ``09:15:02`` or ``09-15-02``; empty stays empty."""
    if not text:
        return ""
    found = _TIME.fullmatch(text)
    if not found:
        return _NOT_A_TIME
    hour, minute, second = (int(part or 0) for part in found.groups())
    if hour > 23 or minute > 59 or second > 59:
        return _NOT_A_TIME
    return f"{hour:02d}:{minute:02d}:{second:02d}"


def read_days(texts: list[str], reader: MomentReader) -> tuple[list[str], list[str] | str] | None:
    """Days and times of a whole column of cells; one empty text where no cell tells a time.

    ``None`` where a cell cannot be read.
    """
    distinct = set(texts)
    if len(distinct) == 1:  # a register is mostly of one day
        moment = reader(texts[0])
        if isinstance(moment, Unreadable):
            return None
        return [moment[0]] * len(texts), [moment[1]] * len(texts) if moment[1] else ""
    if set(map(len, distinct)) == {_MOMENT_LENGTH} and {text[_DAY_LENGTH] for text in distinct} <= {" ", "T"}:
        times = [text[_DAY_LENGTH + 1 :] for text in texts]
        days = read_days([text[:_DAY_LENGTH] for text in texts], reader)
        return (days[0], times) if days and not days[1] and are_plain_times(times) else None
    found = {text: reader(text) for text in distinct}
    moments = {text: moment for text, moment in found.items() if not isinstance(moment, Unreadable)}
    if len(moments) < len(found):
        return None
    day_of = {text: day for text, (day, _) in moments.items()}
    time_of = {text: time for text, (_, time) in moments.items()}
    told = list(map(time_of.__getitem__, texts)) if any(time_of.values()) else ""
    return list(map(day_of.__getitem__, texts)), told


def read_times(texts: list[str]) -> list[str] | None:
    """A whole column of times; ``None`` where a cell cannot be read."""
    if are_plain_times(texts):
        return texts
    times = [read_time(text.strip()) for text in texts]
    return [time for time in times if isinstance(time, str)] if all(map(_is_text, times)) else None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def are_plain_times(texts: list[str]) -> bool:
    """Whether each is ``HH:MM:SS`` already."""
    joined = "\n".join(texts) + "\n"
    return _PLAIN_TIMES.fullmatch(joined) is not None and joined.count("\n") == len(texts)


class ZoneShift:
    """Local times of one zone -> of another. Without a zone to go to, times stay as they are."""

    def __init__(self, from_zone: str, to_zone: str) -> None:
        """Raises ``FileRefused`` where a zone is not known."""
        self.is_needed = bool(to_zone) and bool(from_zone) and from_zone != to_zone
        self._from, self._to = (_zone(name) if name else UTC for name in (from_zone, to_zone))
        if self.is_needed:
            self._by_hour = lru_cache(maxsize=4096)(self._hour)

    def shifted(self, at: str) -> str:
        """``at``: ``YYYY-MM-DDTHH:MM:SS``, where both zones' clocks differ by whole minutes."""
        hour, minute_offset = self._by_hour(at[:13])
        if not minute_offset:
            return hour + at[13:]
        return self._whole(at)

    def _hour(self, hour: str) -> tuple[str, int]:
        """The same hour over there, and by how many minutes the clocks differ beside whole hours."""
        there = self._whole(f"{hour}:00:00")
        return there[:13], int(there[14:16])

    def _whole(self, at: str) -> str:
        here = dt.datetime.fromisoformat(at).replace(tzinfo=self._from)
        return here.astimezone(self._to).replace(tzinfo=None).isoformat()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as fault:
        raise FileRefused(f"There is no time zone {name!r}.", "Write it like Europe/Moscow.") from fault


def _usual(text: str) -> tuple[str, str] | Unreadable:
    text = text.strip()
    found = _MOMENT.fullmatch(text)
    day_text, time_text = found.groups() if found else (text, "")
    day = _usual_day(day_text)
    time = read_time(time_text)
    if isinstance(day, Unreadable):
        return day
    return time if isinstance(time, Unreadable) else (day, time)


def _usual_day(text: str) -> str | Unreadable:
    if not text:
        return _NOT_A_DAY
    dashed = _DASHED.fullmatch(text)
    if dashed:
        return read_usual_day(".".join(dashed.groups()))
    short = _SHORT_YEAR.fullmatch(text)
    return read_usual_day(f"{short[1]}20{short[2]}" if short else text)


def _by_pattern(pattern: str) -> MomentReader:
    folded = pattern.casefold().strip()
    pieces = re.split("(yyyy|yy|mm|dd|hh|mi|ss)", folded)
    named = [piece for piece in pieces if piece in _PARTS]
    if len(set(named)) < len(named) or not {"mm", "dd"} <= set(named) or not {"yyyy", "yy"} & set(named):
        raise FileRefused(
            f"The date pattern {pattern!r} does not say where year, month and day stand.",
            "Write it like dd.mm.yyyy, yyyymmdd or mm/dd/yyyy hh:mi:ss.",
        )
    packed = "".join(named) == folded
    matcher = re.compile("".join(_part(piece, packed) for piece in pieces))

    def read(text: str) -> tuple[str, str] | Unreadable:
        found = matcher.fullmatch(text.strip())
        if not found and _ISO.match(text):
            return _usual(text)  # a workbook's own days come so, and there is no doubt about them
        if not found:
            return Unreadable(f"not a date written as {pattern}")
        return _made(found.groupdict())

    return read


def _part(piece: str, packed: bool) -> str:
    if piece not in _PARTS:
        return re.escape(piece)
    return _PARTS[piece].replace("{1,2}", "{2}") if packed else _PARTS[piece]


def _made(parts: dict[str, str | None]) -> tuple[str, str] | Unreadable:
    year = int(parts.get("year") or "20" + (parts.get("short") or ""))
    try:
        day = dt.date(year, int(parts["month"] or 0), int(parts["day"] or 0))
    except ValueError:
        return Unreadable("there is no such day")
    if year not in YEARS:
        return Unreadable(f"the year {year} cannot be meant")
    if parts.get("hour") is None:
        return day.isoformat(), ""
    time = read_time(f"{parts['hour']}:{parts.get('minute') or '00'}:{parts.get('second') or '00'}")
    return time if isinstance(time, Unreadable) else (day.isoformat(), time)
