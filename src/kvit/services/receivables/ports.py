"""What taking in receivables needs from the outside, and the words it uses.

A slice of an import is one write transaction over some accounts: what the books hold is read
(``ReceivablesBook``), a decision is made in plain Python, and one ``ReceivablesPlan`` is written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

from kvit.domain.model import (
    AccountRow,
    AdjustmentRow,
    AllocationRow,
    Biller,
    ChargeRow,
    EntryRow,
    JournalRow,
    OpenItem,
    TransactionRow,
)
from kvit.services.ports import AmountChange

T = TypeVar("T")

RUNNING = "running"
FINISHED = "finished"


class ImportRow(NamedTuple):
    """One run over one file; ``state`` is ``running`` until all of the file is in the books."""

    biller_id: str
    import_id: int
    kind: str
    file_name: str
    file_digest: str
    state: str
    summary: str
    author: str
    started_at_us: int
    finished_at_us: int | None
    agreement_id: str = ""
    format: str = ""


class KnownCharge(NamedTuple):
    """A charge as it stands: ``amount_minor`` with its adjustments."""

    charge_id: int
    account_id: int
    service: str
    period: str
    document: str
    occurrence: int
    amount_minor: int
    open_minor: int
    due_on: str


@dataclass(slots=True)
class Source:
    """Money that settles charges: a payment, or a credit. ``item.open_minor`` is what is still unused."""

    account_id: int
    is_payment: bool
    item: OpenItem


class Part(NamedTuple):
    """What a source settles of a charge, all its allocations together."""

    source_id: int
    charge_id: int
    amount_minor: int


@dataclass(slots=True)
class ReceivablesPlan:
    """Everything a slice writes, rows in the order of the tables' columns, each list by id.

    ``account_changes`` are whole rows of known accounts, of which only what a person may change is
    written. ``payment_advances`` are by receipt, ``credit_advances`` by adjustment.
    """

    accounts: list[AccountRow] = field(default_factory=list)
    account_changes: list[AccountRow] = field(default_factory=list)
    balances: list[AmountChange] = field(default_factory=list)
    charges: list[ChargeRow] = field(default_factory=list)
    open_sums: list[AmountChange] = field(default_factory=list)
    transactions: list[TransactionRow] = field(default_factory=list)
    entries: list[EntryRow] = field(default_factory=list)
    adjustments: list[AdjustmentRow] = field(default_factory=list)
    allocations: list[AllocationRow] = field(default_factory=list)
    payment_advances: list[AmountChange] = field(default_factory=list)
    credit_advances: list[AmountChange] = field(default_factory=list)
    journal: list[JournalRow] = field(default_factory=list)


class ReceivablesBook(Protocol):
    """One open transaction on one biller's books. Accounts are locked before anything is decided on."""

    def biller(self) -> Biller:
        """As it is now: ``closed_through`` may have moved since the import began."""
        ...

    def account_ids(self, numbers: Collection[str]) -> dict[str, int]:
        """Number -> account id; numbers that nobody has are absent."""
        ...

    def lock_accounts(self, account_ids: Collection[int]) -> None:
        """Wait for and hold the accounts, in id order; read what is decided on after this."""
        ...

    def lock_numbers(self, numbers: Collection[str]) -> None:
        """The same for the accounts that have these numbers."""
        ...

    def accounts(self, numbers: Collection[str]) -> dict[str, AccountRow]: ...

    def charges(
        self, account_ids: Collection[int], services: Collection[str], periods: Collection[str]
    ) -> list[KnownCharge]:
        """The accounts' charges of these services and periods."""
        ...

    def open_charges(self, account_ids: Collection[int]) -> dict[int, list[OpenItem]]:
        """By account; accounts with nothing open are absent."""
        ...

    def sources(self, account_ids: Collection[int], *, only_unused: bool) -> list[Source]:
        """Payments that were not taken back, and credits; ``item.due_on`` is the day of the money."""
        ...

    def parts(self, source_ids: Collection[int], charge_ids: Collection[int]) -> list[Part]:
        """What these sources settle of these charges; never zero."""
        ...

    def client_sums(self, numbers: Mapping[int, str], as_of: str) -> dict[int, int]:
        """By account id: what its client owed at the end of the day ``as_of``, by the entries.

        Entries count by their accounting date; those of an earlier balance import by the day that it was
        for, wherever a closed period has moved them.
        """
        ...

    def numbers_with_balance(self) -> set[str]:
        """The numbers of accounts that owe something or are paid in advance."""
        ...

    def numbers_of_length(self, length: int) -> list[str]:
        """All account numbers of so many characters."""
        ...

    def number_lengths(self) -> dict[int, int]:
        """Length of an account number -> how many have it."""
        ...

    def handed_out_through(self, length: int) -> int:
        """The last payload handed out for new numbers of this length, 0 for none; held until the end."""
        ...

    def set_handed_out(self, length: int, through: int) -> None: ...

    def take_ids(self, count: int) -> list[int]: ...

    def write(self, plan: ReceivablesPlan) -> None: ...

    def add_import(self, row: ImportRow) -> None: ...

    def finish_import(self, import_id: int, summary: str, finished_at_us: int) -> None: ...

    def unfinished_imports(self) -> list[ImportRow]:
        """Oldest first."""
        ...


class ReceivablesStore(Protocol):
    """Runs work on one biller's books, one transaction a call."""

    @property
    def held_s(self) -> float:
        """How long the last ``write`` kept other writers out."""
        ...

    def read(self, work: Callable[[ReceivablesBook], T]) -> T:
        """On one snapshot; nothing can be written."""
        ...

    def write(self, work: Callable[[ReceivablesBook], T]) -> T:
        """The result of ``work`` once it is committed; run anew when neighbours broke it off."""
        ...

    def rest(self) -> None:
        """Between two writes: leave the database to those who wait, and let it look at what has grown."""
        ...

    def renew_statistics(self) -> None:
        """After the last write: let the database look at the tables, so that it plans its queries anew."""
        ...
