"""R17: an agreement ends at the very moment of a payment. What is paid stays paid, and is told for ever."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from kvit.domain.messages import (
    Conflict,
    Found,
    Lookup,
    Post,
    Posted,
    Refused,
    Result,
    Status,
    Void,
    Voided,
)
from kvit.domain.model import Agreement
from kvit.lanes.desk import Demand, WriteDesk
from tests.faults.conftest import Seen, load
from tests.gateway import Gateway
from tests.seeding import Client, Due, Town, agreement_of, seed

#: zone, last day, the first instant that is no more of it
ENDS = (
    ("Europe/Moscow", "2026-11-30", "2026-11-30T21:00:00+00:00"),
    ("Asia/Almaty", "2026-12-31", "2026-12-31T19:00:00+00:00"),
    ("Asia/Kathmandu", "2027-01-15", "2027-01-15T18:15:00+00:00"),
    ("America/New_York", "2026-12-01", "2026-12-02T05:00:00+00:00"),
    ("Europe/Berlin", "2027-03-28", "2027-03-28T22:00:00+00:00"),  # has 23 hours
    ("Europe/Berlin", "2027-10-31", "2027-10-31T23:00:00+00:00"),  # has 25 hours
    ("UTC", "2028-02-29", "2028-03-01T00:00:00+00:00"),
)
MS = timedelta(milliseconds=1)
CLOSED = Refused("agreement-closed")
PAYMENTS = load(1_000, 20_000)


@dataclass
class Ending:
    """A biller whose agreement ends, and a gateway whose clock may be set to about that moment."""

    gateway: Gateway
    town: Town
    agreement: Agreement
    end: datetime

    def at(self, after: timedelta) -> None:
        self.gateway.clock.instant = self.end + after

    def pay(self, txn: str, amount_minor: int = 5_000) -> Result:
        return self.gateway.ask(self.agreement, Post(txn, "a", amount_minor))

    def stored(self) -> dict[str, int]:
        """Txn -> how often it was asked for."""
        rows = self.gateway.rows("payments", self.town.biller_id)
        return {row["txn"]: row["attempts"] for row in rows}


@pytest.fixture(params=ENDS, ids=lambda end: f"{end[0].rpartition('/')[2]}-{end[1]}")
def ending(request: pytest.FixtureRequest, gateway: Gateway) -> Iterator[Ending]:
    zone, last_day, end = request.param
    town = seed(gateway.database, [Client("a", [Due(100_000)])])
    agreement = agreement_of(town.biller_id, timezone=zone, valid_until=last_day)
    yield Ending(gateway, town, agreement, datetime.fromisoformat(end))
    assert gateway.findings(town.biller_id) == []


@pytest.mark.parametrize("after_ms", [-1, 0, 1])
def test_a_payment_at_the_end(ending: Ending, after_ms: int) -> None:
    ending.at(after_ms * MS)
    first, check = ending.pay("1"), ending.gateway.ask(ending.agreement, Lookup("1", "a"))
    if after_ms < 0:
        assert isinstance(first, Posted)
        assert isinstance(check, Found)
        assert ending.stored() == {"1": 1}
    else:
        assert (first, check) == (CLOSED, CLOSED)
        assert ending.stored() == {}


@pytest.mark.parametrize("after", [-MS, 0 * MS, MS, timedelta(days=1), timedelta(days=4_000)], ids=str)
def test_what_was_paid_in_time_is_told_for_ever(ending: Ending, after: timedelta) -> None:
    ending.at(-MS)
    first = ending.pay("1")
    assert isinstance(first, Posted)
    ending.at(after)
    again = replace(first, repeat=True)
    assert ending.pay("1") == again
    assert ending.gateway.ask(ending.agreement, Status("1")) == again
    assert ending.pay("1", 5_001) == Conflict("1")
    assert isinstance(ending.pay("2"), Posted if after < 0 * MS else Refused)
    taken_back = ending.gateway.ask(ending.agreement, Void(txn="1"))
    assert isinstance(taken_back, Voided)
    told = ending.pay("1")
    assert isinstance(told, Voided)
    assert (told.posted, told.receipt) == (again, first.receipt)
    assert ending.stored()["1"] == 4


def test_a_refused_payment_is_taken_once_the_agreement_is_prolonged(ending: Ending) -> None:
    """The no was final for the network, and yet nothing of it is kept that a new request could meet."""
    ending.at(0 * MS)
    assert ending.pay("1") == CLOSED
    ending.agreement = replace(ending.agreement, valid_until="2029-01-01")
    first = ending.pay("1")
    assert isinstance(first, Posted)
    assert not first.repeat


def test_the_end_comes_while_payments_do(ending: Ending, seen: Seen) -> None:
    """Batches a millisecond apart, to and fro over the end: exactly one of paid and refused, as the books
    say; and whatever was paid is never refused again."""
    chance = random.Random(ending.agreement.valid_until)  # noqa: S311
    count = max(PAYMENTS // len(ENDS), 1)
    requests = [f"{txn:04}" for txn in range(count) for _ in range(chance.randint(1, 4))]
    # Repeats come soon after: within the moments that the clock wavers about the end.
    requests.sort(key=lambda txn: int(txn) + chance.uniform(0, 12))
    desk = WriteDesk(ending.gateway.postings, ending.gateway.corrections, ending.gateway.clock)
    paid: dict[str, int] = {}
    refused = 0
    for batch in batches(chance, requests):
        after_ms = chance.choice((-1, 0, 1))
        ending.at(after_ms * MS)
        results = desk([Demand(ending.agreement, Post(txn, "a", 10)) for txn in batch])
        for txn, result in zip(batch, results, strict=True):
            if txn in paid or after_ms < 0:
                assert isinstance(result, Posted), (txn, after_ms, result)
                assert result.repeat == (txn in paid)
                paid[txn] = paid.get(txn, 0) + 1
            else:
                assert result == CLOSED
                refused += 1
    assert ending.stored() == paid
    assert 0 < len(paid) <= count
    assert refused > count / 4
    late = [
        row["txn"] for row in ending.gateway.rows("payments", ending.town.biller_id)
        if row["received_at_us"] >= ending.end.timestamp() * 1_000_000
    ]  # fmt: skip
    assert late == []
    assert ending.gateway.balance(ending.town.biller_id, "a") == 100_000 - 10 * len(paid)
    seen(payments=count, paid=len(paid), refusals=refused, repeats=sum(paid.values()) - len(paid))


def batches(chance: random.Random, requests: Sequence[str]) -> Iterator[list[str]]:
    left = iter(requests)
    while batch := list(itertools.islice(left, chance.randint(1, 8))):
        yield batch
