"""What taking in payment registers and statements needs from the outside, and the words it uses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol, TypeVar

from kvit.domain.file_rows import LineActRow, LineRow, RuleRow
from kvit.domain.model import Biller, JournalRow, PaymentKey, StoredPayment
from kvit.services.corrections_ports import CorrectionBook
from kvit.services.ports import PostingBook
from kvit.services.receivables.ports import ImportRow

T = TypeVar("T")

#: States of an import beside ``RUNNING`` and ``FINISHED``.
UNDOING = "undoing"
UNDONE_IMPORT = "undone"


class KnownLine(NamedTuple):
    """What became of a line that came before."""

    state: str
    import_id: int
    direction: str
    amount_minor: int
    file_number: str
    number: str
    rule: str
    receipt: int | None
    generation: int


class Booked(NamedTuple):
    """A payment that is in the books; ``is_lined``: a register's line made it or confirms it."""

    receipt: int
    number: str
    typed: str
    amount_minor: int
    state: str
    is_lined: bool


class Unconfirmed(NamedTuple):
    """An online payment that no register has confirmed yet; ``day``: its accounting date."""

    receipt: int
    txn: str
    number: str
    amount_minor: int
    day: str
    network_at_us: int


class Named(NamedTuple):
    """An account, for matching by name."""

    number: str
    name: str


class LineChange(NamedTuple):
    """What becomes of a line from now on."""

    state: str
    number: str
    rule: str
    reason: str
    receipt: int | None
    generation: int
    import_id: int
    line: int
    source: str
    line_key: str


class IntakeBook(PostingBook, CorrectionBook, Protocol):
    """One open write transaction on one biller's books; postings, corrections and lines commit together."""

    def biller(self) -> Biller:
        """As it is now."""
        ...

    def booked(self, agreement_id: str, txns: Collection[str]) -> dict[str, Booked]:
        """Payments of an agreement by their ids; those that do not exist are absent. No lock."""
        ...

    def stored(self, keys: Sequence[PaymentKey]) -> dict[PaymentKey, StoredPayment]:
        """Payments by their ids; those that do not exist are absent. No lock."""
        ...

    def lock_numbers(self, numbers: Collection[str]) -> None:
        """Wait for and hold the accounts, in id order; read what is decided on after this."""
        ...

    def known_lines(self, source: str, keys: Collection[str]) -> dict[str, KnownLine]: ...

    def unconfirmed(
        self, agreement_id: str, numbers: Collection[str], first_day: str, last_day: str
    ) -> list[Unconfirmed]:
        """Posted payments of these accounts and accounting days that no line made or confirmed."""
        ...

    def lined(self, receipts: Collection[int], kind: str) -> set[int]:
        """Those of the payments that a line of this kind made or confirms."""
        ...

    def existing(self, numbers: Collection[str]) -> set[str]:
        """Those of the account numbers that somebody has."""
        ...

    def number_lengths(self) -> dict[int, int]:
        """Length of an account number -> how many have it."""
        ...

    def invoice_owners(self, documents: Collection[str]) -> dict[str, set[str]]:
        """Document -> the accounts it was charged to; documents that nobody has are absent."""
        ...

    def payers(self, payer_accounts: Collection[str]) -> dict[str, set[str]]:
        """Payer's account -> the accounts that its statement lines went to, as they stand now."""
        ...

    def names(self) -> list[Named]:
        """All active accounts that have a name."""
        ...

    def add_lines(self, rows: Sequence[LineRow]) -> None:
        """Raises ``ClaimLost`` where another import was first with one of them."""
        ...

    def change_lines(self, changes: Sequence[LineChange]) -> None: ...

    def lines(self, import_id: int, states: Collection[str], after: int, most: int) -> list[LineRow]:
        """Lines first seen by an import, in the order of the file, after this line number."""
        ...

    def line(self, import_id: int, line: int) -> LineRow | None: ...

    def line_of(self, receipt: int) -> LineRow | None:
        """The line that made the payment, or else one that confirms it."""
        ...

    def waiting(self, states: Collection[str], most: int) -> list[LineRow]:
        """Lines in these states, those that came first before the others."""
        ...

    def rules(self) -> list[RuleRow]:
        """The rules that a person has set."""
        ...

    def set_rule(self, row: RuleRow) -> None: ...

    def add_acts(self, acts: Sequence[LineActRow]) -> None: ...

    def assigned_minor(self, biller_id: str, receipt: int) -> int:
        """How much of a payment in suspense was assigned or sent back."""
        ...

    def payment_key(self, receipt: int) -> PaymentKey | None: ...

    def imports(self, kinds: Collection[str]) -> list[ImportRow]:
        """Oldest first."""
        ...

    def add_import(self, row: ImportRow) -> None: ...

    def set_import(self, import_id: int, state: str, summary: str, finished_at_us: int | None) -> None: ...

    def take_ids(self, count: int) -> list[int]: ...

    def write_journal(self, record: JournalRow) -> None: ...


class IntakeStore(Protocol):
    """Runs work on one biller's books, one transaction a call."""

    @property
    def held_s(self) -> float:
        """How long the last ``write`` kept other writers out."""
        ...

    def read(self, work: Callable[[IntakeBook], T]) -> T:
        """On one snapshot; nothing can be written."""
        ...

    def write(self, work: Callable[[IntakeBook], T]) -> T:
        """The result of ``work`` once it is committed; run anew when neighbours broke it off."""
        ...

    def rest(self) -> None:
        """Between two writes: leave the database to those who wait."""
        ...
