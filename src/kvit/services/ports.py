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
    JournalRow,
    OpenItem,
    OutboxRow,
    PaymentKey,
    PaymentRow,
    StoredPayment,
    TransactionRow,
    VoidRow,
)


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, aware."""
        ...


@dataclass(slots=True)
class Situation:
    """What a batch of postings decides on, read after its accounts were locked.

    ``charges`` holds the open charges by (biller, account id), oldest due first. ``ids`` are
    fresh, as many as were asked for. Accounts and payments that do not exist are absent. ``voids`` has
    those of the payments that were taken back.
    """

    payments: dict[PaymentKey, StoredPayment]
    accounts: dict[AccountKey, AccountState]
    charges: dict[tuple[str, int], list[OpenItem]]
    closed_through: dict[str, str]
    ids: list[int]
    voids: dict[PaymentKey, VoidRow] = field(default_factory=dict)


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


@dataclass(slots=True)
class PostingPlan:
    """Everything a batch of postings writes, rows in the order of the tables' columns."""

    attempts: list[Attempt] = field(default_factory=list)
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

    def situation(
        self, keys: Sequence[PaymentKey], accounts: Sequence[AccountKey], ids_count: int
    ) -> Situation:
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


class LookupBook(Protocol):
    """One short read of the newest committed state."""

    def accounts(self, keys: Sequence[AccountKey]) -> dict[AccountKey, AccountView]: ...


class QuickLookups(Protocol):
    """The newest committed state, for one question at a time and without waiting for anybody."""

    def account(self, biller_id: str, number: str) -> AccountView | None:
        """Raises ``DatabaseUnavailable`` where it would have to wait."""
        ...
