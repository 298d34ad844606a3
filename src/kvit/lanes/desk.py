"""What the lanes do with a batch: lookups in one read, holds and posts in one commit, the rest singly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple, Protocol, TypeVar

from kvit.domain.messages import (
    Command,
    Hold,
    ListPosted,
    Lookup,
    Note,
    Post,
    Result,
    Status,
    TryLater,
    Void,
)
from kvit.domain.model import Agreement
from kvit.lanes.isolation import isolated
from kvit.services.corrections import void_for_agent
from kvit.services.corrections_ports import CorrectionBook
from kvit.services.lookups import look_up, lookup_batch
from kvit.services.payments import post_batch
from kvit.services.ports import Clock, LookupBook, PostingBook, QuickLookups
from kvit.services.tellings import keep_note, tell_posted, tell_status

T = TypeVar("T")

#: What is decided together with its neighbours.
_POSTS = (Post, Hold)


class Demand(NamedTuple):
    """One command of one agreement's agent."""

    agreement: Agreement
    command: Command


class Postings(Protocol):
    def run(self, work: Callable[[PostingBook], T]) -> T:
        """The result of ``work`` once it is committed."""
        ...

    def close(self) -> None: ...


class Lookups(Protocol):
    def run(self, work: Callable[[LookupBook], T]) -> T: ...

    def close(self) -> None: ...


class Corrections(Protocol):
    def run(self, work: Callable[[CorrectionBook], T]) -> T:
        """The result of ``work`` once it is committed."""
        ...


class ReadDesk:
    """The read lane's work."""

    def __init__(self, lookups: Lookups, clock: Clock) -> None:
        self._lookups = lookups
        self._clock = clock

    def __call__(self, demands: Sequence[Demand]) -> Sequence[Result]:
        return isolated(self._look_up, demands)

    def _look_up(self, demands: Sequence[Demand]) -> Sequence[Result]:
        asked = [
            (demand.agreement, demand.command) for demand in demands if isinstance(demand.command, Lookup)
        ]
        return self._lookups.run(lambda book: lookup_batch(book, asked, self._clock.now()))


class QuickReads:
    """A lookup on the spot, for a database in this very process: it answers before a lane had been told.

    ``None``: it cannot be known without waiting, so the read lane is to be asked. After an answer that came
    slowly all lookups go there for a while: then it is the disk that is slow, and others need the time.
    """

    SLOW_S = 0.02
    WHILE_S = 1.0

    def __init__(self, lookups: QuickLookups, monotonic_s: Callable[[], float]) -> None:
        self._lookups = lookups
        self._monotonic_s = monotonic_s
        self._again_at_s = 0.0

    def __call__(self, agreement: Agreement, command: Lookup, now: datetime) -> Result | None:
        began_s = self._monotonic_s()
        if began_s < self._again_at_s or agreement.by_invoice:
            return None
        try:
            account = self._lookups.account(agreement.biller_id, command.number)
            result = look_up(agreement, command, account, now)
        except Exception:
            self._again_at_s = began_s + self.WHILE_S  # the lane will meet the same, and say it
            return None
        now_s = self._monotonic_s()
        if now_s - began_s > self.SLOW_S:
            self._again_at_s = now_s + self.WHILE_S
        return result


class WriteDesk:
    """The write lane's work: in order of arrival, neighbouring posts in one transaction."""

    def __init__(self, postings: Postings, corrections: Corrections, clock: Clock) -> None:
        self._postings = postings
        self._corrections = corrections
        self._clock = clock

    def __call__(self, demands: Sequence[Demand]) -> Sequence[Result]:
        results: list[Result] = []
        for are_posts, group in groupby(demands, key=lambda demand: isinstance(demand.command, _POSTS)):
            if are_posts:
                results.extend(isolated(self._post, list(group)))
            else:
                results.extend(isolated(self._one, [demand])[0] for demand in group)
        return results

    def _post(self, demands: Sequence[Demand]) -> Sequence[Result]:
        posts = [
            (demand.agreement, demand.command) for demand in demands if isinstance(demand.command, _POSTS)
        ]
        return self._postings.run(lambda book: post_batch(book, posts, self._clock.now()))

    def _one(self, demands: Sequence[Demand]) -> Sequence[Result]:
        (agreement, command), now = demands[0], self._clock.now()
        run = self._corrections.run
        if isinstance(command, Void):
            return [run(lambda book: void_for_agent(book, agreement, command, now))]
        if isinstance(command, Status):
            return [run(lambda book: tell_status(book, agreement, command, now))]
        if isinstance(command, ListPosted):
            return [run(lambda book: tell_posted(book, agreement, command, now))]
        if isinstance(command, Note):
            return [run(lambda book: keep_note(book, agreement, command, now))]
        raise AssertionError(f"the write lane has no work for {type(command).__name__}")


class UnavailableDesk:
    """A ledger that is away: for trials of what agents do then."""

    def __call__(self, demands: Sequence[Demand]) -> Sequence[Result]:
        return [TryLater("test fault: ledger unavailable")] * len(demands)
