"""What the two kinds of table files have in common before anybody looks at the header."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

#: A file with more rows than this is refused: Excel itself holds 1,048,576.
ROWS_MAX = 1_000_000
#: Rows of one stretch, empty ones included.
STRETCH_ROWS = 1_000


class ConvertedText(str):
    """The text of a workbook's cell that held a number, a date or a truth value, not text.

    Whoever reads an account number must know: a spreadsheet has already dropped its leading zeros or
    taken it for a date.
    """

    __slots__ = ()


class Stretch(NamedTuple):
    """Some rows one after another, at least one: their line numbers from 1, and their cells as they stand."""

    lines: list[int]
    rows: list[list[str]]


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of cells, not yet told apart into header and data.

    ``description`` says how the file was understood. ``rows_expected`` is an upper bound for progress
    bars. ``stretches`` starts anew with each call. ``trim`` takes what surrounds the texts of cells away.
    """

    description: str
    rows_expected: int
    stretches: Callable[[], Iterator[Stretch]]
    trim: Callable[[Iterable[str]], list[str]]
