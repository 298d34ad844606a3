"""How a decision about what is owed becomes rows of the books.

A charge's own transaction has its id. A change of a charge, and a credit (an adjustment that names no
charge), is one adjustment, one transaction and one journal record with one id. ``amount_minor`` of an
adjustment is the change of what is owed, so a credit is below zero and what it may settle is its opposite.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from kvit.domain import ledger
from kvit.domain.journal import adjustment_digest, charges_digest
from kvit.domain.model import AdjustmentRow, AllocationRow, ChargeRow, JournalRow, OpenItem, TransactionRow
from kvit.services.ports import AmountChange
from kvit.services.receivables.ports import KnownCharge, ReceivablesBook, ReceivablesPlan
from kvit.services.receivables.settling import Settling

CHARGE_ADJUSTED = "charge.adjusted"
BALANCE_CREDITED = "balance.credited"


class Owner(NamedTuple):
    account_id: int
    number: str


class NewCharge(NamedTuple):
    owner: Owner
    service: str
    period: str
    document: str
    occurrence: int
    amount_minor: int
    due_on: str


class Change(NamedTuple):
    """``known`` shall be ``amount_minor`` from now on."""

    owner: Owner
    known: KnownCharge
    amount_minor: int


class Credit(NamedTuple):
    """``amount_minor`` (above zero) less is owed as of a day."""

    owner: Owner
    amount_minor: int
    as_of: str


@dataclass(slots=True)
class Decision:
    """What a slice is about to do."""

    new: list[NewCharge] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    credits: list[Credit] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.new or self.changes or self.credits)

    @property
    def ids_count(self) -> int:
        """One for each, and one for the act itself."""
        return len(self.new) + len(self.changes) + len(self.credits) + 1


class Booking(NamedTuple):
    """How a decision is written.

    ``contra`` is the other side of new charges (empty: the income of the charge's service) and of credits
    (empty: the opening balance), ``verb`` and
    ``subject`` are those of the act's journal record.
    """

    biller_id: str
    currency: str
    contra: str
    verb: str
    subject: str
    reason: str
    author: str
    accounting_date: str
    now_us: int


def book_decision(book: ReceivablesBook, decision: Decision, booking: Booking) -> int:
    """Write everything that ``decision`` means; returns how much unused money settled charges by it."""
    desk = Desk(booking, iter(book.take_ids(decision.ids_count)))
    for charge in decision.new:
        desk.charge(charge)
    for change in decision.changes:
        desk.change(change)
    for credit in decision.credits:
        desk.credit(credit)
    settled_minor = desk.settle(book)
    book.write(desk.plan())
    return settled_minor


class Desk:
    """Makes the rows of one slice."""

    def __init__(self, booking: Booking, ids: Iterator[int]) -> None:
        self._booking = booking
        self._ids = ids
        self._act_id = next(ids)
        self._plan = ReceivablesPlan()
        self._settling = Settling()
        self._numbers: dict[int, str] = {}
        self._balances: dict[int, int] = {}

    def charge(self, new: NewCharge) -> None:
        booking, charge_id = self._booking, next(self._ids)
        row = ChargeRow(
            booking.biller_id, charge_id, new.owner.account_id, new.service, new.period, new.document,
            new.occurrence, new.amount_minor, new.amount_minor, new.due_on, self._act_id,
        )  # fmt: skip
        self._plan.charges.append(row)
        item = OpenItem(charge_id, new.amount_minor, new.due_on, new.service)
        self._settling.add_charge(new.owner.account_id, item)
        contra = booking.contra or ledger.income(new.service)
        self._book(charge_id, new.owner, new.amount_minor, ledger.CHARGE, contra)

    def change(self, change: Change) -> None:
        known, adjustment_id = change.known, next(self._ids)
        delta_minor = change.amount_minor - known.amount_minor
        self._settling.change_charge(known, delta_minor, adjustment_id)
        self._adjust(adjustment_id, change.owner, known.charge_id, delta_minor, "")
        contra = ledger.income(known.service)
        self._book(adjustment_id, change.owner, delta_minor, ledger.ADJUSTMENT, contra)

    def credit(self, credit: Credit) -> None:
        adjustment_id, delta_minor = next(self._ids), -credit.amount_minor
        item = OpenItem(adjustment_id, credit.amount_minor, credit.as_of)
        self._settling.add_credit(credit.owner.account_id, item)
        self._adjust(adjustment_id, credit.owner, None, delta_minor, credit.as_of)
        contra = self._booking.contra or ledger.OPENING
        self._book(adjustment_id, credit.owner, delta_minor, ledger.ADJUSTMENT, contra)

    def settle(self, book: ReceivablesBook) -> int:
        return self._settling.run(book, self._balances, self._act_id)

    def plan(self) -> ReceivablesPlan:
        """Everything the slice writes."""
        plan, settling, biller_id = self._plan, self._settling, self._booking.biller_id
        plan.charges = [
            row
            if (open_minor := settling.open_minor(row.charge_id)) == row.open_minor
            else row._replace(open_minor=open_minor)
            for row in plan.charges
        ]
        plan.adjustments = [
            row._replace(advance_minor=settling.unused_minor(row.adjustment_id))
            if row.charge_id is None else row
            for row in plan.adjustments
        ]  # fmt: skip
        plan.open_sums = [AmountChange(biller_id, *change) for change in settling.open_changes()]
        plan.balances = [AmountChange(biller_id, *change) for change in sorted(self._balances.items())]
        plan.allocations = [AllocationRow(biller_id, *move) for move in settling.moves]
        for source, delta_minor in settling.unused_changes():
            advances = plan.payment_advances if source.is_payment else plan.credit_advances
            advances.append(AmountChange(biller_id, source.item.item_id, delta_minor))
        plan.journal.append(self._act_record())
        return plan

    def _act_record(self) -> JournalRow:
        booking, plan = self._booking, self._plan
        digest = charges_digest(plan.charges, self._numbers)
        detail = f'{{"new": {len(plan.charges)}, "adjusted": {len(plan.adjustments)}}}'
        return JournalRow(
            booking.biller_id, self._act_id, booking.now_us, booking.author, booking.verb, booking.subject,
            digest, detail,
        )  # fmt: skip

    def _adjust(
        self, adjustment_id: int, owner: Owner, charge_id: int | None, delta_minor: int, as_of: str
    ) -> None:
        booking = self._booking
        row = AdjustmentRow(
            booking.biller_id, adjustment_id, owner.account_id, charge_id, delta_minor, 0, as_of,
            booking.reason, booking.author,
        )  # fmt: skip
        self._plan.adjustments.append(row)
        verb = BALANCE_CREDITED if charge_id is None else CHARGE_ADJUSTED
        digest = adjustment_digest(row, owner.number, booking.accounting_date)
        self._plan.journal.append(
            JournalRow(
                booking.biller_id, adjustment_id, booking.now_us, booking.author, verb, str(adjustment_id),
                digest, "",
            )
        )  # fmt: skip

    def _book(self, transaction_id: int, owner: Owner, amount_minor: int, kind: str, contra: str) -> None:
        booking, plan = self._booking, self._plan
        # An ordinary charge explains itself; one that sets a balance says what for.
        reason = "" if kind == ledger.CHARGE and not booking.contra else booking.reason
        plan.transactions.append(
            TransactionRow(
                booking.biller_id, transaction_id, kind, booking.accounting_date, booking.now_us, None,
                reason, booking.author,
            )
        )  # fmt: skip
        client = ledger.client(owner.number)
        plan.entries.extend(
            ledger.two_sided(
                booking.biller_id, transaction_id, client, contra, amount_minor, booking.currency
            )
        )
        self._numbers[owner.account_id] = owner.number
        self._balances[owner.account_id] = self._balances.get(owner.account_id, 0) + amount_minor
