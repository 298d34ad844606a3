"""Settlements against their transactions, entries and records; what was undone, and what was decided."""

from __future__ import annotations

from kvit.domain.file_rows import SettlementRow
from kvit.domain.journal import digest_of
from kvit.services.audit.bundles import Bundle
from kvit.services.audit.facts import SettlementFact
from kvit.services.audit.ledger import Side, has_sides, sides_text
from kvit.services.audit.records import check_recorded
from kvit.services.audit.report import Findings

FINDING_RESOLVED = "finding.resolved"
SETTLEMENT_MADE = "settlement.made"
SETTLEMENT_UNDONE = "settlement.undone"


def check_settlements(findings: Findings, bundle: Bundle) -> None:
    """What was made of this id, and what was undone by it; no record tells of another."""
    for fact in bundle.settlements:
        _check_made(findings, bundle, fact)
    for fact in bundle.unsettled:
        _check_undone(findings, bundle, fact)
    there = {SETTLEMENT_MADE: bundle.settlements, SETTLEMENT_UNDONE: bundle.unsettled}
    for told in bundle.journal:
        facts = there.get(told.row.verb)
        if facts is not None and [str(fact.row.settlement_id) for fact in facts] != [told.row.subject]:
            text = f"says {told.row.verb} of {told.row.subject}, which is not there"
            findings.add("journal", f"journal record {told.id}", text)


def check_resolutions(findings: Findings, bundle: Bundle) -> None:
    """What was decided about findings is what the journal says, no more and no less."""
    for fact in bundle.resolutions:
        subject = f"resolution {fact.id}"
        check_recorded(findings, bundle, subject, FINDING_RESOLVED, digest_of("resolution", *fact.row))
        for told in bundle.journal:
            if (told.row.at_us, told.row.actor) != (fact.row.at_us, fact.row.author):
                findings.add("journal", subject, "and its record differ in who or when")
    for told in bundle.journal:
        if told.row.verb == FINDING_RESOLVED and not bundle.resolutions:
            text = f"says that {told.row.subject} was resolved, which is not there"
            findings.add("journal", f"journal record {told.id}", text)


def _check_made(findings: Findings, bundle: Bundle, fact: SettlementFact) -> None:
    row, subject = fact.row, f"settlement {fact.id}"
    if not has_sides(bundle, *_sides(row, findings.currency, 1)):
        what = f"of {findings.money(row.net_minor)} by {row.agreement_id}"
        findings.add("settlement", subject, f"{what} is booked as {sides_text(findings, bundle)}")
    if row.net_minor <= 0 or row.fee_minor < 0:
        findings.add("settlement", subject, "has a sum that is not above zero, or a fee below it")
    if row.net_minor != row.gross_minor - row.fee_minor + row.difference_minor:
        findings.add("settlement", subject, "does not add up: what came is not gross less fee and difference")
    if row.difference_minor and not row.reason:
        findings.add("settlement", subject, "has a difference, and nobody says why")
    if row.first_day > row.last_day:
        findings.add("settlement", subject, "ends before it begins")
    if row.state not in ("posted", "undone") or (row.state == "undone") != (fact.undone_by == 1):
        times = f"{fact.undone_by} transactions undo it"
        findings.add("settlement", subject, f"says that it is {row.state}, and {times}")
    for transaction in bundle.transactions:
        if (transaction.reverses, transaction.reason) != (None, row.reason):
            findings.add("settlement", subject, "and its transaction differ in what or why")
        own = row[: SettlementRow._fields.index("state")]
        digest = digest_of("settlement", *own, transaction.accounting_date)
        check_recorded(findings, bundle, subject, SETTLEMENT_MADE, digest)
        if (transaction.created_at_us, transaction.author) != (row.at_us, row.author):
            findings.add("settlement", subject, "and its transaction differ in who or when")


def _check_undone(findings: Findings, bundle: Bundle, fact: SettlementFact) -> None:
    row, subject = fact.row, f"undoing of settlement {fact.row.settlement_id}"
    if not has_sides(bundle, *_sides(row, findings.currency, -1)):
        findings.add("settlement", subject, f"is booked as {sides_text(findings, bundle)}")
    for transaction in bundle.transactions:
        if not transaction.reason:
            findings.add("settlement", subject, "gives no reason")
        digest = digest_of(
            "settlement-undone", row.biller_id, row.settlement_id, fact.id, row.net_minor,
            transaction.accounting_date,
        )  # fmt: skip
        check_recorded(findings, bundle, subject, SETTLEMENT_UNDONE, digest)


def _sides(row: SettlementRow, currency: str, sign: int) -> list[Side]:
    """Money to the bank account and the fee kept, off what the agent owes."""
    sides = [
        (row.source, sign * row.net_minor, currency),
        (f"fees:{row.agreement_id}", sign * row.fee_minor, currency),
        (f"clearing:{row.agreement_id}", -sign * (row.net_minor + row.fee_minor), currency),
    ]
    return [side for side in sides if side[1]]
