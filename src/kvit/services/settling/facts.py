"""What a settlement is made of: lump sums, what was collected, and what was paid out before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from kvit.domain.model import Agreement


class Span(NamedTuple):
    """ISO days, both inclusive."""

    first: str
    last: str

    def has(self, day: str) -> bool:
        return self.first <= day <= self.last


def each_day(span: Span) -> Iterator[str]:
    day, last = date.fromisoformat(span.first), date.fromisoformat(span.last)
    while day <= last:
        yield day.isoformat()
        day += timedelta(days=1)


class Payout(NamedTuple):
    """A settlement that stands."""

    settlement_id: int
    first_day: str
    last_day: str
    gross_minor: int
    fee_minor: int
    net_minor: int
    reason: str


class Collected(NamedTuple):
    """What the agent collected on one day: by the register's day of a payment that has one, else by ours.

    ``fee_minor``: each payment's by the agreement, rounded by itself; ``fee_millionths``: the same, not
    rounded, in millionths of a minor unit. ``told_fee_minor``: by the register; ``None`` where some row does
    not say.
    """

    day: str
    payments: int
    gross_minor: int
    fee_minor: int
    fee_millionths: int
    told_fee_minor: int | None = None


class Lump(NamedTuple):
    """An agent's lump sum on a statement. ``source``: the ledger account it came to, ``bank:<account>``."""

    source: str
    line_key: str
    day: str
    amount_minor: int
    text: str
    document: str
    payer: str


class Order(NamedTuple):
    """The payment order that a register says its money comes with, and the days of the register."""

    number: str
    first_day: str
    last_day: str


@dataclass(frozen=True, slots=True)
class SettlingFacts:
    """``collected`` by day, and the settlements that stand, of some months before a lump sum; ``waiting``:
    all lump sums of the agreement that wait, that one included."""

    agreement: Agreement
    collected: Mapping[str, Collected]
    payouts: Sequence[Payout]
    waiting: Sequence[Lump] = ()
    orders: Sequence[Order] = ()


@dataclass(slots=True)
class Block:
    """Days that were settled together, by one lump sum or several."""

    first_day: str
    last_day: str
    payouts: list[Payout]

    @property
    def span(self) -> Span:
        return Span(self.first_day, self.last_day)

    @property
    def net_minor(self) -> int:
        return sum(payout.net_minor for payout in self.payouts)

    @property
    def fee_minor(self) -> int:
        return sum(payout.fee_minor for payout in self.payouts)

    @property
    def gross_minor(self) -> int:
        return sum(payout.gross_minor for payout in self.payouts)


def blocks_of(payouts: Iterable[Payout]) -> list[Block]:
    """Settlements whose days overlap belong together; by their first day."""
    blocks: list[Block] = []
    for payout in sorted(payouts, key=lambda payout: (payout.first_day, payout.last_day)):
        if blocks and payout.first_day <= blocks[-1].last_day:
            blocks[-1].payouts.append(payout)
            blocks[-1].last_day = max(blocks[-1].last_day, payout.last_day)
        else:
            blocks.append(Block(payout.first_day, payout.last_day, [payout]))
    return blocks
