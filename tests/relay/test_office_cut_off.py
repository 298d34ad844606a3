"""A line that is cut, doubles, delays and alters; days later each payment is in the books once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random

import httpx2
import pytest

from kvit.main.relays import send_copies
from tests.relay.hosting import Affiliate, affiliate_at

Way = Callable[[httpx2.Request], httpx2.Response]
PAYMENTS, CUTS = 1_000, 20


class Mischief:
    """A line that does to each call whatever chance says; nothing while it is ``calm``."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)  # noqa: S311 - the order of mishaps
        self.is_cut = False
        self.calm = False
        self.done: dict[str, int] = {}
        self._late: httpx2.Response | None = None

    def __call__(self, request: httpx2.Request, way: Way) -> httpx2.Response:
        if self.is_cut:
            raise self._note("cut", httpx2.ConnectTimeout("cut"))
        if self.calm:
            return way(request)
        what = self.chance.choices(
            ("good", "doubled", "answer lost", "altered", "delayed", "call altered"), (10, 2, 2, 1, 1, 1)
        )[0]
        self.done[what] = self.done.get(what, 0) + 1
        if what == "doubled":
            way(request)
            return way(request)  # the nonce is known: refused without a signature
        answer = way(_altered_call(request) if what == "call altered" else request)
        if what == "answer lost":
            raise httpx2.ReadTimeout("lost")
        if what == "altered":
            return httpx2.Response(
                answer.status_code, headers=dict(answer.headers), content=answer.content.replace(b"1", b"2")
            )
        if what == "delayed":
            answer, self._late = self._late or answer, answer
        return answer

    def _note(self, what: str, error: Exception) -> Exception:
        self.done[what] = self.done.get(what, 0) + 1
        return error


def _altered_call(request: httpx2.Request) -> httpx2.Request:
    body = request.content.replace(b'"after": ', b'"after": 1')
    return httpx2.Request(request.method, request.url, headers=_plain(request), content=body + b" ")


def _plain(request: httpx2.Request) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name.lower() != "content-length"}


@pytest.mark.parametrize("seed", [1])
def test_whatever_the_line_does_each_payment_is_in_the_books_once(
    books_url: str, tmp_path: Path, seed: int
) -> None:
    with affiliate_at(books_url, tmp_path) as office:
        mischief = Mischief(seed)
        office.host.line = mischief
        taken = _pay_and_cut(office, mischief)
        mischief.calm, mischief.is_cut = True, False
        line = office.room.line("main")
        for _ in range(100):
            done = line.puller.look()
            assert not done.trouble
            if not done.waiting:
                break
        line.close()
        assert mischief.done["cut"] >= CUTS
        assert {"doubled", "answer lost", "altered", "delayed", "call altered"} <= mischief.done.keys()
        booked = _booked(office)
        assert len(booked) == len(set(booked)) == PAYMENTS, "each one once"
        assert sorted(booked) == sorted(taken)
        total_minor = sum(amount for _, _, amount in taken)
        assert sum(office.bureau.due(number) for number in ("1001", "1002", "1003")) == 50_000 - total_minor
        assert [one.alarm for one in office.room.relays.alarms("main")] == []
        raised = {one.alarm for one in office.room.relays.alarms("main", cleared=True)}
        assert "answer" in raised
        send_copies(office.room, "main", ["kassa"])
        assert office.host.due("1001") == max(office.bureau.due("1001"), 0)


def _pay_and_cut(office: Affiliate, mischief: Mischief) -> list[tuple[str, str, int]]:
    """Payments go on while the line is cut for a second to six hours; banks repeat what they like."""
    chance, taken = mischief.chance, []
    for cut in range(CUTS):
        for place in range(PAYMENTS // CUTS):
            txn, number = str(1_000 + cut * 1_000 + place), chance.choice(("1001", "1002", "1003"))
            amount_minor = chance.randint(100, 5_000)
            assert office.host.pay(txn, number, amount_minor, times=chance.choice((1, 1, 2)))
            taken.append((txn, number, amount_minor))
        mischief.is_cut = True
        _look(office)
        office.bureau.clock.at += timedelta(seconds=chance.choice((1, 60, 3_600, 21_600)))
        mischief.is_cut = False
        for _ in range(chance.randint(1, 4)):
            _look(office)
    return taken


def _look(office: Affiliate) -> None:
    line = office.room.line("main")
    line.puller.look()
    line.close()


def _booked(office: Affiliate) -> list[tuple[str, str, int]]:
    from sqlalchemy import select

    from kvit.storage.schema import accounts, payments

    query = select(payments.c.txn, accounts.c.number, payments.c.amount_minor).join(
        accounts, accounts.c.account_id == payments.c.account_id
    )
    with office.bureau.database.read() as connection:
        return [(row[0], row[1], row[2]) for row in connection.execute(query)]
