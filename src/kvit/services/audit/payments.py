"""Payments and voids against their transactions, entries and records."""

from __future__ import annotations

from kvit.domain.journal import digest_of, payment_digest
from kvit.domain.model import NOBODY
from kvit.services.audit.bundles import Bundle
from kvit.services.audit.facts import PaymentFact, VoidFact
from kvit.services.audit.ledger import has_sides, sides_text
from kvit.services.audit.records import PAYMENT_POSTED, PAYMENT_VOIDED, check_recorded, check_told
from kvit.services.audit.report import Findings


def check_payment(findings: Findings, bundle: Bundle, fact: PaymentFact) -> None:
    row, subject, amount_minor = fact.row, f"payment {fact.id}", fact.row.amount_minor
    owner = (_owner(row.account_id, fact.number), -amount_minor, row.currency)
    clearing = (_place(row.agreement_id), amount_minor, row.currency)
    if not has_sides(bundle, clearing, owner):
        what = f"{findings.money(amount_minor)} by {row.agreement_id} for {fact.number}"
        findings.add("payment", subject, f"of {what} is booked as {sides_text(findings, bundle)}")
    if not bundle.transactions:
        findings.add("payment", subject, "has no transaction in the ledger")
    for transaction in bundle.transactions:
        if transaction.accounting_date != row.accounting_date:
            days = f"{row.accounting_date}, and its transaction on {transaction.accounting_date}"
            findings.add("payment", subject, f"is booked on {days}")
        if transaction.reverses is not None or transaction.reason:
            findings.add("payment", subject, "has a transaction that takes something back or gives a reason")
    _check_by_itself(findings, subject, fact)
    check_told(findings, bundle, subject)
    check_recorded(findings, bundle, subject, PAYMENT_POSTED, payment_digest(row, fact.number or ""))


def _check_by_itself(findings: Findings, subject: str, fact: PaymentFact) -> None:
    row, is_voided = fact.row, fact.void_id is not None
    if fact.number is None and row.account_id != NOBODY:
        findings.add("payment", subject, f"is of account id {row.account_id}, which does not exist")
    if row.amount_minor <= 0 or row.currency != findings.currency:
        findings.add("payment", subject, f"of {findings.money(row.amount_minor)} {row.currency} cannot be")
    if row.payer_fee_minor < 0 or not 0 <= row.biller_fee_minor <= row.amount_minor:
        findings.add("payment", subject, "has a fee below zero or above its sum")
    if row.state not in ("posted", "voided"):
        findings.add("payment", subject, f"is in the state {row.state}, which does not exist")
    elif is_voided != (row.state == "voided"):
        there = "there is a void of it" if is_voided else "there is no void of it"
        findings.add("void", subject, f"says that it is {row.state}, but {there}")


def _owner(account_id: int, number: str | None) -> str:
    """The ledger's name of whose money it is."""
    return "suspense" if account_id == NOBODY else f"client:{number}"


def _place(agreement_id: str) -> str:
    """The ledger's name of where the money is: a statement's payments are at the bank already."""
    return agreement_id if agreement_id.startswith("bank:") else f"clearing:{agreement_id}"


def check_void(findings: Findings, bundle: Bundle, fact: VoidFact) -> None:
    row, subject = fact.row, f"void of payment {fact.row.receipt}"
    if fact.amount_minor is None:
        findings.add("void", subject, "takes back a payment that does not exist")
        return
    currency = fact.currency or ""
    owner = (_owner(fact.account_id or NOBODY, fact.number), fact.amount_minor, currency)
    clearing = (_place(fact.agreement_id or ""), -fact.amount_minor, currency)
    if not has_sides(bundle, clearing, owner):
        what = f"of {findings.money(fact.amount_minor)} is booked as {sides_text(findings, bundle)}"
        findings.add("void", subject, what)
    check_told(findings, bundle, subject)
    if not bundle.transactions:
        findings.add("void", subject, "has no transaction in the ledger")
        return
    transaction = bundle.transactions[0]
    booked = (transaction.reverses, transaction.reason, transaction.author, transaction.created_at_us)
    if booked != (row.receipt, row.reason, row.author, row.voided_at_us):
        findings.add("void", subject, "and its transaction differ in what, why, who or when")
    digest = digest_of(
        "void", row.biller_id, fact.agreement_id or "", fact.txn or "", row.receipt, row.transaction_id,
        fact.amount_minor, transaction.accounting_date,
    )  # fmt: skip
    check_recorded(findings, bundle, subject, PAYMENT_VOIDED, digest)
