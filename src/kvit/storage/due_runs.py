"""Runs of scheduled jobs: whoever writes the row first runs it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, and_, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from kvit.domain.file_rows import DueRunRow
from kvit.services.schedule.runs import Applied, Ended, RunKey
from kvit.storage.agreements import load_readable
from kvit.storage.engine import Database
from kvit.storage.schema import agreements
from kvit.storage.schema_files import due_runs
from kvit.storage.secretbox import SecretBox

_of = due_runs.c
_DETAIL_LENGTH_MAX = 500


class SqlRunBook:
    """Each call is a transaction of its own. Raises ``DatabaseUnavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self, keys: Iterable[RunKey]) -> dict[RunKey, DueRunRow]:
        found: dict[RunKey, DueRunRow] = {}
        with self._database.read() as connection:
            for key in keys:  # a few, each by the table's own key: its rows become very many
                biller_id, agreement_id, job = key
                query = (
                    select(due_runs)
                    .where(_of.biller_id == biller_id, _of.agreement_id == agreement_id, _of.job == job)
                    .order_by(_of.due_at_us.desc())
                    .limit(1)
                )
                row = connection.execute(query).one_or_none()
                if row is not None:
                    found[key] = DueRunRow(*row)
        return found

    def claim(self, row: DueRunRow) -> bool:
        with self._database.write() as connection:
            insert = postgres_insert if connection.dialect.name == "postgresql" else sqlite_insert
            statement = insert(due_runs).values(row._asdict()).on_conflict_do_nothing().returning(_of.job)
            return connection.execute(statement).first() is not None

    def change(self, row: DueRunRow, ended: Ended, ended_at_us: int | None) -> bool:
        key = ("biller_id", "agreement_id", "job", "due_at_us", "state", "detail")
        still = and_(*(_of[name] == getattr(row, name) for name in key))
        values = {
            "state": ended.state,
            "detail": ended.detail[:_DETAIL_LENGTH_MAX],
            "ended_at_us": ended_at_us,
        }
        with self._database.write() as connection:
            return connection.execute(update(due_runs).where(still).values(values)).rowcount == 1

    def runs_of(self, biller_id: str, agreement_id: str, limit: int) -> list[DueRunRow]:
        """The latest first."""
        query = (
            select(due_runs)
            .where(_of.biller_id == biller_id, _of.agreement_id == agreement_id)
            .order_by(_of.due_at_us.desc(), _of.job)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [DueRunRow(*row) for row in connection.execute(query)]


def load_applied(connection: Connection, box: SecretBox) -> list[Applied]:
    """Every agreement that can be read, and when it was applied."""
    readable, _ = load_readable(connection, box)
    rows = connection.execute(select(agreements.c.agreement_id, agreements.c.applied_at_us))
    applied: dict[str, int] = {row.agreement_id: row.applied_at_us for row in rows}
    return [Applied(agreement, applied[agreement.agreement_id]) for agreement in readable]
