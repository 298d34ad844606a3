"""A settlement: bank debit, fees debit, clearing credit. What nobody has explained stays in clearing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from kvit.domain import days, ledger
from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.file_rows import LUMP, SETTLED, LineActRow, SettlementRow
from kvit.domain.journal import digest_of
from kvit.domain.model import Agreement, EntryRow, JournalRow, TransactionRow
from kvit.domain.money import format_amount
from kvit.services.settling.facts import Lump, SettlingFacts, Span
from kvit.services.settling.proposing import Proposal, proposal_for, propose

#: Kinds of transactions, and verbs of records.
SETTLEMENT = "settlement"
SETTLEMENT_UNDONE = "settlement-undone"
SETTLEMENT_MADE_VERB = "settlement.made"
SETTLEMENT_UNDONE_VERB = "settlement.undone"
STANDS = "posted"
UNDONE = "undone"


def fees_account(agreement_id: str) -> str:
    """Where an agent's fees are collected in the ledger."""
    return "fees:" + agreement_id


class SettlingBook(Protocol):
    """One open write transaction on one biller's books."""

    def closed_through(self) -> str:
        """Read behind the lock that keeps the period from being closed meanwhile."""
        ...

    def lump(self, source: str, line_key: str) -> tuple[Lump, str, str] | None:
        """Lock the statement's line; with it, its agreement's id and its state."""
        ...

    def facts(self, lump: Lump, span: Span | None = None) -> SettlingFacts:
        """What is known of these days; without ``span`` of all that may wait to be paid out."""
        ...

    def settlement(self, settlement_id: int) -> SettlementRow | None:
        """Lock and read it."""
        ...

    def entries(self, transaction_id: int) -> list[EntryRow]: ...

    def take_id(self) -> int: ...

    def write(
        self, transaction: TransactionRow, entries: Sequence[EntryRow], record: JournalRow, act: LineActRow
    ) -> None:
        """The transaction with its entries, its journal record, and what became of the line (``act``)."""
        ...

    def add_settlement(self, row: SettlementRow) -> None: ...

    def undo_settlement(self, settlement_id: int) -> None:
        """It is no longer posted, but undone."""
        ...


class Wish(NamedTuple):
    """Which line, and for which days (none: as proposed). ``fee_minor``: where it is not the agreement's.

    ``is_proposed``: the days are those of a proposal that was made a moment ago, on a snapshot.
    """

    source: str
    line_key: str
    span: Span | None = None
    fee_minor: int | None = None
    reason: str = ""
    only_certain: bool = False
    is_proposed: bool = False


class By(NamedTuple):
    """Who, and when."""

    author: str
    now: datetime


def settle(book: SettlingBook, wish: Wish, by: By) -> SettlementRow | None:
    """Book a lump sum. ``None`` where ``only_certain`` is wished and it is not.

    Raises ``NotFound`` for an unknown line, ``NotAllowed`` for one that does not wait, for days of which
    nothing waits, and for a difference without a reason.
    """
    closed_through = book.closed_through()
    found = book.lump(wish.source, wish.line_key)
    if found is None:
        raise NotFound(f"there is no line {wish.line_key} of {wish.source}")
    lump, _, state = found
    if state != LUMP:
        raise NotAllowed(f"line {wish.line_key} is {state}: only a lump sum that waits can be settled")
    facts = book.facts(lump, wish.span)
    proposal = _proposal(lump, facts, wish)
    if wish.only_certain and not proposal.is_certain:
        return None
    proposal = _with_fee(proposal, lump, wish.fee_minor)
    if not proposal.first_day:
        raise NotAllowed(f"{proposal.why}: name the days by --from and --to, or wait for their register")
    if proposal.difference_minor and not wish.reason.strip():
        over = format_amount(proposal.difference_minor, facts.agreement.exponent)
        raise NotAllowed(
            f"for {proposal.first_day} to {proposal.last_day} {over} is left over; say why by --reason, or "
            "name other days; nothing was changed"
        )
    so = _Circumstances(facts.agreement, wish.reason.strip(), by, closed_through)
    return _write(book, lump, proposal, so)


