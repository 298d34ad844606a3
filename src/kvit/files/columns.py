"""A whole column's texts -> its values in a few calls, where every cell is plainly fine; else ``None``.

What comes back is what the reader of single cells (``kvit.files.cells``) gives for each of them. Nothing is
refused here: a column that is not plain is read again cell by cell.
"""

from __future__ import annotations

import re
from functools import lru_cache

from kvit.domain.numbers import NUMBER_LENGTH_MAX


def read_numbers(texts: list[str]) -> list[str] | None:
    """As ``read_number``: only digits, none too long, no cell empty."""
    joined = "".join(texts)
    if not (joined.isdigit() and joined.isascii() and all(texts)) or max(map(len, texts)) > NUMBER_LENGTH_MAX:
        return None
    return list(map(str, texts))


def read_texts(texts: list[str], length_max: int) -> list[str] | None:
    """As ``read_text``: only printable characters, single spaces, nothing too long."""
    joined = "|".join(texts)
    if not joined.isprintable() or "  " in joined or max(map(len, texts)) > length_max:
        return None
    return list(map(str, texts))


def read_amounts(texts: list[str], exponent: int) -> list[int] | None:
    """As ``read_amount``: digits, a point, and all digits that the currency has after it."""
    joined = "\n".join(texts)
    if not _amounts(exponent).fullmatch(joined + "\n"):
        return None
    amounts_minor = list(map(int, joined.replace(".", "").split("\n")))
    # A line break inside a cell would have made two sums of it.
    return amounts_minor if len(amounts_minor) == len(texts) else None


@lru_cache(maxsize=8)
def _amounts(exponent: int) -> re.Pattern[str]:
    fraction = rf"\.[0-9]{{{exponent}}}" if exponent else ""
    return re.compile(rf"(?:[0-9]{{1,12}}{fraction}\n)+")
