"""Terminals that pay while something is broken, and the check of all books when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kvit.domain.messages import Post
from tests.conftest import create_books
from tests.faults.clusters import start_postgres
from tests.missing import missing
from tests.postgres import DURABLE, Cluster, PostgresUnavailable, running_cluster
from tests.proof.serving import Installation, installed
from tests.proof.terminals import Answer, Terminal, check_target, pay_target, run_terminals
from tests.seeding import Client, Due

CLIENTS = [Client(f"{place:07}", [Due(100_000)]) for place in range(100)]
TERMINALS = 16
#: Between two payments of a terminal.
PAUSE_S = 0.005
FINISH_TIMEOUT_S = 60.0
#: The protocol's code for "accepted", and of a check for "found".
YES = "0"


@dataclass
class Paying:
    """What has happened so far; read while it goes on."""

    installation: Installation
    #: Ids of these payments begin with it.
    prefix: str = ""
    begun: int = 0
    told: list[tuple[Post, Answer]] = field(default_factory=list)
    _terminals: dict[int, Terminal] = field(default_factory=dict)
    _enough: threading.Event = field(default_factory=threading.Event)
    _given_up: threading.Event = field(default_factory=threading.Event)
    _work: Future[object] | None = None

    @property
    def told_later(self) -> int:
        return sum(terminal.told_later for terminal in list(self._terminals.values()))

    @property
    def unanswered(self) -> int:
        return sum(terminal.unanswered for terminal in list(self._terminals.values()))

    @property
    def paid(self) -> int:
        return len(self.told)

    def wait_until(self, is_so: Callable[[], bool], timeout_s: float = FINISH_TIMEOUT_S) -> None:
        """Go on paying until something has come about."""
        give_up_s = time.monotonic() + timeout_s
        while not is_so():
            assert self._work is not None
            if self._work.done():
                self._work.result()
            assert time.monotonic() < give_up_s, (
                f"it did not come about: {self.paid} paid, {self.told_later} times later, "
                f"{self.unanswered} times no answer"
            )
            time.sleep(0.01)

    def wait_for_more(self, payments: int) -> None:
        """Until so many more were confirmed than now."""
        goal = self.paid + payments
        self.wait_until(lambda: self.paid >= goal)

    def wait_for_later(self, answers: int) -> None:
        """Until so many more were told to come later than now."""
        goal = self.told_later + answers
        self.wait_until(lambda: self.told_later >= goal)

    def _endless(self) -> Iterator[Post]:
        chance = random.Random(7)  # noqa: S311
        for place in itertools.count(1):
            if self._enough.is_set():
                return
            self.begun = place
            number = chance.choice(CLIENTS).number
            yield Post(f"{self.prefix}{place:07}", number, chance.randint(1, 5_000))

    async def _pay(self, terminal: Terminal, post: Post) -> None:
        self._terminals[id(terminal)] = terminal
        await asyncio.sleep(PAUSE_S)
        target = pay_target(self.installation.agreements[0].agreement_id, post)
        answer = await terminal.ask_until_final(target, self._given_up.is_set)
        assert answer.code == YES, f"a final no for a good payment: {answer}"
        self.told.append((post, answer))

    def _run(self) -> None:
        run_terminals(self.installation.port, TERMINALS, self._endless(), self._pay)


@contextmanager
def paying(installation: Installation, prefix: str = "") -> Iterator[Paying]:
    """Terminals pay while the block lasts; then each payment is made final, and all books are checked."""
    before = sum(installation.balances().values())
    told = Paying(installation, prefix)
    with ThreadPoolExecutor(1) as threads:
        told._work = threads.submit(told._run)
        try:
            yield told
            told._enough.set()
            told._work.result(FINISH_TIMEOUT_S)
        finally:
            told._enough.set()
            told._given_up.set()
    check(told, before - sum(installation.balances().values()))


def check(told: Paying, taken_minor: int) -> None:
    """Every payment got a yes, is there once with that sum and that receipt, and nothing else is there."""
    installation = told.installation
    assert len(told.told) == told.begun > 0
    every = installation.gateway.rows("payments", installation.town.biller_id)
    rows = {row["txn"]: row for row in every if row["txn"].startswith(told.prefix)}
    assert rows.keys() == {post.txn for post, _ in told.told}
    for post, answer in told.told:
        row = rows[post.txn]
        assert row["amount_minor"] == post.amount_minor
        assert row["account_id"] == installation.town.account_ids[post.number]
        assert f"<prv_txn>{row['receipt']}</prv_txn>".encode() in answer.body
    assert taken_minor == sum(post.amount_minor for post, _ in told.told)
    check_all(installation)


def check_all(installation: Installation) -> None:
    """The books hold, say the books check and the independent auditor."""
    assert installation.gateway.findings(installation.town.biller_id) == []
    payments = len(installation.gateway.rows("payments", installation.town.biller_id))
    audited = installation.audit()
    assert (audited["findings"], audited["payments"]) == ([], payments)


def pay_on(told: Paying, cluster: Cluster, payments: int, **settings: str) -> int:
    """Until so many more were confirmed; a PostgreSQL that stopped itself is started again.

    Says how often that was needed: it is what a service manager does.
    """
    starts, goal = 0, told.paid + payments
    while told.paid < goal:
        if cluster.process.poll() is not None:
            start_postgres(cluster, **settings)
            starts += 1
        told.wait_until(lambda: told.paid >= goal or cluster.process.poll() is not None)
    return starts


def look_up(installation: Installation, number: str = CLIENTS[0].number) -> str:
    """What a check of this number is answered now: the protocol's code, or "" for no answer."""

    async def ask() -> str:
        terminal = Terminal(installation.port)
        try:
            target = check_target(installation.agreements[0].agreement_id, number)
            return (await terminal.ask(target)).code
        except (OSError, EOFError):
            return ""
        finally:
            await terminal.close()

    return asyncio.run(ask())


@contextmanager
def durable_cluster() -> Iterator[Cluster]:
    """A PostgreSQL of a file's own that keeps its promises, to be killed."""
    with contextlib.suppress(PostgresUnavailable), running_cluster(DURABLE) as cluster:
        yield cluster
        return
    missing("no PostgreSQL can be started here")


@contextmanager
def books_of(engine: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Installation]:
    """Books of 100 clients on an engine; PostgreSQL's are in the fixture ``cluster``."""
    with ExitStack() as stack:
        if engine == "sqlite":
            url = f"sqlite:///{folder / 'books.sqlite'}"
            create_books(url)
        else:
            cluster: Cluster = request.getfixturevalue("cluster")
            url = stack.enter_context(cluster.database(cluster.template("books", create_books)))
        yield stack.enter_context(installed(url, folder, CLIENTS))
