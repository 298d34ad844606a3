"""Each account by itself: its charges, its money, what settles what, and its balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kvit.services.audit.bundles import Stream, merged_ids
from kvit.services.audit.facts import AccountFact, AuditBook, ChangeFact, OpenChargeFact, ShareFact
from kvit.services.audit.report import Findings


@dataclass(slots=True)
class AccountBundle:
    """All rows of one account; ``accounts`` is empty where the account itself is missing."""

    id: int
    accounts: list[AccountFact]
    charges: list[OpenChargeFact]
    changes: list[ChangeFact]
    shares: list[ShareFact]


def accounts(book: AuditBook, biller_id: str) -> Iterator[AccountBundle]:
    """One for every account of the biller, and for every account that rows tell of."""
    known = Stream(book.accounts(biller_id))
    charges = Stream(book.open_charges(biller_id))
    changes = Stream(book.changes(biller_id))
    payments = Stream(book.payment_shares(biller_id))
    credited = Stream(book.credit_shares(biller_id))
    streams: list[Stream[Any]] = [known, charges, changes, payments, credited]
    for lowest in merged_ids(streams):
        yield AccountBundle(
            lowest,
            known.take(lowest),
            charges.take(lowest),
            changes.take(lowest),
            payments.take(lowest) + credited.take(lowest),
        )


def check_account(findings: Findings, account: AccountBundle) -> None:
    settled: Counter[int] = Counter()
    advances: dict[int, int] = {}
    for share in account.shares:
        advances[share.source_id] = share.advance_minor
        if share.charge_id is not None:
            settled[share.charge_id] += share.amount_minor or 0
    changed: Counter[int] = Counter()
    for change in account.changes:
        if change.charge_id is not None:
            changed[change.charge_id] += change.amount_minor
    owned = {charge.charge_id for charge in account.charges}
    for charge in account.charges:
        owed_minor = charge.amount_minor + changed[charge.charge_id]
        _check_open(findings, charge, owed_minor, owed_minor - settled[charge.charge_id])
    for charge_id in settled.keys() - owned:
        text = "is settled by money of another account, or does not exist"
        findings.add("allocation", f"charge {charge_id}", text)
    for charge_id in changed.keys() - owned:
        text = "is changed by an adjustment of another account, or does not exist"
        findings.add("adjustment", f"charge {charge_id}", text)
    for row in account.accounts:
        open_minor = sum(charge.open_minor for charge in account.charges)
        _check_balance(findings, row, open_minor - sum(advances.values()))


def _check_open(findings: Findings, charge: OpenChargeFact, owed_minor: int, open_minor: int) -> None:
    subject = f"charge {charge.charge_id}"
    if charge.open_minor != open_minor:
        stored, rest = findings.money(charge.open_minor), findings.money(open_minor)
        findings.add("open-sum", subject, f"says that {stored} is open; less what settles it, {rest} is")
    elif open_minor < 0:
        over = findings.money(-open_minor)
        findings.add("open-sum", subject, f"is settled by {over} more than it asks for")
    if owed_minor < 0:
        owed = findings.money(owed_minor)
        findings.add("open-sum", subject, f"asks for {owed} with its adjustments, less than nothing")


def _check_balance(findings: Findings, account: AccountFact, net_minor: int) -> None:
    subject, balance = f"account {account.number}", findings.money(account.balance_minor)
    if account.balance_minor != account.entries_minor:
        entries = findings.money(account.entries_minor)
        findings.add("balance", subject, f"has the balance {balance}; the sum of its entries is {entries}")
    if account.balance_minor != net_minor:
        net = findings.money(net_minor)
        text = f"has the balance {balance}; its open charges less its unused money come to {net}"
        findings.add("balance", subject, text)
