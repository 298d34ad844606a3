"""R10: what PostgreSQL leaves unknown is "come later"; the repeat decides, and it is there once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from kvit.domain.messages import Command, ListPosted, Post, Posted, Result, Statement, Status, TryLater, Void
from kvit.lanes.desk import Demand, WriteDesk
from kvit.storage.posting_postgres import PostgresPostings
from tests.faults.conftest import Seen, load
from tests.faults.counter import Counter
from tests.faults.proxy import Fault, Proxy, weathered
from tests.gateway import Gateway, conninfo_of, opened
from tests.postgres import Cluster
from tests.services.test_payments_postgres import (
    count_waiting,
    locked,
    other_session,
    synchronous_standby,
    wait_until,
)


@pytest.fixture
def books(postgres_books_url: str) -> Iterator[Gateway]:
    with opened(postgres_books_url) as books:
        yield books


@contextmanager
def far_counter(books: Gateway) -> Iterator[tuple[Counter, Proxy]]:
    """A counter whose way to PostgreSQL goes through the weather."""
    port = books.database.url.port
    assert port
    with weathered(port) as proxy:
        far = books.database.url.set(drivername="postgresql", port=proxy.port)
        postings = PostgresPostings(far.render_as_string(hide_password=False))
        try:
            yield Counter(books, postings), proxy
        finally:
            postings.close()


def size_of(counter: Counter, proxy: Proxy, count: int) -> tuple[int, int]:
    """Bytes to the database and back for so many payments on a connection that has seen some, at least."""
    sizes = []
    for _ in range(5):
        before = tuple(proxy.passed)
        counter.ask(counter.demands(count))
        sizes.append((proxy.passed[0] - before[0], proxy.passed[1] - before[1]))
    return min(sizes[2:])


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("way", ["there", "back"])
def test_the_line_to_the_database_is_cut_at_any_byte(
    books: Gateway, seen: Seen, way: str, count: int
) -> None:
    """Before the commit, in the middle of it, or in the middle of the answer to it."""
    with far_counter(books) as (counter, proxy):
        size = size_of(counter, proxy, count)[way == "back"]
        cuts = load(12, 100)
        # At the end closely: there the commit is on its way, or its answer.
        near_end = [size - left for left in (16, 11, 6, 1)]
        for cut in [*(size * place // cuts for place in range(cuts - 4)), *near_end]:
            proxy.suffer(**{way: Fault(reset_after=cut)})
            demands = counter.demands(count)
            results = counter.ask(demands, afterwards=proxy.calm)
            assert len({type(result) for result in results}) == 1, "one commit, one word"
            counter.settle(demands, results)
            counter.ask(counter.demands(count))  # the new connection knows all statements again
        counter.check(seen)
        # An answer that is complete without the last bytes is an answer.
        assert counter.unknown >= count * (cuts - 2)
        assert 0 < counter.booked_all_the_same < counter.unknown


@pytest.mark.parametrize("way", ["there", "back"])
def test_the_database_says_nothing_for_longer_than_an_agent_waits(
    books: Gateway, seen: Seen, way: str
) -> None:
    """All are told to come later; the batch goes on behind that, and its money is not lost or doubled."""
    with far_counter(books) as (counter, proxy):
        size = size_of(counter, proxy, 3)[way == "back"]
        rounds = load(3, 30)
        for place in range(rounds):
            # Up to the last message: that one only ends the conversation, and nobody waits for it.
            proxy.suffer(**{way: Fault(stall_after=(size - 16) * place // (rounds - 1))})
            demands = counter.demands(3)
            results = counter.ask(demands, deadline_s=0.1, afterwards=proxy.calm)
            assert results == [TryLater("too slow")] * 3
            counter.settle(demands, results)
        counter.check(seen)
        assert counter.booked_all_the_same == counter.unknown == 3 * rounds


def test_the_repeat_comes_through_another_line_while_the_first_one_hangs(books: Gateway, seen: Seen) -> None:
    """It waits for the account that the first one holds, and then finds what the first one did."""
    with (
        far_counter(books) as (counter, proxy),
        opened(conninfo_of(books.database)) as near,
        ThreadPoolExecutor(1) as threads,
    ):
        size = size_of(counter, proxy, 1)[0]
        waiting: list[Future[Result]] = []
        for place in range(load(2, 10)):
            proxy.suffer(there=Fault(stall_after=size * (place % 5) // 5))
            demands = counter.demands(1)

            def ask_again(demand: Demand = demands[0]) -> None:
                waiting.append(threads.submit(near.ask, *demand))
                time.sleep(0.1)
                proxy.calm()

            results = counter.ask(demands, deadline_s=0.1, afterwards=ask_again)
            assert results == [TryLater("too slow")]
            assert isinstance(waiting[-1].result(20), Posted)
            counter.settle(demands, results)
        counter.check(seen)


def cancel(books: Gateway, event: str, how: str) -> None:
    """Once something in these books waits for ``event``, an operator ends the statement or the session."""
    wait_until(lambda: count_waiting(books, event) > 0)
    with other_session(books) as session:
        session.execute("SET synchronous_commit = off")
        end = sql.SQL(
            "SELECT {}(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = %s"
        )
        session.execute(end.format(sql.Identifier(f"pg_{how}_backend")), (event,))


@contextmanager
def held_commits(books: Gateway) -> Iterator[None]:
    """Every commit of a payment waits for a lock that another session holds."""
    with psycopg.connect(conninfo_of(books.database), autocommit=True) as session:
        session.execute("SELECT pg_advisory_lock(4712)")
        session.execute(
            "CREATE OR REPLACE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "PERFORM pg_advisory_xact_lock(4712); RETURN NULL; END $$"
        )
        session.execute(
            "CREATE CONSTRAINT TRIGGER held AFTER INSERT OR UPDATE ON payments "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION held()"
        )
        try:
            yield
        finally:
            session.execute("SELECT pg_advisory_unlock_all()")
            session.execute("DROP TRIGGER held ON payments")


@pytest.mark.parametrize("how", ["cancel", "terminate"])
def test_a_statement_or_a_session_is_ended_by_an_operator(books: Gateway, seen: Seen, how: str) -> None:
    """While it waits for an account, and while it commits; by turns for a new payment and for a repeat."""
    counter = Counter(books, books.postings)
    for place in range(load(2, 12)):
        fresh = counter.demands(3)
        known = counter.demands(2)
        counter.settle(known, counter.ask(known))
        demands = [*fresh, *known]
        with locked(books, counter.town, "a"):
            results = counter.ask(demands, meanwhile=lambda: cancel(books, "transactionid", how))
        assert results == [TryLater("database")] * 5
        assert counter.stored().isdisjoint({post.txn for _, post in fresh if isinstance(post, Post)})
        with held_commits(books):
            at_commit = known if place % 2 else fresh
            results = counter.ask(at_commit, meanwhile=lambda: cancel(books, "advisory", how))
        assert {type(result) for result in results} == {TryLater}
        counter.settle(demands, [*results, *[TryLater()] * (5 - len(results))])
    counter.check(seen)
    assert counter.unknown > 0


@pytest.mark.parametrize("kind", ["post", "repeat", "status", "void", "list"])
def test_a_wait_for_a_standby_that_was_cancelled(
    books: Gateway, postgres_cluster: Cluster, seen: Seen, kind: str
) -> None:
    """PostgreSQL says "committed" with a warning (01000): to a network that is no yes, whatever it asked."""
    counter = Counter(books, books.postings)
    rounds = load(1, 8)
    for _ in range(rounds):
        demands = counter.demands(1)
        post = demands[0].command
        assert isinstance(post, Post)
        commands: dict[str, Command] = {
            "post": post, "repeat": post, "status": Status(post.txn), "void": Void(txn=post.txn),
            "list": ListPosted("2026-11-23", "2026-11-23"),
        }  # fmt: skip
        if kind != "post":
            counter.ask(demands)
        demand = Demand(counter.agreement, commands[kind])
        with standby_never_comes(books, postgres_cluster) as strict:
            desk = WriteDesk(strict.postings, strict.corrections, strict.clock)
            with ThreadPoolExecutor(1) as threads:
                waiting = threads.submit(desk, [demand])
                cancel(books, "SyncRep", "cancel")
                (told,) = waiting.result(20)
            assert isinstance(told, TryLater), told
        (again,) = counter.ask([demand])
        assert isinstance(again, Statement) or getattr(again, "repeat", False), again
        if kind == "void":
            counter.wanted -= 1  # its money is back
    assert books.findings(counter.town.biller_id) == []
    rows = books.rows("payments", counter.town.biller_id)
    assert len([row for row in rows if row["state"] == "posted"]) == counter.wanted
    assert len(rows) == rounds
    seen(waits_cancelled=rounds, asked=kind)


@contextmanager
def standby_never_comes(books: Gateway, cluster: Cluster) -> Iterator[Gateway]:
    """The same books, through sessions whose commits wait for a standby that there is not."""
    name = str(books.database.url.database)
    with synchronous_standby(cluster, name), opened(conninfo_of(books.database)) as strict:
        yield strict
