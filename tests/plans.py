"""How SQLite goes about the statements that a piece of code sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, event

from kvit.storage.engine import Database


def plans_of(database: Database, work: Callable[[Connection], object]) -> dict[str, list[str]]:
    """Every statement that ``work`` sends over the connection it is given -> the steps of its plan."""
    sent: list[tuple[str, Any]] = []
    with database.read() as connection:

        @event.listens_for(connection, "before_cursor_execute")
        def _note(_: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:  # noqa: ANN401
            sent.append((statement, parameters))

        work(connection)
        event.remove(connection, "before_cursor_execute", _note)
        return {
            statement: [
                row[3] for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)
            ]
            for statement, parameters in sent
        }
