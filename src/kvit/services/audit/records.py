"""Journal records and outbox rows against the facts that they tell of."""

from __future__ import annotations

from kvit.domain.journal import charges_digest
from kvit.services.audit.bundles import Bundle
from kvit.services.audit.report import Findings

PAYMENT_POSTED = "payment.posted"
PAYMENT_VOIDED = "payment.voided"
#: A change of a charge, and a credit.
ADJUSTED = ("charge.adjusted", "balance.credited")
CHARGES_IMPORTED = "charges.imported"
BALANCES_IMPORTED = "balances.imported"

_TELLING = frozenset((PAYMENT_POSTED, PAYMENT_VOIDED, *ADJUSTED))
_ACTS = frozenset((CHARGES_IMPORTED, BALANCES_IMPORTED))


def check_recorded(findings: Findings, bundle: Bundle, subject: str, verb: str, digest: bytes) -> None:
    """A thing's own journal record has its id, the right verb, and the digest of what is in the books now."""
    if not bundle.journal:
        findings.add("journal", subject, "has no journal record")
        return
    record = bundle.journal[0].row
    if record.verb != verb:
        findings.add("journal", subject, f"has a journal record of {record.verb} instead of {verb}")
    if record.digest != digest:
        findings.add("journal", subject, "is not what its journal record says: one of the two was changed")
    for transaction in bundle.transactions:
        if (transaction.created_at_us, transaction.author) != (record.at_us, record.actor):
            findings.add("journal", subject, "has a transaction and a record that differ in who or when")


def check_told(findings: Findings, bundle: Bundle, subject: str) -> None:
    """A payment or void has its outbox row; that it is the right one is seen by ``check_records``."""
    if not bundle.outbox:
        findings.add("outbox", subject, "is not in the outbox, so nobody would be told of it")


def check_records(findings: Findings, bundle: Bundle) -> None:
    """Nothing is told or recorded that is not there."""
    told = {(PAYMENT_POSTED, str(payment.id)) for payment in bundle.payments}
    told.update((PAYMENT_VOIDED, str(void.row.receipt)) for void in bundle.voids)
    for message in bundle.outbox:
        row, subject = message.row, f"outbox row {message.id}"
        if (row.kind, row.subject) not in told:
            findings.add("outbox", subject, f"tells {row.kind} of {row.subject}, which is not in the books")
        for transaction in bundle.transactions:
            if transaction.created_at_us != row.created_at_us:
                findings.add("outbox", subject, "and the transaction that it tells of differ in when")
    there = told | {(verb, str(change.id)) for verb in ADJUSTED for change in bundle.adjustments}
    for fact in bundle.journal:
        record, subject = fact.row, f"journal record {fact.id}"
        if record.verb in _TELLING and (record.verb, record.subject) not in there:
            findings.add("journal", subject, f"says {record.verb} of {record.subject}, which is not there")
        if record.verb in _ACTS and not bundle.slice and record.digest != charges_digest((), {}):
            findings.add("journal", subject, "tells of charges, and none of them is in the books")


def check_slice(findings: Findings, bundle: Bundle) -> None:
    """The charges that one act made are those that its journal record tells of."""
    if not bundle.slice:
        return
    subject, count = f"act {bundle.id}", len(bundle.slice)
    if not bundle.journal:
        findings.add("charge", subject, f"made {count} charges, and has no journal record")
        return
    numbers = {fact.row.account_id: fact.number or "" for fact in bundle.slice}
    if charges_digest((fact.row for fact in bundle.slice), numbers) != bundle.journal[0].row.digest:
        text = f"made {count} charges that are not what its journal record says: some were changed"
        findings.add("charge", subject, text)
    days = {fact.day for fact in bundle.slice if fact.day is not None}
    if len(days) > 1:
        several = ", ".join(sorted(days))
        findings.add("charge", subject, f"made charges that are booked on several days: {several}")
