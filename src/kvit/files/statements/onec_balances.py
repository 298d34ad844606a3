"""1CClientBankExchange: the account sections against each other and against the documents."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from kvit.domain.lines import IN, MoneyLine
from kvit.domain.money import exponent_of, format_amount
from kvit.files.statements.kit import Sheet, Tally
from kvit.files.statements.onec_lines import Values, day_of, sum_of

_KEYS = ("НачальныйОстаток", "ВсегоПоступило", "ВсегоСписано", "КонечныйОстаток")


@dataclass(slots=True)
class Totals:
    """What a file says about one account, and what its documents make of it."""

    account: str
    sheets: list[Values] = field(default_factory=list)
    in_minor: int = 0
    out_minor: int = 0
    currency: str = ""

    def count(self, line: MoneyLine) -> None:
        self.currency = self.currency or line.currency
        if line.direction == IN:
            self.in_minor += line.amount_minor
        else:
            self.out_minor += line.amount_minor


class _Told(NamedTuple):
    """One section's figures; ``None`` where it has none."""

    opening: int | None
    came: int | None
    went: int | None
    closing: int | None


def check(totals: Totals, bad_count: int, default_currency: str, tally: Tally) -> None:
    """All sections of an account in the order of their days. Figures of zero may mean "not told"."""
    currency = totals.currency or default_currency
    if not totals.sheets:
        return
    ordered = sorted(totals.sheets, key=lambda values: day_of(values.get("ДатаНачала", "")))
    if _overlap(ordered):
        tally.accounts.add(totals.account)
        tally.facts.notes.append(
            f"Sections of {totals.account} tell of the same days twice; their sums are not checked."
        )
        return
    told = [_told(values, currency) for values in ordered]
    for each in told:
        sheet = Sheet(totals.account, currency, each.opening, each.closing)
        if each.came is not None and each.went is not None:
            sheet.moved_minor = each.came - each.went
        else:
            sheet.moved_minor = (each.closing or 0) - (each.opening or 0)
        tally.close(sheet)
    for text in _differences(totals, told, currency):
        if bad_count:
            tally.facts.notes.append(f"{text}; {bad_count} documents could not be read.")
        else:
            tally.facts.problems.append(f"{text}.")


def _differences(totals: Totals, told: list[_Told], currency: str) -> list[str]:
    """Where the documents do not make what the sections say."""
    exponent = exponent_of(currency)

    def unlike(what: str, said: int, counted: int) -> str:
        return (
            f"{what} of {totals.account} is {format_amount(said, exponent)}, and its documents make"
            f" {format_amount(counted, exponent)}"
        )

    came, went = (_sum([each.came for each in told]), _sum([each.went for each in told]))
    found: list[str] = []
    if came is not None and came != totals.in_minor:
        found.append(unlike("ВсегоПоступило", came, totals.in_minor))
    if went is not None and went != totals.out_minor:
        found.append(unlike("ВсегоСписано", went, totals.out_minor))
    opening, closing = told[0].opening, told[-1].closing
    if (came is None or went is None) and opening is not None and closing is not None:
        moved = totals.in_minor - totals.out_minor
        if closing - opening != moved:
            found.append(unlike("The change of the balance", closing - opening, moved))
    return found


def _told(values: Values, currency: str) -> _Told:
    opening, came, went, closing = (_balance(values.get(key, ""), currency) for key in _KEYS)
    if not opening and not closing:
        if not came and not went:
            return _Told(None, None, None, None)
        if came != went:
            opening = closing = None
    elif not came and not went and opening != closing:
        came = went = None
    return _Told(opening, came, went, closing)


def _sum(figures: list[int | None]) -> int | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) if len(known) == len(figures) else None


def _overlap(sheets: list[Values]) -> bool:
    """Whether two sections tell of the same days: once by the day, once by the period."""
    days = [(day_of(each.get("ДатаНачала", "")), day_of(each.get("ДатаКонца", ""))) for each in sheets]
    return any(later[0] <= earlier[1] for earlier, later in pairwise(days))


def _balance(text: str, currency: str) -> int | None:
    """A balance, which may be below zero."""
    sign = -1 if text.startswith("-") else 1
    amount_minor = sum_of(text.removeprefix("-"), currency)
    return None if amount_minor is None else sign * amount_minor
