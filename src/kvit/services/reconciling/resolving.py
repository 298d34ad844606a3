"""What a person decides about a finding: written down with reason and author, and done where it can be."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Protocol

from kvit.domain import days
from kvit.domain.errors import NotAllowed, NotFound, SettingsError
from kvit.domain.file_rows import ResolutionRow
from kvit.domain.journal import digest_of
from kvit.domain.model import JournalRow
from kvit.services.corrections import void_payment
from kvit.services.corrections_ports import CorrectionBook
from kvit.services.reconciling.findings import REMEDIES, RESOLVED, VOID, Finding
from kvit.services.reconciling.run import Report

FINDING_RESOLVED = "finding.resolved"


class ResolvingBook(CorrectionBook, Protocol):
    """One open write transaction: a remedy and the word about it commit together."""

    def add_resolution(self, row: ResolutionRow) -> None: ...


class Decision(NamedTuple):
    remedy: str
    reason: str
    author: str


def find(report: Report, key: str) -> Finding:
    """The finding of this key, or the only one whose key begins so. Raises ``NotFound``."""
    found = [one for one in report.findings if one.key.startswith(key)]
    if len(found) != 1:
        what = "several findings begin so" if found else f"there is no finding {key}, or it is gone"
        raise NotFound(f"{what}; `kvit reconcile` names them")
    return found[0]


def check(finding: Finding, decision: Decision) -> None:
    """Raises ``NotAllowed`` or ``SettingsError`` where the finding cannot be resolved so."""
    if decision.remedy not in REMEDIES:
        raise SettingsError(f"--remedy: there is no {decision.remedy}; known: {', '.join(REMEDIES)}")
    if not decision.reason.strip():
        raise NotAllowed("a remedy needs a reason; nothing was changed")
    if finding.state == RESOLVED:
        raise NotAllowed(f"{finding.key} was resolved before; nothing was changed")
    if decision.remedy not in finding.remedies:
        possible = ", ".join(finding.remedies)
        raise NotAllowed(f"{decision.remedy} does not mend {finding.kind}; possible: {possible}")
    if decision.remedy == VOID and not finding.receipts:
        raise NotAllowed(f"{finding.key} is about no payment that could be taken back")


def resolve(
    book: ResolvingBook, biller_id: str, finding: Finding, decision: Decision, now: datetime
) -> ResolutionRow:
    """Do the remedy and write it down. Raises ``NotAllowed``; then nothing was changed."""
    check(finding, decision)
    reason, now_us = decision.reason.strip(), days.to_us(now)
    if decision.remedy == VOID:
        void_payment(book, biller_id, finding.receipts[0], reason, decision.author, now)
    row = ResolutionRow(
        biller_id, book.take_id(), finding.agreement_id, finding.day, finding.key, decision.remedy, reason,
        decision.author, now_us,
    )  # fmt: skip
    book.add_resolution(row)
    book.write_journal(
        JournalRow(
            biller_id, row.resolution_id, now_us, decision.author, FINDING_RESOLVED, finding.key,
            digest_of("resolution", *row), "",
        )
    )  # fmt: skip
    return row
