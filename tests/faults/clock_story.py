"""Payments under a clock that jumps, and what must be in the books of each; zones by hand, by no library."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from kvit.domain import days
from kvit.domain.messages import ListPosted, Post, Posted, Result, Statement, Status, Void, Voided
from kvit.domain.model import Agreement
from kvit.services.audit.report import Report
from kvit.services.audit.verify import verify
from kvit.services.periods import Month, close
from kvit.storage.audit import SqlAuditBook
from kvit.storage.closing import SqlClosing
from kvit.storage.sealing import seal_all
from tests.gateway import Gateway
from tests.seeding import ZONE, Town

KYIV, MOSCOW, ALMATY = "Europe/Kyiv", "Europe/Moscow", "Asia/Almaty"
JUMPS = [
    timedelta(seconds=1), timedelta(seconds=-1), timedelta(minutes=20),
    timedelta(hours=1), timedelta(hours=-1), timedelta(days=1), timedelta(days=-1),
]  # fmt: skip


def offset_of(zone: str, instant: datetime) -> timedelta:
    """The rules as they stand in 2026 to 2028, written down by hand."""
    if zone == KYIV:
        begins, ends = (_last_sunday(instant.year, month) for month in (3, 10))
        return timedelta(hours=3 if begins <= instant < ends else 2)
    return timedelta(hours={MOSCOW: 3, ALMATY: 5}[zone])


def _last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def instant_of(zone: str, local: datetime) -> datetime:
    """The instant at which clocks there showed ``local``; the first of two; the offset before for none."""
    bare = local.replace(tzinfo=UTC)
    found = [bare - timedelta(hours=hours) for hours in (6, 5, 4, 3, 2)]
    found = [instant for instant in found if instant + offset_of(zone, instant) == bare]
    return min(found) if found else bare - timedelta(hours=2)


def day_of(zone: str, instant: datetime) -> date:
    return (instant + offset_of(zone, instant)).date()


@dataclass
class Story:
    """One agreement's payments under a clock that jumps, and what must be in the books about each."""

    gateway: Gateway
    chance: random.Random
    town: Town
    agreement: Agreement
    off: timedelta
    closed_through: str = ""
    answers: dict[str, Posted] = field(default_factory=dict)
    posts: dict[str, Post] = field(default_factory=dict)
    days: dict[str, str] = field(default_factory=dict)
    voided: dict[str, str] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.gateway.clock.instant

    def step(self) -> None:
        self.gateway.clock.instant += self.chance.choice(JUMPS)
        doing = [self.pay, self.pay, self.pay, self.pay_again, self.ask, self.void, self.close_a_period]
        self.chance.choice(doing)()

    def pay(self) -> None:
        """One to three in a batch; each has the network's idea of the time, with its raw text."""
        fresh: list[Post] = []
        for _ in range(self.chance.randint(1, 3)):
            instant = self.now + self.off - timedelta(seconds=self.chance.randint(0, 7200))
            local = (instant + offset_of(self.agreement.timezone, instant)).replace(
                tzinfo=None, microsecond=0
            )
            fresh.append(
                Post(
                    f"{len(self.posts) + len(fresh) + 1:06}",
                    self.chance.choice("ab"),
                    self.chance.randint(1, 900),
                    network_time=local.isoformat(),
                    network_time_raw=f"{local:%Y%m%d%H%M%S}",
                )
            )
        for post, result in zip(fresh, self.gateway.post([(self.agreement, p) for p in fresh]), strict=True):
            assert isinstance(result, Posted), result
            assert result.repeat is False
            # By their numbers: an hour that a clock shows twice equals no hour of another zone in Python.
            assert result.received_at.timestamp() == self.now.timestamp()
            assert all(result.receipt > earlier.receipt for earlier in self.answers.values())
            self.posts[post.txn], self.answers[post.txn] = post, result
            self.days[post.txn] = self._day_of(post)

    def pay_again(self) -> None:
        for txn in self._some():
            again = replace(self.posts[txn], network_time="2001-01-01T00:00:00", network_time_raw="whatever")
            self._is_first_answer(txn, self.gateway.ask(self.agreement, again))

    def ask(self) -> None:
        for txn in self._some():
            self._is_first_answer(txn, self.gateway.ask(self.agreement, Status(txn)))
        day = self.chance.choice([*self.days.values(), day_of(MOSCOW, self.now).isoformat()])
        listed = self.gateway.ask(self.agreement, ListPosted(day, day))
        assert isinstance(listed, Statement)
        expected = [txn for txn in self.days if self.days[txn] == day and txn not in self.voided]
        assert [item.txn for item in listed.items] == expected, "in the order in which they were booked"

    def void(self) -> None:
        for txn in self._some():
            result = self.gateway.ask(self.agreement, Void(txn=txn))
            assert isinstance(result, Voided)
            if txn not in self.voided:
                assert result.at.timestamp() == self.now.timestamp()
                self.voided[txn] = self._open(day_of(ZONE, self.now)).isoformat()  # the biller's own day

    def close_a_period(self) -> None:
        """Up to some day about today: yesterday's month, or by mistake the day after tomorrow."""
        day = day_of(ZONE, self.now) + timedelta(days=self.chance.randint(-40, 2))
        if day.isoformat() <= self.closed_through:
            return
        self.closed_through = day.isoformat()
        with self.gateway.database.write() as connection:
            book = SqlClosing(connection, self.town.biller_id)
            month = Month("a period", self.closed_through, self.closed_through)
            close(book, month, [], "", "cli:anna", self.gateway.clock.now)

    def check(self) -> Report:
        biller_id = self.town.biller_id
        rows = {row["txn"]: row for row in self.gateway.rows("payments", biller_id)}
        assert rows.keys() == self.posts.keys()
        for txn, post in self.posts.items():
            self._check_row(post, rows[txn])
        dated = {row["transaction_id"]: row for row in self.gateway.rows("transactions", biller_id)}
        for txn, day in self.days.items():
            assert dated[rows[txn]["receipt"]]["accounting_date"] == day
        for void in self.gateway.rows("voids", biller_id):
            (txn,) = (txn for txn, row in rows.items() if row["receipt"] == void["receipt"])
            assert dated[void["transaction_id"]]["accounting_date"] == self.voided[txn]
        assert self.gateway.findings(biller_id) == []
        while seal_all(self.gateway.database):
            pass
        places = sorted(
            (row["position"], row["journal_id"]) for row in self.gateway.rows("journal", biller_id)
        )
        assert [journal_id for _, journal_id in places] == sorted(journal_id for _, journal_id in places)
        with self.gateway.database.read() as connection:
            return verify(SqlAuditBook(connection), [biller_id], days.to_us(self.now))

    def _check_row(self, post: Post, row: Mapping[str, Any]) -> None:
        network_at = instant_of(self.agreement.timezone, datetime.fromisoformat(post.network_time))
        assert row["network_time"] == post.network_time_raw
        assert row["network_at_us"] == int(network_at.timestamp()) * 1_000_000
        assert row["received_at_us"] == round(self.answers[post.txn].received_at.timestamp() * 1_000_000)
        assert (row["accounting_date"], row["receipt"]) == (
            self.days[post.txn],
            self.answers[post.txn].receipt,
        )

    def _day_of(self, post: Post) -> str:
        zone = self.agreement.timezone
        theirs = day_of(zone, instant_of(zone, datetime.fromisoformat(post.network_time)))
        ours = day_of(zone, self.now)
        is_believed = -1 <= (ours - theirs).days <= 31
        return self._open(theirs if is_believed else ours).isoformat()

    def _open(self, day: date) -> date:
        closed = date.fromisoformat(self.closed_through) if self.closed_through else date.min
        return max(day, closed + timedelta(days=1))

    def _some(self) -> list[str]:
        return self.chance.sample(sorted(self.posts), min(2, len(self.posts)))

    def _is_first_answer(self, txn: str, result: Result) -> None:
        if txn in self.voided:
            assert isinstance(result, Voided)
            assert result.posted is not None
            result = result.posted
        assert result == replace(self.answers[txn], repeat=True)
