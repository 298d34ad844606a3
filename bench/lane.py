"""The write lanes' work alone, without HTTP: as many lanes as a server has, each with full batches.

`python -m bench.lane URL ACCOUNTS BATCH SECONDS` prints payments a second.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

from bench.books import AGREEMENT, BILLER
from kvit.config import Limits
from kvit.domain.messages import Post, Posted
from kvit.domain.model import Agreement, Fee
from kvit.lanes.desk import Postings
from kvit.services.payments import post_batch
from kvit.storage.engine import open_database
from kvit.storage.posting_postgres import PostgresPostings
from kvit.storage.posting_sqlite import SqlitePostings

TERMS = Agreement(
    agreement_id=AGREEMENT, biller_id=BILLER, protocol="qiwi", mode="live", currency="RUB", exponent=2,
    timezone="Europe/Moscow", fee=Fee(percent_millionths=12_000),
)  # fmt: skip


def run(url: str, *, accounts: int, batch: int, seconds: float) -> float:
    """Payments a second in batches of ``batch``, in a process of its own."""
    command = [sys.executable, "-m", "bench.lane", url, str(accounts), str(batch), str(seconds)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _main() -> None:
    url, accounts, batch, seconds = sys.argv[1], *map(float, sys.argv[2:5])
    database = open_database(url)
    conninfo = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    lanes: list[Postings] = (
        [PostgresPostings(conninfo) for _ in range(Limits().write_lanes)]
        if database.is_postgres
        else [SqlitePostings(database.path)]
    )
    rate = 0.0
    with ThreadPoolExecutor(len(lanes)) as threads:
        for phase_s in (min(1.0, seconds / 2), seconds):  # the first one warms up
            began_s = time.perf_counter()
            work = partial(_post_until, began_s + phase_s, int(accounts), int(batch))
            done = sum(threads.map(work, lanes))
            rate = done / (time.perf_counter() - began_s)
    print(rate)
    for lane in lanes:
        lane.close()
    database.close()


def _post_until(until_s: float, accounts: int, batch: int, postings: Postings) -> int:
    """One lane's batches; how many payments they were."""
    chance = random.Random(time.time_ns() ^ id(postings))  # noqa: S311
    done = 0
    while time.perf_counter() < until_s:
        demands = [(TERMS, _post(chance, accounts)) for _ in range(batch)]
        results = postings.run(partial(post_batch, demands=demands, now=datetime.now(UTC)))
        assert all(isinstance(result, Posted) for result in results), results
        done += len(results)
    return done


def _post(chance: random.Random, accounts: int) -> Post:
    return Post(
        f"l{chance.getrandbits(62)}", f"{chance.randint(1, accounts):08}", chance.randint(100, 9_999),
        network_time="2026-11-23T12:00:00", network_time_raw="20261123120000",
    )  # fmt: skip


if __name__ == "__main__":
    _main()
