"""One batch of a lane: are its results those of its demands, one after another?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kvit.domain.messages import Conflict, Post, Posted, Result, TryLater, Voided
from kvit.lanes.desk import Demand
from tests.simulation.faults import Fate

#: (agreement, txn)
Key = tuple[str, str]


class Content(NamedTuple):
    """What makes a payment the same payment."""

    number: str
    amount_minor: int
    service: str


Known = dict[Key, Content]


def content_of(post: Post) -> Content:
    return Content(post.number, post.amount_minor, post.service)


class Batch(NamedTuple):
    """``known``: what was in the books before."""

    demands: Sequence[Demand]
    results: Sequence[Result]
    known: Known


def batch_findings(batch: Batch, fate: Fate | None) -> Iterator[str]:
    """What should not be, whatever the fate, and what should not be under this one."""
    if len(batch.results) != len(batch.demands):
        yield f"{len(batch.demands)} demands, {len(batch.results)} results"
        return
    yield from _put_off(batch, fate)
    yield from _out_of_order(batch, is_exact=fate is None or not (fate.fired or fate.poisoned))


def _put_off(batch: Batch, fate: Fate | None) -> Iterator[str]:
    """Only who met a fault may be told to come later; a database that is away is met by all."""
    put_off = [
        demand
        for demand, result in zip(batch.demands, batch.results, strict=True)
        if isinstance(result, TryLater)
    ]
    if fate is not None and fate.poisoned:
        put_off = [demand for demand in put_off if getattr(demand.command, "txn", "") != fate.poison]
    if not put_off:
        return
    if fate is None or not fate.fired:
        yield f"{len(put_off)} demands were put off for no reason of theirs"
    elif fate.kind is not None and not fate.kind.is_away and len(put_off) > 1:
        yield f"{len(put_off)} demands were put off for the fault of one"


def _out_of_order(batch: Batch, *, is_exact: bool) -> Iterator[str]:
    """What was known stays known, and each demand finds what those before it did.

    After a fault it is only known that what was in the books before still is.
    """
    known, new = dict(batch.known), []
    for demand, result in zip(batch.demands, batch.results, strict=True):
        if not isinstance(demand.command, Post) or isinstance(result, TryLater):
            continue
        key = demand.agreement.agreement_id, demand.command.txn
        before, asked = known.get(key), content_of(demand.command)
        confirms = isinstance(result, Posted | Voided)
        if before is not None and (not confirms if before == asked else not isinstance(result, Conflict)):
            yield f"{key} was known as {before}; {asked} was answered with {result}"
        if before is not None and isinstance(result, Posted) and not result.repeat:
            yield f"{key} was known, and was booked again"
        if isinstance(result, Posted) and not result.repeat:
            new.append(result.receipt)
            known[key] = asked
        elif before is None and is_exact and (confirms or isinstance(result, Conflict)):
            yield f"{key} was not known, and {asked} was answered with {result}"
    if new != sorted(new):
        yield f"payments were not booked in the order in which they came: {new}"
