"""The network asks again an hour later, a month later, with another server in between: it is there once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from kvit.domain.messages import Post
from tests.conftest import create_books
from tests.faults.paying import check_all
from tests.proof.serving import installed
from tests.proof.terminals import Answer, Terminal, pay_target
from tests.seeding import Client, Due

MOMENTS = ("2026-11-23T12:00:00+03:00", "2026-11-23T13:00:00+03:00", "2027-01-02T12:00:00+03:00")


def test_again_an_hour_and_a_month_later(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'books.sqlite'}"
    create_books(url)
    with installed(url, tmp_path, [Client("0042017", [Due(45_000)])], mode="test") as installation:
        agreement_id = installation.agreements[0].agreement_id
        first_at_us = 0
        answers: set[Answer] = set()

        async def pay(post: Post) -> Answer:
            terminal = Terminal(installation.port)
            answer = await terminal.ask(pay_target(agreement_id, post))
            await terminal.close()
            return answer

        for place, moment in enumerate(MOMENTS, 1):
            installation.start("--test-clock", moment)
            answers.add(asyncio.run(pay(Post("700001", "0042017", 10_000))))
            assert asyncio.run(pay(Post(f"80000{place}", "0042017", 1))).code == "0"
            installation.stop()
            row = installation.gateway.payment(installation.agreements[0], "700001")
            assert row is not None
            first_at_us = first_at_us or row["received_at_us"]
            assert (row["received_at_us"], row["attempts"]) == (first_at_us, place)
        rows = installation.gateway.rows("payments", installation.town.biller_id)
        days = [row["received_at_us"] // 86_400_000_000 for row in rows if row["txn"].startswith("8")]
        assert days == [days[0], days[0], days[0] + 40], "the clock was not where it should be"
        assert len(answers) == 1
        assert answers.pop().code == "0"
        assert installation.balances() == {"0042017": 34_997}
        check_all(installation)
