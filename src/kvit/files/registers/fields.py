"""Single cells of a register -> values, each also as a whole column and as a pattern that proves it plain."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from kvit.files.cells import Unreadable, read_number
from kvit.files.columns import read_numbers
from kvit.files.registers.sums import SumStyle, currency_of, plain_sum, proven_sums, read_sum, read_sums
from kvit.files.source import ConvertedText

PAYER_LENGTH_MAX = 200
TEXT_LENGTH_MAX = 500
WORD_LENGTH_MAX = 60
ID_LENGTH_MAX = 100
#: Words of a type column that mean: money goes back.
REVERSAL_WORDS = (
    "refund", "reversal", "return", "chargeback", "возврат", "отмена", "сторно", "повернення", "қайтару",
)  # fmt: skip

_NO_MONEY = Unreadable("the amount is zero: no money came with this line")
_LONG_ID = Unreadable(f"an id has at most {ID_LENGTH_MAX} characters")
_CONVERTED_ID = Unreadable("the spreadsheet has made a quantity of this id; format the column as text")
_CONVERTED_NUMBER = Unreadable(
    "the table holds the client's number as a quantity, which has lost its leading zeros; set"
    " numeric_numbers = yes if the numbers are digits that never begin with 0, else format the column as text"
)


class NumberRule(NamedTuple):
    """How the client's number is got out of its cell.

    ``mask``: a pattern searched in the cell; its first group, or all of it, is the number. ``prefix``:
    taken off where the number begins with it. ``skip``: so many characters before it. ``length_min``,
    ``length_max``: 0 for any. ``may_be_numeric``: the biller's numbers are digits that never begin with 0,
    so that a table's quantity has lost nothing.
    """

    prefix: str = ""
    mask: re.Pattern[str] | None = None
    length_min: int = 0
    length_max: int = 0
    may_be_numeric: bool = False
    skip: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether the cell is the number."""
        return not (self.mask or self.skip or self.prefix or self.length_min or self.length_max)


class Reader(NamedTuple):
    """How the cells of one field are read.

    ``column``: a whole column's texts -> its values, or ``None`` where cells must be looked at singly.
    ``pattern``: what matches only plain cells of text, whose values ``proven`` gives without a look.
    """

    cell: Callable[[str], Any]
    column: Callable[[list[str]], list[Any] | None] = lambda _texts: None
    pattern: str = ""
    proven: Callable[[list[str]], list[Any]] = lambda texts: texts


def readers(sums: SumStyle, number: NumberRule, reversal_words: tuple[str, ...]) -> dict[str, Reader]:
    """Field -> its reader, for all fields but those of time."""
    word = _words(WORD_LENGTH_MAX)
    id_ = Reader(read_id, _plain_ids, rf"[0-9A-Za-z_-]{{1,{ID_LENGTH_MAX}}}+")
    maybe_sum = Reader(
        partial(_maybe_sum, style=sums), partial(read_sums, style=sums), plain_sum(sums),
        partial(proven_sums, style=sums),
    )  # fmt: skip
    numbers = Reader(partial(read_client, rule=number))
    if number.is_plain:
        numbers = Reader(numbers.cell, read_numbers, r"[0-9]{1,40}+")
    return {
        "id": id_,
        "number": numbers,
        "amount": Reader(
            partial(_amount, style=sums), partial(_amounts, style=sums), plain_sum(sums),
            partial(proven_sums, style=sums),
        ),
        "fee": maybe_sum,
        "net": maybe_sum,
        "payer": _words(PAYER_LENGTH_MAX),
        "text": _words(TEXT_LENGTH_MAX),
        "service": word,
        "document": word,
        "period": word,
        "parent": id_,
        "type": Reader(partial(_is_reversal, words=reversal_words)),
        "currency": Reader(partial(_currency, expected=sums.currency)),
    }  # fmt: skip


def read_words(text: str, length_max: int) -> str:
    """Any text as one line, cut to a length: what a payer wrote stops no payment."""
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join(sign if sign.isprintable() else " " for sign in line)
        line = " ".join(line.split())
    return line[:length_max].rstrip()


def read_id(text: str) -> str | Unreadable:
    """An id as it stands; empty stays empty. A spreadsheet's quantity is one only while it is exact."""
    if isinstance(text, ConvertedText) and not text.isdigit():
        return _CONVERTED_ID
    line = read_words(text, ID_LENGTH_MAX + 1)
    return line if len(line) <= ID_LENGTH_MAX else _LONG_ID


def read_client(text: str, rule: NumberRule) -> str | Unreadable:
    """The client's number; empty where the cell is."""
    bare = str(text).strip()
    if not bare:
        return ""
    if isinstance(text, ConvertedText) and not (rule.may_be_numeric and bare.isdigit()):
        return _CONVERTED_NUMBER
    if rule.mask:
        found = rule.mask.search(bare)
        if not found:
            return Unreadable("there is no client's number in this cell")
        bare = found.group(1) if rule.mask.groups else found.group()
    bare = bare[rule.skip :].removeprefix(rule.prefix)
    if len(bare) < rule.length_min or (rule.length_max and len(bare) > rule.length_max):
        return Unreadable(f"{bare!r} has not as many characters as a client's number")
    return read_number(bare)


def _plain_ids(texts: list[str]) -> list[Any] | None:
    joined = "".join(texts)
    if not (joined.isalnum() and joined.isascii()) or max(map(len, texts)) > ID_LENGTH_MAX:
        return None
    return None if ConvertedText in set(map(type, texts)) else texts


def _words(length_max: int) -> Reader:
    def read(texts: list[str]) -> list[Any] | None:
        joined = "|".join(texts)
        if not joined.isprintable() or max(map(len, texts)) > length_max:
            return None
        # The only space that is printable is the plain one.
        if "  " in joined or "| " in joined or " |" in joined or joined != joined.strip():
            return None
        return list(map(str, texts)) if ConvertedText in set(map(type, texts)) else texts

    return Reader(partial(read_words, length_max=length_max), read)


def _amounts(texts: list[str], style: SumStyle) -> list[Any] | None:
    amounts = read_sums(texts, style)
    return None if amounts is None or not all(amounts) else amounts


def _amount(text: str, style: SumStyle) -> int | Unreadable:
    return read_sum(text, style) or _NO_MONEY


def _maybe_sum(text: str, style: SumStyle) -> int | Unreadable | None:
    return read_sum(text, style) if text.strip() else None


def _is_reversal(text: str, words: tuple[str, ...]) -> bool:
    folded = text.casefold()
    return any(word in folded for word in words)


def _currency(text: str, expected: str) -> str | Unreadable:
    code = currency_of(text) if text.strip() else expected
    if not code or (expected and code != expected):
        return Unreadable(f"the line is in {text.strip()}, the books are in {expected}")
    return code
