"""What the services need from the outside, as protocols. Storage and tests hand them in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from kvit.domain.model import (
    AccountKey,
    AccountState,
    AllocationRow,
    EntryRow,
    HoldRow,
    JournalRow,
    OpenItem,
    OutboxRow,
    PaymentKey,
    PaymentRow,
    StoredHold,
    StoredInvoice,
    StoredPayment,
    TransactionRow,
    VoidRow,
)


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, aware."""
        ...


@dataclass(slots=True)
class Wanted:
    """What a batch of postings has to know; each list sorted and without repeats.

    ``accounts`` are numbers as they were typed. ``held`` are those of the ``payments`` that may be held, and
    ``invoices`` the numbers that are those of invoices: both are empty where agents pay at once by
    account number, and then nothing is asked about them.
    """

    payments: list[PaymentKey]
    accounts: list[AccountKey]
    ids_count: int
    held: list[PaymentKey] = field(default_factory=list)
    invoices: list[AccountKey] = field(default_factory=list)


@dataclass(slots=True)
class Situation:
    """What a batch of postings decides on, read after its accounts were locked.

    ``charges`` holds the open charges by (biller, account id), oldest due first. ``ids`` are
    fresh, as many as were asked for. Accounts and payments that do not exist are absent. ``voids`` has
    those of the payments that were taken back. ``accounts`` has those of the invoices and of the holds too.
    ``reserved`` lists the holds that stand for an invoice: the payment, and when it ends (``None``: never).
    """

    payments: dict[PaymentKey, StoredPayment]
    accounts: dict[AccountKey, AccountState]
    charges: dict[tuple[str, int], list[OpenItem]]
    closed_through: dict[str, str]
    ids: list[int]
    voids: dict[PaymentKey, VoidRow] = field(default_factory=dict)
    holds: dict[PaymentKey, StoredHold] = field(default_factory=dict)
    invoices: dict[AccountKey, StoredInvoice] = field(default_factory=dict)
    reserved: dict[AccountKey, list[Reservation]] = field(default_factory=dict)


class Reservation(NamedTuple):
    """A hold that stands."""

    payment: PaymentKey
    expires_at_us: int | None


class AmountChange(NamedTuple):
    """Add ``delta_minor`` to a stored sum: a client's balance or a charge's open sum."""

    biller_id: str
    row_id: int
    delta_minor: int


class Attempt(NamedTuple):
    """Count ``more`` requests for a payment that is already in the books."""

    biller_id: str
    agreement_id: str
    txn: str
    more: int


class HoldEnd(NamedTuple):
    """A hold was posted, released, or is found to have expired; ``end_act_id`` is the record of it."""

    state: str
    ended_at_us: int
    reason: str
    void_txn: str
    end_act_id: int
    biller_id: str
    agreement_id: str
    txn: str


@dataclass(slots=True)
class PostingPlan:
    """Everything a batch of postings writes, rows in the order of the tables' columns."""

    attempts: list[Attempt] = field(default_factory=list)
    hold_attempts: list[Attempt] = field(default_factory=list)
    hold_ends: list[HoldEnd] = field(default_factory=list)
    holds: list[HoldRow] = field(default_factory=list)
    payments: list[PaymentRow] = field(default_factory=list)
    transactions: list[TransactionRow] = field(default_factory=list)
    entries: list[EntryRow] = field(default_factory=list)
    allocations: list[AllocationRow] = field(default_factory=list)
    balances: list[AmountChange] = field(default_factory=list)
    open_sums: list[AmountChange] = field(default_factory=list)
    outbox: list[OutboxRow] = field(default_factory=list)
    journal: list[JournalRow] = field(default_factory=list)


class PostingBook(Protocol):
    """One open database transaction of a batch of postings. Two calls, one commit."""

    def situation(self, wanted: Wanted) -> Situation:
        """Find payments without locks, lock the accounts in id order, then read what is decided on."""
        ...

    def write(self, plan: PostingPlan) -> None:
        """Write the plan in the one lock order. Raises ``ClaimLost`` when another writer was first."""
        ...


class AccountView(NamedTuple):
    """An account as a lookup needs it."""

    status: str
    balance_minor: int
    name: str


class InvoiceView(NamedTuple):
    """An invoice as a lookup needs it: the account's status and name, what is open of it, and the latest end
    of a hold that stands for it (0: none does; ``None`` stands for one that never ends by itself)."""

    status: str
    open_minor: int
    name: str
    held_until_us: int | None


class LookupBook(Protocol):
    """One short read of the newest committed state."""

    def accounts(self, keys: Sequence[AccountKey]) -> dict[AccountKey, AccountView]: ...

    def invoices(self, keys: Sequence[AccountKey]) -> dict[AccountKey, InvoiceView]: ...


class QuickLookups(Protocol):
    """The newest committed state, for one question at a time and without waiting for anybody."""

    def account(self, biller_id: str, number: str) -> AccountView | None:
        """Raises ``DatabaseUnavailable`` where it would have to wait."""
        ...
