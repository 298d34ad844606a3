"""The books of one history: an SQLite file in memory, whose connections may be told to fail."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from kvit.storage import sqlite
from kvit.storage.engine import open_database
from tests.simulation.faults import Fate, moment_of


class Line:
    """A connection as the gateway holds it. Closed, the real one waits for who opens the next."""

    def __init__(self, real: sqlite.Connection, store: Store) -> None:
        self._real = real
        self._store = store

    def execute(self, statement: str, *values: Any) -> Any:  # noqa: ANN401
        fate = self._store.fate
        if fate is None:
            return self._real.execute(statement, *values)
        return _under(fate, self._real.execute, statement, values)

    def executemany(self, statement: str, *values: Any) -> Any:  # noqa: ANN401
        fate = self._store.fate
        if fate is None:
            return self._real.executemany(statement, *values)
        return _under(fate, self._real.executemany, statement, values)

    def cursor(self) -> Cursor:
        return Cursor(self._real.cursor(), self._store)

    def commit(self) -> None:
        fate = self._store.fate
        if fate is None:
            self._real.commit()
        else:
            _under(fate, lambda _: self._real.commit(), "COMMIT", ())

    def close(self) -> None:
        self._store.take_back(self)

    @property
    def real(self) -> sqlite.Connection:
        return self._real

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._real, name)


class Cursor:
    """The same for SQLAlchemy, which works with cursors."""

    def __init__(self, real: Any, store: Store) -> None:  # noqa: ANN401
        self._real = real
        self._store = store

    def execute(self, statement: str, *values: Any) -> Any:  # noqa: ANN401
        fate = self._store.fate
        if fate is None:
            return self._real.execute(statement, *values)
        return _under(fate, self._real.execute, statement, values)

    def executemany(self, statement: str, *values: Any) -> Any:  # noqa: ANN401
        fate = self._store.fate
        if fate is None:
            return self._real.executemany(statement, *values)
        return _under(fate, self._real.executemany, statement, values)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._real, name)


def _under(fate: Fate, act: Any, statement: str, values: tuple[Any, ...]) -> Any:  # noqa: ANN401
    moment = moment_of(statement)
    fate.before(moment, statement, values)
    result = act(statement, *values)
    fate.after(moment)
    return result


class Store:
    """One file after another at the same place; opening and closing connections costs nearly nothing."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "books.sqlite")
        self.database = open_database(f"sqlite:///{self.path}")
        self.fate: Fate | None = None
        self._connect = sqlite.connect
        self._open: dict[Line, None] = {}
        self._parked: list[sqlite.Connection] = []

    @contextmanager
    def installed(self, template: Path) -> Iterator[sqlite.Connection]:
        """Begin with a copy of ``template``; whoever connects comes here. Gives an observer's connection,
        which sees what is committed."""
        for end in ("", "-wal", "-shm"):
            Path(self.path + end).unlink(missing_ok=True)
        shutil.copyfile(template, self.path)
        observer = self._connect(self.path)
        try:
            with patch.object(sqlite, "connect", self._open_line):
                yield observer
        finally:
            self.fate = None
            self.abandon()
            for connection in (*self._parked, observer):
                connection.close()
            self._parked.clear()

    @contextmanager
    def calm(self) -> Iterator[None]:
        """For another process than the gateway's: nothing happens to it."""
        fate, self.fate = self.fate, None
        try:
            yield
        finally:
            self.fate = fate

    def abandon(self) -> None:
        """The process is dead: what it had not committed is rolled back."""
        for line in list(self._open):
            line.close()

    def take_back(self, line: Line) -> None:
        if line in self._open:  # else it was closed before, and its connection is somebody else's now
            del self._open[line]
            sqlite.roll_back(line.real)
            self._parked.append(line.real)

    def _open_line(self, path: str, busy_timeout_s: float = 0) -> Line:
        """How long a connection would wait for another one is no matter: here nobody is at work meanwhile."""
        assert path == self.path
        line = Line(self._parked.pop() if self._parked else self._connect(path), self)
        self._open[line] = None
        return line
