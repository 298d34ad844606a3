"""What readers of statements share: sums, days, balances, and what a file says about itself."""

from __future__ import annotations

import datetime as dt
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from kvit.domain.lines import IN, RAW_LENGTH_MAX, BadLine, Batch, FileFacts, MoneyLine
from kvit.domain.money import exponent_of, format_amount, parse_amount
from kvit.files.base import BATCH_LINES, ByteSource, ReadOptions
from kvit.files.cells import YEARS
from kvit.files.errors import naming

#: The shape of an ISO 4217 code; which of them exist is the bank's affair.
CURRENCY = re.compile("[A-Z]{3}")
#: Parts what a line is known by; no file holds it inside a text.
_PART = "\x1f"
_SUM = re.compile(r"([0-9]+)(?:[.,]([0-9]*))?")

Item = MoneyLine | BadLine


def minor(text: str, currency: str) -> int | None:
    """Minor units of ``1500``, ``1500.0``, ``1500,00`` or ``150,``; ``None`` for anything else.

    Digits that the currency does not have must be zeros. No sign, no gaps, no marks between thousands.
    """
    found = _SUM.fullmatch(text)
    if found is None:
        return None
    exponent = exponent_of(currency)
    fraction = (found[2] or "")[:exponent]
    if found[2] and found[2][exponent:].strip("0"):
        return None
    whole = found[1].lstrip("0") or "0"
    return parse_amount(f"{whole}.{fraction}" if fraction else whole, exponent)


@lru_cache(maxsize=4096)
def iso_day(year: str, month: str, day: str) -> str:
    """``YYYY-MM-DD``; empty where the calendar has no such day, or the year cannot be meant."""
    try:
        date = dt.date(int(year), int(month), int(day))
    except ValueError:
        return ""
    return date.isoformat() if date.year in YEARS else ""


def known(*parts: str) -> str:
    """What a line is known by; gaps do not count, since banks wrap the same text in different places."""
    return _PART.join(["".join(part.split()) for part in parts])


def plain(text: str) -> str:
    """The text in one line, with single spaces."""
    return " ".join(text.split())


def bad(line: int, reason: str, raw: str) -> BadLine:
    return BadLine(line, reason, raw[:RAW_LENGTH_MAX])


@dataclass(slots=True)
class Sheet:
    """One statement of a file: an account for a period.

    ``opening_minor``, ``closing_minor``: ``None`` where not told. ``moved_minor``: all booked sums of it,
    money in above zero. ``bad_count``: its lines that could not be read, which the sum lacks.
    """

    account: str = ""
    currency: str = ""
    opening_minor: int | None = None
    closing_minor: int | None = None
    moved_minor: int = 0
    bad_count: int = 0

    def move(self, direction: str, amount_minor: int) -> None:
        self.moved_minor += amount_minor if direction == IN else -amount_minor


@dataclass(slots=True)
class Tally:
    """Gathers what a file says about itself while its lines go by."""

    facts: FileFacts
    currencies: set[str] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    zero_count: int = 0
    _last: Sheet | None = None
    _is_chain: bool = True

    def counted(self, items: Iterable[Item]) -> Iterator[Item]:
        """The same items; a line of zero is no money and is left out."""
        facts = self.facts
        for item in items:
            if isinstance(item, MoneyLine):
                if not item.amount_minor:
                    self.zero_count += 1
                    continue
                day = item.day
                if not facts.first_day or day < facts.first_day:
                    facts.first_day = day
                facts.last_day = max(facts.last_day, day)
                self.currencies.add(item.currency)
                self.accounts.add(item.own_account)
            yield item
        self._finish()

    def close(self, sheet: Sheet) -> None:
        """A statement of the file has ended: do its balances fit its sums, and the statement before?"""
        facts, before = self.facts, self._last
        self.accounts.add(sheet.account)
        if sheet.currency:
            self.currencies.add(sheet.currency)
        self._check(sheet)
        if before is None:
            facts.opening_minor, facts.closing_minor = sheet.opening_minor, sheet.closing_minor
        else:
            same = (before.account, before.currency) == (sheet.account, sheet.currency)
            if same and before.closing_minor == sheet.opening_minor and sheet.opening_minor is not None:
                facts.closing_minor = sheet.closing_minor
            else:
                self._is_chain = False
                self._name_gap(before, sheet, same)
        self._last = sheet

    def _name_gap(self, before: Sheet, sheet: Sheet, same: bool) -> None:
        if same and before.closing_minor is not None and sheet.opening_minor is not None:
            self.facts.notes.append(
                f"A statement of {sheet.account} ends with {_money(before.closing_minor, sheet.currency)},"
                f" the next one begins with {_money(sheet.opening_minor, sheet.currency)}: this file lacks"
                " what is between them."
            )

    def _check(self, sheet: Sheet) -> None:
        if sheet.opening_minor is None or sheet.closing_minor is None:
            return
        reached = sheet.opening_minor + sheet.moved_minor
        if reached == sheet.closing_minor:
            return
        said = (
            f"The balances of {sheet.account or 'the account'} do not fit its lines: opening"
            f" {_money(sheet.opening_minor, sheet.currency)} and all lines give"
            f" {_money(reached, sheet.currency)}, the file says {_money(sheet.closing_minor, sheet.currency)}"
        )
        if sheet.bad_count:
            self.facts.notes.append(f"{said}; {sheet.bad_count} lines of it could not be read.")
        else:
            self.facts.problems.append(f"{said}.")

    def _finish(self) -> None:
        facts = self.facts
        several = len(self.currencies) > 1 or len(self.accounts) > 1
        facts.currency = self.currencies.pop() if len(self.currencies) == 1 else ""
        facts.own_account = self.accounts.pop() if len(self.accounts) == 1 else ""
        if several or not self._is_chain:
            facts.opening_minor = facts.closing_minor = None
        if self.zero_count:
            facts.notes.append(f"{self.zero_count} lines of zero are left out: they are no money.")


def _money(amount_minor: int, currency: str) -> str:
    return f"{format_amount(amount_minor, exponent_of(currency))} {currency}".rstrip()


def batched(items: Iterable[Item]) -> Iterator[Batch]:
    """The items in stretches of ``BATCH_LINES``."""
    lines: list[MoneyLine] = []
    bads: list[BadLine] = []
    for item in items:
        if isinstance(item, MoneyLine):
            lines.append(item)
        else:
            bads.append(item)
        if len(lines) + len(bads) >= BATCH_LINES:
            yield Batch(lines, bads)
            lines, bads = [], []
    if lines or bads:
        yield Batch(lines, bads)


class StatementReading(ABC):
    """A statement file being read; a format says how its items come (``_items``)."""

    def __init__(self, name: str, source: ByteSource, options: ReadOptions) -> None:
        self.name = name
        self.source = source
        self.options = options
        self._facts = FileFacts(name)

    @property
    def facts(self) -> FileFacts:
        """What is known so far."""
        return self._facts

    def batches(self) -> Iterator[Batch]:
        """All lines in the order of the file, anew with each call."""
        self._facts = FileFacts(self.name)
        tally = Tally(self._facts)
        with naming(self.source.name):
            yield from batched(tally.counted(self._items(tally)))

    @abstractmethod
    def _items(self, tally: Tally) -> Iterator[Item]:
        """Lines and bad lines one after another; balances and remarks go to ``tally``."""
