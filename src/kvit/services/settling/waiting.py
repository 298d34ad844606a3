"""All lump sums that wait: what is certain of them is settled by itself, the rest is for a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from kvit.domain.errors import NotAllowed
from kvit.domain.file_rows import SettlementRow
from kvit.services.settling.facts import Lump
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
    undone = store.run(lambda book: book.undone())
    for _, lump in store.run(lambda book: book.lumps(agreement_id)):
        if (lump.source, lump.line_key) in undone:
            continue
        wish = Wish(lump.source, lump.line_key, only_certain=True)
        with suppress(NotAllowed):  # somebody has settled it meanwhile
            row = store.run(partial(_settle, wish=wish, by=by))
            if row is not None:
                done.append(row)
    return done


def _settle(book: WaitingBook, wish: Wish, by: By) -> SettlementRow | None:
    return settle(book, wish, by)
