"""Files that travel: what stands at both ends of a channel, and the jobs of the schedule."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from kvit.channels.base import Settings
from kvit.channels.registry import open_settings
from kvit.channels.yard import DiskYard
from kvit.domain import days
from kvit.domain.errors import DatabaseUnavailable, KvitError, NotAllowed, SettingsError
from kvit.domain.file_rows import ChannelFileRow, DueRunRow
from kvit.domain.file_terms import ChannelTerms
from kvit.domain.model import Agreement
from kvit.main import House
from kvit.services.schedule.runs import (
    DONE,
    EXPECT,
    FAILED,
    FETCH,
    MISSING,
    SEND,
    Due,
    Ended,
    Runner,
    run_due,
)
from kvit.services.schedule.times import working_day_before
from kvit.services.travel.incoming import NOT_TAKEN, REFUSED, TAKEN, Fetched, Gate, fetch_all
from kvit.services.travel.outgoing import SENT, Departure, Exit, decide, send_all
from kvit.services.travel.ports import Channel, Outbox, Outcome, Take
from kvit.storage.alone import Channels
from kvit.storage.channel_files import SqlChannelBook
from kvit.storage.due_runs import SqlRunBook, load_applied
from kvit.storage.secretbox import open_box

_log = logging.getLogger("kvit")


@dataclass(frozen=True, slots=True)
class Ends:
    """What an agreement's channel leads to.

    ``take``: what reads and books a file that came. ``prepare``: makes the register that is to go out at a
    time of the schedule (microseconds since 1970), unless it is made. ``outbox``: the registers that wait,
    and the one of this number (0: none). ``has_register``: is the payment register of this ISO day here?
    """

    take: Callable[[Agreement], Take]
    prepare: Callable[[Agreement, int], None]
    outbox: Callable[[Agreement, int], Outbox]
    has_register: Callable[[Agreement, str], bool]


class Travel:
    """Fetching, sending and the schedule, for every agreement of the installation."""

    def __init__(self, house: House, ends: Ends) -> None:
        self._house = house
        self._ends = ends
        self._locks = Channels(house.database)
        self._runs = SqlRunBook(house.database)

    def book(self, agreement: Agreement) -> SqlChannelBook:
        return SqlChannelBook(
            self._house.database,
            (agreement.biller_id, agreement.agreement_id),
            self._now_us,
        )

    def _now_us(self) -> int:
        return days.to_us(self._house.clock.now())

    def test(self, agreement: Agreement) -> list[str]:
        """Try the way without moving a file; what was seen, a line each. Raises ``ChannelFailed``."""
        kind, settings = open_settings(_terms(agreement))
        return kind.test(settings)

    def fetch(self, agreement: Agreement) -> Fetched:
        """Look at the channel now. Raises ``NotAllowed`` where somebody else is at it."""
        with self._alone(agreement):
            return self._fetch(agreement)

    def send(self, agreement: Agreement, number: int = 0) -> list[Departure]:
        """Send the registers that wait, and that of ``number``.

        Raises ``NotAllowed`` where somebody else is at it.
        """
        with self._alone(agreement):
            return self._send(agreement, number)

    def decide(self, agreement: Agreement, name: str, author: str, *, has_arrived: bool) -> ChannelFileRow:
        """A person looked at the bank's side. Raises ``NotFound`` or ``NotAllowed``."""
        with self._alone(agreement):
            return decide(self.book(agreement), name, has_arrived=has_arrived, author=author)

    def run_due(self) -> list[DueRunRow]:
        """Run what the schedules say is due; the runs as they ended."""
        with self._house.database.read() as connection:
            known = load_applied(connection, open_box(self._house.settings.data_folder))
        jobs = {
            FETCH: _guarded(self._fetch_job),
            SEND: _guarded(self._send_job),
            EXPECT: _guarded(self._expect_job),
        }
        name = f"{socket.gethostname()}:{os.getpid()}"
        return run_due(Runner(name, self._runs, self._locks.alone, self._house.clock, jobs), known)

    def runs_of(self, agreement: Agreement, limit: int) -> list[DueRunRow]:
        return self._runs.runs_of(agreement.biller_id, agreement.agreement_id, limit)

    @contextmanager
    def _alone(self, agreement: Agreement) -> Iterator[None]:
        with self._locks.alone(agreement.biller_id, agreement.agreement_id) as is_ours:
            if not is_ours:
                name = agreement.agreement_id
                raise NotAllowed(
                    f"another kvit is at work on the channel of {name}; try again when it is done"
                )
            yield

    @contextmanager
    def _opened(self, agreement: Agreement) -> Iterator[tuple[Channel, DiskYard, Settings]]:
        kind, settings = open_settings(_terms(agreement))
        yard = DiskYard(self._house.settings.data_folder / "channel", settings)
        yard.sweep()
        with kind.open(settings) as channel:
            yield channel, yard, settings

    def _fetch(self, agreement: Agreement) -> Fetched:
        with self._opened(agreement) as (channel, yard, settings):
            take = _careful(self._ends.take(agreement))
            return fetch_all(Gate(channel, self.book(agreement), yard, take, settings.rules, self._now_us()))

    def _send(self, agreement: Agreement, number: int = 0) -> list[Departure]:
        with self._opened(agreement) as (channel, yard, settings):
            outbox = self._ends.outbox(agreement, number)
            return send_all(Exit(channel, self.book(agreement), yard, outbox, settings.rules))

    def _fetch_job(self, due: Due) -> Ended:
        fetched = self._fetch(due.agreement)
        said = _counted(one.verdict for one in fetched.arrivals) or "nothing new"
        worries = [
            f"{one.name}: {one.detail}" for one in fetched.arrivals if one.verdict in {NOT_TAKEN, REFUSED}
        ]
        worries += [fetched.broken] if fetched.broken else []
        detail = "; ".join([said, *worries])
        return Ended(DONE if fetched.is_well else FAILED, detail)

    def _send_job(self, due: Due) -> Ended:
        _terms(due.agreement)
        self._ends.prepare(due.agreement, due.due_at_us)
        departures = self._send(due.agreement)
        detail = "; ".join(f"{one.name}: {one.verdict}{_apart(one.detail)}" for one in departures)
        is_well = all(one.verdict == SENT for one in departures)
        return Ended(DONE if is_well else FAILED, detail or "nothing to send")

    def _expect_job(self, due: Due) -> Ended:
        schedule = due.agreement.files.schedule
        today = days.from_us(due.due_at_us, due.agreement.timezone).date()
        day: date | None = working_day_before(today, schedule.holidays if schedule else ())
        if day is None:
            return Ended(DONE, "no working day for two months")
        is_here = self._ends.has_register(due.agreement, day.isoformat())
        return Ended(DONE if is_here else MISSING, day.isoformat())


