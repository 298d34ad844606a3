"""Is the register of each day here? It may be late, missing, or empty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta

from kvit.domain import days
from kvit.services.reconciling.facts import Came, Facts
from kvit.services.reconciling.findings import (
    NOTE,
    REGISTER_EMPTY,
    REGISTER_LATE,
    REGISTER_MISSING,
    Finding,
)
from kvit.services.reconciling.pairing import Pairs, Wording
from kvit.services.settling.facts import Span, each_day

#: So long a schedule has to say itself that a register did not come.
_SCHEDULE_DAYS = 4


class Registers:
    """What came, by the days that it is about."""

    def __init__(self, facts: Facts, pairs: Pairs) -> None:
        self._facts = facts
        abouts = [(self._about(came), came.rows) for came in facts.came]
        #: Days with rows of a register, with payments that are in one, and those that a longer one is about.
        self.filled = {row.day for row in pairs.rows}
        self.filled |= {paid.day for paid in pairs.payments if paid.receipt in pairs.row_of}
        told = [day for day in each_day(facts.span) if any(about.has(day) for about, _ in abouts)]
        self.filled |= {day for day in told if any(rows and about.has(day) for about, rows in abouts)}
        self.empty = set(told) - self.filled
        self._first = min((about.first for about, _ in abouts), default="")
        self._unknown = Counter(paid.day for paid in pairs.unknown_there)

    def _about(self, came: Came) -> Span:
        """The days that a register is about: the day before it came, where it does not say so."""
        if came.first_day:
            return Span(came.first_day, came.last_day or came.first_day)
        zone = self._facts.agreement.timezone
        day = (days.from_us(came.at_us, zone).date() - timedelta(days=1)).isoformat()
        return Span(day, day)

    def findings(self, words: Wording) -> Iterator[Finding]:
        late = {expected.day for expected in self._facts.expected}
        for day in each_day(self._facts.span):
            online = self._unknown[day]
            if day in self.filled:
                if day in late:
                    yield self._late(words, day)
            elif day in self.empty:
                if online:
                    text = f"the register of {day} is here and empty; {online} payments came online that day"
                    yield _of_day(words, REGISTER_EMPTY, day, text, online)
                elif day in late:
                    yield self._late(words, day)
            elif day in late or (online and self._is_due(day)):
                text = f"there is no register of {day}; {online} payments came online that day"
                yield _of_day(words, REGISTER_MISSING, day, text, online)
            elif self._is_gap(day):
                text = f"there is no register of {day}, and no payment came online that day"
                yield _of_day(words, REGISTER_MISSING, day, text, 0, NOTE)

    def _late(self, words: Wording, day: str) -> Finding:
        return _of_day(words, REGISTER_LATE, day, f"the register of {day} came after it was due", None, NOTE)

    def _is_due(self, day: str) -> bool:
        """Should the register of a day be here, though no schedule has missed it?

        Where registers come at all, on the day after; where a schedule would say so, only once that has had
        its time: nobody may have run it.
        """
        files, today = self._facts.agreement.files, date.fromisoformat(self._facts.today)
        if not self._facts.came and files.register is None:
            return False
        wait = timedelta(days=_SCHEDULE_DAYS if self._has_schedule else 0)
        return date.fromisoformat(day) + wait < today

    def _is_gap(self, day: str) -> bool:
        """A day after the first register: without a schedule, who knows whether one was to come?"""
        return not self._has_schedule and bool(self._first) and self._first < day < self._facts.today

    @property
    def _has_schedule(self) -> bool:
        schedule = self._facts.agreement.files.schedule
        return schedule is not None and bool(schedule.expect)


def _of_day(
    words: Wording, kind: str, day: str, text: str, online: int | None, state: str = "open"
) -> Finding:
    # The count tells one such finding from another: of more payments it is a new one.
    return Finding(kind, words.agreement_id, day, f"{day}:{online}", text, state=state)
