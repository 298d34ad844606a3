"""Every call of a database's driver as a numbered point, at which this process can be made to die.

Patched in from outside, in a process of the tests' own: the product has no switch for faults. On SQLite
the points are before and after each statement and commit; on PostgreSQL before each statement, and before,
in and after each exchange with the server (a pipeline's sync is one): whenever something was sent or read.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator
from typing import Any

import psycopg

from kvit.storage import sqlite


class Countdown:
    """Dies at the point ``at`` (1 is the first one), as by a power cut; 0: never."""

    def __init__(self, at: int = 0, thread: str = "") -> None:
        #: Only points in threads whose names begin so are counted.
        self.thread = thread
        self.at = at
        self.passed = 0

    def point(self) -> None:
        if not self.at or not threading.current_thread().name.startswith(self.thread):
            return
        self.passed += 1
        if self.passed == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def install(countdown: Countdown) -> None:
    """From now on every connection of this process counts its points."""
    _install_sqlite(countdown)
    _install_postgres(countdown)


def _install_sqlite(countdown: Countdown) -> None:
    class Cursor(sqlite.driver.Cursor):  # type: ignore[misc]
        def execute(self, *values: object) -> Any:  # noqa: ANN401 - as in the driver
            countdown.point()
            done = super().execute(*values)
            countdown.point()
            return done

        def executemany(self, *values: object) -> Any:  # noqa: ANN401 - as in the driver
            countdown.point()
            done = super().executemany(*values)
            countdown.point()
            return done

    class Connection(sqlite.driver.Connection):  # type: ignore[misc]
        def cursor(self, factory: type = Cursor) -> Any:  # noqa: ANN401 - as in the driver
            return super().cursor(factory)

        def execute(self, *values: object) -> Any:  # noqa: ANN401 - as in the driver
            return self.cursor().execute(*values)

        def executemany(self, *values: object) -> Any:  # noqa: ANN401 - as in the driver
            return self.cursor().executemany(*values)

        def commit(self) -> None:
            countdown.point()
            super().commit()
            countdown.point()

    connect = sqlite.driver.connect
    sqlite.driver.connect = lambda *values, **named: connect(*values, **named, factory=Connection)


def _install_postgres(countdown: Countdown) -> None:
    wait, execute = psycopg.Connection.wait, psycopg.Cursor.execute

    def counted(exchange: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        countdown.point()
        try:
            wanted = next(exchange)
            while True:
                countdown.point()
                wanted = exchange.send((yield wanted))
        except StopIteration as end:
            countdown.point()
            return end.value

    def wait_counted(self: Any, gen: Generator[Any, Any, Any], *values: Any, **named: Any) -> Any:  # noqa: ANN401
        return wait(self, counted(gen), *values, **named)

    def execute_counted(self: Any, *values: Any, **named: Any) -> Any:  # noqa: ANN401
        countdown.point()
        return execute(self, *values, **named)

    psycopg.Connection.wait = wait_counted  # type: ignore[method-assign]
    psycopg.Cursor.execute = execute_counted  # type: ignore[method-assign]
