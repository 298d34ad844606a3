"""What the two kinds of table files have in common before anybody looks at the header."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

#: A file with more rows than this is refused: Excel itself holds 1,048,576.
ROWS_MAX = 1_000_000


class ConvertedText(str):
    """The text of a workbook's cell that held a number, a date or a truth value, not text.

    Whoever reads an account number must know: a spreadsheet has already dropped its leading zeros or
    taken it for a date.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of trimmed cells, not yet told apart into header and data.

    ``description`` says how the file was understood. ``rows_expected`` is an upper bound for progress
    bars. ``rows`` starts anew with each call and gives (line number from 1, cells).
    """

    description: str
    rows_expected: int
    rows: Callable[[], Iterator[tuple[int, list[str]]]]
