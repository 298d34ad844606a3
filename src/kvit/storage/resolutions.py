"""Decisions about findings, on both engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import insert

from kvit.domain.errors import DatabaseUnavailable
from kvit.domain.file_rows import ResolutionRow
from kvit.storage.corrections import SqlCorrectionBook
from kvit.storage.engine import RETRIES, Database, is_retryable
from kvit.storage.schema_files import resolutions

T = TypeVar("T")


class SqlResolvingBook(SqlCorrectionBook):
    """One open write transaction."""

    def add_resolution(self, row: ResolutionRow) -> None:
        self._connection.execute(insert(resolutions), row._asdict())


class SqlResolutions:
    """Runs a remedy in one transaction; again when the database broke it off for a neighbour's sake."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self, work: Callable[[SqlResolvingBook], T]) -> T:
        """The result of ``work`` once it is committed. Raises ``DatabaseUnavailable``."""
        for _ in range(RETRIES):
            try:
                with self._database.write() as connection:
                    return work(SqlResolvingBook(connection))
            except Exception as error:
                if not is_retryable(error):
                    raise
        raise DatabaseUnavailable("the database kept breaking the transaction off; try again")