def undo(book: SettlingBook, settlement_id: int, reason: str, by: By) -> int:
    """Take a settlement back by a reversing transaction, whose id is given; the lump sum waits again.

    Raises ``NotFound`` and ``NotAllowed``.
    """
    if not reason.strip():
        raise NotAllowed("undoing a settlement needs a reason; nothing was changed")
    closed_through = book.closed_through()
    row = book.settlement(settlement_id)
    if row is None:
        raise NotFound(f"there is no settlement {settlement_id}")
    if row.state != STANDS:
        raise NotAllowed(f"settlement {settlement_id} was undone before")
    found = book.lump(row.source, row.line_key)
    assert found is not None, "a settlement's line is never deleted"
    transaction_id, now_us = book.take_id(), days.to_us(by.now)
    day = days.next_open_day(found[0].day, closed_through)
    author, reason = by.author, reason.strip()
    book.undo_settlement(settlement_id)
    book.write(
        TransactionRow(
            row.biller_id, transaction_id, SETTLEMENT_UNDONE, day, now_us, settlement_id, reason, author
        ),
        ledger.reversal(book.entries(settlement_id), transaction_id),
        JournalRow(
            row.biller_id, transaction_id, now_us, author, SETTLEMENT_UNDONE_VERB, str(settlement_id),
            undone_digest(row, transaction_id, day), "",
        ),
        LineActRow(
            row.biller_id, transaction_id, row.source, row.line_key, "unsettle", LUMP, None, reason, author,
            now_us,
        ),
    )  # fmt: skip
    return transaction_id


class _Circumstances(NamedTuple):
    agreement: Agreement
    reason: str
    by: By
    closed_through: str


def _proposal(lump: Lump, facts: SettlingFacts, wish: Wish) -> Proposal:
    if wish.span is None:
        return propose(lump, facts)
    if wish.is_proposed:
        again = propose(lump, facts)
        if (again.first_day, again.last_day) == wish.span:
            return again
    return proposal_for(lump, facts, wish.span)


def _with_fee(proposal: Proposal, lump: Lump, fee_minor: int | None) -> Proposal:
    if fee_minor is None:
        return proposal
    over_minor = lump.amount_minor - (proposal.gross_minor - fee_minor)
    return proposal._replace(fee_minor=fee_minor, difference_minor=over_minor)


def _write(book: SettlingBook, lump: Lump, proposal: Proposal, so: _Circumstances) -> SettlementRow:
    agreement, agreement_id = so.agreement, so.agreement.agreement_id
    settlement_id, now_us = book.take_id(), days.to_us(so.by.now)
    author, biller_id = so.by.author, agreement.biller_id
    day = days.next_open_day(lump.day, so.closed_through)
    row = SettlementRow(
        biller_id, settlement_id, agreement_id, lump.source, lump.line_key, proposal.first_day,
        proposal.last_day, proposal.gross_minor, proposal.fee_minor, lump.amount_minor,
        proposal.difference_minor, so.reason, author, now_us, STANDS,
    )  # fmt: skip
    book.add_settlement(row)
    book.write(
        TransactionRow(biller_id, settlement_id, SETTLEMENT, day, now_us, None, so.reason, author),
        entries_of(row, agreement.currency),
        JournalRow(
            biller_id, settlement_id, now_us, author, SETTLEMENT_MADE_VERB, str(settlement_id),
            settlement_digest(row, day), "",
        ),
        LineActRow(
            biller_id, settlement_id, row.source, row.line_key, "settle", SETTLED, None,
            so.reason or proposal.why, author, now_us,
        ),
    )  # fmt: skip
    return row


def entries_of(row: SettlementRow, currency: str) -> list[EntryRow]:
    """Clearing is credited with what is explained: the money that came, and the fee that was kept."""
    sides = [
        (row.source, row.net_minor),
        (fees_account(row.agreement_id), row.fee_minor),
        (ledger.clearing(row.agreement_id), -row.net_minor - row.fee_minor),
    ]
    return [
        EntryRow(row.biller_id, row.settlement_id, name, amount_minor, currency)
        for name, amount_minor in sides
        if amount_minor
    ]


def settlement_digest(row: SettlementRow, accounting_date: str) -> bytes:
    """What must never change about a settlement; whether it was undone is told by another record."""
    return digest_of("settlement", *row[: SettlementRow._fields.index("state")], accounting_date)


def undone_digest(row: SettlementRow, transaction_id: int, accounting_date: str) -> bytes:
    return digest_of(
        "settlement-undone", row.biller_id, row.settlement_id, transaction_id, row.net_minor, accounting_date
    )
