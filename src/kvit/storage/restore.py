"""Restoring a backup into an empty database of either engine: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from kvit.domain.errors import KvitError, NotAllowed, SchemaMismatch
from kvit.storage import migrate, sqlite
from kvit.storage.audit import SqlAuditBook
from kvit.storage.backup_file import BackupDamaged, BackupReader, Manifest, Progress, Row, TableEntry
from kvit.storage.engine import Database
from kvit.storage.shapes import shapes_at

#: Ids passed over. What was paid after the backup was taken got receipts that the restored books do not
#: know; none of those numbers may ever be given to another payment.
IDS_PASSED_OVER = 1_000_000


class RestoreFailed(KvitError):
    """The backup could not be put into the database; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Restored:
    """``schema`` is what the database has now; ``next_id`` is the next id that it gives out."""

    manifest: Manifest
    schema: str
    next_id: int


class Restoring:
    """A backup that is fit to be restored: it was read to its end, and this version knows its schema."""

    def __init__(self, path: Path) -> None:
        """Raises ``BackupDamaged``, and ``SchemaMismatch`` for the backup of a newer version."""
        self._reader = BackupReader(path)
        self.manifest = self._reader.manifest
        try:
            self._check_schema(path)
        except KvitError:
            self._reader.close()
            raise

    def _check_schema(self, path: Path) -> None:
        if not migrate.knows(self.manifest.schema):
            raise SchemaMismatch(
                f"{path} was made by kvit {self.manifest.kvit_version} with schema {self.manifest.schema}; "
                f"this kvit knows schemas up to {migrate.newest()}. Install that version or a later one."
            )
        shapes = {shape.table: (shape.columns, shape.binary) for shape in shapes_at(self.manifest.schema)}
        if {table.name: (table.columns, table.binary) for table in self.manifest.tables} != shapes:
            raise BackupDamaged(f"{path} is damaged: its tables are not those of its schema.")

    def close(self) -> None:
        self._reader.close()

    def check(self, progress: Progress) -> None:
        """Read everything once, before anything is written."""
        self._reader.check(progress)

    def load(self, database: Database, progress: Progress) -> Restored:
        """Everything in one transaction. Raises ``NotAllowed`` unless the database is empty."""
        try:
            with database.write() as connection:
                _refuse_unless_empty(connection, self.manifest.schema)
                migrate.upgrade_within(connection, self.manifest.schema)
                connection.execute(text("DELETE FROM ids"))  # the series that every new schema begins with
                for table in self.manifest.tables:
                    _load(connection, table, self._counted(table, progress))
                _, schema = migrate.upgrade_within(connection)
                next_id = _pass_over_ids(connection, self.manifest.next_id)
                if database.is_postgres:
                    connection.execute(text("ANALYZE"))
        except (SQLAlchemyError, psycopg.Error, sqlite.Error) as error:
            reason = str(getattr(error, "orig", error)).strip().split("\n", 1)[0]
            raise RestoreFailed(
                f"the backup could not be restored: {reason}. Nothing was changed."
            ) from error
        return Restored(self.manifest, schema or "", next_id)

    def _counted(self, table: TableEntry, progress: Progress) -> Iterable[list[Row]]:
        for part in self._reader.rows(table):
            yield part
            progress(len(part))


def _refuse_unless_empty(connection: Connection, schema: str) -> None:
    advice = (
        "A backup is restored into an empty database only: let KVIT_DATABASE name a new file or a new "
        "PostgreSQL database. Nothing was changed."
    )
    found = migrate.current(connection)
    if found is None:
        if inspect(connection).has_table("billers"):
            raise NotAllowed(f"the database has tables of something else. {advice}")
        return
    if found != schema:
        raise NotAllowed(
            f"the database has the tables of schema {found}, the backup those of {schema}. {advice}"
        )
    for shape in shapes_at(found):
        # A new schema begins with one series of ids; series of numbers belong to a biller, which is seen.
        if (
            shape.table != "ids"
            and connection.execute(text(f"SELECT 1 FROM {shape.table} LIMIT 1")).first() is not None
        ):
            raise NotAllowed(f"the database holds books already (there are rows in {shape.table}). {advice}")


def _load(connection: Connection, table: TableEntry, parts: Iterable[list[Row]]) -> None:
    columns = ", ".join(table.columns)
    if connection.dialect.name == "postgresql":
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        statement = f"COPY {table.name} ({columns}) FROM STDIN"
        with driver.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            for part in parts:
                for row in part:
                    copy.write_row(row)
        return
    marks = ", ".join("?" * len(table.columns))
    statement = f"INSERT INTO {table.name} ({columns}) VALUES ({marks})"
    for part in parts:
        connection.exec_driver_sql(statement, part)


def _pass_over_ids(connection: Connection, noted_id: int) -> int:
    """Set the series of ids above everything that was given out, here or after the backup was taken."""
    book = SqlAuditBook(connection)
    highest_id = max((book.highest_id(biller_id) for biller_id, _ in book.billers()), default=0)
    next_id = max(noted_id, highest_id + 1) + IDS_PASSED_OVER
    connection.execute(text("UPDATE ids SET next_id = :next_id WHERE series = 'books'"), {"next_id": next_id})
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT setval('book_ids', :next_id, false)"), {"next_id": next_id})
    return next_id
