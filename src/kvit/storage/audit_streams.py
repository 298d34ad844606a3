"""What the auditor's streams stand on, and those of the tables about files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from sqlalchemy import Connection, Select, func, select

from kvit.domain.file_rows import AssignmentRow
from kvit.services.audit.facts import AssignedFact, AssignmentFact
from kvit.storage.rows import columns_of
from kvit.storage.schema_files import assignments

Fields = tuple[Any, ...]

#: Rows fetched at once from each stream.
FETCH = 2000

_ASSIGNMENT = [assignments.c[name] for name in columns_of("assignments")]


class FileStreams:
    """One snapshot; every method may be read in steps beside the others."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _stream(self, query: Select[Any]) -> Iterator[Fields]:
        rows = self._connection.execute(query, execution_options={"yield_per": FETCH})
        return cast(Iterator[Fields], iter(rows))

    def assignments(self, biller_id: str) -> Iterator[AssignmentFact]:
        query = select(*_ASSIGNMENT).where(assignments.c.biller_id == biller_id)
        for row in map(AssignmentRow._make, self._stream(query.order_by(assignments.c.assignment_id))):
            yield AssignmentFact(row.assignment_id, row)

    def assigned(self, biller_id: str) -> Iterator[AssignedFact]:
        query = (
            select(assignments.c.receipt, func.sum(assignments.c.amount_minor))
            .where(assignments.c.biller_id == biller_id)
            .group_by(assignments.c.receipt)
            .order_by(assignments.c.receipt)
        )
        for receipt, amount_minor in self._stream(query):
            yield AssignedFact(receipt, int(amount_minor))
