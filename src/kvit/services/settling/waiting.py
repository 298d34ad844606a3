"""All lump sums that wait: what is certain of them is settled by itself, the rest is for a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from kvit.domain.errors import NotAllowed
from kvit.domain.file_rows import SettlementRow
from kvit.services.settling.facts import Lump, Span
from kvit.services.settling.making import By, SettlingBook, Wish, settle
from kvit.services.settling.proposing import Proposal, propose

T = TypeVar("T")


class WaitingBook(SettlingBook, Protocol):
    def lumps(self, agreement_id: str = "") -> Sequence[tuple[str, Lump]]:
        """(agreement, lump sum) of all that wait, oldest first."""
        ...

    def undone(self) -> set[tuple[str, str]]:
        """(source, line) of lump sums whose settlement a person has undone."""
        ...


class Store(Protocol):
    """One biller's settlements."""

    def run(self, work: Callable[[WaitingBook], T]) -> T:
        """The result of ``work`` once it is committed."""
        ...

    def read(self, work: Callable[[WaitingBook], T]) -> T:
        """On one snapshot, while others write."""
        ...


class Waiting(NamedTuple):
    """A lump sum that waits, and what it is for, most likely."""

    agreement_id: str
    lump: Lump
    proposal: Proposal


def proposals(book: WaitingBook, agreement_id: str = "") -> list[Waiting]:
    """Every lump sum that waits, each looked at by itself."""
    found = []
    for owner, lump in book.lumps(agreement_id):
        found.append(Waiting(owner, lump, propose(lump, book.facts(lump))))
    return found


def settle_certain(store: Store, by: By, agreement_id: str = "") -> list[SettlementRow]:
    """Settle the lump sums that come to the last unit, oldest first, one transaction each.

    One whose settlement a person has undone waits for that person.
    """
    done = []
    undone = store.read(lambda book: book.undone())
    for _, lump in store.read(lambda book: book.lumps(agreement_id)):
        if (lump.source, lump.line_key) in undone:
            continue
        with suppress(NotAllowed):  # somebody has settled it meanwhile
            row = settle_as_proposed(store, lump, Wish(lump.source, lump.line_key, only_certain=True), by)
            if row is not None:
                done.append(row)
    return done


def settle_as_proposed(store: Store, lump: Lump, wish: Wish, by: By) -> SettlementRow | None:
    """Look at all that waits on a snapshot; then, as the one writer, only at the days that were found.

    Raises as ``settle`` does.
    """
    said = store.read(partial(_propose, lump=lump))
    if wish.only_certain and not said.is_certain:
        return None
    if said.first_day:
        wish = wish._replace(span=Span(said.first_day, said.last_day), is_proposed=True)
    return store.run(partial(_settle, wish=wish, by=by))


def _propose(book: WaitingBook, lump: Lump) -> Proposal:
    return propose(lump, book.facts(lump))


def _settle(book: WaitingBook, wish: Wish, by: By) -> SettlementRow | None:
    return settle(book, wish, by)
