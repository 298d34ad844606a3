"""What is due now, and running it: each due time once, whoever looks, and whoever dies meanwhile.

A run is claimed by writing its row; the runner works alone on the agreement's channel (a lock that goes with
its process), so a row that still says ``running`` while the lock is free is of a run that died.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from kvit.domain import days
from kvit.domain.errors import DatabaseUnavailable, KvitError
from kvit.domain.file_rows import DueRunRow
from kvit.domain.model import Agreement
from kvit.services.ports import Clock
from kvit.services.schedule.times import is_holiday, last_due

FETCH, EXPECT, SEND = "fetch", "expect", "send"
#: In the order in which they are run: what has come is looked at before it is missed.
JOBS = (FETCH, EXPECT, SEND)

RUNNING = "running"
DONE = "done"
FAILED = "failed"
#: Of ``expect``: the register is not here. ``detail`` is the day it should be of, in ISO.
MISSING = "missing"
#: A holiday.
SKIPPED = "skipped"

#: A run without an end is given up after so long, if its runner is gone.
LEASE_S = 600
#: A failed run is tried again after this, while it is not older than that.
RETRY_S = 600
RETRY_UNTIL_S = 6 * 3_600


#: Biller, agreement and job.
RunKey = tuple[str, str, str]


class Ended(NamedTuple):
    """How a job ended: ``state`` and, for people, ``detail``."""

    state: str
    detail: str


class Due(NamedTuple):
    """A time that has come."""

    agreement: Agreement
    job: str
    due_at_us: int


class RunBook(Protocol):
    """The rows of ``due_runs``; each call is a transaction of its own."""

    def newest(self, keys: Iterable[RunKey]) -> dict[RunKey, DueRunRow]:
        """The row of the latest time of each of these that has one."""
        ...

    def claim(self, row: DueRunRow) -> bool:
        """Write the row; ``False`` where somebody has."""
        ...

    def change(self, row: DueRunRow, ended: Ended, ended_at_us: int | None) -> bool:
        """Give the row its new state; ``False`` where it is no longer as ``row`` says."""
        ...


class Alone(Protocol):
    """A lock on an agreement's channel; it goes with the process, however that ends."""

    def __call__(self, biller_id: str, agreement_id: str) -> AbstractContextManager[bool]:
        """Is it ours until the end of the block? Never waits."""
        ...


@dataclass(frozen=True, slots=True)
class Runner:
    """Who runs (``name``: for people), and with what. A job must be such that running it again is safe."""

    name: str
    book: RunBook
    alone: Alone
    clock: Clock
    jobs: Mapping[str, Callable[[Due], Ended]]

    def now_us(self) -> int:
        return days.to_us(self.clock.now())


class Applied(NamedTuple):
    """An agreement, and since when it is in force as it is."""

    agreement: Agreement
    applied_at_us: int


def scheduled(known: Sequence[Applied]) -> list[RunKey]:
    """The jobs that are on a schedule."""
    return [
        (agreement.biller_id, agreement.agreement_id, job)
        for agreement, _ in known
        for job in JOBS
        if agreement.files.schedule is not None and getattr(agreement.files.schedule, job)
    ]


def due_now(known: Sequence[Applied], newest: Mapping[RunKey, DueRunRow], clock: Clock) -> list[Due]:
    """The latest time of each job, unless it was run. Times missed before it are not made up for.

    Of a job that has never run, times before the agreement was applied do not count.
    """
    due = []
    now = clock.now()
    for agreement, applied_at_us in known:
        schedule = agreement.files.schedule
        for job in JOBS if schedule else ():
            cron: str = getattr(schedule, job)
            at = last_due(cron, agreement.timezone, now) if cron else None
            if at is None:
                continue
            row = newest.get((agreement.biller_id, agreement.agreement_id, job))
            since_us = applied_at_us if row is None else row.due_at_us
            if days.to_us(at) > since_us:
                due.append(Due(agreement, job, days.to_us(at)))
    return due


