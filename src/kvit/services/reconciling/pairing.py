"""Payments beside the rows of the register: who has what the other lacks, and what they disagree on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from kvit.domain import days
from kvit.domain.file_rows import DROPPED, QUARANTINE
from kvit.domain.money import format_amount
from kvit.services.reconciling.facts import (
    BOOKED_LINES,
    MAKING_LINES,
    NEAR_DAYS,
    UNBOOKED_LINES,
    Facts,
    Paid,
    ReconcilingBook,
    Told,
)
from kvit.services.reconciling.findings import (
    DAY_SHIFTED,
    DIFFERS,
    MISSING_HERE,
    MISSING_THERE,
    NOTE,
    OPEN,
    Finding,
)
from kvit.services.settling.facts import Span

#: Where more rows than this share of a register came by it alone, it is a source of its own: no difference.
_ALONE_PERCENT_MAX = 50


def around(span: Span, days_count: int = NEAR_DAYS) -> Span:
    """The span with so many days before and after it."""
    more = timedelta(days=days_count)
    first, last = date.fromisoformat(span.first) - more, date.fromisoformat(span.last) + more
    return Span(first.isoformat(), last.isoformat())


class Pairs:
    """Both sides of a span, put together by the receipts that rows carry, else by the agent's own ids."""

    def __init__(self, facts: Facts, book: ReconcilingBook) -> None:
        self.facts, span = facts, facts.span
        told = [row for row in facts.told if row.state in BOOKED_LINES | UNBOOKED_LINES]
        self.paid_of = {paid.receipt: paid for paid in facts.paid}
        self.row_of = {row.receipt: row for row in told if row.receipt is not None}
        self.rows = [row for row in told if span.has(row.day)]
        self.payments = [paid for paid in facts.paid if span.has(paid.day)]
        self._fetch_far_ones(book)
        unbooked = [row for row in told if row.state in UNBOOKED_LINES]
        lonely = [paid for paid in facts.paid if paid.receipt not in self.row_of]
        self.unbooked_of = {row.id_there: row for row in unbooked}
        far = {paid.txn for paid in lonely} - self.unbooked_of.keys()
        if far:
            found = book.told_by_ids(far)
            self.unbooked_of.update((row.id_there, row) for row in found if row.state in UNBOOKED_LINES)
        self.paid_by_txn = {paid.txn: paid for paid in facts.paid}
        keys = {row.id_there for row in self.rows if row.state in UNBOOKED_LINES}
        if keys := keys - self.paid_by_txn.keys():
            self.paid_by_txn.update((paid.txn, paid) for paid in book.paid_by_txns(keys))
        #: Payments without a row, and not even one that names them: nobody at the agent's knows of them.
        self.unknown_there = [
            paid for paid in lonely if not paid.is_voided and paid.txn not in self.unbooked_of
        ]

    def _fetch_far_ones(self, book: ReconcilingBook) -> None:
        """What belongs together and is more days apart than was read."""
        lonely = {paid.receipt for paid in self.facts.paid} - self.row_of.keys()
        if lonely:
            self.row_of.update(
                (row.receipt, row) for row in book.told_by_receipts(lonely) if row.receipt is not None
            )
        far = {row.receipt for row in self.rows if row.receipt is not None} - self.paid_of.keys()
        if far:
            self.paid_of.update((paid.receipt, paid) for paid in book.paid_by_receipts(far))

    def made_by_row(self, paid: Paid) -> bool:
        """Did the payment come by the register alone?"""
        row = self.row_of.get(paid.receipt)
        return row is not None and row.state in MAKING_LINES


class Wording:
    """Sums and days as a person reads them, and what every finding of one agreement shares."""

    def __init__(self, facts: Facts) -> None:
        self._agreement = facts.agreement
        self.agreement_id = facts.agreement.agreement_id

    def money(self, amount_minor: int) -> str:
        return format_amount(amount_minor, self._agreement.exponent)

    def network_day(self, at_us: int) -> str:
        return days.from_us(at_us, self._agreement.timezone).date().isoformat()


def compare(pairs: Pairs, words: Wording, registered: set[str]) -> Iterator[Finding]:
    """Findings of single payments and rows, save those that look like twins.

    ``registered``: the days whose register is here; of other days no payment is missed in it.
    """
    for paid in pairs.payments:
        row = pairs.row_of.get(paid.receipt)
        if row is not None:
            yield from _linked(words, paid, row)
    for paid in pairs.unknown_there:
        if paid.day in registered and pairs.facts.span.has(paid.day):
            yield _missing_there(words, paid)
    for row in pairs.rows:
        if row.state in UNBOOKED_LINES:
            yield _unbooked(words, row, pairs.paid_by_txn.get(row.id_there))


