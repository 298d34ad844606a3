"""One cell's text -> a number, a sum, a day or a period. What cannot be one comes back as ``Unreadable``."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from kvit.domain.money import parse_amount
from kvit.domain.numbers import NUMBER_LENGTH_MAX
from kvit.files.months import MONTHS, YEAR_WORDS
from kvit.files.source import ConvertedText

PERIOD_LENGTH_MAX = 40
#: Days outside these years are mistakes of typing (0206 for 2026).
YEARS = range(1990, 2101)

#: Thousands are parted by a space, a no-break space or a narrow one.
_GAPS = " \u00a0\u202f"
_AMOUNT = re.compile(rf"(-?)([0-9]+|[0-9]{{1,3}}(?:[{_GAPS}][0-9]{{3}})+)(?:[.,]([0-9]+))?")
#: What a spreadsheet makes of a number that it took for a quantity: 1,00234E+11 or 1002344.0.
_MANGLED = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+|[0-9]{5,}[.,]0")
_TOTALS = frozenset({"total", "totals", "sum", "итого", "всего", "итог", "жиыны", "барлығы"})
_DAY = re.compile(
    r"(?:([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})|([0-9]{1,2})[./]([0-9]{1,2})[./]([0-9]{4})|([0-9]{8}))"
    r"(?:[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?"
)
_YEAR_MONTH = re.compile(r"([0-9]{4})[-./]?([0-9]{2})|([0-9]{1,2})[-./]([0-9]{4})")
_DECIMAL_MONTH = re.compile(r"[0-9]{1,2}\.[0-9]{1,3}")
_YEAR = re.compile(r"[0-9]{4}")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a cell's text is not what its column should hold."""

    reason: str


_NO_NUMBER = Unreadable("the account number is missing")
_NO_AMOUNT = Unreadable("the amount is missing; write 0.00 if nothing is meant")
_NOT_AN_AMOUNT = Unreadable("not an amount; write it like 1234.50")
_TWO_MARKS = Unreadable("a point and a comma in one amount; write it without thousands marks, like 1234.50")
_TOO_LARGE = Unreadable("the amount has too many digits")
_NOT_A_DAY = Unreadable("not a date; write it like 2026-10-25 or 25.10.2026")


def read_number(text: str) -> str | Unreadable:
    """An account number: 1 to 40 printable characters without spaces; leading zeros and case are kept."""
    if text.isdigit() and text.isascii() and len(text) <= NUMBER_LENGTH_MAX:
        return str(text)
    if not text:
        return _NO_NUMBER
    if isinstance(text, ConvertedText) or _MANGLED.fullmatch(text):
        return Unreadable(
            "the spreadsheet has made a quantity or a date of this number; format the column as text"
            " and write the number anew"
        )
    if text.casefold().rstrip(":. ") in _TOTALS:
        return Unreadable("this looks like a row of totals; delete it from the file")
    number = unicodedata.normalize("NFC", text)
    if len(number) > NUMBER_LENGTH_MAX:
        return Unreadable(f"an account number has at most {NUMBER_LENGTH_MAX} characters")
    if not number.isprintable() or " " in number:
        return Unreadable("an account number has no spaces, line breaks or invisible signs inside")
    return number


def read_text(text: str, length_max: int) -> str | Unreadable:
    """Any text of one line: spaces and line breaks become single spaces."""
    if text.isprintable() and "  " not in text and len(text) <= length_max:
        return str(text)  # nearly always; the only space that is printable is the plain one
    line = " ".join(text.split())
    if len(line) > length_max:
        return Unreadable(f"longer than {length_max} characters")
    if not line.isprintable() and any(unicodedata.category(sign) in {"Cc", "Cs"} for sign in line):
        return Unreadable("holds a control character; type the text anew")
    return line


