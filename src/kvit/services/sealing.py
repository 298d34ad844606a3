"""The sealer: gives journal records their dense places in the hash chain, a moment after the commit.

A chain inside the payment's own transaction would be one row that every payment waits for; so records
are written unchained, and one sealer at a time chains what has been committed since.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from kvit.domain.journal import GENESIS, chained
from kvit.domain.model import JournalRow

#: Records sealed in one transaction: a few hundredths of a second of SQLite's one write lock.
SEAL_MAX = 2000


class ChainHead(NamedTuple):
    """The last sealed record's place (0: none yet) and the chain's value there."""

    position: int = 0
    chain: bytes = GENESIS


class Seal(NamedTuple):
    """The place of one record."""

    biller_id: str
    journal_id: int
    position: int
    chain: bytes


class SealingBook(Protocol):
    """One open write transaction in which nobody else seals the biller's records."""

    def head(self, biller_id: str) -> ChainHead:
        """The sealed record with the highest position."""
        ...

    def unsealed(self, biller_id: str, limit: int) -> list[JournalRow]:
        """At most ``limit`` committed records without a place, lowest id first."""
        ...

    def seal(self, seals: Sequence[Seal]) -> None: ...


def seal_once(book: SealingBook, biller_id: str, limit: int = SEAL_MAX) -> int:
    """Seal at most ``limit`` records of one biller; says how many it were."""
    records = book.unsealed(biller_id, limit)
    if not records:
        return 0
    position, chain = book.head(biller_id)
    seals = []
    for record in records:
        position += 1
        chain = chained(chain, position, record)
        seals.append(Seal(biller_id, record.journal_id, position, chain))
    book.seal(seals)
    return len(seals)
