"""The sealer: dense places, one sealer at a time, nothing lost, and cheap when there is nothing to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import DBAPIError

from kvit.domain.journal import GENESIS, chained, digest_of
from kvit.domain.model import JournalRow
from kvit.services.sealing import SEAL_MAX, ChainHead, Seal, seal_once
from kvit.storage import schema
from kvit.storage.billers import take_ids, write_journal
from kvit.storage.engine import Database, open_database
from kvit.storage.rows import columns_of
from kvit.storage.sealing import SqlSealingBook, billers_with_unsealed, seal_all
from tests.filled import Wish, fill
from tests.plans import plans_of


@pytest.fixture
def database(books_url: str) -> Iterator[Database]:
    opened = open_database(books_url)
    yield opened
    opened.close()


def record_of(journal_id: int, biller_id: str = "water") -> JournalRow:
    return JournalRow(
        biller_id,
        journal_id,
        1_000 + journal_id,
        "cli:anna",
        "test",
        str(journal_id),
        digest_of(journal_id),
        "",
    )


def write(database: Database, count: int, biller_id: str = "water") -> list[int]:
    """So many records in one transaction; their ids."""
    with database.write() as connection:
        ids = take_ids(connection, count)
        write_journal(connection, [record_of(journal_id, biller_id) for journal_id in ids])
    return ids


def add_billers(database: Database, *biller_ids: str) -> None:
    with database.write() as connection:
        for biller_id in biller_ids:
            values = dict.fromkeys(("name", "currency", "timezone", "number_scheme", "closed_through"), "")
            connection.execute(insert(schema.billers), {"biller_id": biller_id, "created_at_us": 0, **values})


def sealed(database: Database, biller_id: str = "water") -> list[tuple[int, int, bytes]]:
    """(position, id, chain) by position."""
    journal = schema.journal
    query = select(journal.c.position, journal.c.journal_id, journal.c.chain).where(
        journal.c.biller_id == biller_id, journal.c.position.is_not(None)
    )
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(query.order_by(journal.c.position))]


def assert_chain_holds(database: Database, biller_id: str = "water") -> None:
    """Dense from 1, and every value from the one before."""
    names = [schema.journal.c[name] for name in columns_of("journal")]
    with database.read() as connection:
        rows = {
            row.journal_id: JournalRow(*row)
            for row in connection.execute(select(*names))
            if row.biller_id == biller_id
        }
    chain = GENESIS
    for place, (position, journal_id, value) in enumerate(sealed(database, biller_id), start=1):
        assert position == place
        chain = chained(chain, place, rows[journal_id])
        assert value == chain


class MemoryBook:
    """The rule by itself, without a database."""

    def __init__(self, records: list[JournalRow]) -> None:
        self.waiting = records
        self.seals: list[Seal] = []

    def head(self, biller_id: str) -> ChainHead:
        return ChainHead(self.seals[-1].position, self.seals[-1].chain) if self.seals else ChainHead()

    def unsealed(self, biller_id: str, limit: int) -> list[JournalRow]:
        return self.waiting[:limit]

    def seal(self, seals: Sequence[Seal]) -> None:
        self.seals.extend(seals)
        del self.waiting[: len(seals)]


def test_the_chain_does_not_depend_on_how_many_are_sealed_at_once() -> None:
    records = [record_of(journal_id) for journal_id in (3, 4, 7, 9, 12)]
    at_once, by_two = MemoryBook(list(records)), MemoryBook(list(records))
    assert seal_once(at_once, "water", 10) == 5
    assert [seal_once(by_two, "water", 2) for _ in range(4)] == [2, 2, 1, 0]
    assert at_once.seals == by_two.seals
    assert [seal.position for seal in at_once.seals] == [1, 2, 3, 4, 5]


def test_a_record_changed_in_any_part_gives_another_chain() -> None:
    record = record_of(3)
    other = JournalRow("heat", 4, 5, "agent:x", "other", "9", digest_of("x"), "detail")
    for name in columns_of("journal"):
        changed = record._replace(**{name: getattr(other, name)})
        is_sealed = name not in (
            "biller_id",
            "detail",
        )  # each biller has its own chain; details may be erased
        assert (chained(GENESIS, 1, changed) != chained(GENESIS, 1, record)) == is_sealed
    assert chained(GENESIS, 2, record) != chained(GENESIS, 1, record) != chained(b"\x01" * 32, 1, record)


def test_places_are_dense_for_each_biller(database: Database) -> None:
    add_billers(database, "water", "heat")
    first, foreign = write(database, 3), write(database, 2, "heat")
    assert seal_all(database) == 5
    second = write(database, 4)
    assert seal_all(database) == 4
    assert seal_all(database) == 0
    assert [row[:2] for row in sealed(database)] == list(enumerate(first + second, start=1))
    assert [row[:2] for row in sealed(database, "heat")] == list(enumerate(foreign, start=1))
    assert_chain_holds(database)
    assert_chain_holds(database, "heat")


def test_no_more_than_the_limit_is_sealed_in_one_round(database: Database) -> None:
    add_billers(database, "water")
    write(database, 7)
    assert [seal_all(database, 3) for _ in range(4)] == [3, 3, 1, 0]
    assert_chain_holds(database)


def test_a_record_that_commits_late_gets_a_later_place(books_url: str, database: Database) -> None:
    """Ids are taken before the commit, so a lower id may appear after a higher one was sealed."""
    add_billers(database, "water")
    with database.write() as connection:
        low, high = take_ids(connection, 2)
    with database.write() as connection:
        write_journal(connection, [record_of(high)])
    seal_all(database)
    with database.write() as connection:
        write_journal(connection, [record_of(low)])
    seal_all(database)
    assert [row[:2] for row in sealed(database)] == [(1, high), (2, low)]
    assert_chain_holds(database)


def test_what_is_not_committed_is_not_sealed(postgres_books_url: str) -> None:
    database = open_database(postgres_books_url)
    add_billers(database, "water")
    with database.write() as connection:
        (journal_id,) = take_ids(connection, 1)
        write_journal(connection, [record_of(journal_id)])
        assert seal_all(database) == 0
    assert seal_all(database) == 1
    database.close()


def test_another_process_that_is_sealing_is_left_alone(postgres_books_url: str) -> None:
    """PostgreSQL: the second sealer neither waits nor seals; on SQLite the write lock keeps them apart."""
    database, other = open_database(postgres_books_url), open_database(postgres_books_url)
    add_billers(database, "water", "heat")
    write(database, 2)
    write(database, 2, "heat")
    with database.write() as connection:
        assert SqlSealingBook(connection).is_ours("water")
        began_s = time.monotonic()
        assert seal_all(other) == 2  # the other biller's
        assert time.monotonic() - began_s < 5
    assert seal_all(other) == 2
    assert_chain_holds(database)
    database.close()
    other.close()


def test_several_sealers_and_writers_at_once_make_one_chain(books_url: str) -> None:
    stop, writers = threading.Event(), 3
    main = open_database(books_url)
    add_billers(main, "water")

    def work_as_writer(_: int) -> int:
        own = open_database(books_url)
        written = sum(len(write(own, 1 + place % 4)) for place in range(25))
        own.close()
        return written

    def work_as_sealer(_: int) -> int:
        own = open_database(books_url)
        count = 0
        while not stop.is_set():
            count += seal_all(own, 5)
        own.close()
        return count

    with ThreadPoolExecutor(writers + 2) as pool:
        sealers = [pool.submit(work_as_sealer, place) for place in range(2)]
        written = sum(pool.map(work_as_writer, range(writers)))
        stop.set()
        counted = sum(sealer.result() for sealer in sealers)
    while rest := seal_all(main):
        counted += rest
    assert counted == written == len(sealed(main))
    assert_chain_holds(main)
    main.close()


def test_what_is_sealed_stays_as_it_is(database: Database) -> None:
    add_billers(database, "water")
    write(database, 1)
    seal_all(database)
    for values in ({"position": 9}, {"position": None}, {"chain": b"x"}, {"chain": None}):
        with pytest.raises(DBAPIError, match="kvit"), database.write() as connection:
            connection.execute(update(schema.journal).values(values))
    assert_chain_holds(database)


def test_nothing_to_seal_is_found_by_an_index(sqlite_books_url: str) -> None:
    """The sealer looks every second: it must not walk the journal to find out that there is nothing."""
    database = open_database(sqlite_books_url)
    fill(database, Wish(accounts=5))
    seal_all(database)
    plans = plans_of(database, billers_with_unsealed)
    plans |= plans_of(database, lambda connection: SqlSealingBook(connection).unsealed("water", 9))
    plans |= plans_of(database, lambda connection: SqlSealingBook(connection).head("water"))
    assert [plan[0].split(" USING ")[1].split(" (")[0] for plan in plans.values()] == [
        "INDEX journal_unsealed",
        "INDEX journal_unsealed",
        "INDEX journal_position",
    ]
    database.close()


@pytest.mark.slow
def test_a_full_round_keeps_other_writers_out_only_shortly(sqlite_books_url: str) -> None:
    database = open_database(sqlite_books_url)
    add_billers(database, "water")
    write(database, SEAL_MAX)
    began_s = time.monotonic()
    assert seal_all(database) == SEAL_MAX
    assert time.monotonic() - began_s < 0.5
    database.close()
