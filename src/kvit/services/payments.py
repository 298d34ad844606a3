"""Posting: the exactly-once core.

A batch is decided in plain Python over a working model of what the database said, so that a batch
equals its items run one after another: twins and several payments of one account see each other.

A payment is posted at once, or announced first (``Hold``) and posted later under the same id. Whether a
hold has come to its end is decided by time alone; what is found to have ended is written down, so that no
clock that steps back brings it to life again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from kvit.domain import days
from kvit.domain.allocation import Share, allocate
from kvit.domain.messages import (
    EXPIRED,
    BadAmount,
    Conflict,
    Fields,
    Hold,
    NoSuchTxn,
    Post,
    Result,
)
from kvit.domain.model import (
    HELD,
    NOBODY,
    POSTED,
    AccountKey,
    Agreement,
    HoldRow,
    PaymentKey,
    PaymentRow,
    StoredHold,
    StoredPayment,
)
from kvit.services.booking import Booking
from kvit.services.places import Place, place_at_all, place_of
from kvit.services.ports import PostingBook, Reservation, Situation, Wanted
from kvit.services.results import (
    ended_result,
    held_result,
    is_over,
    named_service,
    posted_result,
    voided_result,
)
from kvit.services.terms import NO_CODE, booked_service, not_allowed, outside_limits

Demand = tuple[Agreement, Post | Hold]


def post_batch(book: PostingBook, demands: Sequence[Demand], now: datetime) -> list[Result]:
    """Book every payment of the batch that may be booked; answers in the order of the demands.

    The caller commits before it passes the answers on.
    """
    desk = Desk(book.situation(wanted_of(demands)), now)
    results = [desk.take(agreement, command) for agreement, command in demands]
    book.write(desk.plan())
    return results


def wanted_of(demands: Sequence[Demand]) -> Wanted:
    """What has to be known before a batch can be decided."""
    keys: set[PaymentKey] = set()
    held: set[PaymentKey] = set()
    numbers: set[AccountKey] = set()
    invoices: set[AccountKey] = set()
    ids_count = len(demands)
    for agreement, command in demands:
        key = payment_key(agreement, command)
        keys.add(key)
        if isinstance(command, Hold):
            held.add(key)
            ids_count += 1  # for the record of it, beside its receipt
        elif agreement.may_hold or command.held:
            held.add(key)
        if command.number:
            typed = AccountKey(agreement.biller_id, command.number)
            (invoices if agreement.payer_key else numbers).add(typed)
    return Wanted(sorted(keys), sorted(numbers), ids_count, sorted(held), sorted(invoices))


def payment_key(agreement: Agreement, command: Post | Hold) -> PaymentKey:
    return PaymentKey(agreement.biller_id, agreement.agreement_id, command.txn)


class Desk:
    """The working model of one batch: what the database said, plus what the batch has decided so far."""

    def __init__(self, situation: Situation, now: datetime) -> None:
        self._situation = situation
        self._now = now
        self._booking = Booking(situation.ids, now)
        self._now_us = self._booking.now_us
        self._dates: dict[tuple[str, str, str], tuple[int | None, str]] = {}
        self.plan = self._booking.plan

    def take(self, agreement: Agreement, command: Post | Hold) -> Result:
        """Decide one payment. A known txn is answered before any test of account, limit or validity."""
        key = payment_key(agreement, command)
        payment = self._situation.payments.get(key)
        hold = self._situation.holds.get(key)
        known = payment or hold
        if known is None:
            return self._first(agreement, command, key)
        if isinstance(command, Post) and command.receipt not in (0, known.receipt):
            return NoSuchTxn(command.txn)
        if not _is_same(agreement, command, known):
            self._booking.alarm(key, command.number, command.amount_minor, command.service)
            return Conflict(command.txn)
        if payment is not None:
            return self._again(agreement, key, payment)
        assert hold is not None
        return self._on_hold(agreement, command, key, hold)

    def _again(self, agreement: Agreement, key: PaymentKey, payment: StoredPayment) -> Result:
        self._booking.count(key)
        hold, void = self._situation.holds.get(key), self._situation.voids.get(key)
        if void is not None:  # the protocol decides whether its network wants the first answer again
            return voided_result(void, payment, key.txn, agreement.timezone, repeat=True, hold=hold)
        return posted_result(payment, key.txn, agreement.timezone, repeat=True, hold=hold)

    def _first(self, agreement: Agreement, command: Post | Hold, key: PaymentKey) -> Result:
        if isinstance(command, Post) and command.held:
            return NoSuchTxn(command.txn)
        if isinstance(command, Post) and command.taken:
            return self._book_taken(agreement, command, key)
        refusal: Result | None = not_allowed(agreement, command, command.currency, self._now)
        if refusal is not None:
            return refusal
        place = place_of(self._situation, agreement, command.number, self._now_us)
        if not isinstance(place, Place):
            return place
        if place.due_minor is not None and command.amount_minor != place.due_minor:
            return BadAmount(command.amount_minor, place.due_minor, place.due_minor)
        refusal = outside_limits(agreement, command.amount_minor, command.service)
        if refusal is not None:
            return refusal
        if isinstance(command, Hold):
            return self._announce(agreement, command, key, place)
        return self._book(agreement, command, key, place)

    # --- holds -----------------------------------------------------------------------------------

    def _announce(self, agreement: Agreement, command: Hold, key: PaymentKey, place: Place) -> Result:
        network_at_us, _ = self._dated(agreement, command.network_time)
        expires_at_us = self._now_us + command.lifetime_s * 1_000_000 if command.lifetime_s else None
        service = booked_service(agreement, command.service)
        row = HoldRow(
            biller_id=agreement.biller_id,
            agreement_id=agreement.agreement_id,
            txn=command.txn,
            receipt=self._booking.take_id(),
            account_id=place.account.account_id,
            amount_minor=command.amount_minor,
            currency=agreement.currency,
            service=service,
            state=HELD,
            attempts=1,
            network_time=command.network_time_raw or command.network_time,
            network_at_us=network_at_us,
            held_at_us=self._now_us,
            expires_at_us=expires_at_us,
            ended_at_us=None,
            reason="",
            void_txn="",
            targets=",".join(map(str, place.targets)),
            fields=fields_text(command.fields),
            typed=command.number if agreement.by_invoice else "",
            service_code=_code(command.service, service),
            act_id=self._booking.take_id(),
            end_act_id=None,
        )
        self._booking.hold(key, row, place.account.number)
        hold = StoredHold(
            row.receipt, row.account_id, place.account.number, row.amount_minor, row.currency, service,
            HELD, row.held_at_us, expires_at_us, None, network_at_us, row.network_time, "", "", row.targets,
            row.fields, row.typed, row.service_code,
        )  # fmt: skip
        self._situation.holds[key] = hold
        if row.typed:
            asked = AccountKey(agreement.biller_id, row.typed)
            self._situation.reserved.setdefault(asked, []).append(Reservation(key, expires_at_us))
        return held_result(hold, command.txn, agreement.timezone, repeat=False)

    def _on_hold(
        self, agreement: Agreement, command: Post | Hold, key: PaymentKey, hold: StoredHold
    ) -> Result:
        if is_over(hold, self._now_us):
            self._end(key, hold, EXPIRED)
            return ended_result(hold, key.txn, agreement.timezone, repeat=False)
        assert hold.state != POSTED, "its payment was read before the hold was"
        if hold.state != HELD:
            self._booking.count_hold(key)
            return ended_result(hold, key.txn, agreement.timezone, repeat=True)
        if isinstance(command, Hold):
            self._booking.count_hold(key)
            return held_result(hold, key.txn, agreement.timezone, repeat=True)
        return self._post_hold(agreement, command, key, hold)

    def _post_hold(self, agreement: Agreement, command: Post, key: PaymentKey, hold: StoredHold) -> Result:
        """It was accepted when it was announced: nothing about the account or the agreement matters now."""
        account = self._situation.accounts[AccountKey(agreement.biller_id, hold.number)]
        targets = tuple(int(one) for one in hold.targets.split(",") if one)
        _, accounting_date = self._dated(agreement, command.network_time)
        if command.booked_on:
            closed_through = self._situation.closed_through.get(agreement.biller_id, "")
            accounting_date = days.next_open_day(command.booked_on, closed_through)
        fields = json.loads(hold.fields or "{}") | dict(command.fields)
        self._end(key, hold, POSTED)
        shares, advance_minor = self._allocate(key, Place(account, targets), hold.amount_minor, hold.service)
        row = PaymentRow(
            *key, hold.receipt, hold.account_id, hold.amount_minor, hold.currency, hold.service, POSTED, 1,
            advance_minor, 0, agreement.fee.of(hold.amount_minor), hold.network_time, hold.network_at_us,
            self._now_us, accounting_date, fields_text(tuple(fields.items())), hold.typed, hold.service_code,
        )  # fmt: skip
        payment = self._settled(key, row, hold.number, shares)
        return posted_result(payment, key.txn, agreement.timezone, repeat=False, hold=hold)

    def _end(self, key: PaymentKey, hold: StoredHold, state: str) -> None:
        hold.state, hold.ended_at_us = state, self._now_us
        self._booking.end_hold(key, hold)
        if hold.typed:
            asked = AccountKey(key.biller_id, hold.typed)
            standing = self._situation.reserved.get(asked, [])
            self._situation.reserved[asked] = [one for one in standing if one.payment != key]

    # --- payments --------------------------------------------------------------------------------

    def _book_taken(self, agreement: Agreement, command: Post, key: PaymentKey) -> Result:
        """The network has the money and hears no "no": to the client if that can be, else to suspense."""
        if command.amount_minor < 1:
            return BadAmount(command.amount_minor, 1)
        return self._book(agreement, command, key, place_at_all(self._situation, agreement, command.number))

    def _book(self, agreement: Agreement, command: Post, key: PaymentKey, place: Place) -> Result:
        network_at_us, accounting_date = self._dated(agreement, command.network_time)
        if command.booked_on:
            closed_through = self._situation.closed_through.get(agreement.biller_id, "")
            accounting_date = days.next_open_day(command.booked_on, closed_through)
        account_id, number = place.account.account_id, place.account.number
        service, service_code = command.service, ""
        if agreement.services:
            service = booked_service(agreement, command.service)
            service_code = _code(command.service, service)
        shares, advance_minor = self._allocate(key, place, command.amount_minor, service)
        row = PaymentRow(
            biller_id=agreement.biller_id,
            agreement_id=agreement.agreement_id,
            txn=command.txn,
            receipt=command.given_receipt or self._booking.take_id(),
            account_id=account_id,
            amount_minor=command.amount_minor,
            currency=agreement.currency,
            service=service,
            state=POSTED,
            attempts=1,
            advance_minor=advance_minor,
            payer_fee_minor=0,
            biller_fee_minor=agreement.fee.of(command.amount_minor),
            network_time=command.network_time_raw or command.network_time,
            network_at_us=network_at_us,
            received_at_us=self._now_us,
            accounting_date=accounting_date,
            fields=fields_text(command.fields) if command.fields else "",
            typed=command.number if agreement.payer_key or account_id == NOBODY else "",
            service_code=service_code,
        )
        payment = self._settled(key, row, number, shares)
        return posted_result(payment, command.txn, agreement.timezone, repeat=False)

    def _allocate(
        self, key: PaymentKey, place: Place, amount_minor: int, service: str
    ) -> tuple[list[Share], int]:
        """What a payment settles, and the rest, which is an advance."""
        charges = self._situation.charges.get((key.biller_id, place.account.account_id), ())
        return allocate(amount_minor, charges, target=place.targets, service=service)

    def _settled(self, key: PaymentKey, row: PaymentRow, number: str, shares: list[Share]) -> StoredPayment:
        """Write the payment with what it settles; later items of the batch know it."""
        self._booking.payment(key, row, number, shares)
        payment = StoredPayment(
            row.receipt, row.account_id, number, row.amount_minor, row.currency, row.service,
            POSTED, row.received_at_us, row.network_at_us, 1, row.typed, row.service_code,
        )  # fmt: skip
        self._situation.payments[key] = payment
        return payment

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


def _is_same(agreement: Agreement, command: Post | Hold, stored: StoredPayment | StoredHold) -> bool:
    """Is it the same payment again? What a network does not repeat of a held one is not compared."""
    if isinstance(command, Post) and command.held:
        command = replace(
            command,
            number=command.number or stored.typed or stored.number,
            amount_minor=command.amount_minor or stored.amount_minor,
            service=command.service or named_service(stored),
        )
    return (
        command.number == (stored.typed or stored.number)
        and command.amount_minor == stored.amount_minor
        and stored.currency == (command.currency or agreement.currency)
        and command.service == named_service(stored)
    )


def _code(code: str, service: str) -> str:
    """The network's own name of a service, to be kept where it is not ours."""
    return "" if code == service else code or NO_CODE


def fields_text(fields: Fields) -> str:
    return json.dumps(dict(fields), ensure_ascii=False, sort_keys=True) if fields else ""
