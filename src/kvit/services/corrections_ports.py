"""What corrections of payments need from the outside, and what they hand back to be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from kvit.domain.model import (
    Agreement,
    AllocationRow,
    EntryRow,
    JournalRow,
    NoteRow,
    OpenItem,
    OutboxRow,
    PaymentKey,
    StoredHold,
    StoredPayment,
    TransactionRow,
    VoidRow,
)
from kvit.services.ports import AmountChange, HoldEnd


class PaymentCase(NamedTuple):
    """Everything a correction of a payment decides on, read after its account was locked.

    ``sources`` are the account's other payments and credits with an unused rest, ``charges`` its open
    charges plus those that this payment settles; ``shares`` what it settles: (charge, sum).
    ``assigned_minor``: of a payment in suspense, what was assigned to clients or sent back.
    """

    key: PaymentKey
    payment: StoredPayment
    void: VoidRow | None
    entries: Sequence[EntryRow]
    shares: Sequence[tuple[int, int]]
    charges: Sequence[OpenItem]
    sources: Sequence[OpenItem]
    advance_minor: int
    closed_through: str
    timezone: str
    assigned_minor: int = 0


@dataclass(slots=True)
class VoidPlan:
    """What a void writes."""

    key: PaymentKey
    void: VoidRow
    transaction: TransactionRow
    entries: list[EntryRow]
    journal: JournalRow
    outbox: OutboxRow
    balance: AmountChange
    advance_minor: int
    allocations: list[AllocationRow] = field(default_factory=list)
    open_sums: dict[int, int] = field(default_factory=dict)
    advances: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class ReallocationPlan:
    """What deciding anew writes: ``open_sums`` by charge, and the change of the payment's unused rest."""

    key: PaymentKey
    journal: JournalRow
    advance_minor: int
    allocations: list[AllocationRow] = field(default_factory=list)
    open_sums: dict[int, int] = field(default_factory=dict)


class Span(NamedTuple):
    """Both ends inclusive: days as ISO text, instants in microseconds since 1970."""

    since: str
    until: str
    since_us: int = 0
    until_us: int = 0


class Announced(NamedTuple):
    """A hold, and what was posted of it and taken back since."""

    txn: str
    hold: StoredHold
    payment: StoredPayment | None
    void: VoidRow | None


class CorrectionBook(Protocol):
    """One open write transaction of a correction."""

    def find(
        self, biller_id: str, *, receipt: int = 0, agreement_id: str = "", txn: str = ""
    ) -> PaymentKey | None:
        """The payment with this receipt, or with this txn of the agreement; no lock."""
        ...

    def payment_case(self, key: PaymentKey) -> PaymentCase:
        """Lock the payment's account, then read what a correction decides on."""
        ...

    def write_void(self, plan: VoidPlan) -> None: ...

    def write_reallocation(self, plan: ReallocationPlan) -> None: ...

    def find_hold(
        self, biller_id: str, *, receipt: int = 0, agreement_id: str = "", txn: str = ""
    ) -> PaymentKey | None:
        """The same among the holds."""
        ...

    def hold(self, key: PaymentKey, *, lock: bool = False) -> StoredHold | None:
        """The hold; with ``lock`` read after its account was locked, so that nobody ends it meanwhile."""
        ...

    def end_hold(self, end: HoldEnd) -> None: ...

    def tell(self, key: PaymentKey) -> tuple[StoredPayment, VoidRow | None]:
        """Count one more request for the payment and read it."""
        ...

    def tell_hold(self, key: PaymentKey) -> None:
        """Count one more request for the hold."""
        ...

    def posted_on(self, agreement: Agreement, span: Span, most: int) -> list[tuple[str, StoredPayment]]:
        """(txn, payment) of the agreement's posted payments by accounting day, oldest receipt first."""
        ...

    def posted_at(self, agreement: Agreement, span: Span, most: int) -> list[tuple[str, StoredPayment]]:
        """The same by the network's time, or ours where it named none."""
        ...

    def announced(self, agreement: Agreement, span: Span, most: int) -> list[Announced]:
        """All holds by the network's time, whatever became of them: oldest first."""
        ...

    def last_note(self, biller_id: str, receipt: int, kind: str) -> str | None:
        """The fields of the last note of this kind."""
        ...

    def write_note(self, note: NoteRow) -> None: ...

    def take_id(self) -> int: ...

    def write_journal(self, record: JournalRow) -> None: ...
