"""What is open and what is unused, while a slice changes charges: letting go, and settling anew.

A charge that was lowered below what settles it lets the newest money go; unused money then settles what
is open, the oldest money the oldest debt. Entries have no part in this: only allocations move.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from kvit.domain.allocation import by_age, use_advances
from kvit.domain.model import OpenItem
from kvit.services.receivables.ports import KnownCharge, ReceivablesBook, Source


class Move(NamedTuple):
    """One allocation to be written; below zero it undoes part of earlier ones."""

    source_id: int
    charge_id: int
    act_id: int
    amount_minor: int


class _Excess(NamedTuple):
    """What a lowered charge has too much, and the adjustment that lowered it."""

    account_id: int
    adjustment_id: int
    amount_minor: int


class Settling:
    """The working model of one slice; every account in it is locked."""

    def __init__(self) -> None:
        self.moves: list[Move] = []
        self._charges: dict[int, dict[int, OpenItem]] = {}
        self._items: dict[int, OpenItem] = {}
        self._open_before: dict[int, int] = {}
        self._sources: dict[int, Source] = {}
        self._unused_before: dict[int, int] = {}
        self._excesses: dict[int, _Excess] = {}

    def add_charge(self, account_id: int, item: OpenItem) -> None:
        self._charges.setdefault(account_id, {})[item.item_id] = item
        self._items[item.item_id] = item

    def change_charge(self, known: KnownCharge, delta_minor: int, adjustment_id: int) -> None:
        open_minor = known.open_minor + delta_minor
        if open_minor < 0:
            self._excesses[known.charge_id] = _Excess(known.account_id, adjustment_id, -open_minor)
            open_minor = 0
        self._open_before[known.charge_id] = known.open_minor
        self.add_charge(known.account_id, OpenItem(known.charge_id, open_minor, known.due_on, known.service))

    def add_credit(self, account_id: int, item: OpenItem) -> None:
        self._sources[item.item_id] = Source(account_id, False, item)

    def run(self, book: ReceivablesBook, account_ids: Collection[int], act_id: int) -> int:
        """Let go and settle for these accounts; returns how much unused money settled."""
        torn = {excess.account_id for excess in self._excesses.values()}
        if torn:
            self._take(book.sources(sorted(torn), only_unused=False))
            self._let_go(book)
        rest = sorted(set(account_ids) - torn)
        if rest:
            self._take(book.sources(rest, only_unused=True))
        return self._settle(book, act_id)

    def open_minor(self, charge_id: int) -> int:
        return self._items[charge_id].open_minor

    def unused_minor(self, source_id: int) -> int:
        return self._sources[source_id].item.open_minor

    def open_changes(self) -> Iterator[tuple[int, int]]:
        """(charge, difference) of stored charges, by id."""
        for charge_id, before_minor in sorted(self._open_before.items()):
            if self.open_minor(charge_id) != before_minor:
                yield charge_id, self.open_minor(charge_id) - before_minor

    def unused_changes(self) -> Iterator[tuple[Source, int]]:
        """(source, difference) of stored sources, by id."""
        for source_id, before_minor in sorted(self._unused_before.items()):
            if self.unused_minor(source_id) != before_minor:
                yield self._sources[source_id], self.unused_minor(source_id) - before_minor

    def _take(self, sources: Collection[Source]) -> None:
        for source in sources:
            self._sources[source.item.item_id] = source
            self._unused_before[source.item.item_id] = source.item.open_minor

    def _let_go(self, book: ReceivablesBook) -> None:
        held: dict[int, list[tuple[OpenItem, int]]] = {}
        for part in book.parts(sorted(self._unused_before), sorted(self._excesses)):
            held.setdefault(part.charge_id, []).append(
                (self._sources[part.source_id].item, part.amount_minor)
            )
        for charge_id, excess in self._excesses.items():
            rest_minor = excess.amount_minor
            newest_first = sorted(held.get(charge_id, ()), key=lambda pair: by_age(pair[0]), reverse=True)
            for source, held_minor in newest_first:
                freed_minor = min(rest_minor, held_minor)
                if freed_minor > 0:
                    rest_minor -= freed_minor
                    source.open_minor += freed_minor
                    self.moves.append(Move(source.item_id, charge_id, excess.adjustment_id, -freed_minor))
            assert rest_minor == 0, f"charge {charge_id} is settled by more than its allocations say"

    def _settle(self, book: ReceivablesBook, act_id: int) -> int:
        unused: dict[int, list[OpenItem]] = {}
        for source in self._sources.values():
            if source.item.open_minor > 0:
                unused.setdefault(source.account_id, []).append(source.item)
        stored = book.open_charges(sorted(unused)) if unused else {}
        moved_minor = 0
        for account_id, sources in sorted(unused.items()):
            for item in stored.get(account_id, ()):
                if item.item_id not in self._items:
                    self.add_charge(account_id, item)
                    self._open_before[item.item_id] = item.open_minor
            charges = sorted(self._charges.get(account_id, {}).values(), key=by_age)
            for source_id, charge_id, part_minor in use_advances(sorted(sources, key=by_age), charges):
                self.moves.append(Move(source_id, charge_id, act_id, part_minor))
                moved_minor += part_minor
        return moved_minor
