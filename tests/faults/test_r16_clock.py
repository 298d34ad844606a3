"""R16: our clock jumps, the network's is wrong by days, summer time comes and goes: the books keep order."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kvit.config import Settings
from kvit.domain.messages import Found, Lookup, Post, Posted, Refused
from tests.conftest import create_books
from tests.faults.clock_story import ALMATY, JUMPS, KYIV, MOSCOW, Story
from tests.faults.conftest import Seen, load
from tests.faults.inside import serving_inside
from tests.gateway import Gateway, HandClock
from tests.proof.serving import installed
from tests.proof.terminals import Answer, Terminal, pay_target, run_terminals
from tests.seeding import Client, Due, agreement_of, seed

STORIES = load(8, 100)
STEPS = 25
#: Where something happens: summer time begins and ends, a leap day, the end of a year, the end of a month.
TURNS = [
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2028, 2, 28, 21, tzinfo=UTC),
    datetime(2028, 2, 29, 21, tzinfo=UTC),
    datetime(2026, 12, 31, 21, tzinfo=UTC),
    datetime(2027, 2, 28, 19, tzinfo=UTC),
]
#: How far the network's clock is off, for a whole story.
OFF = [timedelta(0), timedelta(hours=1), timedelta(hours=-1), timedelta(days=3), timedelta(days=-3),
       timedelta(days=-40), timedelta(days=400)]  # fmt: skip


def story_of(gateway: Gateway, number: int) -> Story:
    chance = random.Random(number)  # noqa: S311
    town = seed(gateway.database, [Client(n, [Due(5_000), Due(3_000, "2026-11-30")]) for n in "ab"])
    zone = (KYIV, MOSCOW, ALMATY)[number % 3]
    gateway.clock.instant = TURNS[number // 3 % len(TURNS)] + timedelta(minutes=chance.randint(-90, 90))
    return Story(gateway, chance, town, agreement_of(town.biller_id, timezone=zone), chance.choice(OFF))


@pytest.mark.timeout(load(180, 600))
def test_the_clock_jumps_while_payments_come_in(gateway: Gateway, seen: Seen) -> None:
    payments = 0
    for number in range(STORIES):
        story = story_of(gateway, number)
        for _ in range(STEPS):
            story.step()
        report = story.check()
        assert report.findings == [], f"story {number}"
        payments += len(story.posts)
    seen(stories=STORIES, payments=payments)


# --- by example ------------------------------------------------------------------------------------------

EXAMPLES = {
    "summer time begins: before": (KYIV, "2026-03-29T02:59:59", "2026-03-29T00:59:59", "2026-03-29"),
    "summer time begins: the hour that is not": (
        KYIV, "2026-03-29T03:30:00", "2026-03-29T01:30:00", "2026-03-29"),
    "summer time begins: after": (KYIV, "2026-03-29T04:00:00", "2026-03-29T01:00:00", "2026-03-29"),
    "summer time: a day begins earlier": (KYIV, "2026-07-01T00:00:00", "2026-06-30T21:00:00", "2026-07-01"),
    "summer time ends: the hour that is twice": (
        KYIV, "2026-10-25T03:30:00", "2026-10-25T00:30:00", "2026-10-25"),
    "summer time ends: after": (KYIV, "2026-10-25T04:00:00", "2026-10-25T02:00:00", "2026-10-25"),
    "no summer time in Moscow": (MOSCOW, "2026-07-01T00:00:00", "2026-06-30T21:00:00", "2026-07-01"),
    "nor in winter": (MOSCOW, "2026-12-31T23:59:59", "2026-12-31T20:59:59", "2026-12-31"),
    "Almaty since 2024": (ALMATY, "2026-07-01T00:00:00", "2026-06-30T19:00:00", "2026-07-01"),
    "a leap day": (MOSCOW, "2028-02-29T00:00:00", "2028-02-28T21:00:00", "2028-02-29"),
    "the end of a leap day": (ALMATY, "2028-02-29T23:59:59", "2028-02-29T18:59:59", "2028-02-29"),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("off_days", [0, -1, 31])
def test_the_day_is_the_network_s_in_the_agreement_s_zone(gateway: Gateway, name: str, off_days: int) -> None:
    """Our own clock is somewhere within what is believed, and changes nothing of it."""
    zone, local, instant, day = EXAMPLES[name]
    town = seed(gateway.database, [Client("a", [Due(1_000)])])
    agreement = agreement_of(town.biller_id, timezone=zone)
    network_at = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    gateway.clock.instant = network_at + timedelta(days=off_days)
    gateway.ask(agreement, Post("1", "a", 10, network_time=local, network_time_raw="as it came"))
    (row,) = gateway.rows("payments", town.biller_id)
    assert row["network_at_us"] == int(network_at.timestamp()) * 1_000_000
    assert (row["network_time"], row["accounting_date"]) == ("as it came", day)
    assert row["received_at_us"] == int(gateway.clock.instant.timestamp()) * 1_000_000


def test_a_day_of_an_agreement_begins_and_ends_with_the_zone_s_own(gateway: Gateway) -> None:
    """Valid on the day on which summer time begins: twenty-three hours, and not a second more."""
    town = seed(gateway.database, [Client("a", [Due(1_000)])])
    agreement = agreement_of(town.biller_id, timezone=KYIV, valid_from="2026-03-29", valid_until="2026-03-29")
    begins, ends = datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 3, 29, 21, tzinfo=UTC)
    second = timedelta(seconds=1)
    for instant, is_open in ((begins - second, False), (begins, True), (ends - second, True), (ends, False)):
        gateway.clock.instant = instant
        result = gateway.ask(agreement, Lookup("1", "a"))
        assert isinstance(result, Found) if is_open else result == Refused("agreement-closed"), instant


def test_a_network_whose_clock_is_mad_is_stored_and_not_believed(gateway: Gateway) -> None:
    town = seed(gateway.database, [Client("a", [Due(1_000)])])
    agreement = agreement_of(town.biller_id)
    gateway.clock.instant = datetime(2028, 2, 29, 20, 59, 59, tzinfo=UTC)
    for txn, told in enumerate(_mad_times(), 1):
        result = gateway.ask(agreement, Post(str(txn), "a", 1, network_time=told, network_time_raw=told))
        assert isinstance(result, Posted), told
    rows = sorted(gateway.rows("payments", town.biller_id), key=lambda row: int(row["txn"]))
    assert [row["network_time"] for row in rows] == list(_mad_times())
    assert {row["accounting_date"] for row in rows} == {"2028-02-29"}
    assert [row["receipt"] for row in rows] == sorted(row["receipt"] for row in rows)
    assert gateway.findings(town.biller_id) == []


def _mad_times() -> Iterator[str]:
    yield from ("1970-01-01T00:00:00", "2027-02-29T12:00:00", "2038-01-19T03:14:08", "0001-01-01T00:00:00")
    yield from ("9999-12-31T23:59:59", "2028-03-02T00:00:00", "2028-01-28T23:59:59", "yesterday")


def test_a_running_server_does_not_mind(tmp_path: Path, seen: Seen) -> None:
    """Its patience and readiness go by a clock that nobody sets; its books by the one that jumps."""
    url = f"sqlite:///{tmp_path / 'books.sqlite'}"
    create_books(url)
    clock, slowest_s = HandClock(), 0.0
    settings = Settings(database=url, data=str(tmp_path))
    with (
        installed(url, tmp_path, [Client("a", [Due(1_000_000)])]) as installation,
        serving_inside(installation, clock, settings),
    ):
        agreement = installation.agreements[0]

        async def pay(terminal: Terminal, txn: int) -> Answer:
            return await terminal.ask(pay_target(agreement.agreement_id, Post(str(txn), "a", 10)))

        for place in range(load(14, 70)):
            clock.instant += JUMPS[place % len(JUMPS)]
            began_s = time.monotonic()
            told, _ = run_terminals(installation.port, 2, range(10 * place + 1, 10 * place + 5), pay)
            slowest_s = max(slowest_s, time.monotonic() - began_s)
            assert {answer.code for _, answer in told} == {"0"}
            assert installation.is_ready()
            row = installation.gateway.payment(agreement, str(10 * place + 1))
            assert row is not None
            assert row["received_at_us"] == int(clock.instant.timestamp()) * 1_000_000
        rows = installation.gateway.rows("payments", agreement.biller_id)
        assert installation.gateway.findings(agreement.biller_id) == []
        audited = installation.audit()
        assert (audited["findings"], audited["payments"]) == ([], len(rows))
    assert slowest_s < 5
    seen(payments=len(rows), slowest_s=round(slowest_s, 2))
