"""Taking payments back.

A void is a reversing transaction with author and reason; the payment itself stays. What is only held is
released instead: nothing was booked.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from kvit.domain import days, ledger
from kvit.domain.allocation import by_age, use_advances
from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.journal import digest_of
from kvit.domain.messages import EXPIRED, Conflict, NoSuchTxn, Refused, Result, Void
from kvit.domain.model import (
    HELD,
    POSTED,
    RELEASED,
    Agreement,
    AllocationRow,
    JournalRow,
    OutboxRow,
    PaymentKey,
    StoredHold,
    StoredPayment,
    TransactionRow,
    VoidRow,
)
from kvit.services.booking import hold_end_record
from kvit.services.corrections_ports import CorrectionBook, PaymentCase, VoidPlan
from kvit.services.ports import AmountChange, HoldEnd
from kvit.services.results import ended_result, is_over, voided_result

PAYMENT_VOIDED = "payment.voided"
NETWORK_CANCELLED = "cancelled by the network"


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
    if case.assigned_minor:
        raise NotAllowed(
            f"payment {receipt} was in suspense and has found its client, or goes back; nothing was changed"
        )
    plan = plan_void(case, book.take_id(), _Act(reason.strip(), author, "", now))
    book.write_void(plan)
    return plan.void


def void_for_agent(book: CorrectionBook, agreement: Agreement, command: Void, now: datetime) -> Result:
    """Take a payment back, or release it, because its network says so; asked again, the first answer."""
    key = _known(book, agreement, command)
    if key is None:
        return NoSuchTxn(command.txn)
    hold = book.hold(key, lock=True)
    if hold is not None and hold.state != POSTED:
        return _release(book, agreement, command, key, hold, now)
    case = book.payment_case(key)
    if _contradicts(command, case.payment):
        return Conflict(command.txn or key.txn)
    if case.void is not None:
        book.tell(key)
        return voided_result(case.void, case.payment, key.txn, agreement.timezone, repeat=True, hold=hold)
    if command.only_held or not agreement.may_refund or case.assigned_minor:
        return Refused("void-forbidden")
    act = _Act(command.reason or NETWORK_CANCELLED, "agent:" + agreement.agreement_id, command.void_txn, now)
    plan = plan_void(case, book.take_id(), act)
    book.write_void(plan)
    return voided_result(plan.void, case.payment, key.txn, agreement.timezone, repeat=False, hold=hold)


def _known(book: CorrectionBook, agreement: Agreement, command: Void) -> PaymentKey | None:
    """The payment or hold of this agreement that is meant: by its id, and by our receipt if that is given."""
    biller_id, agreement_id = agreement.biller_id, agreement.agreement_id
    for find in (book.find, book.find_hold):
        by_txn = find(biller_id, agreement_id=agreement_id, txn=command.txn) if command.txn else None
        by_receipt = find(biller_id, receipt=command.receipt) if command.receipt else None
        key = by_txn or by_receipt
        if key is None:
            continue
        if key.agreement_id != agreement_id or (command.txn and command.receipt and by_txn != by_receipt):
            return None
        return key
    return None


def _release(
    book: CorrectionBook,
    agreement: Agreement,
    command: Void,
    key: PaymentKey,
    hold: StoredHold,
    now: datetime,
) -> Result:
    """Nothing was booked, so nothing is taken back; one that has ended by itself stays as it ended."""
    if _contradicts(command, hold):
        return Conflict(command.txn or key.txn)
    if hold.state != HELD:
        book.tell_hold(key)
        return ended_result(hold, key.txn, agreement.timezone, repeat=True)
    hold.ended_at_us = days.to_us(now)
    is_late = is_over(hold, hold.ended_at_us)
    hold.state = EXPIRED if is_late else RELEASED
    hold.reason = "" if is_late else command.reason or NETWORK_CANCELLED
    hold.void_txn = command.void_txn
    end_hold(book, key, hold)
    return ended_result(hold, key.txn, agreement.timezone, repeat=False)


def end_hold(book: CorrectionBook, key: PaymentKey, hold: StoredHold) -> None:
    """Write that the hold was released, or is found to have expired, as ``hold`` has it now."""
    assert hold.ended_at_us is not None
    act_id = book.take_id()
    book.end_hold(HoldEnd(hold.state, hold.ended_at_us, hold.reason, hold.void_txn, act_id, *key))
    book.write_journal(hold_end_record(key, hold, act_id, hold.ended_at_us))


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


def _contradicts(command: Void, stored: StoredPayment | StoredHold) -> bool:
    if command.number and command.number != (stored.typed or stored.number):
        return True
    return command.amount_minor is not None and command.amount_minor != stored.amount_minor