def read_amount(text: str, exponent: int, *, signed: bool = False) -> int | Unreadable:
    """Minor units of ``1234.50``, ``1234,50`` or ``1 234,50``; below zero only if ``signed``.

    A point or a comma is the decimal mark, only gaps part thousands. ``1,234``, which might be either,
    is refused in every currency.
    """
    found = _AMOUNT.fullmatch(text)
    if not found:
        return _why_no_amount(text)
    sign, whole, fraction = found.groups()
    if fraction and (len(fraction) > exponent or _may_part_thousands(text, whole, fraction)):
        return _why_fraction(text, whole, fraction, exponent)
    if sign and not signed:
        return Unreadable("below zero; to take a charge back, give the same charge with the amount 0")
    digits = "".join(whole.split()) if not whole.isdigit() else whole
    amount_minor = parse_amount(f"{digits}.{fraction}" if fraction else digits, exponent)
    if amount_minor is None:
        return _TOO_LARGE
    return -amount_minor if sign else amount_minor


@lru_cache(maxsize=4096)
def read_day(text: str) -> str | Unreadable:
    """``YYYY-MM-DD`` of ``2026-10-25``, ``25.10.2026``, ``25/10/2026`` or ``20261025``; empty stays empty.

    A time of day after it is left out. Day comes before month wherever the year comes last.
    """
    if not text:
        return ""
    found = _DAY.fullmatch(text)
    if not found:
        return _NOT_A_DAY
    year, month, day, day_first, month_next, year_last, compact = found.groups()
    if compact:
        year, month, day = compact[:4], compact[4:6], compact[6:]
    elif year_last:
        year, month, day = year_last, month_next, day_first
    return _calendar_day(int(year), int(month), int(day))


def read_period(text: str) -> str | Unreadable:
    """``YYYY-MM`` where ``text`` names a month in one of the usual ways, else the text itself.

    A day is a period of its own (``YYYY-MM-DD``), save for the first of a month, which stands for the
    month: spreadsheets turn "October 2026" into that.
    """
    if isinstance(text, ConvertedText) and _DECIMAL_MONTH.fullmatch(text):
        # 10.2020 typed into a spreadsheet is the quantity 10.202.
        month, _, year = text.partition(".")
        return _period(f"{month}.{year.ljust(4, '0')}")
    return _period(str(text))


@lru_cache(maxsize=4096)
def _period(text: str) -> str | Unreadable:
    line = read_text(text, PERIOD_LENGTH_MAX)
    if isinstance(line, Unreadable):
        return line
    found = _YEAR_MONTH.fullmatch(line)
    if found:
        year, month, month_first, year_last = found.groups()
        return _month(int(year or year_last), int(month or month_first)) or line
    day = read_day(line) if line else ""
    if isinstance(day, str) and day:
        return day.removesuffix("-01")
    return _named_month(line) or line


def _named_month(line: str) -> str:
    """``2026-10`` of "Октябрь 2026 г."; empty if there is any word that the result would lose."""
    words = [word for word in re.findall(r"\w+", line.casefold()) if word not in YEAR_WORDS]
    years = [int(word) for word in words if _YEAR.fullmatch(word)]
    months = [MONTHS[word] for word in words if word in MONTHS]
    return _month(years[0], months[0]) if len(years) == len(months) == 1 and len(words) == 2 else ""


def _month(year: int, month: int) -> str:
    return f"{year}-{month:02d}" if year in YEARS and 1 <= month <= 12 else ""


def _calendar_day(year: int, month: int, day: int) -> str | Unreadable:
    try:
        date = dt.date(year, month, day)
    except ValueError:
        return Unreadable(f"there is no such day: day {day}, month {month}, year {year}")
    if year not in YEARS:
        return Unreadable(f"the year {year} cannot be meant")
    return date.isoformat()


def _why_no_amount(text: str) -> Unreadable:
    if not text:
        return _NO_AMOUNT
    if "." in text and "," in text:
        return _TWO_MARKS
    return _NOT_AN_AMOUNT


def _may_part_thousands(text: str, whole: str, fraction: str) -> bool:
    return "," in text and len(fraction) == 3 and len(whole) <= 3


def _why_fraction(text: str, whole: str, fraction: str, exponent: int) -> Unreadable:
    if _may_part_thousands(text, whole, fraction):
        return Unreadable(
            f"{text} may mean {whole}{fraction} or {whole}.{fraction}; write it without thousands marks,"
            " with a point before the fraction"
        )
    return Unreadable(
        f"more than {exponent} digits after the decimal mark; write it without thousands marks, like"
        f" {'1234.' + '5'.ljust(exponent, '0') if exponent else '1234'}"
    )
