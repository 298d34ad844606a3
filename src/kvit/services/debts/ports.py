"""What the registers of debts need from the outside, as protocols. Storage, files and tests hand them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from kvit.domain.debts import DebtSlice, RegisterHead, Replaced, Totals
from kvit.domain.file_rows import DebtRegisterRow, DebtRejectRow
from kvit.domain.file_terms import DebtTerms
from kvit.domain.model import Agreement, Biller, JournalRow
from kvit.services.ports import Clock


class Writer(Protocol):
    """One register being written in the bank's format."""

    @property
    def replaced(self) -> Replaced: ...

    @property
    def notes(self) -> Sequence[str]: ...

    def rows(self, debts: DebtSlice) -> bytes: ...

    def head(self, totals: Totals) -> bytes:
        """What stands before the rows; asked for after them."""
        ...

    def foot(self, totals: Totals) -> bytes: ...


class Form(NamedTuple):
    """A format with an agreement's settings for it.

    ``details``: which of name, address and attributes it prints. ``only_positive``: it cannot tell that
    nothing is owed.
    """

    terms: DebtTerms
    options: Mapping[str, str]
    open: Callable[[RegisterHead], Writer]
    file_name: Callable[[RegisterHead], str]
    details: frozenset[str]
    only_positive: bool


class Question(NamedTuple):
    """Which debts are wanted.

    ``everything``: also accounts of which nothing is told now, with ``None`` for the sum, since the bank
    may have been told something of them before.
    """

    by_invoice: bool
    everything: bool
    keeps_paid: bool
    below_zero: bool
    undocumented: bool
    details: frozenset[str]


class FoundDebts(NamedTuple):
    """A slice of the books; names are not masked yet.

    ``amounts_minor``: the sums again, with ``None`` (and 0 in ``debts``) for those that are not told now.
    """

    debts: DebtSlice
    amounts_minor: Sequence[int | None]


class Kept(Protocol):
    """A file on its way to where files are kept; nothing is written before ``finish``."""

    def add(self, chunk: bytes) -> None: ...

    def put_first(self, chunk: bytes) -> None: ...

    def finish(self) -> str:
        """Its SHA-256 in hexadecimal."""
        ...


class Decision(NamedTuple):
    """What becomes of a register: (number, state, comment) of each that changes, and rows refused."""

    states: Sequence[tuple[int, str, str]]
    at_us: int
    rejects: Sequence[DebtRejectRow] = ()
    is_sending: bool = False


class DebtStore(Protocol):
    """One biller's debts, and the registers that told them."""

    def debts(self, question: Question) -> AbstractContextManager[Iterator[FoundDebts]]:
        """What is owed, by client's number, from one snapshot."""
        ...

    def keeping(self) -> AbstractContextManager[Kept]: ...

    def read(self, digest: str) -> Iterator[bytes]:
        """A kept file."""
        ...

    def registers(self, agreement_id: str) -> list[DebtRegisterRow]:
        """All of them, by number."""
        ...

    def rejects(self, agreement_id: str, number: int) -> list[DebtRejectRow]: ...

    def add(self, row: DebtRegisterRow, record: Callable[[int], JournalRow]) -> bool:
        """Write it down with its journal record; False where the number is taken."""
        ...

    def decide(
        self,
        agreement_id: str,
        work: Callable[[list[DebtRegisterRow]], Decision],
        record: Callable[[int, Decision], JournalRow],
    ) -> Decision:
        """One transaction: the registers as they are now, nobody else deciding -> what becomes of them."""
        ...


class DebtOffice(NamedTuple):
    """Where, by whom and in which form registers are made."""

    store: DebtStore
    clock: Clock
    author: str
    biller: Biller
    agreement: Agreement
    form_of: Callable[[DebtTerms], Form]
