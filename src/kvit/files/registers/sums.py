"""Sums as registers write them: point or comma, thousands parted or not, a sign, a currency's name behind.

A whole column at once where every cell is plain, else cell by cell. What may mean two sums is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from kvit.domain.money import exponent_of, parse_amount
from kvit.files.cells import Unreadable

POINT = "."
COMMA = ","
#: What may part thousands where nothing else is said.
_GAPS = " \u00a0\u202f'’"
_SUM = re.compile(r"([-+−]?)\s*([0-9](?:[0-9.,'’ \u00a0\u202f]*[0-9])?)\s*([^\W\d_]{1,8}\.?|[₽₸₴$€])?")
_CURRENCIES = {
    "руб": "RUB", "р": "RUB", "рублей": "RUB", "₽": "RUB", "тг": "KZT", "тенге": "KZT", "₸": "KZT",
    "грн": "UAH", "₴": "UAH", "$": "USD", "€": "EUR", "сом": "KGS", "сум": "UZS",
}  # fmt: skip

_NO_SUM = Unreadable("the amount is missing")
_NOT_A_SUM = Unreadable("not an amount; it should be like 1234.50")
_TOO_LARGE = Unreadable("the amount has too many digits")


@dataclass(frozen=True, slots=True)
class SumStyle:
    """How sums are written. ``mark``: ``.`` or ``,`` before the fraction, empty for either.

    ``thousands``: the one sign that parts them; empty for any gap, or the other of point and comma where
    that is beyond doubt. ``in_minor``: the numbers are of minor units (kopecks). ``currency``: ISO 4217,
    may be empty.
    """

    currency: str
    mark: str = ""
    thousands: str = ""
    in_minor: bool = False

    @property
    def exponent(self) -> int:
        return exponent_of(self.currency)


def read_sums(texts: list[str], style: SumStyle) -> list[int] | None:
    """Minor units of a whole column, if each cell is digits alone, or digits with all of the fraction."""
    joined = "\n".join(texts) + "\n"
    mark = style.mark or (COMMA if COMMA in joined else POINT)
    if not style.in_minor and _with_fraction(style.exponent, mark).fullmatch(joined):
        sums = list(map(int, joined.replace(mark, "").split()))
    elif _WHOLE.fullmatch(joined):
        unit = 1 if style.in_minor else 10**style.exponent
        sums = [int(text) * unit for text in joined.split()]
    else:
        return None
    # A line break inside a cell would have made two sums of it.
    return sums if len(sums) == len(texts) else None


def plain_sum(style: SumStyle) -> str:
    """A pattern of cells that ``proven_sums`` takes; empty where there are none."""
    if style.in_minor:
        return "[0-9]{1,16}+"
    mark = re.escape(style.mark or POINT)
    return rf"[0-9]{{1,12}}+{mark}[0-9]{{{style.exponent}}}" if style.exponent else "[0-9]{1,12}+"


def proven_sums(texts: list[str], style: SumStyle) -> list[int]:
    """Minor units of cells that ``plain_sum`` matches."""
    return list(map(int, " ".join(texts).replace(style.mark or POINT, "").split(" ")))


def read_sum(text: str, style: SumStyle) -> int | Unreadable:
    """Minor units of one cell, below zero where a sign says so."""
    # Spreadsheets put an apostrophe before what is to stay a text.
    found = _SUM.fullmatch(text.strip().removeprefix("'"))
    if not found:
        return _NOT_A_SUM if text.strip() else _NO_SUM
    sign, body, word = found.groups()
    code = currency_of(word or "")
    if word and not code:
        return _NOT_A_SUM
    if code and code != (style.currency or code):
        return Unreadable(f"the amount is in {word}, not in {style.currency or 'the currency of the books'}")
    amount_minor = _minor(body, style) if style.in_minor else _major(body, style)
    if isinstance(amount_minor, Unreadable):
        return amount_minor
    return amount_minor if sign in {"", "+"} else -amount_minor


def _minor(body: str, style: SumStyle) -> int | Unreadable:
    digits = _digits(body, style.thousands or _GAPS)
    if digits is None:
        return Unreadable("not a whole number of minor units; this register is set to be in minor units")
    amount_minor = parse_amount(digits, 0)
    return _TOO_LARGE if amount_minor is None else amount_minor


def _major(body: str, style: SumStyle) -> int | Unreadable:
    mark = style.mark or _mark_of(body)
    if mark is None:
        return Unreadable(f"{body} may mean two amounts; set which sign stands before the fraction")
    whole, _, fraction = body.rpartition(mark) if mark and mark in body else (body, "", "")
    other = "".join(sign for sign in (POINT, COMMA) if sign != mark) if not style.mark else ""
    digits = _digits(whole, style.thousands or _GAPS + other)
    if digits is None or (fraction and not fraction.isdigit()):
        return _NOT_A_SUM
    if len(fraction) > style.exponent and style.mark:
        fraction = fraction[: style.exponent] + fraction[style.exponent :].rstrip("0")
    if len(fraction) > style.exponent:
        return Unreadable(f"more than {style.exponent} digits after the decimal mark")
    amount_minor = parse_amount(f"{digits}.{fraction}" if fraction else digits, style.exponent)
    return _TOO_LARGE if amount_minor is None else amount_minor


def _mark_of(body: str) -> str | None:
    """The sign before the fraction, empty for none; ``None`` where it may be either thing."""
    signs = [sign for sign in body if sign in {POINT, COMMA}]
    if not signs:
        return ""
    last = signs[-1]
    if len(set(signs)) == 1 and len(signs) > 1:
        return ""  # 1.234.567: it parts thousands, and there is no fraction
    whole, _, fraction = body.rpartition(last)
    if len(signs) == 1 and last == COMMA and len(fraction) == 3 and len(whole) <= 3:
        return None
    return last


def _digits(text: str, gaps: str) -> str | None:
    """The digits of a whole number whose thousands one and the same sign of ``gaps`` may part."""
    if text.isdigit():
        return text
    gap = next((sign for sign in text if not sign.isdigit()), "")
    first, *groups = text.split(gap) if gap else [""]
    if gap not in gaps or not first.isdigit() or len(first) > 3:
        return None
    if not all(len(group) == 3 and group.isdigit() for group in groups):
        return None
    return first + "".join(groups)


def currency_of(word: str) -> str:
    """The ISO 4217 code that ``word`` ("руб.", "KZT", "₴") stands for; empty for none that is known."""
    folded = word.strip().rstrip(".").casefold()
    return _CURRENCIES.get(folded, folded.upper() if re.fullmatch("[a-z]{3}", folded) else "")


@lru_cache(maxsize=16)
def _with_fraction(exponent: int, mark: str) -> re.Pattern[str]:
    fraction = rf"{re.escape(mark)}[0-9]{{{exponent}}}" if exponent else ""
    return re.compile(rf"(?:[0-9]{{1,12}}{fraction}\n)+")


_WHOLE = re.compile(r"(?:[0-9]{1,12}\n)+")
