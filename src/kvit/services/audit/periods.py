"""Closed periods: nothing was dated in one after its close.

A close waits for whoever may still post into the period, and then takes its id; so every id above it is of
something later, whatever the clocks said. A payment that was announced has had its id since then, and one of
a relay has the relay's receipt: of them the place of the record in the chain tells, given after the commit.
"""

from __future__ import annotations

from kvit.domain.journal import digest_of
from kvit.domain.relay_terms import RELAY_RECEIPTS_FROM
from kvit.services.audit.bundles import Bundle
from kvit.services.audit.facts import AuditBook, CloseFact
from kvit.services.audit.report import Findings


class Periods:
    """One biller's closes, oldest first, held against every transaction."""

    def __init__(self, findings: Findings, book: AuditBook, biller_id: str) -> None:
        self._findings = findings
        self._closes = book.closes(biller_id)
        self._check_records(biller_id, book.closed_through(biller_id))
        if self._closes:
            for late in book.announced_before(biller_id, max(close.through for close in self._closes)):
                self._check_dated(
                    late.id, late.accounting_date, [one for one in self._closes if late.is_after(one)]
                )

    def check(self, bundle: Bundle) -> None:
        if bundle.id >= RELAY_RECEIPTS_FROM:
            return
        for transaction in bundle.transactions:
            earlier = [close for close in self._closes if close.id < transaction.id]
            self._check_dated(transaction.id, transaction.accounting_date, earlier)

    def _check_dated(self, transaction_id: int, day: str, closed_before: list[CloseFact]) -> None:
        for close in closed_before:
            if day <= close.through:
                text = f"is dated {day}, and {close.through} was closed before it"
                self._findings.add("period", f"transaction {transaction_id}", text)
                return

    def _check_records(self, biller_id: str, closed_through: str) -> None:
        """What the biller says is what the last record says, and each goes further than the one before."""
        before = ""
        for close in self._closes:
            subject = f"close of {close.through}"
            if close.through <= before:
                self._findings.add("period", subject, f"comes after that of {before}")
            before = max(before, close.through)
            digest = digest_of("period", biller_id, close.through, close.detail)
            if close.detail and close.digest != digest:  # a record's detail can be erased
                text = "is not what its journal record says: one of the two was changed"
                self._findings.add("journal", subject, text)
        if closed_through != before:
            ours, told = closed_through or "no day", before or "none"
            text = f"says that it is closed through {ours}; the journal says {told}"
            self._findings.add("period", f"biller {biller_id}", text)
