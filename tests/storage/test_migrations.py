"""Upgrades: on filled books, from every earlier schema, two at once, and never on a newer one's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from importlib.resources import files

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, inspect, select, text

from kvit.domain.errors import SchemaMismatch
from kvit.services.audit.verify import verify
from kvit.storage import migrate, schema
from kvit.storage.audit import SqlAuditBook
from kvit.storage.engine import Database, open_database
from kvit.storage.sealing import seal_all
from tests.books_check import check_books
from tests.filled import Wish, fill, fill_yesterdays

NEWER = "9999"
#: Oldest first.
REVISIONS = migrate.revisions()


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    opened = open_database(database_url)
    yield opened
    opened.close()


def counts(connection: Connection) -> dict[str, int]:
    """Rows by table; those of tables that this schema does not have yet are none."""
    there = inspect(connection).get_table_names()
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        if table.name in there
        else 0
        for table in schema.metadata.sorted_tables
    }


def test_the_steps_are_one_line_without_branches() -> None:
    script = ScriptDirectory(str(files("kvit.storage") / "migrations"))
    assert [step.revision for step in script.walk_revisions()] == REVISIONS[::-1]
    assert script.get_heads() == [migrate.newest()]
    assert all(migrate.knows(revision) for revision in REVISIONS)
    assert not migrate.knows(NEWER)


def test_a_new_database(empty: Database) -> None:
    with pytest.raises(SchemaMismatch, match="kvit init"):
        migrate.check(empty)
    assert migrate.upgrade(empty) == (None, migrate.newest())
    migrate.check(empty)
    assert migrate.upgrade(empty) == (migrate.newest(), migrate.newest())


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_an_upgrade_of_filled_books_keeps_everything(empty: Database, revision: str) -> None:
    fill_yesterdays(empty, revision, Wish(accounts=6))
    with pytest.raises(SchemaMismatch, match=rf"has schema {revision}, this kvit needs {migrate.newest()}"):
        migrate.check(empty)
    seal_all(empty, 20)
    with empty.read() as connection:
        before = counts(connection)
    assert migrate.upgrade(empty) == (revision, migrate.newest())
    migrate.check(empty)
    with empty.read() as connection:
        assert counts(connection) == before
        assert verify(SqlAuditBook(connection), ["water"], 0).findings == []
    assert check_books(empty) == []
    fill(empty, Wish(accounts=5), biller_ids=("heat",))
    assert check_books(empty) == []


def test_a_newer_schema_is_refused_and_left_as_it_is(empty: Database) -> None:
    migrate.upgrade(empty)
    with empty.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :newer"), {"newer": NEWER})
    with pytest.raises(SchemaMismatch, match=NEWER):
        migrate.check(empty)
    with pytest.raises(SchemaMismatch, match="newer than this kvit knows"):
        migrate.upgrade(empty)
    with empty.read() as connection:
        assert migrate.current(connection) == NEWER


def test_two_upgrades_at_once_make_one_schema(empty: Database, database_url: str) -> None:
    starting, results = threading.Barrier(4), []

    def work() -> None:
        own = open_database(database_url)
        starting.wait()
        try:
            results.append(migrate.upgrade(own))
        finally:
            own.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    head = migrate.newest()
    assert sorted(results, key=str) == sorted([(None, head), *[(head, head)] * 3], key=str)
    migrate.check(empty)


def test_an_upgrade_that_fails_leaves_nothing(empty: Database) -> None:
    """One transaction for all steps, on SQLite too: a table of ours that is in the way at the last step."""
    migrate.upgrade(empty, REVISIONS[0])
    with empty.write() as connection:
        connection.execute(text("DROP TABLE outbox"))
    with pytest.raises(Exception, match="outbox"):
        migrate.upgrade(empty)
    with empty.read() as connection:
        assert migrate.current(connection) == REVISIONS[0]
        triggers = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
        if empty.is_postgres:
            triggers = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"
        assert connection.execute(text(triggers)).scalar_one() == 0


def test_as_part_of_a_transaction_that_is_rolled_back(empty: Database) -> None:
    def work() -> None:
        with empty.write() as connection:
            assert migrate.upgrade_within(connection) == (None, migrate.newest())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    with empty.read() as connection:
        assert inspect(connection).get_table_names() == []
