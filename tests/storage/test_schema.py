"""One schema, told in four places: tables, row types, migrations, and what the database refuses."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Integer, LargeBinary, Text, insert, inspect, select, text, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import DBAPIError

from kvit.storage import schema
from kvit.storage.engine import Database, open_database
from kvit.storage.rows import ROWS, columns_of, postgres_type
from kvit.storage.schema import MUTABLE
from kvit.storage.sealing import seal_all
from tests.conftest import ENGINES, create_books
from tests.filled import Wish, fill
from tests.filled_files import fill_files
from tests.postgres import Cluster

_guards, _newer, _files, _relays = (
    importlib.import_module(f"kvit.storage.migrations.versions.{name}")
    for name in ("v0002_guards", "v0004_holds", "v0005_files", "v0006_relays")
)
#: The columns that no statement may change, by table, as the migrations have left it.
FROZEN: dict[str, tuple[str, ...]] = (
    _guards.FROZEN | _newer.NEWLY_FROZEN | _files.NEWLY_FROZEN | _relays.NEWLY_FROZEN
)

#: Conditions of partial indexes of the tables about files; PostgreSQL writes them in its own way.
FILE_CONDITIONS: dict[bool, dict[str, str]] = {
    False: {
        "money_lines_receipt": "receiptisnotnull",
        "money_lines_waiting": "statein'quarantine','lump'",
        "money_lines_payer": "payer_account<>''andkind='statement'",
    },
    True: {
        "money_lines_receipt": "receiptisnotnull",
        "money_lines_waiting": "state=anyarray['quarantine','lump']",
        "money_lines_payer": "payer_account<>''andkind='statement'",
    },
}

#: Columns that a row does not have when it is written first.
LATER = {"journal": ("position", "chain")}


@pytest.mark.parametrize("table", ROWS)
def test_a_row_has_the_columns_of_its_table_in_their_order(table: str) -> None:
    columns = tuple(column.name for column in schema.metadata.tables[table].columns)
    assert columns_of(table) + LATER.get(table, ()) == columns


@pytest.mark.parametrize("table", ROWS)
def test_the_types_that_the_hot_path_tells_postgres_are_those_of_the_columns(table: str) -> None:
    for column in schema.metadata.tables[table].columns:
        if column.name not in columns_of(table):
            continue
        told = {Text: "text", LargeBinary: "bytea", Integer: "integer"}.get(type(column.type), "bigint")
        assert postgres_type(column.name, table) == told, column


def test_the_migrations_make_the_tables(books_url: str) -> None:
    database = open_database(books_url)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    database.close()


def test_every_key_index_and_rule_of_the_tables_is_in_the_database(books_url: str) -> None:
    """What the comparison above does not look at: keys in their order, partial indexes, nulls, strictness."""
    database = open_database(books_url)
    with database.read() as connection:
        found = inspect(connection)
        for table in schema.metadata.sorted_tables:
            assert found.get_pk_constraint(table.name)["constrained_columns"] == [
                column.name for column in table.primary_key.columns
            ]
            for column in found.get_columns(table.name):
                assert column["nullable"] == table.c[column["name"]].nullable, (table.name, column)
            wanted = {
                (str(index.name), tuple(column.name for column in index.columns), bool(index.unique))
                for index in table.indexes
            }
            made = {
                (str(index["name"]), tuple(index["column_names"]), bool(index["unique"]))
                for index in found.get_indexes(table.name)
                if not index.get("duplicates_constraint") and not str(index["name"]).startswith("sqlite_auto")
            }
            assert made == wanted
        assert _conditions(connection) == {
            "charges_open": "open_minor>0",
            "charges_document": "document<>''",
            "holds_standing": "state='held'",
            "journal_unsealed": "positionisnull",
            "journal_position": "positionisnotnull",
            "relay_rows_waiting": "state='quarantine'",
            **FILE_CONDITIONS[database.is_postgres],
        }
        if not database.is_postgres:
            query = text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
            made_by = {row.name: row.sql for row in connection.execute(query)}
            for table in schema.metadata.sorted_tables:
                ending = "".join(made_by[table.name].upper().rpartition(")")[2].split())
                assert set(ending.split(",")) == {"STRICT", "WITHOUTROWID"}, ending
    database.close()


def _conditions(connection: Connection) -> dict[str, str]:
    """Partial index -> its condition, without spaces and brackets."""
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'"
    if connection.dialect.name == "postgresql":
        query = "SELECT indexname, indexdef FROM pg_indexes WHERE indexdef LIKE '% WHERE %'"
        query += " AND schemaname = 'public'"
    return {
        name: re.sub(r'[\s()"]|::text', "", made.split(" WHERE ")[1].lower())
        for name, made in connection.execute(text(query))
    }


# --- what the database itself refuses ----------------------------------------------------------------


def test_the_guards_and_the_list_of_what_may_change_agree() -> None:
    assert set(FROZEN) == set(MUTABLE)
    for table, frozen in FROZEN.items():
        columns = {column.name for column in schema.metadata.tables[table].columns}
        erasable = {"detail"} if table == "journal" else set()
        assert set(frozen) | set(MUTABLE[table]) | erasable == columns, table
        assert not set(frozen) & set(MUTABLE[table]), table


@pytest.fixture(scope="module", params=ENGINES)
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Books with a row of everything; the tests change nothing, since nothing can be changed."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('filled') / 'kvit.sqlite'}"
        create_books(url)
        yield from _filled(url)
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    with cluster.database(cluster.template("books", create_books)) as url:
        yield from _filled(url)


def _filled(url: str) -> Iterator[Database]:
    database = open_database(url)
    fill(database, Wish(accounts=5))
    fill_files(database)
    seal_all(database)
    yield database
    database.close()


FROZEN_COLUMNS = [(table, column) for table, columns in FROZEN.items() for column in columns]


@pytest.mark.parametrize(("table", "column"), FROZEN_COLUMNS, ids=[".".join(each) for each in FROZEN_COLUMNS])
def test_no_frozen_column_can_be_changed(filled: Database, table: str, column: str) -> None:
    """Not even to what it is."""
    frozen = schema.metadata.tables[table].c[column]
    with pytest.raises(DBAPIError, match="kvit: "), filled.write() as connection:
        connection.execute(update(frozen.table).values({column: frozen}))


@pytest.mark.parametrize("table", MUTABLE)
def test_no_row_can_be_deleted(filled: Database, table: str) -> None:
    with pytest.raises(DBAPIError, match="kvit: "), filled.write() as connection:
        connection.execute(schema.metadata.tables[table].delete())


@pytest.mark.parametrize("table", MUTABLE)
def test_no_row_can_be_replaced(filled: Database, table: str) -> None:
    """``INSERT OR REPLACE`` deletes without being asked, and ``ON CONFLICT`` updates."""
    rows = schema.metadata.tables[table]
    key, frozen = list(rows.primary_key.columns), rows.c[FROZEN[table][0]]
    with filled.read() as connection:
        row = connection.execute(select(rows).limit(1)).one()._asdict()
    insertion = postgres_insert(rows) if filled.is_postgres else sqlite_insert(rows)
    upsert = insertion.on_conflict_do_update(
        index_elements=key, set_={frozen.name: insertion.excluded[frozen.name]}
    )
    statements: list[Any] = [upsert]
    if not filled.is_postgres:
        statements.append(insert(rows).prefix_with("OR REPLACE"))
    for statement in statements:
        with pytest.raises(DBAPIError, match="kvit: "), filled.write() as connection:
            connection.execute(statement, row)


@pytest.mark.parametrize("table", MUTABLE)
def test_no_table_can_be_emptied(filled: Database, table: str) -> None:
    if not filled.is_postgres:
        return  # SQLite has no TRUNCATE; its DELETE is tried above
    with pytest.raises(DBAPIError, match="kvit: "), filled.write() as connection:
        connection.execute(text(f"TRUNCATE {table}"))


MAY_CHANGE = [
    (table, column) for table, columns in MUTABLE.items() for column in columns if table != "journal"
]


@pytest.mark.parametrize(("table", "column"), MAY_CHANGE, ids=[".".join(each) for each in MAY_CHANGE])
def test_what_is_derived_can_be_changed(filled: Database, table: str, column: str) -> None:
    free = schema.metadata.tables[table].c[column]
    change = update(free.table).values({column: free})
    with filled.write() as connection:
        if table == "holds":  # what has ended stays as it ended
            change = change.where(schema.holds.c.state == "held")
        assert connection.execute(change).rowcount > 0


@pytest.mark.parametrize("column", ["state", "ended_at_us", "reason", "void_txn", "end_act_id"])
def test_a_hold_that_has_ended_stays_so(filled: Database, column: str) -> None:
    ended = update(schema.holds).where(schema.holds.c.state != "held")
    with pytest.raises(DBAPIError, match="kvit: "), filled.write() as connection:
        connection.execute(ended.values({column: schema.holds.c[column]}))


def test_a_person_can_be_forgotten(filled: Database) -> None:
    """What tells of people is not sealed: names, addresses, and the details of journal records."""
    with filled.write() as connection:
        connection.execute(
            update(schema.accounts).values(name="", address="", phone="", email="", attributes="")
        )
        connection.execute(update(schema.journal).values(detail=""))


def test_rows_can_be_added(filled: Database) -> None:
    with filled.write() as connection:
        row = connection.execute(select(schema.outbox).limit(1)).one()._asdict()
        connection.execute(insert(schema.outbox), row | {"outbox_id": 1})
