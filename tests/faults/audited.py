"""What `kvit audit verify` does, in this process: for tests that ask it after each of many faults."""

from __future__ import annotations

from datetime import UTC, datetime

from kvit.domain import days
from kvit.services.audit.verify import verify
from kvit.storage.audit import SqlAuditBook
from kvit.storage.engine import Database
from kvit.storage.sealing import seal_all
from kvit.storage.snapshot import snapshot


def audit(database: Database, biller_id: str) -> list[str]:
    """Seal what waits, then everything that the independent auditor finds in one biller's books."""
    while seal_all(database):
        pass
    with snapshot(database) as connection:
        report = verify(SqlAuditBook(connection), [biller_id], days.to_us(datetime.now(UTC)))
    assert report.sealed > 0
    assert report.unsealed == 0
    return [f"{finding.subject} {finding.message}" for finding in report.findings]
