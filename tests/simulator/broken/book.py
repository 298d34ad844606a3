"""A biller's books in memory, for any protocol: sound, or with one known fault.

A fault is a word; ``FAULTS`` says what each makes the books do. It stands in for a biller that an acceptance
test has to see through: the real one must not have any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from kvit.domain.messages import (
    BadAmount,
    Command,
    Conflict,
    Found,
    Held,
    Hold,
    ListPosted,
    Lookup,
    NoSuchAccount,
    NoSuchTxn,
    Note,
    Noted,
    Post,
    Posted,
    Refused,
    Result,
    Statement,
    Status,
    Void,
    Voided,
)
from kvit.protocols.base import Protocol

NUMBER, OTHER, UNKNOWN = "1000025", "1000033", "9999999"

#: What a faulty book does. Those of the door and of the wire are in ``biller``.
FAULTS: Mapping[str, str] = {
    "books-again": "a repeated payment is booked anew, under a new receipt",
    "new-receipt": "a repeated payment is booked once, but the answer names a new receipt",
    "refuses-again": "a repeated payment is refused",
    "takes-other-sum": "a known id with another sum is booked anew",
    "takes-other-number": "a known id with another number is taken for the payment that is known",
    "pays-unknown": "money for a number that nobody has is taken",
    "finds-anyone": "every number is found",
    "check-books": "a check takes money off the debt",
    "takes-zero": "a sum of zero is booked",
    "loses-money": "a payment is confirmed and not booked",
    "race": "two requests in the same moment are both booked",
    "status-blind": "no status is known",
    "status-says-yes": "every status is that of a booked payment",
    "statement-forgets": "the list of payments lacks the last one",
    "statement-doubles": "the list of payments holds the last one twice",
    "void-keeps-money": "a cancellation is confirmed and books nothing",
    "void-again": "each repetition of a cancellation gives the money back once more",
    "void-forgets": "a payment that was taken back is unknown, so that its repetition is booked anew",
    "hold-books": "money is booked when it is only announced",
    "hold-renews": "a repeated announcement gets a new receipt",
    "posts-unheld": "what nobody announced is booked",
    "posts-released": "what was released is booked all the same",
    "keeps-hold": "an announcement cannot be released",
    "hold-other-sum": "a known announcement takes another sum",
}  # fmt: skip


@dataclass
class Payment:
    """One payment as the book has it."""

    posted: Posted | None = None
    held: Held | None = None
    voided: Voided | None = None

    @property
    def known(self) -> Posted | Held:
        """Its first result."""
        found = self.posted or self.held
        assert found is not None
        return found


@dataclass
class Book:
    """Accounts with their debts, and payments by id. ``fault`` is one of ``FAULTS`` or none.

    ``refunds``: may payments be taken back? What is only announced may always be released.
    """

    protocol: Protocol
    fault: str = ""
    refunds: bool = True
    due_minor: dict[str, int] = field(default_factory=lambda: {NUMBER: 10_000_000, OTHER: 5_000_000})
    payments: dict[str, Payment] = field(default_factory=dict)
    receipts: int = 100_044
    extra: list[Posted] = field(default_factory=list)

    def decide(self, command: Command) -> Result:
        """The result of one command, at once booked."""
        if isinstance(command, Lookup):
            return self._look_up(command)
        if isinstance(command, Hold):
            return self._hold(command)
        if isinstance(command, Post):
            return self._post(command)
        if isinstance(command, Void):
            return self._void(command)
        if isinstance(command, Status):
            return self._status(command)
        if isinstance(command, ListPosted):
            return self._statement()
        assert isinstance(command, Note)
        return Noted(command.txn)

    def knows(self, txn: str) -> bool:
        return txn in self.payments

    # --- questions ---------------------------------------------------------------------------------

    def _look_up(self, command: Lookup) -> Result:
        number = NUMBER if self.fault == "finds-anyone" else command.number
        due_minor = self.due_minor.get(number)
        if due_minor is None:
            return NoSuchAccount(command.number)
        if self.fault == "check-books":
            self.due_minor[number] -= 100
        return Found(command.number, max(due_minor, 0), max(-due_minor, 0), "RUB", "И*** А***")

    def _status(self, command: Status) -> Result:
        payment = self.payments.get(command.txn)
        if self.fault == "status-blind" or (payment is None and self.fault != "status-says-yes"):
            return NoSuchTxn(command.txn)
        if payment is None:
            return Posted(command.txn, 99, NUMBER, 1000, "RUB", _now(), repeat=True)
        return payment.voided or payment.known

    def _statement(self) -> Result:
        items: list[Posted] = [one.posted for one in self.payments.values() if one.posted and not one.voided]
        if self.fault == "statement-forgets":
            items = items[:-1]
        if self.fault == "statement-doubles":
            items += items[-1:]
        return Statement(tuple(items))

    # --- money -------------------------------------------------------------------------------------

    def _hold(self, command: Hold) -> Result:
        payment = self.payments.get(command.txn)
        if payment is not None:
            return self._held_again(command, payment)
        refusal = self._refusal(command)
        if refusal is not None:
            return refusal
        held = Held(
            command.txn, self._receipt(), command.number, command.amount_minor, "RUB", _now(),
            _now() + timedelta(hours=1), service=command.service,
        )  # fmt: skip
        self.payments[command.txn] = Payment(held=held)
        if self.fault == "hold-books":
            self._take(command.number, command.amount_minor)
        return held

    def _held_again(self, command: Hold, payment: Payment) -> Result:
        known = payment.known
        same = (known.number, known.amount_minor) == (command.number, command.amount_minor)
        if not same and self.fault == "hold-other-sum" and payment.held and not payment.posted:
            payment.held = replace(payment.held, amount_minor=command.amount_minor)
            return replace(payment.held, repeat=True)
        if not same and self.fault == "takes-other-number" and known.amount_minor == command.amount_minor:
            return replace(known, repeat=True)
        if not same:
            return Conflict(command.txn)
        if payment.voided:
            return replace(payment.voided, repeat=True)
        if payment.held and self.fault == "hold-renews":
            payment.held = replace(payment.held, receipt=self._receipt())
        return replace(payment.posted or payment.known, repeat=True)

    def _post(self, command: Post) -> Result:
        payment = self.payments.get(command.txn)
        if payment is not None and payment.posted is not None:
            return self._post_again(command, payment)
        if command.held:
            return self._post_held(command, payment)
        refusal = self._refusal(command)
        if refusal is not None:
            return refusal
        return self._book(command, command.number, command.amount_minor, None)

    def _post_held(self, command: Post, payment: Payment | None) -> Result:
        if payment is None and self.fault == "posts-unheld":
            return self._book(command, command.number or NUMBER, command.amount_minor or 1000, None)
        if payment is None or payment.held is None:
            return NoSuchTxn(command.txn)
        if command.receipt not in (0, payment.held.receipt) and self.fault != "hold-renews":
            return NoSuchTxn(command.txn)
        if payment.voided and self.fault != "posts-released":
            return replace(payment.voided, repeat=True)
        held = payment.held
        if command.amount_minor not in (0, held.amount_minor) or command.number not in ("", held.number):
            return Conflict(command.txn)
        return self._book(command, held.number, held.amount_minor, held)

    def _book(self, command: Post, number: str, amount_minor: int, held: Held | None) -> Posted:
        receipt = held.receipt if held else self._receipt()
        posted = Posted(
            command.txn, receipt, number, amount_minor, "RUB", _now(), service=command.service,
            held_at=held.held_at if held else None,
        )  # fmt: skip
        self.payments[command.txn] = Payment(posted, held)
        if self.fault != "loses-money" and not (held and self.fault == "hold-books"):
            self._take(number, amount_minor)
        return posted

    def _post_again(self, command: Post, payment: Payment) -> Result:
        posted = payment.posted
        assert posted is not None
        same_number = command.number in ("", posted.number)
        same_sum = command.amount_minor in (0, posted.amount_minor) if command.held else (
            command.amount_minor == posted.amount_minor
        )  # fmt: skip
        if self.fault == "books-again" and same_number and same_sum:
            self._take(posted.number, posted.amount_minor)
            return replace(posted, receipt=self._receipt())
        if not same_sum and self.fault == "takes-other-sum":
            self._take(posted.number, command.amount_minor)
            return replace(posted, receipt=self._receipt(), amount_minor=command.amount_minor)
        if not same_number and same_sum and self.fault == "takes-other-number":
            return replace(posted, repeat=True)
        if not (same_number and same_sum):
            return Conflict(command.txn)
        return self._first_answer_again(command, payment, posted)

    def _first_answer_again(self, command: Post, payment: Payment, posted: Posted) -> Result:
        if self.fault == "refuses-again":
            return Refused("account-closed")
        if self.fault == "new-receipt":
            return replace(posted, receipt=self._receipt(), repeat=True)
        if payment.voided and self.fault == "void-forgets":
            return self._book(command, posted.number, posted.amount_minor, None)
        if payment.voided:
            return replace(payment.voided, repeat=True, posted=replace(posted, repeat=True))
        return replace(posted, repeat=True)

    def _void(self, command: Void) -> Result:
        found = [
            one
            for txn, one in self.payments.items()
            if txn == command.txn or (not command.txn and one.known.receipt == command.receipt)
        ]
        if not found:
            return NoSuchTxn(command.txn)
        payment = found[0]
        known = payment.known
        if payment.voided:
            if self.fault == "void-again":
                self._take(known.number, -known.amount_minor)
            return replace(payment.voided, repeat=True)
        if payment.posted and not self.refunds:
            return Refused("void-forbidden")
        if payment.posted is None and self.fault == "keeps-hold":
            return Refused("void-forbidden")
        payment.voided = Voided(
            known.txn, known.receipt, known.number, known.amount_minor, "RUB", _now(), command.reason,
            command.void_txn, posted=payment.posted, held=payment.held,
        )  # fmt: skip
        if payment.posted and self.fault != "void-keeps-money":
            self._take(known.number, -known.amount_minor)
        return payment.voided

    def _refusal(self, command: Hold | Post) -> Result | None:
        is_taken = isinstance(command, Post) and command.taken
        if command.amount_minor < 1 and self.fault != "takes-zero":
            return BadAmount(command.amount_minor, 1)
        if command.number not in self.due_minor and not is_taken and self.fault != "pays-unknown":
            return NoSuchAccount(command.number)
        return None

    def _take(self, number: str, amount_minor: int) -> None:
        if number in self.due_minor:
            self.due_minor[number] -= amount_minor

    def _receipt(self) -> int:
        self.receipts += 1
        return self.receipts


def _now() -> datetime:
    return datetime.now(UTC)
