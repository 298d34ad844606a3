"""What PostgreSQL may do to a batch: lose its claim, break it off, go away, commit and say nothing (R10)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from psycopg import errors

from kvit.domain.errors import DatabaseUnavailable, OutcomeUnknown
from kvit.domain.messages import Conflict, Post, Posted, Result, Void, Voided
from kvit.domain.model import Agreement
from kvit.services.payments import post_batch
from kvit.services.ports import PostingBook, PostingPlan, Situation, Wanted
from kvit.storage.posting_postgres import PostgresPostings
from tests.gateway import NOON, Gateway, conninfo_of, opened
from tests.postgres import Cluster
from tests.seeding import Client, Due, Town, agreement_of, seed
from tests.tcp import proxied

PAY = Post("t1", "a", 10)


@pytest.fixture
def books(postgres_books_url: str) -> Iterator[Gateway]:
    with opened(postgres_books_url) as gateway:
        yield gateway


@pytest.fixture
def town(books: Gateway) -> Town:
    return seed(books.database, [Client("a", [Due(1_000)]), Client("b", [Due(1_000)])])


@pytest.fixture
def agreement(town: Town) -> Agreement:
    return agreement_of(town.biller_id)


@contextmanager
def other_session(books: Gateway) -> Iterator[psycopg.Connection]:
    with psycopg.connect(conninfo_of(books.database)) as connection:
        yield connection


class Interrupted:
    """A posting book; ``between`` happens after it has looked and before it writes."""

    def __init__(self, book: PostingBook, between: Callable[[], object]) -> None:
        self._book = book
        self._between = between

    def situation(self, wanted: Wanted) -> Situation:
        return self._book.situation(wanted)

    def write(self, plan: PostingPlan) -> None:
        self._between()
        self._book.write(plan)


def post_interrupted(
    postings: PostgresPostings, agreement: Agreement, between: Callable[[], object], runs: list[int]
) -> Result:
    """Post once; ``between`` happens in the first run only, and every run is noted."""

    def work(book: PostingBook) -> list[Result]:
        runs.append(1)
        found = Interrupted(book, between) if len(runs) == 1 else book
        return post_batch(found, [(agreement, PAY)], NOON)

    return postings.run(work)[0]


def test_a_claim_lost_in_the_middle_is_decided_anew(books: Gateway, town: Town, agreement: Agreement) -> None:
    runs: list[int] = []
    assert isinstance(books.postings, PostgresPostings)
    with opened(conninfo_of(books.database)) as rival:
        result = post_interrupted(
            books.postings, agreement, lambda: rival.ask(agreement, replace(PAY, number="b")), runs
        )
    assert result == Conflict("t1")
    assert len(runs) == 2
    assert books.balance(town.biller_id, "b") == 990
    assert books.findings(town.biller_id) == []


def test_a_deadlock_is_run_again_and_nobody_hears_of_it(
    books: Gateway, town: Town, agreement: Agreement
) -> None:
    """Somebody locks the accounts in the wrong order; it is us whom the database sacrifices."""
    lock = "SELECT 1 FROM accounts WHERE biller_id = %s AND number = %s FOR UPDATE"
    runs: list[int] = []

    def work(book: PostingBook) -> list[Result]:
        runs.append(1)
        return post_batch(book, [(agreement, PAY), (agreement, Post("t2", "b", 10))], NOON)

    with other_session(books) as rude, ThreadPoolExecutor(1) as threads:
        rude.execute("SET deadlock_timeout = '30s'")
        rude.execute(lock, (town.biller_id, "b"))
        waiting = threads.submit(books.postings.run, work)
        wait_until(lambda: count_waiting(books, "transactionid") == 1)
        rude.execute(lock, (town.biller_id, "a"))
        rude.commit()
        results = waiting.result(20)
    assert [type(result) for result in results] == [Posted, Posted]
    assert len(runs) >= 2
    assert books.findings(town.biller_id) == []


def test_what_is_decided_on_is_read_behind_the_lock(books: Gateway, town: Town, agreement: Agreement) -> None:
    """Two payments of a whole debt wait for its account; the second one must see what the first one did."""
    demands = [(agreement, Post(txn, "a", 1_000)) for txn in ("t1", "t2")]
    with (
        locked(books, town, "a") as let_go,
        opened(conninfo_of(books.database)) as rival,
        ThreadPoolExecutor(2) as threads,
    ):
        waiting = []
        for gateway, demand in zip((books, rival), demands, strict=True):
            waiting.append(threads.submit(gateway.post, [demand]))
            wait_until(lambda: count_locks_waited_for(books) == len(waiting))
        let_go()
        assert all(isinstance(each.result(20)[0], Posted) for each in waiting)
    assert [row["open_minor"] for row in books.rows("charges", town.biller_id)] == [0, 1_000]
    assert sorted(row["advance_minor"] for row in books.rows("payments", town.biller_id)) == [0, 1_000]
    assert books.findings(town.biller_id) == []


def test_a_void_reads_behind_the_lock_too(books: Gateway, town: Town, agreement: Agreement) -> None:
    """A payment comes in while a void waits: its money must not lie unused beside the debt that opens."""
    books.ask(agreement, Post("t1", "a", 1_000))
    with (
        locked(books, town, "a") as let_go,
        opened(conninfo_of(books.database)) as rival,
        ThreadPoolExecutor(2) as threads,
    ):
        paying = threads.submit(rival.ask, agreement, Post("t2", "a", 1_000))
        wait_until(lambda: count_locks_waited_for(books) == 1)
        voiding = threads.submit(books.ask, agreement, Void(txn="t1"))
        wait_until(lambda: count_locks_waited_for(books) == 2)
        let_go()
        assert isinstance(paying.result(20), Posted)
        assert isinstance(voiding.result(20), Voided)
    assert [row["open_minor"] for row in books.rows("charges", town.biller_id)] == [0, 1_000]
    assert [row["advance_minor"] for row in books.rows("payments", town.biller_id)] == [0, 0]
    assert books.findings(town.biller_id) == []


def test_a_serialisation_failure_is_run_again(books: Gateway, town: Town, agreement: Agreement) -> None:
    runs: list[int] = []

    def fail() -> None:
        raise errors.SerializationFailure

    assert isinstance(books.postings, PostgresPostings)
    assert isinstance(post_interrupted(books.postings, agreement, fail, runs), Posted)
    assert len(runs) == 2


def test_a_batch_that_is_always_broken_off_is_given_up(books: Gateway, agreement: Agreement) -> None:
    def work(book: PostingBook) -> list[Result]:
        raise errors.DeadlockDetected

    with pytest.raises(DatabaseUnavailable):
        books.postings.run(work)
    assert isinstance(books.ask(agreement, PAY), Posted)


def test_a_connection_killed_before_the_commit_leaves_nothing(
    books: Gateway, town: Town, agreement: Agreement
) -> None:
    def kill() -> None:
        with other_session(books) as session:
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    runs: list[int] = []
    assert isinstance(books.postings, PostgresPostings)
    with pytest.raises(DatabaseUnavailable):
        post_interrupted(books.postings, agreement, kill, runs)
    assert books.payment(agreement, "t1") is None
    result = books.ask(agreement, PAY)
    assert isinstance(result, Posted)
    assert result.repeat is False


def test_a_commit_of_which_nobody_hears_is_unknown_and_a_repeat_decides(
    books: Gateway, town: Town, agreement: Agreement
) -> None:
    """The answer to the commit is lost on the wire; the payment is in the books."""
    port = books.database.url.port
    assert port
    with proxied(port) as proxy:
        conninfo = books.database.url.set(drivername="postgresql", port=proxy.port)
        far = PostgresPostings(conninfo.render_as_string(hide_password=False))
        for place in range(10):
            demand = (agreement, Post(f"t{place}", "a", 10))
            far.close()  # on a new connection statements are sent as text
            proxy.cut_after = b"COMMIT"
            with pytest.raises(OutcomeUnknown):
                far.run(lambda book, demand=demand: post_batch(book, [demand], NOON))  # type: ignore[misc]
            proxy.cut_after = b""
            wait_until(lambda txn=f"t{place}": books.payment(agreement, txn) is not None)  # type: ignore[misc]
            (again,) = far.run(lambda book, demand=demand: post_batch(book, [demand], NOON))  # type: ignore[misc]
            assert isinstance(again, Posted)
            assert again.repeat is True
        far.close()
        assert proxy.cuts == 10
    assert books.balance(town.biller_id, "a") == 900
    assert books.findings(town.biller_id) == []


def test_a_commit_that_no_standby_has_is_unknown(
    books: Gateway, town: Town, agreement: Agreement, postgres_cluster: Cluster
) -> None:
    """A wait for a standby that is cancelled looks like success but for a warning."""
    name = books.database.url.database
    with synchronous_standby(postgres_cluster, f"{name}"), ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(books.ask, agreement, PAY)
        wait_until(lambda: count_waiting(books, "SyncRep") == 1)
        assert not waiting.done()
        with other_session(books) as session:
            session.execute("SET synchronous_commit = off")
            session.execute(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            )
        with pytest.raises(OutcomeUnknown):
            waiting.result(20)
    books.postings.close()  # its session still wants the standby
    again = books.ask(agreement, PAY)
    assert isinstance(again, Posted)
    assert again.repeat is True
    assert books.findings(town.biller_id) == []


@contextmanager
def synchronous_standby(cluster: Cluster, database: str) -> Iterator[None]:
    """Commits of ``database`` wait for a standby that there is not; other databases do not."""
    cluster.execute(f'ALTER DATABASE "{database}" SET synchronous_commit = on')
    cluster.execute("ALTER SYSTEM SET synchronous_standby_names = 'nowhere'")
    cluster.execute("SELECT pg_reload_conf()")
    try:
        wait_until(lambda: setting(cluster, "synchronous_standby_names") == "nowhere")
        yield
    finally:
        cluster.execute(f'ALTER DATABASE "{database}" RESET synchronous_commit')
        cluster.execute("ALTER SYSTEM RESET synchronous_standby_names")
        cluster.execute("SELECT pg_reload_conf()")
        wait_until(lambda: setting(cluster, "synchronous_standby_names") == "")


def setting(cluster: Cluster, name: str) -> str:
    with psycopg.connect(cluster.url("postgres")) as connection:
        row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
        assert row is not None
        return str(row[0])


@contextmanager
def locked(books: Gateway, town: Town, number: str) -> Iterator[Callable[[], None]]:
    """An account in somebody else's hands, until it is let go."""
    with other_session(books) as session:
        session.execute(
            "SELECT 1 FROM accounts WHERE biller_id = %s AND number = %s FOR UPDATE", (town.biller_id, number)
        )
        yield session.rollback


def count_locks_waited_for(books: Gateway) -> int:
    return count_waiting(books, "transactionid") + count_waiting(books, "tuple")


def count_waiting(books: Gateway, event: str) -> int:
    with other_session(books) as session:
        row = session.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = %s",
            (event,),
        ).fetchone()
        assert row is not None
        return int(row[0])


def wait_until(holds: Callable[[], bool], patience_s: float = 15.0) -> None:
    give_up_s = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < give_up_s, "it did not happen in time"
        threading.Event().wait(0.02)
