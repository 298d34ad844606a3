"""What the auditor says: findings in plain words, counted without end but kept in bounded number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from kvit.domain.money import exponent_of, format_amount

#: Findings kept; a database damaged all over would have one a row. The rest is only counted.
FINDINGS_MAX = 1000

#: The checks, and what holds where they find nothing. ``docs/reference/audit.md`` explains each.
CHECKS: dict[str, str] = {
    "transaction": "a transaction sums to zero per currency, has both its sides, and belongs to one thing",
    "payment": "a payment has its transaction with exactly the two entries it must have",
    "void": "a voided payment has one void with the entries negated, and no other payment has one",
    "hold": "a hold is what its records say, and was posted as the payment that is there, or not at all",
    "note": "a note is about a payment that is there",
    "charge": "a charge has its transaction and entries, and is what its act recorded",
    "adjustment": "an adjustment has its transaction and entries, and is what its journal record says",
    "settlement": "a lump sum is booked as what came and what was kept, off what the agent owes, and adds up",
    "period": "nothing was dated in a closed period after its close, and the biller says what is closed",
    "suspense": "what left suspense found its client or goes back, and no more left than had come",
    "allocation": "an allocation leads from money to a charge of one account, and a known act made it",
    "open-sum": "a charge's open sum is its amount with its adjustments less what settles it",
    "advance": "the unused rest of a payment or credit is its sum less what it settles",
    "balance": "an account's balance is the sum of its entries, and its open charges less its unused money",
    "outbox": "every payment and void is told once, and nothing else is told",
    "journal": "a fact has its journal record, and the record's digest is that of the fact",
    "chain": "the journal's positions are dense, and each chain value follows from the one before",
    "unsealed": "no journal record waits for its place in the chain for longer than a minute",
    "ids": "the next id is above every id in use",
    "biller": "every row belongs to a biller that exists",
}


class Finding(NamedTuple):
    """``check`` is a key of ``CHECKS``, ``subject`` what it is about, ``message`` what does not hold."""

    check: str
    subject: str
    message: str


@dataclass(slots=True)
class Report:
    """What was read and what does not hold. ``heads``: biller -> ``position:chain`` to be written down."""

    payments: int = 0
    entries: int = 0
    accounts: int = 0
    charges: int = 0
    sealed: int = 0
    unsealed: int = 0
    heads: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    findings_count: int = 0

    @property
    def ok(self) -> bool:
        return self.findings_count == 0


class Findings:
    """Collects one biller's findings into the report; ``suffix`` names the biller where there are several."""

    def __init__(self, report: Report, currency: str, suffix: str = "") -> None:
        self._report = report
        self._exponent = exponent_of(currency)
        self._suffix = suffix
        self.currency = currency

    def add(self, check: str, subject: str, message: str) -> None:
        assert check in CHECKS, check
        self._report.findings_count += 1
        if len(self._report.findings) < FINDINGS_MAX:
            self._report.findings.append(Finding(check, subject + self._suffix, message))

    def money(self, amount_minor: int) -> str:
        """A sum as a person writes it."""
        return format_amount(amount_minor, self._exponent)
