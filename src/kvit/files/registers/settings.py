"""The switches of table registers: what each is for, and their texts -> what readers work with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kvit.files.base import Option, ReadOptions
from kvit.files.errors import FileRefused
from kvit.files.registers.fields import REVERSAL_WORDS, NumberRule
from kvit.files.registers.moments import MomentReader, ZoneShift, moment_reader
from kvit.files.registers.sums import COMMA, POINT, SumStyle

_YES, _NO = "yes", "no"
_MARKS = {"": "", "point": POINT, "comma": COMMA, POINT: POINT, COMMA: COMMA}
_THOUSANDS = {"": "", "space": " ", "apostrophe": "'", "comma": COMMA, "point": POINT}
_DELIMITERS = {"": "", "tab": "\t", "semicolon": ";", "comma": ",", "pipe": "|"}
_DELIMITERS |= {sign: sign for sign in ";,|\t"}
_WIDTHS = re.compile(r"[0-9]{1,4}(?:\s*,\s*[0-9]{1,4})*")
_COUNT_MAX = 1_000

OPTIONS: dict[str, Option] = {
    "delimiter": Option("Between the cells of a text; empty: found out.", "", tuple(_DELIMITERS)),
    "quotes": Option("Whether quotation marks enclose cells, or are letters (none).", "csv", ("csv", "none")),
    "widths": Option("Fixed widths of the cells in characters, like 12,10,40; then there is no delimiter."),
    "header": Option("Whether a row names the columns; without one, they are named by numbers from 1.", _YES,
                     (_YES, _NO)),
    "skip_top": Option("So many lines at the top are not looked at.", "0"),
    "skip_bottom": Option("So many lines at the bottom, empty ones aside, are not looked at.", "0"),
    "decimal": Option("The sign before the fraction; empty: either, where it is beyond doubt.", "",
                      tuple(_MARKS)),
    "thousands": Option("The sign that parts thousands; empty: any gap.", "", tuple(_THOUSANDS)),
    "unit": Option("Whether sums are in roubles (major) or kopecks (minor).", "major", ("major", "minor")),
    "date_format": Option("How days are written, like dd.mm.yyyy, yyyymmdd or mm/dd/yyyy hh:mi:ss; empty: the"
                          " usual ways, day before month."),
    "day": Option("The day of all lines, where no column tells it; like 2026-03-18."),
    "timezone": Option("Whose clock the times are of; empty: the agreement's."),
    "agreement_timezone": Option("Bring days and times into this zone; empty: leave them as they are."),
    "totals": Option("Which rows hold totals: a regular expression; empty: known by their first word."),
    "rows": Option("Which rows are payments: a regular expression found in the row; empty: all."),
    "skip_rows": Option("Which rows are none: a regular expression found in the row."),
    "empty_amount": Option("What a row without an amount, or with 0, is: an error, or none (skip).", "error",
                           ("error", "skip")),
    "number_mask": Option("Where in its cell the client's number stands: a regular expression, whose first"
                          " group is the number."),
    "number_prefix": Option("What is taken off the begin of the client's number."),
    "number_min": Option("So many characters has a client's number at least.", "0"),
    "number_max": Option("So many at most; 0: any.", "0"),
    "numeric_numbers": Option("Whether clients' numbers are digits that never begin with 0, so that a"
                              " column of quantities has not changed them.", _NO, (_YES, _NO)),
    "number_needed": Option("Whether a row without a client's number is an error; else its money is nobody's"
                            " yet, or (skip) it is no payment.", _NO, (_YES, _NO, "skip")),
    "reversal_words": Option("Words of the type column, parted by commas, that mean: money goes back.",
                             ",".join(REVERSAL_WORDS)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TableSettings:
    """The switches, understood. ``number_needed``: ``yes``, ``no`` or ``skip``."""

    delimiter: str
    quoted: bool
    widths: tuple[int, ...]
    has_header: bool
    skip_top: int
    skip_bottom: int
    sums: SumStyle
    read_moment: MomentReader
    day: str
    shift: ZoneShift
    totals: re.Pattern[str] | None
    rows: re.Pattern[str] | None
    skip_rows: re.Pattern[str] | None
    skips_empty_amounts: bool
    number: NumberRule
    number_needed: str
    reversal_words: tuple[str, ...]


def read_settings(options: ReadOptions, defaults: Mapping[str, str]) -> TableSettings:
    """``defaults``: of a ready layout, before those of ``OPTIONS``. Raises ``FileRefused``."""
    texts = {name: option.default for name, option in OPTIONS.items()} | dict(defaults)
    for name, text in options.options.items():
        if name not in OPTIONS:
            raise FileRefused(f"There is no option {name!r} here.", f"The options are {', '.join(OPTIONS)}.")
        texts[name] = text
    for name, text in texts.items():
        choices = OPTIONS[name].choices
        if choices and text not in choices:
            raise FileRefused(
                f"The option {name} cannot be {text!r}.", f"It is one of {', '.join(filter(None, choices))}."
            )
    return TableSettings(
        delimiter=_DELIMITERS[texts["delimiter"]],
        quoted=texts["quotes"] == "csv",
        widths=_widths(texts["widths"]),
        has_header=texts["header"] == _YES,
        skip_top=_count("skip_top", texts),
        skip_bottom=_count("skip_bottom", texts),
        sums=SumStyle(
            options.currency, _MARKS[texts["decimal"]], _THOUSANDS[texts["thousands"]],
            texts["unit"] == "minor",
        ),
        read_moment=moment_reader(texts["date_format"]),
        day=_day(texts["day"]),
        shift=ZoneShift(texts["timezone"], texts["agreement_timezone"]),
        totals=_pattern("totals", texts),
        rows=_pattern("rows", texts),
        skip_rows=_pattern("skip_rows", texts),
        skips_empty_amounts=texts["empty_amount"] == "skip",
        number=NumberRule(
            texts["number_prefix"], _pattern("number_mask", texts), _count("number_min", texts),
            _count("number_max", texts), texts["numeric_numbers"] == _YES,
        ),
        number_needed=texts["number_needed"],
        reversal_words=tuple(
            word.strip().casefold() for word in texts["reversal_words"].split(",") if word.strip()
        ),
    )  # fmt: skip


def _pattern(name: str, texts: Mapping[str, str]) -> re.Pattern[str] | None:
    if not texts[name]:
        return None
    try:
        return re.compile(texts[name], re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as fault:
        raise FileRefused(
            f"The option {name} is no regular expression: {fault}.", "Write a sign that means itself as \\+."
        ) from fault


def _count(name: str, texts: Mapping[str, str]) -> int:
    text = texts[name]
    if not (text.isascii() and text.isdigit() and int(text) <= _COUNT_MAX):
        raise FileRefused(f"The option {name} cannot be {text!r}.", f"Write a number up to {_COUNT_MAX}.")
    return int(text)


def _widths(text: str) -> tuple[int, ...]:
    if not text:
        return ()
    if not _WIDTHS.fullmatch(text):
        raise FileRefused(f"The option widths cannot be {text!r}.", "Write it like 12,10,40.")
    return tuple(int(width) for width in text.split(","))


def _day(text: str) -> str:
    if not text:
        return ""
    moment = moment_reader()(text)
    if not isinstance(moment, tuple):
        raise FileRefused(f"The option day cannot be {text!r}.", "Write it like 2026-03-18.")
    return moment[0]
