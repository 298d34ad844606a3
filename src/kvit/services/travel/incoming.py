"""The way in: list, fetch, know by content, take, write down, and only then out of the way over there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from kvit.services.travel.errors import ChannelBroken, ChannelFailed
from kvit.services.travel.ports import (
    BEGUN,
    DONE,
    FAILED,
    IN,
    Channel,
    ChannelBook,
    Landed,
    RemoteFile,
    Rules,
    Take,
    Yard,
)

TAKEN = "taken"
DUPLICATE = "duplicate"
KNOWN = "known"
NOT_TAKEN = "failed"
REFUSED = "refused"


class Arrival(NamedTuple):
    """What became of one file that waited: taken, duplicate, known, failed or refused."""

    name: str
    verdict: str
    detail: str
    digest: str = ""
    size_bytes: int = 0


@dataclass(slots=True)
class Fetched:
    """A look at the other side. ``broken``: why it ended early; ``is_whole``: nothing waits any more."""

    arrivals: list[Arrival]
    broken: str = ""
    is_whole: bool = True

    @property
    def is_well(self) -> bool:
        return not self.broken and all(one.verdict != NOT_TAKEN for one in self.arrivals)


@dataclass(frozen=True, slots=True)
class Gate:
    """What the way in goes through. ``turn``: another number at each look."""

    channel: Channel
    book: ChannelBook
    yard: Yard
    take: Take
    rules: Rules
    turn: int


def fetch_all(gate: Gate) -> Fetched:
    """Take what waits. A file that fails stays over there for the next time, and the others go on."""
    fetched = Fetched([])
    try:
        listing = gate.channel.list_incoming()
    except ChannelFailed as error:
        fetched.broken = str(error)
        return fetched
    files = _in_order(gate, listing.files)
    fetched.is_whole = listing.is_whole and len(files) <= gate.rules.files_max
    for name, reason in listing.refused:
        gate.book.note(IN, name, reason)
        fetched.arrivals.append(Arrival(name, REFUSED, reason))
    for file in files[: gate.rules.files_max]:
        try:
            fetched.arrivals.append(_one(gate, file))
        except ChannelBroken as error:
            fetched.broken = str(error)
            break
    return fetched


def _in_order(gate: Gate, files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """New names first, then what failed before, then names that were taken: these may hold something new, and
    are read in another order each time, so that each has its turn. So neither files that stay nor files that
    nobody can read keep a new one waiting."""
    known = gate.book.names(IN) if files else {}
    if gate.rules.is_known_by_name:
        files = [file for file in files if (DONE, file.size_bytes) not in known.get(file.name, ())]

    def place(file: RemoteFile) -> tuple[int, str]:
        states = {state for state, _ in known.get(file.name, ())}
        if DONE in states:
            return 2, sha256(f"{gate.turn} {file.name}".encode()).hexdigest()
        return int(bool(states)), ""

    return sorted(files, key=place)


def _one(gate: Gate, file: RemoteFile) -> Arrival:
    try:
        landed = gate.yard.land(gate.channel, file)
    except ChannelBroken:
        raise
    except ChannelFailed as error:
        gate.book.note(IN, file.name, str(error))
        return Arrival(file.name, NOT_TAKEN, str(error), "", file.size_bytes)
    try:
        verdict, detail = _taken(gate, landed)
    finally:
        gate.yard.clear(landed)
    if verdict != NOT_TAKEN:
        detail = _out_of_the_way(gate.channel, file, detail)
    return Arrival(file.name, verdict, detail, landed.digest, landed.size_bytes)


def _taken(gate: Gate, landed: Landed) -> tuple[str, str]:
    """The verdict and what to say of it; in the book when this returns."""
    same = [row for row in gate.book.with_content(IN, landed.digest) if row.state == DONE]
    if any(row.remote_name == landed.name for row in same):
        return KNOWN, "it was taken before"
    if same:
        detail = f"duplicate delivery: the same content as {same[0].remote_name}"
        gate.book.begin(IN, landed, BEGUN)
        gate.book.end(IN, landed, DONE, detail)
        return DUPLICATE, detail
    gate.book.begin(IN, landed, "being taken")
    outcome = gate.take(landed.name, landed.place)
    gate.book.end(IN, landed, DONE if outcome.is_taken else FAILED, outcome.detail)
    if outcome.is_taken and gate.book.find(IN, landed.name, "") is not None:
        gate.book.end(IN, landed._replace(digest=""), DONE, "it came later")
    return TAKEN if outcome.is_taken else NOT_TAKEN, outcome.detail


def _out_of_the_way(channel: Channel, file: RemoteFile, detail: str) -> str:
    """It is ours by now: what cannot be moved over there is met again, and known by its content."""
    try:
        channel.done(file)
    except ChannelBroken:
        raise
    except ChannelFailed as error:
        return f"{detail}; it stays where it was: {error}"
    return detail
