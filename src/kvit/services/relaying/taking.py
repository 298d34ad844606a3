"""Rows of a relay's inbox go into the books in their order, with the cursor in the same transaction.

What a relay has accepted is never refused: it goes to the client, as an advance, or to suspense. A row that
came before changes nothing. What cannot be booked as it says waits in quarantine for a person, and the next
rows go on: nothing blocks the queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from kvit.domain import days
from kvit.domain.errors import DatabaseUnavailable
from kvit.domain.messages import Conflict, Post, Posted, Result, Voided
from kvit.domain.model import NOBODY, Agreement, PaymentKey
from kvit.domain.relay_rows import (
    HELD_ROW,
    IN_SUSPENSE,
    POSTED_ROW,
    QUARANTINED,
    RELEASED_ROW,
    REPEATED,
    TRUSTED,
    RelayInboxRow,
)
from kvit.services.payments import Desk, payment_key, wanted_of
from kvit.services.relaying.ports import Inbox, RelayBook, RelayStore
from kvit.services.relaying.words import HOLD, POST_HOLD, VOID, Envelope

#: Rows of one transaction: others wait for it on SQLite.
SLICE_ROWS = 100


@dataclass(slots=True)
class Verdict:
    """What becomes of one row; ``post`` is what the books are asked to do for it."""

    row: Envelope
    state: str = ""
    reason: str = ""
    post: tuple[Agreement, Post] | None = None


@dataclass(slots=True)
class Taking:
    """What a call did. ``through``: the cursor now. ``gap_after``: behind this one a row is missing (0: no).

    ``is_stopped``: the epoch is not trusted, so nothing was taken.
    """

    through: int = 0
    verdicts: list[Verdict] = field(default_factory=list)
    gap_after: int = 0
    is_stopped: bool = False

    def states(self) -> dict[str, int]:
        """How many rows became what."""
        counts: dict[str, int] = {}
        for one in self.verdicts:
            counts[one.state] = counts.get(one.state, 0) + 1
        return counts


def take_rows(store: RelayStore, inbox: Inbox, rows: Sequence[Envelope], now: datetime) -> Taking:
    """Put rows into the books, as far as they follow each other without a gap. At most ``SLICE_ROWS``.

    Raises ``DatabaseUnavailable``; all else that goes wrong with a row is that row's own affair.
    """
    ordered = sorted({row.sequence: row for row in rows}.values(), key=lambda row: row.sequence)[:SLICE_ROWS]
    try:
        return store.write(lambda book: _take(book, inbox, ordered, now))
    except DatabaseUnavailable:
        raise
    except Exception:  # noqa: BLE001 - one row of them, and it is to be found which
        return _singly(store, inbox, ordered, now)


def _singly(store: RelayStore, inbox: Inbox, rows: Sequence[Envelope], now: datetime) -> Taking:
    """The same row by row: one that the books cannot take at all waits in quarantine."""
    whole = Taking()
    for row in rows:
        try:
            part = _one(store, inbox, row, now)
        except DatabaseUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - it waits, seen by a person; the rows behind it do not
            broken = row._replace(broken=f"the books cannot take it: {type(error).__name__}")
            part = _one(store, inbox, broken, now)
        whole.through, whole.is_stopped = part.through, part.is_stopped
        whole.verdicts += part.verdicts
        if part.gap_after or part.is_stopped:
            whole.gap_after = part.gap_after
            break
    return whole


def _one(store: RelayStore, inbox: Inbox, row: Envelope, now: datetime) -> Taking:
    return store.write(lambda book: _take(book, inbox, [row], now))


def _take(book: RelayBook, inbox: Inbox, rows: Sequence[Envelope], now: datetime) -> Taking:
    place = book.place(inbox.relay_id, inbox.epoch)
    if place is None or place.state != TRUSTED:
        return Taking(0 if place is None else place.pulled_through, is_stopped=True)
    taking = Taking(place.pulled_through)
    for row in rows:
        if row.sequence <= taking.through:
            continue  # it came before
        if row.sequence != taking.through + 1:
            taking.gap_after = taking.through
            break
        taking.verdicts.append(_judged(inbox, row))
        taking.through = row.sequence
    if not taking.verdicts:
        return taking
    _complete(book, inbox, taking.verdicts, now)
    _post(book, [one for one in taking.verdicts if one.post is not None], now)
    book.add_rows([_row(inbox, one, days.to_us(now)) for one in taking.verdicts])
    book.set_pulled(inbox.relay_id, inbox.epoch, taking.through)
    return taking


def _judged(inbox: Inbox, row: Envelope) -> Verdict:
    """What can be said of a row by itself."""
    verdict = Verdict(row, QUARANTINED)
    agreement = inbox.agreements.get(row.agreement_id)
    if row.broken:
        verdict.reason = row.broken
    elif agreement is None:
        verdict.reason = "this relay serves no such agreement"
    elif row.currency not in ("", agreement.currency):
        verdict.reason = f"it is in {row.currency}, and the agreement in {agreement.currency}"
    else:
        verdict.reason = inbox.receipt_problem(row)
    if not verdict.reason:
        verdict.state = {HOLD: HELD_ROW, VOID: RELEASED_ROW}.get(row.kind, POSTED_ROW)
    return verdict


def _complete(book: RelayBook, inbox: Inbox, verdicts: Sequence[Verdict], now: datetime) -> None:
    """What a row alone does not say: a post of a hold repeats little, and a void may mean a payment."""
    key_of = {id(one): PaymentKey(inbox.biller_id, one.row.agreement_id, one.row.txn) for one in verdicts}
    posting = {key_of[id(one)] for one in verdicts if one.row.kind == POST_HOLD}
    held = book.inbox_of(posting, HOLD) if posting else {}
    voided = [key_of[id(one)] for one in verdicts if one.row.kind == VOID]
    paid = book.posted(sorted(set(voided))) if voided else set()
    fresh: dict[PaymentKey, Envelope] = {}
    for one in verdicts:
        if one.state == QUARANTINED:
            continue
        key, row = key_of[id(one)], one.row
        agreement = inbox.agreements[row.agreement_id]
        if row.kind == HOLD:
            fresh[key] = row
        elif row.kind == VOID:
            if key in paid:
                one.state, one.reason = (
                    QUARANTINED,
                    "it takes back a payment that is booked; a person decides",
                )
        else:
            before = fresh.get(key) or held.get(key)
            if row.kind == POST_HOLD and before is not None:
                row = row._replace(
                    number=row.number or before.number, amount_minor=row.amount_minor or before.amount_minor
                )
            one.post = agreement, _post_of(row, agreement, now)
            paid.add(key)


def _post_of(row: Envelope, agreement: Agreement, now: datetime) -> Post:
    """The money is taken. Where the network named no time, the day is that on which the relay took it."""
    booked_on = ""
    if days.local_instant(row.network_time, agreement.timezone) is None:
        relayed_at = days.told_at(row.relayed_at_us, agreement.timezone)
        booked_on = days.accounting_date(relayed_at, now, agreement.timezone, "")
    return Post(
        row.txn, row.number, row.amount_minor, row.currency, row.service, row.network_time,
        row.network_time_raw, row.fields, taken=True, booked_on=booked_on, given_receipt=row.receipt,
    )  # fmt: skip


def _post(book: RelayBook, verdicts: Sequence[Verdict], now: datetime) -> None:
    demands = [one.post for one in verdicts if one.post is not None]
    if not demands:
        return
    situation = book.situation(wanted_of(demands))
    desk = Desk(situation, now)
    results = [desk.take(agreement, post) for agreement, post in demands]
    book.write(desk.plan())
    for one, result, demand in zip(verdicts, results, demands, strict=True):
        payment = situation.payments.get(payment_key(*demand))
        _become(one, result, is_nobodys=payment is not None and payment.account_id == NOBODY)


def _become(one: Verdict, result: Result, *, is_nobodys: bool) -> None:
    if isinstance(result, Posted | Voided) and result.repeat:
        one.state = REPEATED
        if result.receipt != one.row.receipt:
            one.reason = f"it is booked under the receipt {result.receipt}"
    elif isinstance(result, Posted):
        one.state = IN_SUSPENSE if is_nobodys else POSTED_ROW
    elif isinstance(result, Conflict):
        one.state, one.reason = QUARANTINED, "this id is booked with another number, sum or service"
    else:
        one.state, one.reason = QUARANTINED, f"the books refuse it: {type(result).__name__}"


def _row(inbox: Inbox, one: Verdict, now_us: int) -> RelayInboxRow:
    row = one.row
    return RelayInboxRow(
        inbox.biller_id, inbox.relay_id, inbox.epoch, row.sequence, row.kind, row.agreement_id, row.txn,
        row.receipt, row.number, row.amount_minor, row.currency, row.relayed_at_us,
        row.content if one.state == QUARANTINED else "", now_us, one.state, one.reason,
    )  # fmt: skip
