"""Holds against the records of their beginning and end, and what was posted of them; notes on payments."""

from __future__ import annotations

from kvit.domain.journal import digest_of, hold_digest, note_digest
from kvit.services.audit.bundles import Bundle
from kvit.services.audit.facts import HoldFact, NoteFact
from kvit.services.audit.records import check_recorded
from kvit.services.audit.report import Findings

PAYMENT_HELD = "payment.held"
PAYMENT_NOTED = "payment.noted"
_ENDS = {"released": "payment.released", "expired": "payment.expired"}


def check_begun(findings: Findings, bundle: Bundle, fact: HoldFact) -> None:
    """What was announced is what its record says; it is held, or says how it ended."""
    row, subject = fact.row, f"hold {fact.row.receipt}"
    if fact.number is None:
        findings.add("hold", subject, f"is of account id {row.account_id}, which does not exist")
    if row.amount_minor <= 0 or row.currency != findings.currency:
        findings.add("hold", subject, f"of {findings.money(row.amount_minor)} {row.currency} cannot be")
    is_held = row.state == "held"
    if not is_held and row.state not in ("posted", *_ENDS):
        findings.add("hold", subject, f"is in the state {row.state}, which does not exist")
    elif is_held != (row.end_act_id is None) or is_held != (row.ended_at_us is None):
        findings.add("hold", subject, f"is {row.state}, and what is said of its end does not fit")
    check_recorded(findings, bundle, subject, PAYMENT_HELD, hold_digest(row, fact.number or ""))


def check_ended(findings: Findings, bundle: Bundle, fact: HoldFact) -> None:
    """A posted hold has its payment, any other one a record of its end."""
    row, subject = fact.row, f"hold {fact.row.receipt}"
    if [record.row.at_us for record in bundle.journal] != [row.ended_at_us]:
        findings.add("hold", subject, "and the record of its end differ in when")
    if row.state == "posted":
        posted = [payment.row for payment in bundle.payments]
        mine = (row.agreement_id, row.txn, row.receipt, row.amount_minor, row.account_id)
        if row.reason:
            findings.add("hold", subject, "was posted, and gives a reason why not")
        if [(one.agreement_id, one.txn, one.receipt, one.amount_minor, one.account_id) for one in posted] != [
            mine
        ]:
            findings.add("hold", subject, "says that it was posted, and the payment is not there")
        return
    digest = digest_of(
        "hold-end", row.biller_id, row.agreement_id, row.txn, row.receipt, row.state, row.reason
    )
    check_recorded(findings, bundle, subject, _ENDS.get(row.state, ""), digest)


def check_note(findings: Findings, bundle: Bundle, fact: NoteFact) -> None:
    """A note is about a payment, and is what its record says."""
    subject = f"note {fact.id} on payment {fact.row.receipt}"
    if fact.txn is None:
        findings.add("note", subject, "is about a payment that does not exist")
    digest = note_digest(fact.row, fact.agreement_id or "", fact.txn or "")
    check_recorded(findings, bundle, subject, PAYMENT_NOTED, digest)


def check_tellings(findings: Findings, bundle: Bundle) -> None:
    """No record tells of a hold that is not there."""
    begun = {str(fact.row.receipt) for fact in bundle.holds_begun}
    ended = {str(fact.row.receipt) for fact in bundle.holds_ended}
    noted = {str(fact.row.receipt) for fact in bundle.notes}
    told = {PAYMENT_HELD: begun, PAYMENT_NOTED: noted, **dict.fromkeys(_ENDS.values(), ended)}
    for fact in bundle.journal:
        record = fact.row
        if record.subject not in told.get(record.verb, (record.subject,)):
            text = f"says {record.verb} of {record.subject}, which is not there"
            findings.add("journal", f"journal record {fact.id}", text)
