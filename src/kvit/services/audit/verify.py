"""The auditor: computes all the books anew from their rows, with code that posting does not use.

It reads one snapshot in ordered streams, so that five million entries need no more memory than five.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kvit.services.audit import holds, ledger, payments, receivables, records, settlements, suspense
from kvit.services.audit.accounts import accounts, check_account
from kvit.services.audit.bundles import Bundle, bundles
from kvit.services.audit.chain import Anchor, check_chain, check_unsealed
from kvit.services.audit.facts import AuditBook
from kvit.services.audit.periods import Periods
from kvit.services.audit.report import Findings, Report

#: Ids looked at between two calls of ``progress``.
PROGRESS_EVERY = 5000


def _no_progress(done: int) -> None:
    pass


def verify(
    book: AuditBook,
    biller_ids: Sequence[str],
    now_us: int,
    *,
    anchors: Mapping[str, Sequence[Anchor]] | None = None,
    progress: Callable[[int], None] = _no_progress,
) -> Report:
    """Everything that does not hold in the books of these billers.

    ``anchors``: by biller, heads of the chain that were written down earlier. ``progress`` is told from
    time to time how many more rows' ids were looked at.
    """
    report = Report()
    currencies = dict(book.billers())
    highest_id = 0
    for biller_id in biller_ids:
        suffix = f" of {biller_id}" if len(currencies) > 1 else ""
        findings = Findings(report, currencies[biller_id], suffix)
        _check_bundles(findings, book, biller_id, report, progress)
        _check_accounts(findings, book, biller_id, report, progress)
        heads = {anchor.position: anchor.chain for anchor in (anchors or {}).get(biller_id, ())}
        check_chain(findings, book, biller_id, heads, report)
        check_unsealed(findings, book, biller_id, now_us, report)
        highest_id = max(highest_id, book.highest_id(biller_id))
    _check_whole(Findings(report, ""), book, highest_id)
    return report


def _check_bundles(
    findings: Findings, book: AuditBook, biller_id: str, report: Report, progress: Callable[[int], None]
) -> None:
    periods = Periods(findings, book, biller_id)
    for count, bundle in enumerate(bundles(book, biller_id), start=1):
        report.payments += len(bundle.payments)
        report.entries += len(bundle.entries)
        report.charges += len(bundle.charges)
        check_bundle(findings, bundle)
        periods.check(bundle)
        if count % PROGRESS_EVERY == 0:
            progress(PROGRESS_EVERY)


def check_bundle(findings: Findings, bundle: Bundle) -> None:
    """Everything that rows of one id must be to each other."""
    ledger.check_transaction(findings, bundle)
    for payment in bundle.payments:
        payments.check_payment(findings, bundle, payment)
    for void in bundle.voids:
        payments.check_void(findings, bundle, void)
    for charge in bundle.charges:
        receivables.check_charge(findings, bundle, charge)
    for adjustment in bundle.adjustments:
        receivables.check_adjustment(findings, bundle, adjustment)
    for hold in bundle.holds_begun:
        holds.check_begun(findings, bundle, hold)
    for hold in bundle.holds_ended:
        holds.check_ended(findings, bundle, hold)
    for note in bundle.notes:
        holds.check_note(findings, bundle, note)
    holds.check_tellings(findings, bundle)
    suspense.check_assignments(findings, bundle)
    suspense.check_left(findings, bundle)
    settlements.check_settlements(findings, bundle)
    settlements.check_resolutions(findings, bundle)
    receivables.check_allocations(findings, bundle)
    receivables.check_advances(findings, bundle)
    records.check_records(findings, bundle)
    records.check_slice(findings, bundle)


def _check_accounts(
    findings: Findings, book: AuditBook, biller_id: str, report: Report, progress: Callable[[int], None]
) -> None:
    for act_id in book.unnamed_acts(biller_id):
        findings.add("allocation", f"act {act_id}", "settled charges, but nothing in the books has this id")
    for count, account in enumerate(accounts(book, biller_id), start=1):
        report.accounts += len(account.accounts)
        check_account(findings, account)
        if count % PROGRESS_EVERY == 0:
            progress(PROGRESS_EVERY)


def _check_whole(findings: Findings, book: AuditBook, highest_id: int) -> None:
    for table, biller_id in book.strangers():
        findings.add("biller", f"biller {biller_id}", f"has rows in {table}, but does not exist")
    next_id = book.next_id()
    if next_id <= highest_id:
        text = f"would be given out next, but ids up to {highest_id} are in use"
        findings.add("ids", f"id {next_id}", text)
