"""What the auditor reads: each stream in order by an index, on one snapshot, however many rows there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from sqlalchemy import Connection, text

from kvit.services.audit.facts import AuditBook
from kvit.services.audit.verify import verify
from kvit.storage.audit import SqlAuditBook
from kvit.storage.engine import Database, open_database
from kvit.storage.sealing import seal_all
from tests.filled import Wish, fill
from tests.plans import plans_of

#: What sorts, and why that is fine: pairs of integers, and what nothing but a fault would make long.
SORTED = (
    "SELECT charges.act_id",
    "SELECT DISTINCT allocations.act_id",
    "SELECT accounts.number, payments.account_id",
    "SELECT accounts.number, holds.act_id",
    "SELECT accounts.number, holds.end_act_id",
    "SELECT payments.agreement_id, payments.txn, notes.",
)


def filled(url: str) -> Database:
    database = open_database(url)
    fill(database, Wish(accounts=6))
    seal_all(database)
    return database


def read_all(connection: Connection) -> None:
    verify(SqlAuditBook(connection), ["water"], 0)


@pytest.mark.parametrize("with_statistics", [False, True])
def test_no_stream_is_sorted_on_sqlite(sqlite_books_url: str, with_statistics: bool) -> None:
    """SQLite sorts in memory, so a sorted stream would need room for millions of rows."""
    database = filled(sqlite_books_url)
    if with_statistics:
        with database.write() as connection:
            connection.execute(text("ANALYZE"))
    plans = plans_of(database, read_all)
    assert len(plans) > 15
    sorts = {
        statement: steps
        for statement, steps in plans.items()
        if any("TEMP B-TREE" in step for step in steps) and not statement.startswith(SORTED)
    }
    assert sorts == {}
    walks = {
        statement: steps for statement, steps in plans.items() if any("AUTOMATIC" in step for step in steps)
    }
    assert walks == {}
    database.close()


STREAMS: dict[str, Callable[[AuditBook], Iterable[tuple[int, ...]]]] = {
    name: lambda book, name=name: getattr(book, name)("water")  # type: ignore[misc]
    for name in (
        "transactions", "entries", "payments", "charges", "slices", "adjustments", "voids",
        "allocations", "outbox", "journal", "accounts", "open_charges", "changes", "payment_shares",
        "credit_shares", "links", "holds_begun", "holds_ended", "notes",
    )
}  # fmt: skip


def test_every_stream_gives_its_rows_by_id_on_one_snapshot(books_url: str) -> None:
    database = filled(books_url)
    with database.read() as connection:
        book = SqlAuditBook(connection)
        counts_before = {name: len(list(stream(book))) for name, stream in STREAMS.items()}
        fill(database, Wish(accounts=5), biller_ids=("heat",))
        other = open_database(books_url)
        with other.write() as writing:
            writing.execute(text("UPDATE billers SET name = 'changed'"))
        other.close()
        for name, stream in STREAMS.items():
            ids = [row[0] for row in stream(book)]
            assert ids == sorted(ids), name
            assert len(ids) == counts_before[name] > 0, name
        assert [biller_id for biller_id, _ in book.billers()] == ["water"]
    database.close()


def test_sums_that_no_integer_of_the_database_holds(books_url: str) -> None:
    database = filled(books_url)
    huge_minor = 2**62
    with database.write() as connection:
        connection.execute(
            text(
                "INSERT INTO entries (biller_id, transaction_id, ledger_account, amount_minor, currency) "
                "SELECT 'water', n, 'client:000001', :amount, 'RUB' "
                "FROM (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3) s"
            ),
            {"amount": huge_minor},
        )
    with database.read() as connection:
        (account,) = [row for row in SqlAuditBook(connection).accounts("water") if row.number == "000001"]
    assert account.entries_minor == account.balance_minor + 3 * huge_minor
    database.close()


def test_ids(books_url: str) -> None:
    database = open_database(books_url)
    with database.read() as connection:
        book = SqlAuditBook(connection)
        assert (book.highest_id("water"), book.next_id()) == (0, 100_001)
    fill(database, Wish(accounts=5))
    with database.read() as connection:
        book = SqlAuditBook(connection)
        assert 100_001 < book.highest_id("water") < book.next_id()
        assert book.highest_id("heat") == 0
    database.close()
