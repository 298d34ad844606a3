"""Which days does a lump sum pay? Exact hits are certain; else the nearest, with the difference named.

Facts of the practice: the lump sum is what was collected less the fee, which some agents round payment by
payment and some on the total; it may be for one day or several, and a day may come in several sums.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

from kvit.domain.money import format_amount
from kvit.services.settling.facts import Collected, Lump, SettlingFacts, Span, blocks_of, each_day
from kvit.services.settling.fees import fee_of_days, settlement_terms

#: Days that may wait for their lump sum; older ones are for a person.
LOOK_BACK_DAYS = 62
#: So many days before the last that was settled are looked at for a rest, or for a day that was left out.
REST_DAYS = 14
#: Stretches of so many days with payments are tried.
_LENGTH_MAX = 31

_ISO = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)")
_DOTTED = re.compile(r"(?<!\d)(\d{1,2})[./](\d{1,2})[./](\d{4}|\d{2})(?!\d)")


class Part(NamedTuple):
    """A day that is not settled, or days that are not settled to the end, as one piece."""

    first_day: str
    last_day: str
    gross_minor: int
    days: tuple[Collected, ...]
    fee_before_minor: int = 0


class Proposal(NamedTuple):
    """What a lump sum is for. ``difference_minor``: above zero, more came than was due.

    ``is_certain``: it comes to the last minor unit, and nothing else does. ``together``: with these other
    lump sums (their keys) it does. ``why``: in words. ``first_day`` empty: nothing waits to be paid out.
    """

    line_key: str
    first_day: str
    last_day: str
    gross_minor: int
    fee_minor: int
    difference_minor: int
    is_certain: bool
    why: str
    together: tuple[str, ...] = ()


class _Stretch(NamedTuple):
    """Some parts one after another. ``place``: of the first of them."""

    place: int
    parts: Sequence[Part]
    gross_minor: int
    fee_minor: int
    told_fee_minor: int | None

    @property
    def span(self) -> Span:
        return Span(self.parts[0].first_day, self.parts[-1].last_day)


def propose(lump: Lump, facts: SettlingFacts) -> Proposal:
    """The days that ``lump`` pays for, most likely."""
    stretches = list(_stretches(facts, lump.day))
    if not stretches:
        return Proposal(lump.line_key, "", "", 0, 0, lump.amount_minor, False, "nothing waits to be paid out")
    named = _named_span(lump, facts)
    exact = [
        (one, fee) for one in stretches for fee in _fees(one) if one.gross_minor - fee == lump.amount_minor
    ]
    if exact:
        return _exact(lump, exact, named)
    together = [one for one in facts.waiting if one.day == lump.day]
    sum_minor = sum(one.amount_minor for one in together)
    for stretch in stretches if len(together) > 1 else ():
        for fee_minor in _fees(stretch):
            if stretch.gross_minor - fee_minor == sum_minor:
                return _one_of_several(lump, together, stretch, fee_minor)
    return _nearest(lump, facts, stretches, named)


def proposal_for(lump: Lump, facts: SettlingFacts, span: Span) -> Proposal:
    """The same for the days that a person names."""
    parts = [part for part in parts_of(facts) if span.has(part.first_day) or span.has(part.last_day)]
    if not parts:
        return Proposal(lump.line_key, *span, 0, 0, lump.amount_minor, False, "nothing of these days waits")
    stretch = _stretch_of(facts, 0, parts)
    fee_minor = next(
        (fee for fee in _fees(stretch) if stretch.gross_minor - fee == lump.amount_minor), stretch.fee_minor
    )
    wide = Span(min(span.first, stretch.span.first), max(span.last, stretch.span.last))
    over_minor = lump.amount_minor - (stretch.gross_minor - fee_minor)
    return Proposal(
        lump.line_key, *wide, stretch.gross_minor, fee_minor, over_minor, not over_minor, "the days named"
    )


def parts_of(facts: SettlingFacts) -> list[Part]:
    """All that waits to be paid out, oldest first."""
    parts = []
    settled: set[str] = set()
    for block in blocks_of(facts.payouts):
        days = [facts.collected[day] for day in each_day(block.span) if day in facts.collected]
        settled.update(each_day(block.span))
        rest_minor = sum(day.gross_minor for day in days) - block.net_minor - block.fee_minor
        if rest_minor:
            parts.append(Part(*block.span, rest_minor, tuple(days), block.fee_minor))
    for day, collected in facts.collected.items():
        if day not in settled and collected.gross_minor:
            parts.append(Part(day, day, collected.gross_minor, (collected,)))
    return sorted(parts)


def _stretches(facts: SettlingFacts, until: str) -> Iterator[_Stretch]:
    parts = [part for part in parts_of(facts) if part.last_day <= until]
    for place in range(len(parts)):
        for stop in range(place + 1, min(place + _LENGTH_MAX, len(parts)) + 1):
            yield _stretch_of(facts, place, parts[place:stop])


def _stretch_of(facts: SettlingFacts, place: int, parts: Sequence[Part]) -> _Stretch:
    gross_minor = sum(part.gross_minor for part in parts)
    days = [day for part in parts for day in part.days]
    before_minor = sum(part.fee_before_minor for part in parts)
    fee_minor = max((fee_of_days(facts.agreement, days) or 0) - before_minor, 0)
    told: int | None = None
    if settlement_terms(facts.agreement).withheld and not before_minor:
        fees = [day.told_fee_minor for day in days]
        told = None if None in fees else sum(fee or 0 for fee in fees)
    return _Stretch(place, parts, gross_minor, fee_minor, told)


def _fees(stretch: _Stretch) -> list[int]:
    """By the agreement, and by the register where that says another one."""
    told = stretch.told_fee_minor
    return [stretch.fee_minor] if told in (None, stretch.fee_minor) else [stretch.fee_minor, told or 0]


def _exact(lump: Lump, exact: Sequence[tuple[_Stretch, int]], named: Span | None) -> Proposal:
    """Of several that come to the same, what the text names goes first, then the oldest."""
    by_name = [one for one in exact if named is not None and one[0].span == named]
    oldest = [one for one in exact if one[0].place == 0]
    if len(exact) == 1:
        chosen, why = exact[0], "it comes to the last unit"
    elif by_name:
        chosen, why = by_name[0], "it comes to the last unit, and the text names the days"
    elif oldest:
        chosen, why = oldest[0], "it comes to the last unit for the oldest days that wait"
    else:
        chosen, why = exact[0], f"it comes to the last unit for {len(exact)} stretches of days"
    stretch, fee_minor = chosen
    if fee_minor != stretch.fee_minor:
        why += ", with the register's fee"
    is_certain = len({one.span for one, _ in exact}) == 1 or bool(by_name or oldest)
    return Proposal(lump.line_key, *stretch.span, stretch.gross_minor, fee_minor, 0, is_certain, why)


def _one_of_several(lump: Lump, lumps: Sequence[Lump], stretch: _Stretch, fee_minor: int) -> Proposal:
    """The fee is taken off the last of them, so that every unit is explained once."""
    last = max(lumps, key=lambda one: (one.amount_minor, one.line_key))
    own_fee_minor = fee_minor if last.line_key == lump.line_key else 0
    why = f"{len(lumps)} lump sums of {lump.day} come to the last unit together"
    together = tuple(one.line_key for one in lumps if one.line_key != lump.line_key)
    gross_minor = lump.amount_minor + own_fee_minor
    return Proposal(lump.line_key, *stretch.span, gross_minor, own_fee_minor, 0, True, why, together)


def _nearest(lump: Lump, facts: SettlingFacts, stretches: Sequence[_Stretch], named: Span | None) -> Proposal:
    wanted = [one for one in stretches if one.span == named] or stretches

    def distance(one: _Stretch) -> tuple[int, int]:
        return abs(lump.amount_minor - (one.gross_minor - one.fee_minor)), one.place

    best = min(wanted, key=distance)
    over_minor = lump.amount_minor - (best.gross_minor - best.fee_minor)
    exponent = facts.agreement.exponent
    word = "more" if over_minor > 0 else "less"
    why = f"the nearest: {format_amount(abs(over_minor), exponent)} {word} than was due"
    if over_minor == best.fee_minor:
        why += "; that is the fee, which was not withheld"
    return Proposal(lump.line_key, *best.span, best.gross_minor, best.fee_minor, over_minor, False, why)


def _named_span(lump: Lump, facts: SettlingFacts) -> Span | None:
    """The days that the lump sum's text names, by themselves or by a register's payment order."""
    for order in facts.orders:
        if order.number and re.search(
            rf"(?<!\d){re.escape(order.number)}(?!\d)", f"{lump.text} {lump.document}"
        ):
            return Span(order.first_day, order.last_day)
    found = sorted(day for day in _days_in(lump.text) if day <= lump.day)
    return Span(found[0], found[-1]) if found else None


def _days_in(text: str) -> Iterator[str]:
    for year, month, day in _ISO.findall(text):
        yield from _valid(year, month, day)
    for day, month, year in _DOTTED.findall(text):
        yield from _valid(year if len(year) == 4 else f"20{year}", month, day)


def _valid(year: str, month: str, day: str) -> Iterator[str]:
    try:
        yield date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return
