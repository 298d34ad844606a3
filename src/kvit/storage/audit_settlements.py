"""The auditor's streams of settlements, and of closed periods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import and_, select

from kvit.domain.file_rows import ResolutionRow, SettlementRow
from kvit.domain.relay_terms import RELAY_RECEIPTS_FROM
from kvit.services.audit.facts import AnnouncedFact, CloseFact, ResolutionFact, SettlementFact
from kvit.storage.audit_streams import FileStreams
from kvit.storage.rows import columns_of
from kvit.storage.schema import billers, holds, journal, transactions
from kvit.storage.schema_files import resolutions, settlements

_ROW = [settlements.c[name] for name in columns_of("settlements")]
_DECISION = [resolutions.c[name] for name in columns_of("resolutions")]


class SettlementStreams(FileStreams):
    """One snapshot; every method may be read in steps beside the others."""

    def settlements(self, biller_id: str) -> Iterator[SettlementFact]:
        undone_by = Counter(settlement_id for _, settlement_id in self._undone(biller_id))
        query = select(*_ROW).where(settlements.c.biller_id == biller_id)
        for row in map(SettlementRow._make, self._stream(query.order_by(settlements.c.settlement_id))):
            yield SettlementFact(row.settlement_id, row, undone_by[row.settlement_id])

    def unsettled(self, biller_id: str) -> Iterator[SettlementFact]:
        undone = self._undone(biller_id)
        if not undone:
            return
        query = select(*_ROW).where(settlements.c.biller_id == biller_id)
        rows = {row.settlement_id: row for row in map(SettlementRow._make, self._stream(query))}
        for transaction_id, settlement_id in undone:
            if settlement_id in rows:
                yield SettlementFact(transaction_id, rows[settlement_id], 1)

    def _undone(self, biller_id: str) -> list[tuple[int, int]]:
        """(transaction, settlement) of all that was undone: one walk over the transactions, and few rows."""
        of = transactions.c
        rows = self._connection.execute(
            select(of.transaction_id, of.reverses)
            .where(of.biller_id == biller_id, of.kind == "settlement-undone")
            .order_by(of.transaction_id)
        )
        return [(row[0], row[1]) for row in rows]

    def resolutions(self, biller_id: str) -> Iterator[ResolutionFact]:
        query = select(*_DECISION).where(resolutions.c.biller_id == biller_id)
        for row in map(ResolutionRow._make, self._stream(query.order_by(resolutions.c.resolution_id))):
            yield ResolutionFact(row.resolution_id, row)

    def closes(self, biller_id: str) -> list[CloseFact]:
        of = journal.c
        rows = self._connection.execute(
            select(of.journal_id, of.subject, of.at_us, of.digest, of.detail, of.position)
            .where(of.biller_id == biller_id, of.verb == "period.closed")
            .order_by(of.journal_id)
        )
        return [CloseFact(*row) for row in rows]

    def closed_through(self, biller_id: str) -> str:
        query = select(billers.c.closed_through).where(billers.c.biller_id == biller_id)
        return str(self._connection.execute(query).scalar_one())

    def announced_before(self, biller_id: str, through: str) -> Iterator[AnnouncedFact]:
        mine, record = transactions.c, journal.c
        query = (
            select(mine.transaction_id, mine.accounting_date, record.position)
            .select_from(holds)
            .join(
                transactions,
                and_(mine.biller_id == holds.c.biller_id, mine.transaction_id == holds.c.receipt),
            )
            .outerjoin(
                journal, and_(record.biller_id == mine.biller_id, record.journal_id == mine.transaction_id)
            )
            .where(holds.c.biller_id == biller_id, holds.c.state == "posted", mine.accounting_date <= through)
        )
        yield from (AnnouncedFact(*row) for row in self._stream(query))
        given = (
            select(mine.transaction_id, mine.accounting_date, record.position, mine.created_at_us)
            .select_from(transactions)
            .outerjoin(
                journal, and_(record.biller_id == mine.biller_id, record.journal_id == mine.transaction_id)
            )
            .where(
                mine.biller_id == biller_id,
                mine.transaction_id >= RELAY_RECEIPTS_FROM,
                mine.accounting_date <= through,
            )
        )
        yield from (AnnouncedFact(*row) for row in self._stream(given))
