"""What the bank does not know yet, slice by slice: the books against all that it was told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kvit.domain.debts import DebtSlice
from kvit.services.debts.ports import FoundDebts
from kvit.services.debts.told import Told, needs_telling


def changed(found: Iterator[FoundDebts], told: Told) -> Iterator[DebtSlice]:
    """What the bank does not know yet; debts that are gone are told with 0."""
    for some in found:
        yield changes_of(some, *told.through(some.debts.numbers[-1]))
    # Accounts are never deleted, so hardly anything is left; what is, has no details any more.
    nobody: list[Any] = []
    empty = DebtSlice(*(nobody for _ in DebtSlice._fields))
    yield changes_of(FoundDebts(empty, []), *told.through(None))


def changes_of(
    found: FoundDebts, holds: dict[str, int], doubts: list[tuple[bool, dict[str, int]]]
) -> DebtSlice:
    """The rows of a slice that must be told, by client's number; of each client the gone ones come last."""
    debts = found.debts
    now = {key: sum_ for key, sum_ in zip(debts.keys, found.amounts_minor, strict=True) if sum_ is not None}
    places = [
        (debts.numbers[at], False, at, "")
        for at, key in enumerate(debts.keys)
        if key in now and needs_telling(key, now[key], holds, doubts)
    ]
    gone = {key for rows in (holds, *(rows for _, rows in doubts)) for key in rows if key not in now}
    any_row = {number: at for at, number in enumerate(debts.numbers)}
    places += [
        (number := key.partition("\t")[0], True, any_row.get(number, -1), key)
        for key in gone
        if needs_telling(key, None, holds, doubts)
    ]
    return _rows_at(debts, sorted(places))


def _rows_at(debts: DebtSlice, places: Sequence[tuple[str, bool, int, str]]) -> DebtSlice:
    rows = [
        _gone_row(debts, number, at, key) if is_gone else tuple(column[at] for column in debts)
        for number, is_gone, at, key in places
    ]
    columns: list[list[Any]] = list(map(list, zip(*rows, strict=True)))
    return DebtSlice(*columns) if columns else picked(debts, [])


def _gone_row(debts: DebtSlice, number: str, at: int, key: str) -> tuple[str | int, ...]:
    """A debt that is no more, with what is known of its client."""
    name, address, attributes = (
        ("", "", "") if at < 0 else (debts.names[at], debts.addresses[at], debts.attributes[at])
    )
    _, _, rest = key.partition("\t")
    document, _, period = rest.partition("\t")
    return (key, number, 0, name, address, attributes, "", period, document, "")


def picked(debts: DebtSlice, places: Sequence[int]) -> DebtSlice:
    """The rows at these places."""
    columns: list[list[Any]] = [[column[at] for at in places] for column in debts]
    return DebtSlice(*columns)
