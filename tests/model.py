"""What the gateway should do, on one page of plain Python that shares nothing with it.

No database, no double entry, no batches: clients, charges, payments, and which payment settles what.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass
class Charge:
    order: int
    amount_minor: int
    due_on: str
    service: str


@dataclass
class Payment:
    order: int
    number: str
    amount_minor: int
    service: str
    day: str
    state: str = "posted"
    attempts: int = 1
    #: Document of the charge -> what this payment settles of it.
    shares: dict[str, int] = field(default_factory=dict)

    @property
    def unused_minor(self) -> int:
        return 0 if self.state == "voided" else self.amount_minor - sum(self.shares.values())


@dataclass
class Account:
    status: str = "active"
    charges: dict[str, Charge] = field(default_factory=dict)


@dataclass(frozen=True)
class Terms:
    agreement: str
    low_minor: int = 1
    high_minor: int = 10**15
    first_day: date = date.min
    last_day: date = date.max
    currency: str = "RUB"


class Model:
    """Answers are pairs of a word and what else matters; payments are known by (agreement, txn)."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.payments: dict[tuple[str, str], Payment] = {}
        self._next = itertools.count(1).__next__

    def lookup(self, terms: Terms, today: date, number: str) -> tuple[str, Any]:
        if not terms.first_day <= today <= terms.last_day:
            return ("refused", "agreement-closed")
        if number not in self.accounts:
            return ("no such account", number)
        if self.accounts[number].status != "active":
            return ("refused", "account-closed")
        return ("found", self.owed_minor(number))

    def post(self, terms: Terms, today: date, post: Any, network_day: date | None) -> tuple[str, Any]:  # noqa: ANN401
        known = self.payments.get((terms.agreement, post.txn))
        if known is not None:
            content = (known.number, known.amount_minor, terms.currency, known.service)
            if content != (post.number, post.amount_minor, post.currency or terms.currency, post.service):
                return ("conflict", post.txn)
            known.attempts += 1
            return (known.state, True)
        if not terms.first_day <= today <= terms.last_day:
            return ("refused", "agreement-closed")
        if post.currency not in ("", terms.currency):
            return ("refused", "currency")
        found = self.lookup(terms, today, post.number)
        if found[0] != "found":
            return found
        if not max(terms.low_minor, 1) <= post.amount_minor <= terms.high_minor:
            return ("bad amount", post.amount_minor)
        day = network_day if network_day and -1 <= (today - network_day).days <= 31 else today
        payment = Payment(self._next(), post.number, post.amount_minor, post.service, day.isoformat())
        self.payments[terms.agreement, post.txn] = payment
        self._settle(post.number)
        return ("posted", False)

    def status(self, terms: Terms, txn: str) -> tuple[str, Any]:
        known = self.payments.get((terms.agreement, txn))
        if known is None:
            return ("no such txn", txn)
        known.attempts += 1
        return (known.state, True)

    def void(self, terms: Terms, txn: str, *, by_network: bool) -> tuple[str, Any]:
        known = self.payments.get((terms.agreement, txn))
        if known is None:
            return ("no such txn", txn)
        if known.state == "voided":
            known.attempts += by_network
            return ("voided", True)
        known.state, known.shares = "voided", {}
        self._settle(known.number)
        return ("voided", False)

    def set_charge(self, number: str, document: str, amount_minor: int, due_on: str, service: str) -> None:
        """New, or known with another amount: then what settles it too much is let go, newest first."""
        charges = self.accounts[number].charges
        if document in charges:
            charges[document].amount_minor = amount_minor
        elif amount_minor:
            charges[document] = Charge(self._next(), amount_minor, due_on, service)
        for payment in reversed(self._money(number)):
            excess_minor = max(-self.open_minor(number, document), 0) if document in charges else 0
            payment.shares[document] = max(payment.shares.get(document, 0) - excess_minor, 0)
        self._settle(number)

    def open_minor(self, number: str, document: str) -> int:
        charge = self.accounts[number].charges[document]
        return charge.amount_minor - sum(p.shares.get(document, 0) for p in self._money(number))

    def owed_minor(self, number: str) -> int:
        """Below zero: paid in advance."""
        charges = self.accounts[number].charges.values()
        return sum(c.amount_minor for c in charges) - sum(p.amount_minor for p in self._money(number))

    def _money(self, number: str) -> list[Payment]:
        """What the client has paid and not got back, oldest first."""
        own = [p for p in self.payments.values() if p.number == number and p.state == "posted"]
        return sorted(own, key=lambda p: (p.day, p.order))

    def _settle(self, number: str) -> None:
        for payment in self._money(number):
            for document in self._by_rank(number, payment.service):
                part_minor = max(min(payment.unused_minor, self.open_minor(number, document)), 0)
                payment.shares[document] = payment.shares.get(document, 0) + part_minor

    def _by_rank(self, number: str, service: str) -> list[str]:
        """Documents: those of the service first, then the oldest due."""
        charges = self.accounts[number].charges.items()
        ranks = {d: (bool(service) and c.service != service, c.due_on, c.order) for d, c in charges}
        return sorted(ranks, key=ranks.__getitem__)
