"""What left suspense against the credits, transactions and payments that it must have."""

from __future__ import annotations

from kvit.domain.journal import digest_of
from kvit.services.audit.bundles import Bundle
from kvit.services.audit.facts import AssignmentFact
from kvit.services.audit.ledger import has_sides, sides_text
from kvit.services.audit.records import check_recorded
from kvit.services.audit.report import Findings

SUSPENSE = "suspense"
SUSPENSE_RETURNED = "suspense.returned"


def check_assignments(findings: Findings, bundle: Bundle) -> None:
    """Each part is booked as what it is; nothing else takes money out of suspense."""
    for fact in bundle.assignments:
        if fact.row.kind == "assigned":
            _check_assigned(findings, bundle, fact)
        else:
            _check_returned(findings, bundle, fact)
    if bundle.assignments:
        return
    for entry in bundle.entries:
        if entry.ledger_account == SUSPENSE and not bundle.payments and not bundle.voids:
            findings.add("suspense", f"transaction {bundle.id}", "moves suspense, and nothing says what for")


def _check_assigned(findings: Findings, bundle: Bundle, fact: AssignmentFact) -> None:
    row, subject = fact.row, f"assignment {fact.id}"
    given = [adjustment.row for adjustment in bundle.adjustments]
    told = [(one.account_id, one.charge_id, -one.amount_minor, one.reason, one.author) for one in given]
    reason = f"from suspense, payment {row.receipt}: {row.reason}"
    if told != [(row.account_id, None, row.amount_minor, reason, row.author)]:
        findings.add("suspense", subject, "and the credit that it gives differ")
    suspense = [entry.amount_minor for entry in bundle.entries if entry.ledger_account == SUSPENSE]
    if suspense != [row.amount_minor]:
        findings.add("suspense", subject, f"is booked as {sides_text(findings, bundle)}")
    _check_when(findings, bundle, fact)


def _check_returned(findings: Findings, bundle: Bundle, fact: AssignmentFact) -> None:
    row, subject, currency = fact.row, f"assignment {fact.id}", findings.currency
    refund = ("refund", -row.amount_minor, currency)
    if row.kind != "returned" or row.account_id != 0:
        findings.add("suspense", subject, f"is {row.kind} to account {row.account_id}, which cannot be")
    if not has_sides(bundle, (SUSPENSE, row.amount_minor, currency), refund):
        findings.add("suspense", subject, f"is booked as {sides_text(findings, bundle)}")
    for transaction in bundle.transactions:
        if (transaction.reverses, transaction.reason, transaction.author) != (None, row.reason, row.author):
            findings.add("suspense", subject, "and its transaction differ in why or who")
        digest = digest_of(
            "suspense-return", fact.id, row.receipt, row.amount_minor, transaction.accounting_date
        )
        check_recorded(findings, bundle, subject, SUSPENSE_RETURNED, digest)
    _check_when(findings, bundle, fact)


def _check_when(findings: Findings, bundle: Bundle, fact: AssignmentFact) -> None:
    if [transaction.created_at_us for transaction in bundle.transactions] != [fact.row.at_us]:
        findings.add("suspense", f"assignment {fact.id}", "and its transaction differ in when")


def check_left(findings: Findings, bundle: Bundle) -> None:
    """No more leaves suspense than came in, and of standing payments only."""
    for fact in bundle.assigned:
        subject, assigned = f"payment {fact.id}", findings.money(fact.amount_minor)
        paid = [payment.row for payment in bundle.payments]
        if not any(row.account_id == 0 and row.state == "posted" for row in paid):
            findings.add("suspense", subject, f"is not in suspense, and {assigned} of it was assigned")
        elif fact.amount_minor > paid[0].amount_minor:
            findings.add("suspense", subject, f"is less than the {assigned} that were assigned of it")