def booked_by_rows(pairs: Pairs, words: Wording) -> Iterator[Finding]:
    """Rows that made their payments, where payments come online as a rule: these were not told online."""
    alone = [row for row in pairs.rows if row.state in MAKING_LINES]
    if len(alone) * 100 > len(pairs.rows) * _ALONE_PERCENT_MAX:
        return
    for row in alone:
        yield _of_row(
            words, row, MISSING_HERE,
            f"{words.money(row.amount_minor)} for {row.file_number} was not told online; the register's row "
            f"booked it as payment {row.receipt}", NOTE,
        )  # fmt: skip


def _linked(words: Wording, paid: Paid, row: Told) -> Iterator[Finding]:
    here, there = words.money(paid.amount_minor), words.money(row.amount_minor)
    if paid.is_voided:
        yield _of_both(
            words, paid, row, MISSING_HERE,
            f"payment {paid.receipt} of {here} was taken back here; the register says that it was collected",
        )  # fmt: skip
    elif row.amount_minor != paid.amount_minor:
        text = f"payment {paid.receipt} is {here} here and {there} in the register"
        yield _of_both(words, paid, row, DIFFERS, text + _said(row), _weight(row))
    elif not _same_account(paid, row):
        text = (
            f"payment {paid.receipt} of {here} is for {paid.number or paid.typed} here "
            f"and for {row.file_number} in the register"
        )
        yield _of_both(words, paid, row, DIFFERS, text + _said(row), _weight(row))
    elif row.day not in (paid.day, words.network_day(paid.at_us)):
        text = f"payment {paid.receipt} of {here} is of {paid.day} here and in the register of {row.day}"
        yield _of_both(words, paid, row, DAY_SHIFTED, text, NOTE)


def _same_account(paid: Paid, row: Told) -> bool:
    if row.number:
        return row.number == paid.number
    return row.file_number in (paid.number, paid.typed)


def _missing_there(words: Wording, paid: Paid) -> Finding:
    amount = words.money(paid.amount_minor)
    return Finding(
        MISSING_THERE, words.agreement_id, paid.day, str(paid.receipt),
        f"payment {paid.receipt} of {amount} for {paid.number or paid.typed} came online; "
        "the register of its day does not have it",
        here_minor=paid.amount_minor, txn=paid.txn, number=paid.number or paid.typed,
        receipts=(paid.receipt,), commands=(f"kvit payment void {paid.receipt} --reason …",),
    )  # fmt: skip


def _unbooked(words: Wording, row: Told, same_id: Paid | None) -> Finding:
    there = words.money(row.amount_minor)
    waits = "was dropped" if row.state == DROPPED else "waits"
    why = f": {row.reason}" if row.reason else ""
    weight = _weight(row)
    if same_id is not None and same_id.is_voided:
        text = f"payment {same_id.receipt} was taken back here; the register says that {there} was collected"
        return _of_both(words, same_id, row, MISSING_HERE, text, weight)
    if same_id is not None:
        text = (
            f"payment {same_id.receipt} is {words.money(same_id.amount_minor)} for "
            f"{same_id.number or same_id.typed} here; the register has the same id with {there} for "
            f"{row.file_number}, which {waits}"
        )
        return _of_both(words, same_id, row, DIFFERS, text + (why if row.state == DROPPED else ""), weight)
    text = f"{there} for {row.file_number} is in the register and not in the books; the row {waits}{why}"
    return _of_row(words, row, MISSING_HERE, text, weight)


def _weight(row: Told) -> str:
    """A person who has confirmed or dropped a row has said why: that is no open question."""
    return NOTE if row.state == DROPPED or row.is_by_hand else OPEN


def _said(row: Told) -> str:
    return f" ({row.reason})" if row.is_by_hand and row.reason else ""


def _of_row(words: Wording, row: Told, kind: str, text: str, state: str = "open") -> Finding:
    sum_minor = -row.amount_minor if row.is_out else row.amount_minor
    booked = row.receipt is not None
    return Finding(
        kind, words.agreement_id, row.day, row.line_key, text, sum_minor if booked else None, sum_minor,
        row.line_key, row.file_number, (row.receipt,) if row.receipt is not None else (), row.line_key, state,
        _commands(row),
    )  # fmt: skip


def _commands(row: Told) -> tuple[str, ...]:
    """What may be done with a row that waits."""
    if row.state != QUARANTINE:
        return ()
    return tuple(
        f"kvit quarantine {verb} {row.import_id}:{row.line}{more}"
        for verb, more in (("retry", ""), ("post", " --reason …"), ("drop", " --reason …"))
    )


def _of_both(words: Wording, paid: Paid, row: Told, kind: str, text: str, state: str = "open") -> Finding:
    day = row.day if row.receipt is None else paid.day
    return Finding(
        kind, words.agreement_id, day, str(paid.receipt), text,
        None if paid.is_voided else paid.amount_minor, row.amount_minor, paid.txn, paid.number or paid.typed,
        (paid.receipt,), row.line_key, state, _commands(row),
    )  # fmt: skip
