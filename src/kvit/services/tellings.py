"""Telling agents what became of payments, and keeping what they tell us of them.

An answer that shows a posted payment confirms it, so it stands behind a commit too: each telling writes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from kvit.domain import days
from kvit.domain.journal import digest_of, note_digest
from kvit.domain.messages import (
    EXPIRED,
    Held,
    ListPosted,
    Malformed,
    NoSuchTxn,
    Note,
    Noted,
    Posted,
    Refused,
    Result,
    Statement,
    Status,
    Voided,
)
from kvit.domain.model import (
    HELD,
    POSTED,
    Agreement,
    JournalRow,
    NoteRow,
    PaymentKey,
    StoredHold,
)
from kvit.services.corrections import end_hold
from kvit.services.corrections_ports import Announced, CorrectionBook, Span
from kvit.services.payments import fields_text
from kvit.services.results import ended_result, held_result, is_over, posted_result, voided_result

PAYMENT_TOLD = "payment.told"
PAYMENT_NOTED = "payment.noted"
STATEMENT_DAYS_MAX = 92
STATEMENT_ITEMS_MAX = 10_000


def tell_status(book: CorrectionBook, agreement: Agreement, command: Status, now: datetime) -> Result:
    """What became of a payment; behind a commit."""
    biller_id, agreement_id = agreement.biller_id, agreement.agreement_id
    key = book.find(biller_id, agreement_id=agreement_id, txn=command.txn)
    if key is not None:
        return _payment_told(book, key, book.hold(key), agreement.timezone)
    key = book.find_hold(biller_id, agreement_id=agreement_id, txn=command.txn)
    hold = None if key is None else book.hold(key, lock=True)
    if key is None or hold is None:
        return NoSuchTxn(command.txn)
    if hold.state == POSTED:  # while we looked
        return _payment_told(book, key, hold, agreement.timezone)
    book.tell_hold(key)
    if is_over(hold, days.to_us(now)):  # once told, no clock that steps back may bring it to life again
        hold.state, hold.ended_at_us = EXPIRED, days.to_us(now)
        end_hold(book, key, hold)
    return _hold_told(hold, key.txn, agreement.timezone, days.to_us(now))


def _payment_told(
    book: CorrectionBook, key: PaymentKey, hold: StoredHold | None, timezone: str
) -> Posted | Voided:
    payment, void = book.tell(key)
    if void is not None:
        return voided_result(void, payment, key.txn, timezone, repeat=True, hold=hold)
    return posted_result(payment, key.txn, timezone, repeat=True, hold=hold)


def _hold_told(hold: StoredHold, txn: str, timezone: str, now_us: int) -> Held | Voided:
    """A hold that is not posted, as it is at this moment."""
    if is_over(hold, now_us):
        return ended_result(replace(hold, state=EXPIRED), txn, timezone, repeat=True)
    if hold.state != HELD:
        return ended_result(hold, txn, timezone, repeat=True)
    return held_result(hold, txn, timezone, repeat=True)


def tell_posted(book: CorrectionBook, agreement: Agreement, command: ListPosted, now: datetime) -> Result:
    """The payments that were asked for; behind a commit."""
    span = _span(command, agreement.timezone)
    if span is None:
        return Malformed("date")
    length_days = (date.fromisoformat(span.until) - date.fromisoformat(span.since)).days
    if span.until_us < span.since_us or length_days < 0:
        return Malformed("until", "before the beginning")
    if length_days >= STATEMENT_DAYS_MAX:
        return Refused("too-many")
    items: list[Posted | Held | Voided]
    most, zone = STATEMENT_ITEMS_MAX + 1, agreement.timezone
    if command.every_state:
        items = [
            _announced_told(found, zone, days.to_us(now)) for found in book.announced(agreement, span, most)
        ]
    else:
        rows = book.posted_at if "T" in command.since else book.posted_on
        items = [
            posted_result(payment, txn, zone, repeat=True) for txn, payment in rows(agreement, span, most)
        ]
    if len(items) > STATEMENT_ITEMS_MAX:
        return Refused("too-many")  # a list without its end would say that the rest was never paid
    subject = f"{command.since}..{command.until}"
    digest = digest_of("told", agreement.agreement_id, subject, len(items))
    record_id, now_us = book.take_id(), days.to_us(now)
    book.write_journal(_record(agreement, record_id, PAYMENT_TOLD, subject, digest, now_us))
    return Statement(tuple(items))


def _announced_told(found: Announced, timezone: str, now_us: int) -> Posted | Held | Voided:
    txn, hold, payment, void = found
    if payment is None:
        return _hold_told(hold, txn, timezone, now_us)
    if void is None:
        return posted_result(payment, txn, timezone, repeat=True, hold=hold)
    return voided_result(void, payment, txn, timezone, repeat=True, hold=hold)


def _span(command: ListPosted, timezone: str) -> Span | None:
    """The days or instants asked about; ``None`` for texts that are neither."""
    if ("T" in command.since) != ("T" in command.until):
        return None
    try:
        if "T" not in command.since:
            since, until = date.fromisoformat(command.since), date.fromisoformat(command.until)
            return Span(since.isoformat(), until.isoformat())
    except ValueError:
        return None
    first, last = (days.local_instant(text, timezone) for text in (command.since, command.until))
    if first is None or last is None:
        return None
    try:
        since, until = (at.astimezone(days.zone(timezone)).date() for at in (first, last))
    except OverflowError:
        return None
    return Span(since.isoformat(), until.isoformat(), days.to_us(first), days.to_us(last))


def keep_note(book: CorrectionBook, agreement: Agreement, command: Note, now: datetime) -> Result:
    """Keep facts with a payment; told again word for word, nothing is added."""
    key = book.find(agreement.biller_id, agreement_id=agreement.agreement_id, txn=command.txn)
    if key is None:
        return NoSuchTxn(command.txn)
    payment, _ = book.tell(key)
    fields = fields_text(command.fields)
    if book.last_note(agreement.biller_id, payment.receipt, command.kind) != fields:
        note_id, at_us = book.take_id(), days.to_us(now)
        note = NoteRow(agreement.biller_id, payment.receipt, note_id, command.kind, at_us, fields)
        book.write_note(note)
        digest = note_digest(note, key.agreement_id, key.txn)
        book.write_journal(_record(agreement, note_id, PAYMENT_NOTED, str(payment.receipt), digest, at_us))
    return Noted(command.txn)


def _record(
    agreement: Agreement, journal_id: int, verb: str, subject: str, digest: bytes, now_us: int
) -> JournalRow:
    actor = "agent:" + agreement.agreement_id
    return JournalRow(agreement.biller_id, journal_id, now_us, actor, verb, subject, digest, "")
