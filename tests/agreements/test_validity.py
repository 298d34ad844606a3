"""From when until when an agreement holds: whole days of its own zone, wherever the server stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest

from kvit.domain.messages import Conflict, Found, Lookup, Post, Posted, Refused
from kvit.domain.model import Agreement
from kvit.services.terms import is_open
from tests.gateway import Gateway, opened
from tests.seeding import Client, agreement_of, seed

#: zone, from, until, instant, open?
DAYS = (
    ("Europe/Moscow", "2026-03-01", "2026-03-31", "2026-02-28T23:59:59.999999+03:00", False),
    ("Europe/Moscow", "2026-03-01", "2026-03-31", "2026-03-01T00:00:00+03:00", True),
    ("Europe/Moscow", "2026-03-01", "2026-03-31", "2026-02-28T21:00:00+00:00", True),
    ("Europe/Moscow", "2026-03-01", "2026-03-31", "2026-02-28T20:59:59+00:00", False),
    ("Europe/Moscow", "2026-03-01", "2026-03-31", "2026-03-31T23:59:59.999999+03:00", True),
    ("Europe/Moscow", "2026-03-01", "2026-03-31", "2026-04-01T00:00:00+03:00", False),
    ("Europe/Moscow", "2026-03-01", "2026-03-31", "2026-03-31T21:00:00+00:00", False),
    ("Asia/Almaty", "2026-03-01", "", "2026-02-28T18:59:59+00:00", False),
    ("Asia/Almaty", "2026-03-01", "", "2026-02-28T19:00:00+00:00", True),
    ("Asia/Almaty", "2026-03-01", "", "2099-01-01T00:00:00+00:00", True),
    ("Asia/Kamchatka", "", "2026-03-31", "2026-03-31T11:59:59+00:00", True),
    ("Asia/Kamchatka", "", "2026-03-31", "2026-03-31T12:00:00+00:00", False),
    ("Asia/Kamchatka", "", "2026-03-31", "1999-01-01T00:00:00+00:00", True),
    # a zone that changes its clocks: the day has 23 hours, or 25
    ("Europe/Berlin", "2026-03-29", "2026-03-29", "2026-03-28T22:59:59+00:00", False),
    ("Europe/Berlin", "2026-03-29", "2026-03-29", "2026-03-28T23:00:00+00:00", True),
    ("Europe/Berlin", "2026-03-29", "2026-03-29", "2026-03-29T21:59:59+00:00", True),
    ("Europe/Berlin", "2026-03-29", "2026-03-29", "2026-03-29T22:00:00+00:00", False),
    ("Europe/Berlin", "2026-10-25", "2026-10-25", "2026-10-24T22:00:00+00:00", True),
    ("Europe/Berlin", "2026-10-25", "2026-10-25", "2026-10-25T22:59:59+00:00", True),
    ("Europe/Berlin", "2026-10-25", "2026-10-25", "2026-10-25T23:00:00+00:00", False),
    # a leap day, a turn of the year
    ("UTC", "2028-02-29", "2028-02-29", "2028-02-29T12:00:00+00:00", True),
    ("UTC", "2026-12-31", "2027-01-01", "2027-01-01T23:59:59+00:00", True),
    ("UTC", "2026-12-31", "2027-01-01", "2027-01-02T00:00:00+00:00", False),
    ("Europe/Moscow", "", "", "1970-01-01T00:00:00+00:00", True),
)


@pytest.mark.parametrize(("zone", "since", "until", "instant", "expected"), DAYS)
def test_the_days_are_the_zones_own(zone: str, since: str, until: str, instant: str, expected: bool) -> None:
    agreement = replace(agreement_of("b"), timezone=zone, valid_from=since, valid_until=until)
    assert is_open(agreement, datetime.fromisoformat(instant)) is expected


@pytest.fixture
def gateway(books_url: str) -> Iterator[Gateway]:
    """The services on a database of each engine."""
    with opened(books_url) as gateway:
        yield gateway


def pay(agreement: Agreement, txn: str, amount_minor: int = 5_000) -> Post:
    return Post(txn=txn, number="1001", amount_minor=amount_minor)


def test_after_the_last_day_only_what_is_known_is_answered(gateway: Gateway) -> None:
    town = seed(gateway.database, [Client("1001")])
    agreement = replace(agreement_of(town.biller_id), valid_from="2026-11-01", valid_until="2026-11-30")
    clock = gateway.clock

    clock.instant = datetime.fromisoformat("2026-10-31T23:59:59+03:00")
    assert gateway.ask(agreement, pay(agreement, "1")) == Refused("agreement-closed")
    assert gateway.ask(agreement, Lookup("1", "1001")) == Refused("agreement-closed")

    clock.instant = datetime.fromisoformat("2026-11-30T23:59:59+03:00")
    assert isinstance(gateway.ask(agreement, Lookup("1", "1001")), Found)
    first = gateway.ask(agreement, pay(agreement, "1"))
    assert isinstance(first, Posted)

    clock.instant = datetime.fromisoformat("2026-12-01T00:00:00+03:00")
    assert gateway.ask(agreement, pay(agreement, "2")) == Refused("agreement-closed")
    assert gateway.ask(agreement, Lookup("2", "1001")) == Refused("agreement-closed")
    assert gateway.ask(agreement, pay(agreement, "1")) == replace(first, repeat=True)
    assert gateway.ask(agreement, pay(agreement, "1", 5_001)) == Conflict("1")
    assert gateway.balance(town.biller_id, "1001") == -5_000