def _terms(agreement: Agreement) -> ChannelTerms:
    if agreement.files.channel is None:
        name = agreement.agreement_id
        raise SettingsError(f"agreement {name} has no channel; add [agreement.channel] and apply it again")
    return agreement.files.channel


def _guarded(job: Callable[[Due], Ended]) -> Callable[[Due], Ended]:
    """A fault of ours in one job is that job's, and logged; the others run."""

    def run(due: Due) -> Ended:
        try:
            return job(due)
        except KvitError:
            raise
        except Exception as error:
            _log.exception("%s of agreement %s failed", due.job, due.agreement.agreement_id)
            return Ended(FAILED, f"kvit's own fault, {type(error).__name__}; the log tells where")

    return run


def _careful(take: Take) -> Take:
    """A file that nothing can be made of, or that finds a fault of ours, is that file's failure alone."""

    def run(name: str, place: str) -> Outcome:
        try:
            return take(name, place)
        except DatabaseUnavailable:
            raise
        except KvitError as error:
            return Outcome(is_taken=False, detail=str(error))
        except Exception as error:
            _log.exception("the file %s could not be taken", name)
            return Outcome(
                is_taken=False, detail=f"kvit's own fault, {type(error).__name__}; the log tells where"
            )

    return run


def _counted(verdicts: Iterator[str]) -> str:
    counts: dict[str, int] = {}
    for verdict in verdicts:
        counts[verdict] = counts.get(verdict, 0) + 1
    order = sorted(counts, key=lambda verdict: (verdict != TAKEN, verdict))
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in order)


def _apart(detail: str) -> str:
    return f" ({detail})" if detail else ""
