"""What is told of payments that are in the inbox: states and lists, never of any other."""

from __future__ import annotations

import sqlite3
from datetime import date
from typing import Iterator, List, Optional, Tuple, Union

from kvit.domain.messages import (
    Held,
    ListPosted,
    Malformed,
    Posted,
    Refused,
    Result,
    Statement,
    TryLater,
    Voided,
)
from kvit.relay.node import results, store
from kvit.relay.node.results import HELD, POSTED
from kvit.relay.node.terms import Contract, instant_us, moment

DAYS_MAX = 92
ITEMS_MAX = 10_000
#: A network's time stamp further away from ours is a broken clock: its day is not used, as in the office.
BEHIND_DAYS_MAX, AHEAD_DAYS_MAX = 31, 1
_DAY_US = 86_400_000_000

Item = Union[Posted, Held, Voided]


def told(row: sqlite3.Row, contract: Contract, now_us: int) -> Item:
    """A payment or hold as it is at this moment."""
    if row["state"] == POSTED:
        return results.posted(row, contract, repeat=True)
    if row["state"] == HELD and not results.is_over(row, now_us):
        return results.held(row, contract, repeat=True)
    return results.voided(row, contract, repeat=True)


def statement(connection: sqlite3.Connection, contract: Contract, command: ListPosted, now_us: int) -> Result:
    """The payments that were asked for; "try later" where the inbox may not have all of them."""
    span = _span(command, contract)
    if span is None:
        return Malformed("date")
    since_us, until_us, by_day = span
    if until_us < since_us:
        return Malformed("until", "before the beginning")
    if (until_us - since_us) // _DAY_US >= DAYS_MAX:
        return Refused("too-many")
    if not contract.complete:
        return TryLater("unsure")
    items: List[Item] = []
    for row in _candidates(connection, contract, since_us, until_us):
        if by_day:
            is_in = command.since <= _day(row, contract) <= command.until
        else:
            network_us = instant_us(row["network_time"], contract.zone)
            is_in = since_us <= (row["at_us"] if network_us is None else network_us) <= until_us
        if is_in and (command.every_state or row["state"] == POSTED):
            items.append(told(row, contract, now_us))
        if len(items) > ITEMS_MAX:
            return Refused("too-many")  # a list without its end would say that the rest was never paid
    store.put(connection, "told", store.get_int(connection, "told") + 1)
    return Statement(tuple(items))


def _candidates(
    connection: sqlite3.Connection, contract: Contract, since_us: int, until_us: int
) -> Iterator[sqlite3.Row]:
    """Every payment whose own time may fall into the span, oldest first."""
    return iter(
        connection.execute(
            "SELECT * FROM payments WHERE agreement = ? AND at_us BETWEEN ? AND ? ORDER BY at_us, receipt",
            (
                contract.agreement,
                since_us - (AHEAD_DAYS_MAX + 1) * _DAY_US,
                until_us + (BEHIND_DAYS_MAX + 2) * _DAY_US,
            ),
        )
    )


def _day(row: sqlite3.Row, contract: Contract) -> str:
    """The day that a payment counts for: the network's, unless its clock is broken."""
    at_us = row["posted_at_us"] if row["posted_at_us"] is not None else row["at_us"]
    ours = moment(at_us, contract.zone).date()
    network_at = results.network_at(row, contract)
    if network_at is None:
        return ours.isoformat()
    theirs = network_at.date()
    is_used = -AHEAD_DAYS_MAX <= (ours - theirs).days <= BEHIND_DAYS_MAX
    return (theirs if is_used else ours).isoformat()


def _span(command: ListPosted, contract: Contract) -> Optional[Tuple[int, int, bool]]:
    """The days or instants asked about, as instants; ``None`` for texts that are neither."""
    if ("T" in command.since) != ("T" in command.until):
        return None
    by_day = "T" not in command.since
    since, until = command.since, command.until
    if by_day:
        try:
            since = date.fromisoformat(since).isoformat() + "T00:00:00"
            until = date.fromisoformat(until).isoformat() + "T23:59:59"
        except ValueError:
            return None
    first, last = instant_us(since, contract.zone), instant_us(until, contract.zone)
    return None if first is None or last is None else (first, last, by_day)
