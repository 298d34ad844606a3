"""Posting: the exactly-once core.

A batch is decided in plain Python over a working model of what the database said, so that a batch
equals its items run one after another: twins and several payments of one account see each other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from kvit.domain import days, ledger
from kvit.domain.allocation import allocate
from kvit.domain.journal import digest_of, payment_digest
from kvit.domain.messages import Conflict, NoSuchAccount, Post, Posted, Refused, Result, Voided
from kvit.domain.model import (
    ACTIVE,
    POSTED,
    AccountKey,
    AccountState,
    Agreement,
    AllocationRow,
    JournalRow,
    OutboxRow,
    PaymentKey,
    PaymentRow,
    StoredPayment,
    TransactionRow,
    VoidRow,
)
from kvit.services.ports import AmountChange, Attempt, PostingBook, PostingPlan, Situation
from kvit.services.terms import is_open, outside_limits

PAYMENT_POSTED = "payment.posted"
PAYMENT_CONFLICT = "payment.conflict"


def post_batch(book: PostingBook, demands: Sequence[tuple[Agreement, Post]], now: datetime) -> list[Result]:
    """Book every payment of the batch that may be booked; answers in the order of the demands.

    The caller commits before it passes the answers on.
    """
    keys = {payment_key(agreement, command) for agreement, command in demands}
    accounts = {AccountKey(agreement.biller_id, command.number) for agreement, command in demands}
    desk = Desk(book.situation(sorted(keys), sorted(accounts), len(demands)), now)
    results = [desk.take(agreement, command) for agreement, command in demands]
    book.write(desk.plan())
    return results


def payment_key(agreement: Agreement, command: Post) -> PaymentKey:
    return PaymentKey(agreement.biller_id, agreement.agreement_id, command.txn)


def posted_result(payment: StoredPayment, txn: str, timezone: str, *, repeat: bool) -> Posted:
    """What is stored, as the answer that confirms it."""
    return Posted(
        txn=txn,
        receipt=payment.receipt,
        number=payment.number,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        received_at=days.from_us(payment.received_at_us, timezone),
        network_at=days.told_at(payment.network_at_us, timezone),
        service=payment.service,
        repeat=repeat,
    )


def voided_result(void: VoidRow, payment: StoredPayment, txn: str, timezone: str, *, repeat: bool) -> Voided:
    """What became of a payment that was taken back."""
    return Voided(
        txn=txn,
        receipt=payment.receipt,
        number=payment.number,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        at=days.from_us(void.voided_at_us, timezone),
        reason=void.reason,
        void_txn=void.void_txn,
        repeat=repeat,
        posted=posted_result(payment, txn, timezone, repeat=True),
    )


class Desk:
    """The working model of one batch: what the database said, plus what the batch has decided so far."""

    def __init__(self, situation: Situation, now: datetime) -> None:
        self._situation = situation
        self._now = now
        self._now_us = days.to_us(now)
        self._ids = iter(situation.ids)
        self._attempts: dict[PaymentKey, int] = {}
        self._new: dict[PaymentKey, PaymentRow] = {}
        self._balances: dict[tuple[str, int], int] = {}
        self._open_sums: dict[tuple[str, int], int] = {}
        self._dates: dict[tuple[str, str, str], tuple[int | None, str]] = {}
        self._plan = PostingPlan()

    def take(self, agreement: Agreement, command: Post) -> Result:
        """Decide one payment. A known txn is answered before any test of account, limit or validity."""
        key = payment_key(agreement, command)
        known = self._situation.payments.get(key)
        if known is not None:
            return self._again(agreement, command, key, known)
        if not is_open(agreement, self._now):
            return Refused("agreement-closed")
        if command.currency and command.currency != agreement.currency:
            return Refused("currency")
        account = self._situation.accounts.get(AccountKey(agreement.biller_id, command.number))
        if account is None:
            return NoSuchAccount(command.number)
        if account.status != ACTIVE:
            return Refused("account-closed")
        refusal = outside_limits(agreement, command.amount_minor)
        if refusal is not None:
            return refusal
        return self._book(agreement, command, key, account)

    def plan(self) -> PostingPlan:
        """Everything the batch writes, each list in the one lock order."""
        plan = self._plan
        plan.attempts = [
            Attempt(*key, count) for key, count in sorted(self._attempts.items()) if key not in self._new
        ]
        plan.payments = [
            row._replace(attempts=1 + self._attempts.get(key, 0)) if key in self._attempts else row
            for key, row in sorted(self._new.items())
        ]
        plan.balances = [AmountChange(*key, delta) for key, delta in sorted(self._balances.items())]
        plan.open_sums = [AmountChange(*key, delta) for key, delta in sorted(self._open_sums.items())]
        return plan

    def _again(self, agreement: Agreement, command: Post, key: PaymentKey, known: StoredPayment) -> Result:
        same = (
            known.number == command.number
            and known.amount_minor == command.amount_minor
            and known.currency == (command.currency or agreement.currency)
            and known.service == command.service
        )
        if not same:
            self._alarm(key, command)
            return Conflict(command.txn)
        self._attempts[key] = self._attempts.get(key, 0) + 1
        void = self._situation.voids.get(key)
        if void is not None:  # the protocol decides whether its network wants the first answer again
            return voided_result(void, known, command.txn, agreement.timezone, repeat=True)
        return posted_result(known, command.txn, agreement.timezone, repeat=True)

    def _alarm(self, key: PaymentKey, command: Post) -> None:
        digest = digest_of("conflict", *key, command.number, command.amount_minor, command.service)
        self._plan.journal.append(
            JournalRow(
                key.biller_id, next(self._ids), self._now_us, "agent:" + key.agreement_id,
                PAYMENT_CONFLICT, key.txn, digest, "",
            )
        )  # fmt: skip

    def _book(self, agreement: Agreement, command: Post, key: PaymentKey, account: AccountState) -> Result:
        biller_id, receipt = agreement.biller_id, next(self._ids)
        amount_minor = command.amount_minor
        charges = self._situation.charges.get((biller_id, account.account_id), ())
        shares, advance_minor = allocate(amount_minor, charges, service=command.service)
        network_at_us, accounting_date = self._dated(agreement, command.network_time)
        payment = PaymentRow(
            biller_id=biller_id,
            agreement_id=agreement.agreement_id,
            txn=command.txn,
            receipt=receipt,
            account_id=account.account_id,
            amount_minor=amount_minor,
            currency=agreement.currency,
            service=command.service,
            state=POSTED,
            attempts=1,
            advance_minor=advance_minor,
            payer_fee_minor=0,
            biller_fee_minor=agreement.fee.of(amount_minor),
            network_time=command.network_time_raw or command.network_time,
            network_at_us=network_at_us,
            received_at_us=self._now_us,
            accounting_date=accounting_date,
            fields=_fields_text(command),
        )
        self._new[key] = payment
        self._write_books(payment, account, shares)
        stored = StoredPayment(
            receipt, account.account_id, account.number, amount_minor, payment.currency, payment.service,
            POSTED, self._now_us, payment.network_at_us,
        )  # fmt: skip
        self._situation.payments[key] = stored
        return posted_result(stored, command.txn, agreement.timezone, repeat=False)

    def _dated(self, agreement: Agreement, network_time: str) -> tuple[int | None, str]:
        """The network's instant and the day that it is booked on; terminals that pay at once share them."""
        key = (agreement.biller_id, agreement.timezone, network_time)
        known = self._dates.get(key)
        if known is None:
            network_at = days.local_instant(network_time, agreement.timezone)
            closed_through = self._situation.closed_through.get(agreement.biller_id, "")
            day = days.accounting_date(network_at, self._now, agreement.timezone, closed_through)
            known = self._dates[key] = (None if network_at is None else days.to_us(network_at)), day
        return known

    def _write_books(
        self, payment: PaymentRow, account: AccountState, shares: Sequence[tuple[int, int]]
    ) -> None:
        plan, biller_id, receipt = self._plan, payment.biller_id, payment.receipt
        actor = "agent:" + payment.agreement_id
        plan.transactions.append(
            TransactionRow(
                biller_id, receipt, ledger.PAYMENT, payment.accounting_date, self._now_us, None, "", actor
            )
        )
        debit, credit = ledger.clearing(payment.agreement_id), ledger.client(account.number)
        plan.entries.extend(
            ledger.two_sided(biller_id, receipt, debit, credit, payment.amount_minor, payment.currency)
        )
        place = (biller_id, account.account_id)
        self._balances[place] = self._balances.get(place, 0) - payment.amount_minor
        for charge_id, part_minor in shares:
            plan.allocations.append(AllocationRow(biller_id, receipt, charge_id, receipt, part_minor))
            charge = (biller_id, charge_id)
            self._open_sums[charge] = self._open_sums.get(charge, 0) - part_minor
        plan.outbox.append(OutboxRow(biller_id, receipt, PAYMENT_POSTED, str(receipt), self._now_us))
        digest = payment_digest(payment, account.number)
        plan.journal.append(
            JournalRow(biller_id, receipt, self._now_us, actor, PAYMENT_POSTED, str(receipt), digest, "")
        )


def _fields_text(command: Post) -> str:
    return json.dumps(dict(command.fields), ensure_ascii=False, sort_keys=True) if command.fields else ""
