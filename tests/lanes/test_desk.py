"""A batch on real books: one bad demand harms no other, and nothing is said before it is committed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from kvit.domain.errors import DatabaseUnavailable, OutcomeUnknown
from kvit.domain.messages import (
    Command,
    Found,
    ListPosted,
    Lookup,
    NoSuchAccount,
    Post,
    Posted,
    Result,
    Statement,
    Status,
    TryLater,
    Void,
    Voided,
)
from kvit.domain.model import Agreement
from kvit.lanes import desk as desk_module
from kvit.lanes.desk import Demand, ReadDesk, UnavailableDesk, WriteDesk
from kvit.lanes.isolation import isolated
from kvit.lanes.lane import Lane, LaneLimits
from kvit.services.payments import post_batch
from kvit.services.ports import PostingBook
from kvit.storage.posting_sqlite import SqlitePostings
from tests.gateway import Gateway, conninfo_of, postings_of
from tests.seeding import Client, Due, Town, agreement_of, seed

WIDE = LaneLimits(queue_max=1_000, owner_max=1_000, batch_max=1_000, deadline_s=30)
#: What no database keeps as a text or as a sum; PostgreSQL keeps no NUL either.
POISONS = {
    "surrogate": Post("t\ud800", "a", 1),
    "vast sum": Post("vast", "a", 10**19),
    "nul": Post("t\x00", "a", 1),
}


@pytest.fixture
def town(gateway: Gateway) -> Town:
    return seed(gateway.database, [Client("a", [Due(1_000)]), Client("b", [Due(1_000)])])


@pytest.fixture
def agreement(town: Town) -> Agreement:
    return agreement_of(town.biller_id)


def write_desk(gateway: Gateway) -> WriteDesk:
    return WriteDesk(gateway.postings, gateway.corrections, gateway.clock)


def among_neighbours(agreement: Agreement, command: Command) -> list[Demand]:
    """The command in the middle of a batch of good payments."""
    before = [Demand(agreement, Post(f"b{place}", "a", 10)) for place in range(5)]
    after = [Demand(agreement, Post(f"a{place}", "b", 10)) for place in range(5)]
    return [*before, Demand(agreement, command), *after]


@pytest.mark.parametrize("poison", POISONS)
def test_a_poisoned_payment_takes_no_neighbour_along(
    gateway: Gateway, town: Town, agreement: Agreement, poison: str
) -> None:
    results = write_desk(gateway)(among_neighbours(agreement, POISONS[poison]))
    neighbours = [*results[:5], *results[6:]]
    assert [isinstance(result, Posted) and not result.repeat for result in neighbours] == [True] * 10
    if poison == "nul" and not gateway.database.is_postgres:
        assert isinstance(results[5], Posted)
    else:
        assert isinstance(results[5], TryLater)
        assert len(gateway.rows("payments", town.biller_id)) == 10
    assert gateway.findings(town.biller_id) == []


def test_a_fault_of_ours_in_one_payment_takes_no_neighbour_along(
    gateway: Gateway, town: Town, agreement: Agreement, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(book: PostingBook, demands: Sequence[tuple[Agreement, Post]], now: Any) -> list[Result]:  # noqa: ANN401
        results = post_batch(book, demands, now)
        if any(command.txn == "unlucky" for _, command in demands):
            raise ZeroDivisionError
        return results

    monkeypatch.setattr(desk_module, "post_batch", faulty)
    results = write_desk(gateway)(among_neighbours(agreement, Post("unlucky", "a", 10)))
    assert [type(result) for result in results] == [Posted] * 5 + [TryLater] + [Posted] * 5
    assert {row["txn"] for row in gateway.rows("payments", town.biller_id)}.isdisjoint({"unlucky"})
    assert gateway.findings(town.biller_id) == []


def test_a_poisoned_lookup_takes_no_neighbour_along(
    gateway: Gateway, agreement: Agreement, caplog: pytest.LogCaptureFixture
) -> None:
    demands = [Demand(agreement, Lookup("1", number)) for number in ("a", "\ud800", "b", "nobody")]
    results = ReadDesk(gateway.lookups, gateway.clock)(demands)
    assert [type(result) for result in results] == [Found, TryLater, Found, NoSuchAccount]


def test_every_kind_of_demand_in_the_order_it_came(
    gateway: Gateway, town: Town, agreement: Agreement
) -> None:
    """A payment, its status, its void and its status again: each sees what came before it in the batch."""
    commands: list[Command] = [
        Status("t1"),
        Post("t1", "a", 10),
        Post("t1", "a", 10),
        Status("t1"),
        Void(txn="t1"),
        Status("t1"),
        Post("t1", "a", 10),
        Post("t2", "a", 10),
        ListPosted("2026-11-23", "2026-11-23"),
    ]
    results = write_desk(gateway)([Demand(agreement, command) for command in commands])
    kinds = [type(result).__name__ for result in results]
    assert kinds == [
        "NoSuchTxn",
        "Posted",
        "Posted",
        "Posted",
        "Voided",
        "Voided",
        "Voided",
        "Posted",
        "Statement",
    ]
    statement = results[-1]
    assert isinstance(statement, Statement)
    assert [item.txn for item in statement.items] == ["t2"]
    assert isinstance(results[6], Voided)
    assert gateway.findings(town.biller_id) == []


@pytest.mark.parametrize("fault", [DatabaseUnavailable, OutcomeUnknown])
def test_a_database_that_is_away_is_asked_once_for_all(fault: type[Exception]) -> None:
    calls: list[int] = []

    def away(demands: Sequence[str]) -> Sequence[Result]:
        calls.append(len(demands))
        raise fault

    assert isolated(away, ["a", "b", "c"]) == [TryLater("database")] * 3
    assert calls == [3]


def test_whatever_is_raised_no_answer_is_final() -> None:
    def broken(demands: Sequence[str]) -> Sequence[Result]:
        raise LookupError

    assert isolated(broken, ["a", "b"]) == [TryLater("failed")] * 2
    assert isolated(broken, []) == []


def test_the_test_fault_answers_try_later_to_all(agreement: Agreement) -> None:
    commands: list[Command] = [Lookup("1", "a"), Post("t1", "a", 1), Status("t1")]
    results = UnavailableDesk()([Demand(agreement, command) for command in commands])
    assert {type(result) for result in results} == {TryLater}


# --- behind the commit -------------------------------------------------------------------------------


class HeldConnection:
    """An SQLite connection whose commits wait for ``gate``, and then fail if they shall."""

    def __init__(self, connection: Any, gate: threading.Event, fails: Exception | None) -> None:  # noqa: ANN401
        self._connection = connection
        self._gate = gate
        self._fails = fails
        self.waits = threading.Event()

    def execute(self, statement: str, *values: object) -> object:
        if statement == "COMMIT":
            self.waits.set()
            assert self._gate.wait(20)
            if self._fails:
                raise self._fails
        return self._connection.execute(statement, *values)

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


@contextmanager
def commit_is_held(gateway: Gateway, *, fails: bool = False) -> Iterator[tuple[Any, Callable[[], object]]]:
    """Postings whose commits hang in the database itself, and what lets them go on."""
    postings: Any = postings_of(gateway.database)
    try:
        if isinstance(postings, SqlitePostings):
            gate = threading.Event()
            from kvit.storage import sqlite

            fault = sqlite.OperationalError("disk I/O error") if fails else None
            held = HeldConnection(sqlite.connect(gateway.database.path), gate, fault)
            postings._own._connection = held
            yield postings, gate.set
            return
        with psycopg.connect(conninfo_of(gateway.database), autocommit=True) as session:
            session.execute("SELECT pg_advisory_lock(4711)")
            session.execute(
                "CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "PERFORM pg_advisory_xact_lock(4711); "
                + ("RAISE EXCEPTION 'disk full' USING ERRCODE = 'disk_full'; " if fails else "")
                + "RETURN NULL; END $$"
            )
            session.execute(
                "CREATE CONSTRAINT TRIGGER held AFTER INSERT OR UPDATE ON payments "
                "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION held()"
            )
            try:
                yield postings, lambda: session.execute("SELECT pg_advisory_unlock_all()")
            finally:
                session.execute("SELECT pg_advisory_unlock_all()")
                session.execute("DROP TRIGGER held ON payments")
                session.execute("DROP FUNCTION held()")
    finally:
        postings.close()


def ask_while_held(
    gateway: Gateway, demands: Sequence[Demand], *, fails: bool = False
) -> tuple[list[Result], int]:
    """Through a real lane: the results, and how many answers came while the commit still hung."""

    async def story() -> tuple[list[Result], int]:
        with commit_is_held(gateway, fails=fails) as (postings, let_go):
            lane: Lane[Demand] = Lane(
                "write", [WriteDesk(postings, gateway.corrections, gateway.clock)], WIDE
            )
            lane.start()
            tasks = [asyncio.create_task(lane.ask("qiwi", demand)) for demand in demands]
            await asyncio.sleep(0.4)
            early = sum(task.done() for task in tasks)
            await asyncio.to_thread(let_go)
            results = await asyncio.gather(*tasks)
            await lane.close(10)
            return results, early

    return asyncio.run(asyncio.wait_for(story(), 30))


def test_nothing_is_answered_before_the_commit(gateway: Gateway, town: Town, agreement: Agreement) -> None:
    """Neither a new payment nor a repeat of an old one: a repeat confirms just as much."""
    gateway.ask(agreement, Post("old", "a", 10))
    demands = [Demand(agreement, Post(txn, "a", 10)) for txn in ("new", "old", "new")]
    results, early = ask_while_held(gateway, demands)
    assert early == 0
    assert [isinstance(result, Posted) and result.repeat for result in results] == [False, True, True]
    assert gateway.findings(town.biller_id) == []


def test_a_repeat_alone_waits_for_a_commit_too(gateway: Gateway, agreement: Agreement) -> None:
    gateway.ask(agreement, Post("old", "a", 10))
    results, early = ask_while_held(gateway, [Demand(agreement, Post("old", "a", 10))])
    assert early == 0
    assert isinstance(results[0], Posted)


def test_a_commit_that_fails_is_try_later_and_leaves_nothing(
    gateway: Gateway, town: Town, agreement: Agreement
) -> None:
    demands = [Demand(agreement, Post(f"t{place}", "a", 10)) for place in range(3)]
    results, early = ask_while_held(gateway, demands, fails=True)
    assert early == 0
    assert results == [TryLater("database")] * 3
    assert gateway.rows("payments", town.biller_id) == []
    assert [type(result) for result in write_desk(gateway)(demands)] == [Posted] * 3
    assert gateway.findings(town.biller_id) == []
