"""Charges, adjustments and allocations against their transactions, entries and records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from kvit.domain.journal import adjustment_digest
from kvit.services.audit.bundles import Bundle
from kvit.services.audit.facts import AdjustmentFact, ChargeFact, TransactionFact
from kvit.services.audit.ledger import has_sides, sides_text
from kvit.services.audit.records import ADJUSTED, BALANCES_IMPORTED, CHARGES_IMPORTED, check_recorded
from kvit.services.audit.report import Findings

OPENING = "opening"
#: What an adjustment may be booked against, besides the income of its charge's service.
_CONTRA = frozenset((OPENING, "write-off", "refund", "rounding", "suspense"))


def check_charge(findings: Findings, bundle: Bundle, fact: ChargeFact) -> None:
    row, subject, income = fact.row, f"charge {fact.id}", f"income:{fact.row.service}"
    if fact.number is None:
        findings.add("charge", subject, f"is of account id {row.account_id}, which does not exist")
    if row.amount_minor < 0:
        findings.add("charge", subject, f"of {findings.money(row.amount_minor)} cannot be")
    if not bundle.transactions:
        findings.add("charge", subject, "has no transaction in the ledger")
    reason = f"balance {row.document}" if fact.act_verb == BALANCES_IMPORTED else ""
    made = (None, reason, fact.act_actor, fact.act_at_us)
    for transaction in bundle.transactions:
        if fact.act_verb is not None and _circumstances(transaction) != made:
            findings.add("charge", subject, "and the act that made it differ in why, who or when")
    contra = {CHARGES_IMPORTED: (income,), BALANCES_IMPORTED: (OPENING,)}.get(fact.act_verb or "")
    if not _is_owed(findings, bundle, fact.number, row.amount_minor, contra or (income, OPENING)):
        what = f"{findings.money(row.amount_minor)} of {row.service} for {fact.number}"
        findings.add("charge", subject, f"of {what} is booked as {sides_text(findings, bundle)}")


def check_adjustment(findings: Findings, bundle: Bundle, fact: AdjustmentFact) -> None:
    row, subject = fact.row, f"adjustment {fact.id}"
    if fact.number is None:
        findings.add("adjustment", subject, f"is of account id {row.account_id}, which does not exist")
    if row.charge_id is not None and fact.service is None:
        findings.add("adjustment", subject, f"changes charge {row.charge_id}, which does not exist")
    if row.charge_id is None and row.amount_minor >= 0:
        findings.add("adjustment", subject, "names no charge, and gives no credit")
    contra = _CONTRA if fact.service is None else (*_CONTRA, f"income:{fact.service}")
    if not _is_owed(findings, bundle, fact.number, row.amount_minor, contra):
        what = f"{findings.money(row.amount_minor)} for {fact.number}"
        findings.add("adjustment", subject, f"of {what} is booked as {sides_text(findings, bundle)}")
    if not bundle.transactions:
        findings.add("adjustment", subject, "has no transaction in the ledger")
        return
    transaction = bundle.transactions[0]
    if _circumstances(transaction)[:3] != (None, row.reason, row.author):
        findings.add("adjustment", subject, "and its transaction differ in why or who")
    digest = adjustment_digest(row, fact.number or "", transaction.accounting_date)
    check_recorded(findings, bundle, subject, ADJUSTED[row.charge_id is None], digest)


def _circumstances(transaction: TransactionFact) -> tuple[int | None, str, str, int]:
    """What a transaction takes back (nothing here), why, who and when."""
    return (transaction.reverses, transaction.reason, transaction.author, transaction.created_at_us)


def _is_owed(
    findings: Findings, bundle: Bundle, number: str | None, amount_minor: int, contra: Collection[str]
) -> bool:
    """Are the entries the client's side, and one other that what is owed may come from?"""
    client, currency = f"client:{number}", findings.currency
    others = [entry.ledger_account for entry in bundle.entries if entry.ledger_account != client]
    if len(others) != 1 or others[0] not in contra:
        return False
    return has_sides(bundle, (client, amount_minor, currency), (others[0], -amount_minor, currency))


def check_allocations(findings: Findings, bundle: Bundle) -> None:
    """Allocations come from a payment or credit, and never take more from a charge than they gave."""
    if not bundle.allocations:
        return
    subject = f"source {bundle.id}"
    if not bundle.payments and not bundle.adjustments:
        findings.add("allocation", subject, "settles charges, but no payment or credit has this id")
    if any(fact.row.charge_id is not None for fact in bundle.adjustments):
        findings.add("allocation", subject, "settles charges, but is itself a change of one charge")
    parts: Counter[int] = Counter()
    for allocation in bundle.allocations:
        parts[allocation.charge_id] += allocation.amount_minor
    for charge_id, part_minor in parts.items():
        if part_minor < 0:
            part = findings.money(part_minor)
            findings.add("allocation", subject, f"settles {part} of charge {charge_id}, less than nothing")


def check_advances(findings: Findings, bundle: Bundle) -> None:
    """The unused rest of a payment or credit is its sum less what it settles."""
    used_minor = sum([allocation.amount_minor for allocation in bundle.allocations])
    for payment in bundle.payments:
        paid = payment.row
        sum_minor = 0 if paid.state == "voided" else paid.amount_minor
        _check_rest(findings, f"payment {payment.id}", paid.advance_minor, sum_minor - used_minor)
    for adjustment in bundle.adjustments:
        change = adjustment.row
        sum_minor = 0 if change.charge_id is not None else -change.amount_minor
        _check_rest(findings, f"adjustment {adjustment.id}", change.advance_minor, sum_minor - used_minor)


def _check_rest(findings: Findings, subject: str, stored_minor: int, rest_minor: int) -> None:
    if stored_minor != rest_minor:
        stored, rest = findings.money(stored_minor), findings.money(rest_minor)
        findings.add("advance", subject, f"says that {stored} is unused; less what it settles, {rest} is")
    elif rest_minor < 0:
        over = findings.money(-rest_minor)
        findings.add("advance", subject, f"settles {over} more than it is worth")
