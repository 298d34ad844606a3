"""Both ends of a channel for tests: what takes files and notes them, what has registers to send."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from kvit.channels.base import Kind, Settings
from kvit.channels.registry import channel_problems, open_settings
from kvit.channels.yard import DiskYard
from kvit.domain.file_terms import ChannelTerms, FileTerms, ScheduleTerms
from kvit.domain.model import FILES_ONLY, Agreement
from kvit.services.travel.incoming import Fetched, Gate, fetch_all
from kvit.services.travel.outgoing import Departure, Exit, send_all
from kvit.services.travel.ports import Channel, Outcome, Parcel
from kvit.storage.channel_files import SqlChannelBook
from kvit.storage.engine import Database

KEY = ("water", "bank")


@dataclass
class Taker:
    """Reads each file from its place and notes it by name and content; says no to what it is told to."""

    taken: list[tuple[str, bytes]] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    #: How many of the next calls end in the midst of it, as if the process had died.
    dies: int = 0

    def __call__(self, name: str, place: str) -> Outcome:
        content = Path(place).read_bytes()
        if name in self.refuses:
            return Outcome(is_taken=False, detail="nobody can read this")
        if self.dies:
            self.dies -= 1
            raise Died
        self.taken.append((name, content))
        return Outcome(is_taken=True, detail=f"{len(content)} bytes")


class Died(Exception):
    """The process ended here."""


@dataclass
class Box:
    """Registers that wait."""

    files: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)

    def waiting(self) -> list[Parcel]:
        return [
            Parcel(number, name, [content[:3], content[3:]])
            for number, (name, content) in sorted(self.files.items())
            if number not in self.gone
        ]

    def sent(self, number: int) -> None:
        self.gone.append(number)


@dataclass
class Post:
    """An agreement's channel with its book: what a run does, without the schedule."""

    database: Database
    terms: ChannelTerms
    yard: Path
    taker: Taker = field(default_factory=Taker)
    box: Box = field(default_factory=Box)
    clock: Iterator[int] = field(default_factory=lambda: itertools.count(1_000_000_000_000_000, 1_000))

    @property
    def book(self) -> SqlChannelBook:
        return SqlChannelBook(self.database, KEY, lambda: next(self.clock))

    def opened(self) -> tuple[Kind, Settings]:
        assert channel_problems(self.terms) == {}
        return open_settings(self.terms)

    @contextmanager
    def channel(self) -> Iterator[tuple[Channel, Settings]]:
        kind, settings = self.opened()
        with kind.open(settings) as channel:
            yield channel, settings

    def fetch(self) -> Fetched:
        with self.channel() as (channel, settings):
            yard = DiskYard(self.yard, settings)
            return fetch_all(Gate(channel, self.book, yard, self.taker, settings.rules, next(self.clock)))

    def send(self) -> list[Departure]:
        with self.channel() as (channel, settings):
            yard = DiskYard(self.yard, settings)
            return send_all(Exit(channel, self.book, yard, self.box, settings.rules))

    def states(self, direction: str) -> list[tuple[str, str]]:
        rows = sorted(self.book.newest(), key=lambda row: row.began_at_us)
        return [(row.remote_name, row.state) for row in rows if row.direction == direction]

    def verdicts(self) -> list[tuple[str, str]]:
        return [(one.name, one.verdict) for one in self.fetch().arrivals]


def digest_of(content: bytes) -> str:
    return sha256(content).hexdigest()


def make_agreement(
    agreement_id: str = "bank", channel: ChannelTerms | None = None, schedule: ScheduleTerms | None = None
) -> Agreement:
    return Agreement(
        agreement_id=agreement_id,
        biller_id="water",
        protocol=FILES_ONLY,
        mode="test",
        currency="RUB",
        exponent=2,
        timezone="Europe/Moscow",
        files=FileTerms(channel=channel, schedule=schedule),
    )


@dataclass
class SetClock:
    """A clock that stands where it was put."""

    at: datetime = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def on(self, **by: float) -> None:
        self.at += timedelta(**by)
