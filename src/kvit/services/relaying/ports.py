"""What taking in a relay's rows needs from the outside, and the words it uses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from kvit.domain.model import Agreement, PaymentKey
from kvit.domain.relay_rows import RelayInboxRow
from kvit.services.ports import PostingBook
from kvit.services.relaying.words import Envelope

T = TypeVar("T")


class Place(NamedTuple):
    """Where an office stands in one epoch of a relay's inbox: locked until the end of the transaction."""

    state: str
    pulled_through: int


class RelayBook(PostingBook, Protocol):
    """One open transaction on one biller's books, on behalf of one relay."""

    def place(self, relay_id: str, epoch: str) -> Place | None:
        """``None`` for an epoch that nobody has seen yet. Locked against another puller."""
        ...

    def inbox_of(self, keys: Collection[PaymentKey], kind: str) -> dict[PaymentKey, RelayInboxRow]:
        """What came of these payments before, of one kind; the latest where there are several."""
        ...

    def posted(self, keys: Sequence[PaymentKey]) -> set[PaymentKey]:
        """Which of these are payments in the books."""
        ...

    def add_rows(self, rows: Sequence[RelayInboxRow]) -> None: ...

    def set_pulled(self, relay_id: str, epoch: str, through: int) -> None: ...


class RelayStore(Protocol):
    """Runs work on one biller's books, one transaction a call."""

    def write(self, work: Callable[[RelayBook], T]) -> T:
        """The result of ``work`` once it is committed; run anew when neighbours broke it off."""
        ...


class Inbox(NamedTuple):
    """Whose rows are taken: ``agreements`` are those whose doors this relay has or had, by id.

    ``receipt_problem`` says why a row's receipt is not the relay's own for it, empty when it is.
    """

    biller_id: str
    relay_id: str
    epoch: str
    agreements: Mapping[str, Agreement]
    receipt_problem: Callable[[Envelope], str]
