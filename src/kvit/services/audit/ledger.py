"""Transactions and their entries, by themselves and against what they must be.

Nothing in the auditor is shared with posting: what the ledger's accounts are called is written down anew.
"""

from __future__ import annotations

from collections import Counter

from kvit.services.audit.bundles import Bundle
from kvit.services.audit.report import Findings

#: (ledger account, amount, currency)
Side = tuple[str, int, str]


def check_transaction(findings: Findings, bundle: Bundle) -> None:
    """Both sides are there and sum to zero; the transaction exists and belongs to exactly one thing."""
    if not bundle.transactions and not bundle.entries:
        return
    subject, count = f"transaction {bundle.id}", len(bundle.entries)
    sums: Counter[str] = Counter()
    for entry in bundle.entries:
        sums[entry.currency] += entry.amount_minor
    for currency, rest_minor in sums.items():
        if rest_minor:
            rest = f"{findings.money(rest_minor)} {currency}"
            findings.add("transaction", subject, f"does not sum to zero: {rest} is left over")
    if count < 2:
        findings.add("transaction", subject, f"has {count} entries, and every fact has two sides")
    if not bundle.transactions:
        findings.add("transaction", subject, f"does not exist, but has {count} entries")
        return
    kinds, owners = [row.kind for row in bundle.transactions], _owners(bundle)
    if kinds != owners:
        what = " and ".join(owners) or "nothing at all"
        findings.add("transaction", subject, f"is of the kind {kinds[0]}, but what has its id is {what}")


def _owners(bundle: Bundle) -> list[str]:
    """The kinds of transaction that the things with this id call for."""
    return (
        ["payment"] * len(bundle.payments)
        + ["void"] * len(bundle.voids)
        + ["charge"] * len(bundle.charges)
        + ["adjustment"] * len(bundle.adjustments)
        + ["settlement"] * len(bundle.settlements)
        + ["settlement-undone"] * len(bundle.unsettled)
        + ["return"] * sum(fact.row.kind == "returned" for fact in bundle.assignments)
    )


def has_sides(bundle: Bundle, *expected: Side) -> bool:
    """Are these exactly the bundle's entries?"""
    entries = bundle.entries
    return len(entries) == len(expected) and {entry[1:] for entry in entries} == set(expected)


def sides_text(findings: Findings, bundle: Bundle) -> str:
    """The entries as they are, for a message."""
    sides = [f"{entry.ledger_account} {findings.money(entry.amount_minor)}" for entry in bundle.entries]
    return ", ".join(sides) or "nothing"
