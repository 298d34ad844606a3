"""What a batch of postings writes, as it grows: rows, changes of sums, records. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kvit.domain import days, ledger
from kvit.domain.journal import digest_of, hold_digest, payment_digest
from kvit.domain.messages import EXPIRED
from kvit.domain.model import (
    NOBODY,
    RELEASED,
    AllocationRow,
    HoldRow,
    JournalRow,
    OutboxRow,
    PaymentKey,
    PaymentRow,
    StoredHold,
    TransactionRow,
)
from kvit.services.ports import AmountChange, Attempt, HoldEnd, PostingPlan

PAYMENT_POSTED = "payment.posted"
PAYMENT_CONFLICT = "payment.conflict"
PAYMENT_HELD = "payment.held"
HOLD_ENDED = {RELEASED: "payment.released", EXPIRED: "payment.expired"}


class Booking:
    """The plan of one batch. ``ids`` are fresh, and handed out in order."""

    def __init__(self, ids: Sequence[int], now: datetime) -> None:
        self.now_us = days.to_us(now)
        self._ids = iter(ids)
        self._plan = PostingPlan()
        self._attempts: dict[PaymentKey, int] = {}
        self._hold_attempts: dict[PaymentKey, int] = {}
        self._payments: dict[PaymentKey, PaymentRow] = {}
        self._holds: dict[PaymentKey, HoldRow] = {}
        self._ends: dict[PaymentKey, HoldEnd] = {}
        self._balances: dict[tuple[str, int], int] = {}
        self._open_sums: dict[tuple[str, int], int] = {}

    def take_id(self) -> int:
        return next(self._ids)

    def count(self, key: PaymentKey) -> None:
        """One more request for a payment that is there."""
        self._attempts[key] = self._attempts.get(key, 0) + 1

    def count_hold(self, key: PaymentKey) -> None:
        """One more request for a hold that is there."""
        self._hold_attempts[key] = self._hold_attempts.get(key, 0) + 1

    def alarm(self, key: PaymentKey, number: str, amount_minor: int, service: str) -> None:
        """The id came again with other content."""
        digest = digest_of("conflict", *key, number, amount_minor, service)
        self._record(key, self.take_id(), PAYMENT_CONFLICT, key.txn, digest)

    def hold(self, key: PaymentKey, row: HoldRow, number: str) -> None:
        self._holds[key] = row
        self._record(key, row.act_id, PAYMENT_HELD, str(row.receipt), hold_digest(row, number))

    def end_hold(self, key: PaymentKey, hold: StoredHold) -> None:
        """It is posted now, or found to have expired, which has a record of its own."""
        act_id = hold.receipt
        if hold.state in HOLD_ENDED:
            act_id = self.take_id()
            self._plan.journal.append(hold_end_record(key, hold, act_id, self.now_us))
        self._ends[key] = HoldEnd(hold.state, self.now_us, hold.reason, hold.void_txn, act_id, *key)

    def payment(
        self, key: PaymentKey, row: PaymentRow, number: str, shares: Sequence[tuple[int, int]]
    ) -> None:
        """A payment with everything that commits with it; without an account its money is in suspense."""
        plan, biller_id, receipt = self._plan, row.biller_id, row.receipt
        self._payments[key] = row
        actor = "agent:" + row.agreement_id
        plan.transactions.append(
            TransactionRow(
                biller_id, receipt, ledger.PAYMENT, row.accounting_date, self.now_us, None, "", actor
            )
        )
        debit = ledger.collected(row.agreement_id)
        credit = ledger.SUSPENSE if row.account_id == NOBODY else ledger.client(number)
        plan.entries.extend(
            ledger.two_sided(biller_id, receipt, debit, credit, row.amount_minor, row.currency)
        )
        if row.account_id != NOBODY:
            place = (biller_id, row.account_id)
            self._balances[place] = self._balances.get(place, 0) - row.amount_minor
        for charge_id, part_minor in shares:
            plan.allocations.append(AllocationRow(biller_id, receipt, charge_id, receipt, part_minor))
            charge = (biller_id, charge_id)
            self._open_sums[charge] = self._open_sums.get(charge, 0) - part_minor
        plan.outbox.append(OutboxRow(biller_id, receipt, PAYMENT_POSTED, str(receipt), self.now_us))
        self._record(key, receipt, PAYMENT_POSTED, str(receipt), payment_digest(row, number))

    def plan(self) -> PostingPlan:
        """Everything the batch writes, each list in the one lock order."""
        plan = self._plan
        plan.attempts = [
            Attempt(*key, count) for key, count in sorted(self._attempts.items()) if key not in self._payments
        ]
        plan.payments = [
            row._replace(attempts=1 + self._attempts.get(key, 0)) if key in self._attempts else row
            for key, row in sorted(self._payments.items())
        ]
        if self._holds or self._ends or self._hold_attempts:
            self._plan_holds()
        plan.balances = [AmountChange(*key, delta) for key, delta in sorted(self._balances.items())]
        plan.open_sums = [AmountChange(*key, delta) for key, delta in sorted(self._open_sums.items())]
        return plan

    def _plan_holds(self) -> None:
        plan, new = self._plan, self._holds
        for key, end in self._ends.items():
            if key in new:  # announced and ended in one batch: one row
                new[key] = new[key]._replace(
                    state=end.state,
                    ended_at_us=end.ended_at_us,
                    reason=end.reason,
                    end_act_id=end.end_act_id,
                )
        plan.holds = [
            row._replace(attempts=1 + self._hold_attempts.get(key, 0)) for key, row in sorted(new.items())
        ]
        plan.hold_attempts = [
            Attempt(*key, count) for key, count in sorted(self._hold_attempts.items()) if key not in new
        ]
        plan.hold_ends = [end for key, end in sorted(self._ends.items()) if key not in new]

    def _record(self, key: PaymentKey, journal_id: int, verb: str, subject: str, digest: bytes) -> None:
        actor = "agent:" + key.agreement_id
        self._plan.journal.append(
            JournalRow(key.biller_id, journal_id, self.now_us, actor, verb, subject, digest, "")
        )


def hold_end_record(key: PaymentKey, hold: StoredHold, journal_id: int, now_us: int) -> JournalRow:
    """The record of a hold that was released or has expired."""
    digest = digest_of("hold-end", *key, hold.receipt, hold.state, hold.reason)
    actor = "agent:" + key.agreement_id
    return JournalRow(
        key.biller_id, journal_id, now_us, actor, HOLD_ENDED[hold.state], str(hold.receipt), digest, ""
    )
