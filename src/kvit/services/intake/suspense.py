"""Money in suspense finds its client, or goes back: in whole or in parts, each part once.

The payment itself stays as it was booked, since its network may ask for it for ever. A part that is
assigned is a credit of the client out of ``suspense``; one that goes back is owed to its payer in ``refund``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from kvit.domain import days, ledger
from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.file_rows import AssignmentRow
from kvit.domain.journal import digest_of
from kvit.domain.model import (
    ACTIVE,
    NOBODY,
    AccountRow,
    Biller,
    EntryRow,
    JournalRow,
    PaymentKey,
    TransactionRow,
)
from kvit.services.corrections_ports import PaymentCase
from kvit.services.receivables.desk import Booking, Credit, Desk, Owner
from kvit.services.receivables.ports import ReceivablesBook, ReceivablesPlan

ASSIGNED, RETURNED = "assigned", "returned"
SUSPENSE_ASSIGNED = "suspense.assigned"
SUSPENSE_RETURNED = "suspense.returned"
#: The kind of transaction of a part that goes back.
RETURN = "return"


class SuspenseBook(ReceivablesBook, Protocol):
    """One open write transaction on one biller's books."""

    def payment_key(self, receipt: int) -> PaymentKey | None: ...

    def payment_case(self, key: PaymentKey) -> PaymentCase: ...

    def add_assignments(self, rows: Sequence[AssignmentRow]) -> None: ...

    def write_journal(self, record: JournalRow) -> None: ...


class Part(NamedTuple):
    """``amount_minor`` 0: all that is left."""

    number: str
    amount_minor: int


class Act(NamedTuple):
    reason: str
    author: str
    now: datetime


class Assigned(NamedTuple):
    """``left_minor`` is still in suspense."""

    receipt: int
    parts: list[Part]
    left_minor: int


def assign(book: SuspenseBook, receipt: int, parts: Sequence[Part], act: Act) -> Assigned:
    """Give parts of a payment in suspense to clients. Raises ``NotFound`` or ``NotAllowed``."""
    biller, left_minor = _left(book, receipt, act)
    book.lock_numbers({part.number for part in parts})
    accounts = book.accounts({part.number for part in parts})
    done: list[Part] = []
    for part in parts:
        amount_minor = part.amount_minor or left_minor
        _check(receipt, amount_minor, left_minor)
        account = _taking(accounts, part.number)
        _credit(book, biller, account, receipt, amount_minor, act)
        left_minor -= amount_minor
        done.append(Part(part.number, amount_minor))
    return Assigned(receipt, done, left_minor)


def send_back(book: SuspenseBook, receipt: int, amount_minor: int, act: Act) -> Assigned:
    """Owe a part to its payer: paying it out is the bank's work, and clears ``refund``."""
    biller, left_minor = _left(book, receipt, act)
    amount_minor = amount_minor or left_minor
    _check(receipt, amount_minor, left_minor)
    now_us = days.to_us(act.now)
    (assignment_id,) = book.take_ids(1)
    biller_id, day = biller.biller_id, _day(biller, act.now)
    plan = ReceivablesPlan(
        transactions=[
            TransactionRow(biller_id, assignment_id, RETURN, day, now_us, None, act.reason, act.author)
        ],
        entries=_sides(biller, assignment_id, amount_minor),
        journal=[
            JournalRow(
                biller_id, assignment_id, now_us, act.author, SUSPENSE_RETURNED, str(receipt),
                return_digest(assignment_id, receipt, amount_minor, day), "",
            )
        ],
    )  # fmt: skip
    book.write(plan)
    row = AssignmentRow(
        biller_id, assignment_id, receipt, RETURNED, NOBODY, amount_minor, act.reason, act.author, now_us
    )
    book.add_assignments([row])
    return Assigned(receipt, [Part("", amount_minor)], left_minor - amount_minor)


def return_digest(assignment_id: int, receipt: int, amount_minor: int, day: str) -> bytes:
    """What must never change about a part that goes back."""
    return digest_of("suspense-return", assignment_id, receipt, amount_minor, day)


def _left(book: SuspenseBook, receipt: int, act: Act) -> tuple[Biller, int]:
    """How much of the payment is in suspense still."""
    if not act.reason.strip():
        raise NotAllowed("say why with --reason; nothing was changed")
    key = book.payment_key(receipt)
    if key is None:
        raise NotFound(f"there is no payment with receipt {receipt}")
    case = book.payment_case(key)
    if case.payment.account_id != NOBODY:
        raise NotAllowed(f"payment {receipt} is of account {case.payment.number}, not in suspense")
    if case.void is not None:
        raise NotAllowed(f"payment {receipt} was taken back")
    left_minor = case.payment.amount_minor - case.assigned_minor
    if left_minor <= 0:
        raise NotAllowed(f"nothing of payment {receipt} is in suspense any more")
    return book.biller(), left_minor


def _check(receipt: int, amount_minor: int, left_minor: int) -> None:
    if not 0 < amount_minor <= left_minor:
        raise NotAllowed(
            f"of payment {receipt} {left_minor} minor units are in suspense, and {amount_minor} are wanted; "
            "nothing was changed"
        )


def _taking(accounts: dict[str, AccountRow], number: str) -> AccountRow:
    account = accounts.get(number)
    if account is None:
        raise NotFound(f"no account has the number {number}; nothing was changed")
    if account.status != ACTIVE:
        raise NotAllowed(f"account {number} is closed; nothing was changed")
    return account


def _credit(
    book: SuspenseBook, biller: Biller, account: AccountRow, receipt: int, amount_minor: int, act: Act
) -> None:
    now_us, day = days.to_us(act.now), _day(biller, act.now)
    ids = book.take_ids(2)
    booking = Booking(
        biller.biller_id, biller.currency, ledger.SUSPENSE, SUSPENSE_ASSIGNED, str(receipt),
        f"from suspense, payment {receipt}: {act.reason}", act.author, day, now_us,
    )  # fmt: skip
    desk = Desk(booking, iter(ids))
    desk.credit(Credit(Owner(account.account_id, account.number), amount_minor, day))
    desk.settle(book)
    book.write(desk.plan())
    row = AssignmentRow(
        biller.biller_id, ids[1], receipt, ASSIGNED, account.account_id, amount_minor, act.reason,
        act.author, now_us,
    )  # fmt: skip
    book.add_assignments([row])


def _day(biller: Biller, now: datetime) -> str:
    today = now.astimezone(days.zone(biller.timezone)).date().isoformat()
    return days.next_open_day(today, biller.closed_through)


def _sides(biller: Biller, transaction_id: int, amount_minor: int) -> list[EntryRow]:
    return list(
        ledger.two_sided(
            biller.biller_id, transaction_id, ledger.SUSPENSE, ledger.REFUND, amount_minor, biller.currency
        )
    )
