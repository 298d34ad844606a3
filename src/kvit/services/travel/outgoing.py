"""The way out: written down, brought over, let arrive; broken at any step, it is never sent twice.

The row's ``detail`` tells how far it came: while it is being brought over nothing has arrived, whatever
happened; from "let arrive" on only the other side knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.file_rows import ChannelFileRow
from kvit.services.travel.errors import ChannelBroken, ChannelFailed, NotAccepted
from kvit.services.travel.ports import (
    BEGUN,
    DONE,
    FAILED,
    OUT,
    Arrived,
    Channel,
    ChannelBook,
    Landed,
    Outbox,
    Rules,
    Upload,
    Yard,
)

SENT = "sent"
NOT_SENT = "failed"
UNKNOWN = "unknown"

#: How far a file came, as the row's detail says it.
PLACING = "on its way, nothing has arrived"
PUBLISHING = "it may have arrived"
ASK = "it may have arrived: look there, then `kvit channel decide`"


class Departure(NamedTuple):
    """What became of one register: sent, failed or unknown."""

    number: int
    name: str
    verdict: str
    detail: str
    digest: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Exit:
    """What the way out goes through."""

    channel: Channel
    book: ChannelBook
    yard: Yard
    outbox: Outbox
    rules: Rules


def send_all(way: Exit) -> list[Departure]:
    """Send what waits, in order, up to one that surely did not go.

    One that may have arrived waits for a person, and keeps nobody waiting: a full register tells everything
    again, and changes are told against what the bank has accepted.
    """
    departures = []
    for number, name, chunks in way.outbox.waiting():
        upload = way.yard.pack(name, chunks)
        try:
            verdict, detail = _one(way, upload)
        finally:
            way.yard.unpack(upload)
        if verdict == SENT:
            way.outbox.sent(number)
        departures.append(Departure(number, name, verdict, detail, upload.digest, upload.size_bytes))
        if verdict == NOT_SENT:
            break
    return departures


def _one(way: Exit, upload: Upload) -> tuple[str, str]:
    row = way.book.find(OUT, upload.name, upload.digest)
    if row is None:
        others = [other for other in way.book.with_name(OUT, upload.name) if other.state != FAILED]
        if others:
            return NOT_SENT, f"another file went out as {upload.name}; a name goes out once"
    elif row.state == DONE:
        return SENT, row.detail
    elif row.state == BEGUN and row.detail != PLACING:
        told = _ask_there(way, upload)
        if told is not None:
            return told
    return _send(way, upload)


def _ask_there(way: Exit, upload: Upload) -> tuple[str, str] | None:
    """What is said of a file whose arrival nobody knows of; ``None``: it is to be sent again."""
    try:
        arrived = way.channel.arrived(upload)
    except ChannelFailed as error:
        return UNKNOWN, f"{PUBLISHING}; the other side cannot be asked: {error}"
    if arrived is Arrived.YES:
        return _sent(way, upload, "found there")
    if arrived is Arrived.NO or way.rules.sends_again:
        return None
    way.book.end(OUT, upload, BEGUN, ASK)
    return UNKNOWN, ASK


def _send(way: Exit, upload: Upload) -> tuple[str, str]:
    way.book.begin(OUT, upload, PLACING)
    try:
        way.channel.place(upload)
    except ChannelFailed as error:
        way.book.end(OUT, upload, FAILED, str(error))
        return NOT_SENT, str(error)
    way.book.end(OUT, upload, BEGUN, PUBLISHING)
    try:
        way.channel.publish(upload)
    except NotAccepted as error:
        way.book.end(OUT, upload, FAILED, str(error))
        return NOT_SENT, str(error)
    except (ChannelBroken, ChannelFailed) as error:
        way.book.end(OUT, upload, BEGUN, f"{PUBLISHING}: {error}")
        return UNKNOWN, f"{PUBLISHING}: {error}"
    return _sent(way, upload, "")


def _sent(way: Exit, upload: Upload, detail: str) -> tuple[str, str]:
    way.book.end(OUT, upload, DONE, detail)
    return SENT, detail


def decide(book: ChannelBook, name: str, *, has_arrived: bool, author: str) -> ChannelFileRow:
    """A person looked there: the file arrived, or it is to be sent again.

    Raises ``NotFound``, or ``NotAllowed`` where nothing is to be decided.
    """
    rows = book.with_name(OUT, name)
    if not rows:
        raise NotFound(f"no file {name} was sent; `kvit channel files` lists them")
    open_rows = [row for row in rows if row.state == BEGUN]
    if not open_rows:
        raise NotAllowed(f"it is known what became of {name}: {rows[-1].state}")
    row = open_rows[-1]
    state = DONE if has_arrived else FAILED
    detail = f"{author} saw it there" if has_arrived else f"to be sent again, as {author} decided"
    book.end(OUT, Landed(name, row.digest, row.size_bytes, ""), state, detail)
    return row._replace(state=state, detail=detail)
