"""One database by its URL: SQLAlchemy engines for everything but the two hot paths."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from kvit.domain.errors import DatabaseUnavailable, OutcomeUnknown, SettingsError
from kvit.storage import sqlite

#: How often a transaction that the database broke off (deadlock, serialisation) is run again.
RETRIES = 5
_RETRY_STATES = {"40P01", "40001"}
_STANDBY_GIVEN_UP = "standby given up"


@dataclass(slots=True)
class Database:
    """Where the books are. ``write`` begins transactions that may write, ``read`` such that do not."""

    url: URL
    _writer: Engine
    _reader: Engine

    @property
    def is_postgres(self) -> bool:
        return self.url.get_backend_name() == "postgresql"

    @property
    def path(self) -> str:
        """The file of an SQLite database."""
        return str(self.url.database)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: committed at the end of the block, rolled back by an exception.

        Raises ``OutcomeUnknown`` when it was committed here and perhaps nowhere else.
        """
        with _translated(), self._writer.connect() as connection:
            with connection.begin():
                yield connection
            if connection.info.get(_STANDBY_GIVEN_UP):
                raise OutcomeUnknown("the commit did not reach a standby")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot of what is committed."""
        with _translated(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A connection without a transaction, for what belongs to the connection itself (advisory locks)."""
        with _translated(), self._writer.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        self._writer.dispose()
        self._reader.dispose()


def open_database(url_text: str, *, answer_timeout_s: float | None = None) -> Database:
    """``sqlite:///file`` or ``postgresql://…``. Raises ``SettingsError`` for anything else.

    ``answer_timeout_s``: how long to wait for one answer of PostgreSQL; for ever if it is not said.
    """
    try:
        url = make_url(url_text)
    except ArgumentError as error:
        raise SettingsError(
            "KVIT_DATABASE is not a database address; write sqlite:///file or postgresql://user@host/name"
        ) from error
    backend = url.get_backend_name()
    if backend == "sqlite":
        return _open_sqlite(url)
    if backend == "postgresql":
        return _open_postgres(url.set(drivername="postgresql+psycopg"), answer_timeout_s)
    raise SettingsError(f"KVIT_DATABASE: {backend} is not supported; use sqlite:///… or postgresql://…")


def _open_sqlite(url: URL) -> Database:
    path = url.database
    if not path or path == ":memory:":
        raise SettingsError("KVIT_DATABASE: an SQLite database needs a file: sqlite:///kvit-data/kvit.sqlite")
    Path(path).absolute().parent.mkdir(parents=True, exist_ok=True)

    def make(begin: str) -> Engine:
        engine = create_engine(
            "sqlite://", creator=lambda: sqlite.connect(path), module=sqlite.driver, poolclass=NullPool
        )

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine

    return Database(url, make("BEGIN IMMEDIATE"), make("BEGIN"))


def _open_postgres(url: URL, answer_timeout_s: float | None) -> Database:
    from kvit.storage import bounded  # an SQLite file needs no PostgreSQL driver

    options: dict[str, Any] = {
        "pool_size": 4,
        "max_overflow": 4,
        "pool_pre_ping": True,
        "connect_args": dict(bounded.LINE),
    }
    engine = create_engine(url, **options)
    if answer_timeout_s is not None:

        @event.listens_for(engine, "do_connect")
        def _connect(_dialect: Any, _record: Any, places: Any, named: Any) -> Any:  # noqa: ANN401
            return bounded.connect(places[0] if places else "", answer_timeout_s, **named)

    @event.listens_for(engine, "connect")
    def _listen(connection: Any, record: Any) -> None:  # noqa: ANN401 - the driver's, and the pool's
        def note(diagnostic: Any) -> None:  # noqa: ANN401
            # 01000 at a commit: the wait for the standby was cancelled, so the commit is not safe yet.
            if diagnostic.sqlstate == "01000":
                record.info[_STANDBY_GIVEN_UP] = True

        connection.add_notice_handler(note)

    @event.listens_for(engine, "commit")
    def _forget(connection: Connection) -> None:
        connection.info[_STANDBY_GIVEN_UP] = False  # warnings of earlier statements are none of a commit

    return Database(
        url, engine, engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    )


@contextmanager
def _translated() -> Iterator[None]:
    """The driver's "I am unwell" as our own fault, also where the driver was spoken to directly."""
    try:
        yield
    except OperationalError as error:
        raise DatabaseUnavailable(f"the database is not available: {_first_line(error)}") from error
    except Exception as error:
        if not _is_unwell(error):
            raise
        raise DatabaseUnavailable(f"the database is not available: {error}") from error


def _is_unwell(error: Exception) -> bool:
    if isinstance(error, sqlite.OperationalError):
        return True
    psycopg = sys.modules.get("psycopg")  # an SQLite file needs no PostgreSQL driver
    return psycopg is not None and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().split("\n", 1)[0]


def is_retryable(error: BaseException) -> bool:
    """Did the database break the transaction off only because of its neighbours?"""
    cause = error.__cause__ if isinstance(error, DatabaseUnavailable) else error
    original = getattr(cause, "orig", cause)
    return getattr(original, "sqlstate", None) in _RETRY_STATES