def to_run(
    known: Sequence[Applied], newest: Mapping[RunKey, DueRunRow], clock: Clock
) -> list[tuple[Due, DueRunRow | None]]:
    """What is due; and with its row, what failed a while ago or died."""
    due = due_now(known, newest, clock)
    fresh = {(one.agreement.biller_id, one.agreement.agreement_id, one.job) for one in due}
    now_us = days.to_us(clock.now())
    again = [
        (Due(applied.agreement, row.job, row.due_at_us), row)
        for row, applied in _with_agreement(newest, known)
        if (row.biller_id, row.agreement_id, row.job) not in fresh and _again(row, now_us)
    ]
    return [*again, *((one, None) for one in due)]


def run_due(runner: Runner, known: Sequence[Applied]) -> list[DueRunRow]:
    """Run what is to be run; the rows as they ended.

    Raises ``DatabaseUnavailable``; what was under way is then taken up again later.
    """
    rows: list[DueRunRow] = []
    ordered = to_run(known, runner.book.newest(scheduled(known)), runner.clock)
    for agreement_key in dict.fromkeys(_key(one) for one, _ in ordered):
        with runner.alone(*agreement_key) as is_ours:
            if not is_ours:
                continue  # somebody is at it; what is due stays due
            mine = [pair for pair in ordered if _key(pair[0]) == agreement_key]
            for one, row in sorted(mine, key=lambda pair: JOBS.index(pair[0].job)):
                ended = _run(runner, one, row)
                if ended is not None:
                    rows.append(ended)
    return rows


def _key(due: Due) -> tuple[str, str]:
    return due.agreement.biller_id, due.agreement.agreement_id


def _with_agreement(
    newest: Mapping[RunKey, DueRunRow], known: Sequence[Applied]
) -> Iterator[tuple[DueRunRow, Applied]]:
    """Rows of jobs that are still on the schedule."""
    for applied in known:
        agreement = applied.agreement
        for job in JOBS:
            row = newest.get((agreement.biller_id, agreement.agreement_id, job))
            schedule = agreement.files.schedule
            if row is not None and schedule is not None and getattr(schedule, job):
                yield row, applied


def _again(row: DueRunRow, now_us: int) -> bool:
    """May this run have died, or is it time to try it again?"""
    if row.state == RUNNING:
        return now_us - row.began_at_us >= LEASE_S * 1_000_000
    if row.state != FAILED or row.job == EXPECT:
        return False
    is_time = now_us - (row.ended_at_us or row.began_at_us) >= RETRY_S * 1_000_000
    return is_time and now_us - row.due_at_us <= RETRY_UNTIL_S * 1_000_000


def _run(runner: Runner, due: Due, earlier: DueRunRow | None) -> DueRunRow | None:
    """One run, begun and ended in the book; ``None`` where it is somebody else's."""
    agreement, began_at_us = due.agreement, runner.now_us()
    row = DueRunRow(
        agreement.biller_id, agreement.agreement_id, due.job, due.due_at_us, runner.name, began_at_us,
        RUNNING, "", None,
    )  # fmt: skip
    if earlier is None:
        if not runner.book.claim(row):
            return None
    else:
        said = "taken over, since it never ended," if earlier.state == RUNNING else "tried again"
        row = earlier._replace(state=RUNNING, detail=f"{said} by {runner.name}", ended_at_us=None)
        if not runner.book.change(earlier, Ended(RUNNING, row.detail), None):
            return None
    ended = _outcome(runner, due)
    if earlier is not None and earlier.state == RUNNING and ended.state != MISSING:
        ended = Ended(ended.state, f"{ended.detail} (an earlier run, by {earlier.runner}, never ended)")
    ended_at_us = runner.now_us()
    runner.book.change(row, ended, ended_at_us)
    return row._replace(state=ended.state, detail=ended.detail, ended_at_us=ended_at_us)


def _outcome(runner: Runner, due: Due) -> Ended:
    schedule = due.agreement.files.schedule
    day = days.from_us(due.due_at_us, due.agreement.timezone).date()
    if due.job != FETCH and schedule is not None and is_holiday(day, schedule.holidays):
        return Ended(SKIPPED, "a holiday")
    try:
        return runner.jobs[due.job](due)
    except DatabaseUnavailable:
        raise
    except KvitError as error:
        return Ended(FAILED, str(error))
