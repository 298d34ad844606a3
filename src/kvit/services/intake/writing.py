"""What was decided about a slice of lines goes into the books: payments and lines in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kvit.domain.file_rows import CONFIRMED, IN_SUSPENSE, POSTED_LINE, QUARANTINE, LineRow
from kvit.domain.lines import RAW_LENGTH_MAX, MoneyLine
from kvit.domain.messages import Posted, Result
from kvit.domain.model import NOBODY
from kvit.services.intake.ports import IntakeBook, LineChange
from kvit.services.intake.words import CONFIRMS, NEW, QUARANTINED, SUSPENDED, Decided
from kvit.services.payments import Desk, payment_key, wanted_of


def write_decided(
    book: IntakeBook, decided: Sequence[Decided], kind: str, source: str, import_id: int, now: datetime
) -> None:
    """Book what is to be booked, and keep the lines; ``decided`` then says what really became of them."""
    post_decided(book, decided, now)
    biller_id = book.biller().biller_id
    book.add_lines(
        [_row(one, biller_id, kind, source, import_id) for one in decided if one.state and not one.is_kept]
    )
    book.change_lines(
        [
            LineChange(
                one.state,
                one.number,
                one.rule,
                one.reason,
                one.receipt,
                one.generation,
                import_id,
                one.line.line,
                source,
                one.key,
            )
            for one in decided
            if one.state and one.is_kept
        ]
    )


def post_decided(book: IntakeBook, decided: Sequence[Decided], now: datetime) -> None:
    """Book the payments among them. A line that the books refuse is quarantined with what they said."""
    posting = [one for one in decided if one.post is not None]
    if not posting:
        return
    demands = [one.post for one in posting if one.post is not None]
    situation = book.situation(wanted_of(demands))
    desk = Desk(situation, now)
    results = [desk.take(agreement, post) for agreement, post in demands]
    book.write(desk.plan())
    for one, result, demand in zip(posting, results, demands, strict=True):
        payment = situation.payments.get(payment_key(*demand))
        is_nobodys = payment is not None and payment.account_id == NOBODY
        _become(one, result, is_nobodys, "" if payment is None else payment.number)


def _become(one: Decided, result: Result, is_nobodys: bool, number: str) -> None:
    if not isinstance(result, Posted):
        one.verdict, one.state = QUARANTINED, QUARANTINE
        one.reason = f"the books refuse it: {type(result).__name__}"
        return
    one.receipt = result.receipt
    if result.repeat:  # it came online a moment ago
        one.verdict, one.state, one.reason = CONFIRMS, CONFIRMED, "the same id"
    elif is_nobodys:
        one.verdict, one.state, one.number = SUSPENDED, IN_SUSPENSE, ""
    elif one.state == IN_SUSPENSE:
        one.verdict, one.state, one.reason = NEW, POSTED_LINE, ""
    if number:
        one.number = number


def _row(one: Decided, biller_id: str, kind: str, source: str, import_id: int) -> LineRow:
    line = one.line
    if not isinstance(line, MoneyLine):
        return LineRow(
            biller_id, source, one.key, import_id, line.line, kind, "", "", "", 0, "", "", "", "", "", "", "",
            None, None, line.raw[:RAW_LENGTH_MAX], one.state, "", "", one.reason, None, 0,
        )  # fmt: skip
    row = LineRow(
        biller_id, source, one.key, import_id, line.line, kind, line.day, line.at, line.direction,
        line.amount_minor, line.currency, line.number, line.payer, line.payer_account, line.text,
        line.service, line.document, line.fee_minor, line.net_minor, "", one.state, one.number, one.rule,
        one.reason, one.receipt, one.generation,
    )  # fmt: skip
    return row._replace(raw=line.raw[:RAW_LENGTH_MAX]) if one.state == QUARANTINE else row


def line_of(row: LineRow) -> MoneyLine:
    """A kept line as it was read, as far as it was kept."""
    return MoneyLine(
        row.line, "" if row.line_key.startswith("f:") else row.line_key, "", row.amount_minor, row.direction,
        row.day, row.at, row.file_number, row.payer, row.payer_account, row.text, row.currency,
        service=row.service, document=row.document, fee_minor=row.fee_minor, net_minor=row.net_minor,
        raw=row.raw,
    )  # fmt: skip
