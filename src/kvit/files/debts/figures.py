"""Sums, days and periods of a column, as a bank wants them printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from kvit.domain.money import format_amount

#: How days may be written: option ``dates``.
DATES = ("yyyy-mm-dd", "dd.mm.yyyy", "dd/mm/yyyy", "yyyymmdd", "ddmmyy", "ddmmyyyy")
#: How months may be written: option ``periods``.
PERIODS = ("mmyy", "mmyyyy", "mm.yyyy", "yyyymm", "yyyy-mm")

_DAY_PARTS = {
    "dd.mm.yyyy": "{d}.{m}.{y}", "dd/mm/yyyy": "{d}/{m}/{y}", "yyyymmdd": "{y}{m}{d}",
    "ddmmyyyy": "{d}{m}{y}",
    "ddmmyy": "{d}{m}{yy}",
}  # fmt: skip
_MONTH_PARTS = {
    "mmyy": "{m}{yy}", "mmyyyy": "{m}{y}", "mm.yyyy": "{m}.{y}", "yyyymm": "{y}{m}", "yyyy-mm": "{y}-{m}",
}  # fmt: skip


def printed_sums(amounts_minor: Sequence[int], exponent: int, mark: str = ".") -> list[str]:
    """``[152000]`` -> ``["1520.00"]``; ``mark`` parts the fraction."""
    texts = list(map(str, amounts_minor))
    if exponent == 0:
        return texts
    printed = [text[:-exponent] + mark + text[-exponent:] for text in texts]
    least_minor = 10**exponent
    if min(amounts_minor, default=least_minor) < least_minor:
        for place, amount_minor in enumerate(amounts_minor):
            if amount_minor < least_minor:
                printed[place] = format_amount(amount_minor, exponent).replace(".", mark)
    return printed


def day_printer(pattern: str) -> Callable[[str], str]:
    """ISO day -> as ``pattern`` says; what is no day stays as it is."""
    parts = _DAY_PARTS.get(pattern)

    def printed(day: str) -> str:
        if parts is None or len(day) != 10:
            return day
        return parts.format(y=day[:4], yy=day[2:4], m=day[5:7], d=day[8:])

    return printed


def period_printer(pattern: str) -> Callable[[str], str]:
    """``2026-03`` -> as ``pattern`` says; a period that is no month stays as it is."""
    parts = _MONTH_PARTS[pattern]

    def printed(period: str) -> str:
        year, dash, month = period.partition("-")
        if not (dash and len(year) == 4 and len(month) == 2 and year.isdigit() and month.isdigit()):
            return period
        return parts.format(y=year, yy=year[2:], m=month)

    return printed


def month_of(day: date, shift: int = 0) -> str:
    """``2026-11`` of a day, or the month ``shift`` months later."""
    months = day.year * 12 + day.month - 1 + shift
    return f"{months // 12:04d}-{months % 12 + 1:02d}"
