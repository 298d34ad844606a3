"""Taking payments back, and telling what became of them.

A void is a reversing transaction with author and reason; the payment itself stays. An answer that shows
a posted payment confirms it, so it stands behind a commit too: each telling writes.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from kvit.domain import days, ledger
from kvit.domain.allocation import by_age, use_advances
from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.journal import digest_of
from kvit.domain.messages import (
    Conflict,
    ListPosted,
    Malformed,
    NoSuchTxn,
    Posted,
    Refused,
    Result,
    Statement,
    Status,
    Void,
)
from kvit.domain.model import (
    Agreement,
    AllocationRow,
    JournalRow,
    OutboxRow,
    StoredPayment,
    TransactionRow,
    VoidRow,
)
from kvit.services.corrections_ports import CorrectionBook, PaymentCase, VoidPlan
from kvit.services.payments import posted_result, voided_result
from kvit.services.ports import AmountChange

PAYMENT_VOIDED = "payment.voided"
PAYMENT_TOLD = "payment.told"
STATEMENT_DAYS_MAX = 92
STATEMENT_ITEMS_MAX = 10_000


def void_payment(
    book: CorrectionBook, biller_id: str, receipt: int, reason: str, author: str, now: datetime
) -> VoidRow:
    """Take the payment with ``receipt`` back for a person. Raises ``NotFound`` or ``NotAllowed``."""
    if not reason.strip():
        raise NotAllowed("a void needs a reason; nothing was changed")
    key = book.find(biller_id, receipt=receipt)
    if key is None:
        raise NotFound(f"there is no payment with receipt {receipt}")
    case = book.payment_case(key)
    if case.void is not None:
        when = days.from_us(case.void.voided_at_us).isoformat(timespec="seconds")
        raise NotAllowed(f"payment {receipt} was voided before, at {when}: {case.void.reason}")
    plan = plan_void(case, book.take_id(), _Act(reason.strip(), author, "", now))
    book.write_void(plan)
    return plan.void


def void_for_agent(book: CorrectionBook, agreement: Agreement, command: Void, now: datetime) -> Result:
    """Take a payment back because its network says so; asked again, the first answer."""
    if command.txn:
        key = book.find(agreement.biller_id, agreement_id=agreement.agreement_id, txn=command.txn)
    else:
        key = book.find(agreement.biller_id, receipt=command.receipt)
    if key is None or key.agreement_id != agreement.agreement_id:
        return NoSuchTxn(command.txn)
    case = book.payment_case(key)
    if _contradicts(command, case.payment):
        return Conflict(command.txn or key.txn)
    if case.void is not None:
        book.tell(key)
        return voided_result(case.void, case.payment, key.txn, agreement.timezone, repeat=True)
    act = _Act(
        command.reason or "cancelled by the network", "agent:" + agreement.agreement_id, command.void_txn, now
    )
    plan = plan_void(case, book.take_id(), act)
    book.write_void(plan)
    return voided_result(plan.void, case.payment, key.txn, agreement.timezone, repeat=False)


def tell_status(book: CorrectionBook, agreement: Agreement, command: Status) -> Result:
    """What became of a payment; behind a commit."""
    key = book.find(agreement.biller_id, agreement_id=agreement.agreement_id, txn=command.txn)
    if key is None:
        return NoSuchTxn(command.txn)
    payment, void = book.tell(key)
    if void is not None:
        return voided_result(void, payment, key.txn, agreement.timezone, repeat=True)
    return posted_result(payment, key.txn, agreement.timezone, repeat=True)


def tell_posted(book: CorrectionBook, agreement: Agreement, command: ListPosted, now: datetime) -> Result:
    """The payments of the days asked for, in the agreement's zone; behind a commit."""
    try:
        since, until = date.fromisoformat(command.since), date.fromisoformat(command.until)
    except ValueError:
        return Malformed("date")
    if until < since or (until - since).days >= STATEMENT_DAYS_MAX:
        return Refused("service")
    rows = book.posted_between(agreement, since.isoformat(), until.isoformat(), STATEMENT_ITEMS_MAX + 1)
    if len(rows) > STATEMENT_ITEMS_MAX:
        return Refused("service")  # a list without its end would say that the rest was never paid
    items: tuple[Posted, ...] = tuple(
        posted_result(payment, txn, agreement.timezone, repeat=True) for txn, payment in rows
    )
    subject = f"{command.since}..{command.until}"
    digest = digest_of("told", agreement.agreement_id, subject, len(items))
    actor = "agent:" + agreement.agreement_id
    book.write_journal(
        JournalRow(
            agreement.biller_id, book.take_id(), days.to_us(now), actor, PAYMENT_TOLD, subject, digest, ""
        )
    )
    return Statement(items)


class _Act(NamedTuple):
    reason: str
    author: str
    void_txn: str
    now: datetime


def plan_void(case: PaymentCase, transaction_id: int, act: _Act) -> VoidPlan:
    """The reversing transaction, the charges opened again, and advances that settle them by themselves."""
    biller_id, payment = case.key.biller_id, case.payment
    now_us = days.to_us(act.now)
    today = act.now.astimezone(days.zone(case.timezone)).date().isoformat()
    day = days.next_open_day(today, case.closed_through)
    digest = digest_of("void", *case.key, payment.receipt, transaction_id, payment.amount_minor, day)
    plan = VoidPlan(
        key=case.key,
        void=VoidRow(
            biller_id, payment.receipt, transaction_id, act.void_txn, now_us, act.reason, act.author
        ),
        transaction=TransactionRow(
            biller_id, transaction_id, ledger.VOID, day, now_us, payment.receipt, act.reason, act.author
        ),
        entries=ledger.reversal(case.entries, transaction_id),
        journal=JournalRow(
            biller_id, transaction_id, now_us, act.author, PAYMENT_VOIDED, str(payment.receipt), digest, ""
        ),
        outbox=OutboxRow(biller_id, transaction_id, PAYMENT_VOIDED, str(payment.receipt), now_us),
        balance=AmountChange(biller_id, payment.account_id, payment.amount_minor),
        advance_minor=-case.advance_minor,
    )
    charges = {charge.item_id: charge for charge in case.charges}
    for charge_id, amount_minor in case.shares:
        charges[charge_id].open_minor += amount_minor
        plan.open_sums[charge_id] = amount_minor
        plan.allocations.append(
            AllocationRow(biller_id, payment.receipt, charge_id, transaction_id, -amount_minor)
        )
    for source_id, charge_id, amount_minor in use_advances(
        sorted(case.sources, key=by_age), sorted(charges.values(), key=by_age)
    ):
        plan.allocations.append(AllocationRow(biller_id, source_id, charge_id, transaction_id, amount_minor))
        plan.open_sums[charge_id] = plan.open_sums.get(charge_id, 0) - amount_minor
        plan.advances[source_id] = plan.advances.get(source_id, 0) - amount_minor
    return plan


def _contradicts(command: Void, payment: StoredPayment) -> bool:
    if command.number and command.number != payment.number:
        return True
    return command.amount_minor is not None and command.amount_minor != payment.amount_minor
