"""Reading for a long time without keeping a writer waiting."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from kvit.domain.errors import DatabaseUnavailable
from kvit.storage import sqlite
from kvit.storage.engine import Database, open_database

#: What SQLite puts beside a database file.
_COMPANIONS = ("", "-journal", "-wal", "-shm")


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    """One snapshot of what is committed, for reads that take minutes.

    PostgreSQL and SQLite's WAL mode let others write meanwhile. In SQLite's rollback-journal mode a reader
    stops every writer, so there the file is copied first (writers wait for the copy only) and the copy is
    read; it stands beside the database, readable by its owner alone, and is removed at the end.
    """
    if database.is_postgres or _lets_write(database.path):
        with database.read() as connection:
            yield connection
        return
    path = Path(database.path).absolute()
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".snapshot", dir=path.parent)
    os.close(handle)
    try:
        _copy(str(path), name)
        copied = open_database(f"sqlite:///{name}")
        try:
            with copied.read() as connection:
                yield connection
        finally:
            copied.close()
    finally:
        for companion in _COMPANIONS:
            Path(name + companion).unlink(missing_ok=True)


def _lets_write(path: str) -> bool:
    connection = sqlite.connect(path)
    try:
        mode: str = connection.execute("PRAGMA journal_mode").fetchone()[0]
        return mode == "wal"
    finally:
        connection.close()


def _copy(source_path: str, target_path: str) -> None:
    source, target = sqlite.connect(source_path), sqlite.connect(target_path)
    try:
        # In one go: page by page, a busy writer would make the copy begin anew again and again.
        source.backup(target, pages=-1)
    except sqlite.Error as error:
        raise DatabaseUnavailable(f"the database could not be copied: {error}") from error
    finally:
        target.close()
        source.close()
