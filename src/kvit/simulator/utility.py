"""A water utility that does not exist: two thousand clients, fourteen months of charges and payments.

Pure: the same seed and day give the same records. What clients owe before the current month does not
depend on the day either, so that a manual can name the accounts of ``STORIES`` with their sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

from kvit.domain.messages import Post
from kvit.domain.model import Biller
from kvit.files.records import AccountRow, ChargeRow
from kvit.simulator import names
from kvit.simulator.clients import APP, IBOX, NUMBER_SCHEME, QIWI, Client, bill, make_clients, wish_minor

BILLER = Biller("water", "Водоканал «Родник»", "RUB", "Europe/Moscow", NUMBER_SCHEME, "", 0)

SEED = 20
ACCOUNTS = 2000
MONTHS = 14

#: Terminals take no less and no more.
LEAST_MINOR, MOST_MINOR = 1_000, 1_500_000

#: Days after the bills; the shortest month has 28.
_PROMPT_DAYS, _ANY_DAYS = range(1, 15), range(1, 28)
#: ``2026-11-01T09:30:00`` -> ``20261101093000``, as terminals write it; an app writes ISO, with the offset.
_RAW = str.maketrans("", "", "-T:")


class Payment(NamedTuple):
    """``at`` is when the money was taken, aware, in the biller's zone."""

    at: datetime
    agreement_id: str
    post: Post


@dataclass(frozen=True, slots=True)
class Month:
    """``issued_at`` (aware) is the evening on which the charges were made; ``payments`` came after it."""

    period: str
    issued_at: datetime
    charges: list[ChargeRow]
    payments: list[Payment]


@dataclass(frozen=True, slots=True)
class Utility:
    """``began_at`` (aware) is before everything else. ``closed``: numbers of clients who have moved away."""

    began_at: datetime
    accounts: list[AccountRow]
    closed: list[str]
    months: list[Month]


def make_utility(
    today: date, seed: int = SEED, accounts_count: int = ACCOUNTS, months_count: int = MONTHS
) -> Utility:
    """The records up to the evening before ``today``; the last period is the month before it."""
    zone = ZoneInfo(BILLER.timezone)
    firsts = _first_days(today, months_count + 1)
    town = _Town(seed, accounts_count, months_count)
    months = []
    for index, (first, following) in enumerate(pairwise(firsts)):
        evening = datetime.combine(following - timedelta(days=1), time(20, 30), zone)
        charges = town.charges(index, f"{first:%Y-%m}", following)
        payments = [one for one in town.payments(index, evening) if one.at.date() < today]
        months.append(Month(f"{first:%Y-%m}", evening, charges, payments))
    closed = [client.number for client in town.clients if client.leaves < months_count]
    return Utility(datetime.combine(firsts[0], time(9), zone), town.accounts(), closed, months)


class _Town:
    """The clients, and what each month does to them. Months are to be asked for in order."""

    def __init__(self, seed: int, accounts_count: int, months_count: int) -> None:
        self._seed = seed
        # One source of chance for each matter, so that a change in one leaves the others alone.
        self._bills, self._stories, self._habits, self._times = (
            self._chance(about) for about in ("bills", "stories", "habits", "times")
        )
        self._last = months_count - 1
        # Each network numbers its payments in a series of its own.
        self._txns = {QIWI: 60_417_300_218, IBOX: 8_114_903, APP: 530_226_117}
        self.clients = make_clients(self._chance("clients"), accounts_count, months_count)

    def accounts(self) -> list[AccountRow]:
        """Every client as a file of the billing program would have them."""
        random = self._chance("accounts")
        places = names.addresses(random, len(self.clients))
        rows = []
        for line, (client, address) in enumerate(zip(self.clients, places, strict=True), 2):
            telephone = names.phone(random) if random.random() < 0.7 else ""
            meter = f"ВС-15 {random.randrange(10**6, 10**7)}"
            attributes = (("Проживает", str(client.people)), ("Водомер", meter))
            rows.append(AccountRow(line, client.number, client.name, address, telephone, "", attributes))
        return rows

    def charges(self, index: int, period: str, following: date) -> list[ChargeRow]:
        """The bills of a month, due on the 25th of the next one."""
        due = following.replace(day=25).isoformat()
        rows: list[ChargeRow] = []
        for client in self.clients:
            if index >= client.leaves:
                continue
            document = f"{period}/{client.number}"
            random = self._stories if client.is_story else self._bills
            for service, amount_minor in bill(client, index, random):
                client.due_minor += amount_minor
                line = len(rows) + 2
                rows.append(ChargeRow(line, client.number, service, period, amount_minor, due, document))
        return rows

    def payments(self, index: int, evening: datetime) -> list[Payment]:
        """What clients pay between this ``evening`` and the next bills, in the order of time."""
        asked = []
        for client in self.clients:
            amount_minor = wish_minor(client, index, self._last, self._habits)
            if amount_minor > 0:
                amount_minor = min(max(amount_minor, LEAST_MINOR), MOST_MINOR)
                client.due_minor -= amount_minor
                asked.append((self._moment(client, index, evening), client, amount_minor))
        asked.sort(key=lambda one: (one[0], one[1].number))
        return [self._payment(*one) for one in asked]

    def _moment(self, client: Client, index: int, evening: datetime) -> datetime:
        days = self._times.choice(_PROMPT_DAYS if client.habit == "prompt" else _ANY_DAYS)
        second = self._times.randrange(7 * 3600, 22 * 3600)
        if client.is_story and index == self._last:
            # The same evening, so that it has happened whatever day it is.
            return evening + timedelta(seconds=second % 3600)
        midnight = evening.replace(hour=0, minute=0) + timedelta(days=days)
        return midnight + timedelta(seconds=second)

    def _payment(self, at: datetime, client: Client, amount_minor: int) -> Payment:
        # Others are paid in between.
        self._txns[client.agreement_id] += self._times.randrange(1, 900)
        taken = at.isoformat()[:19]
        post = Post(
            txn=str(self._txns[client.agreement_id]),
            number=client.number,
            amount_minor=amount_minor,
            network_time=taken,
            network_time_raw=at.isoformat() if client.agreement_id == APP else taken.translate(_RAW),
        )
        return Payment(at, client.agreement_id, post)

    def _chance(self, about: str) -> Random:
        return Random(f"{self._seed} {about}")  # noqa: S311 - nothing here is a secret


def _first_days(today: date, count: int) -> list[date]:
    """The first days of this month and of those before it, oldest first."""
    days = [today.replace(day=1)]
    while len(days) < count:
        days.append((days[-1] - timedelta(days=1)).replace(day=1))
    return days[::-1]
