"""Which charges a payment settles: explicit target first, then its service, then the oldest due."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kvit.domain.model import OpenItem

#: (id of the charge, part of the payment)
Share = tuple[int, int]


def by_age(item: OpenItem) -> tuple[str, int]:
    """Oldest due first; charges due on one day in the order in which they were made."""
    return (item.due_on, item.item_id)


def allocate(
    amount_minor: int, charges: Iterable[OpenItem], *, target: Sequence[int] = (), service: str = ""
) -> tuple[list[Share], int]:
    """Spread ``amount_minor`` over ``charges``, which lose what they are given.

    ``charges`` must be sorted by ``by_age``. Returns the shares and the rest, which is an advance.
    A charge gets at most one share.
    """
    shares: list[Share] = []
    rest_minor = amount_minor
    for charge in _in_order(charges, target, service):
        if rest_minor == 0:
            break
        part = min(rest_minor, charge.open_minor)
        if part > 0:
            charge.open_minor -= part
            rest_minor -= part
            shares.append((charge.item_id, part))
    return shares, rest_minor


def _in_order(charges: Iterable[OpenItem], target: Sequence[int], service: str) -> Iterable[OpenItem]:
    if not target and not service:
        return charges
    wanted = {charge_id: place for place, charge_id in enumerate(target)}
    last = len(wanted)

    def rank(charge: OpenItem) -> tuple[int, bool]:
        return (wanted.get(charge.item_id, last), bool(service) and charge.service != service)

    return sorted(charges, key=rank)  # stable: age decides among equals


def use_advances(sources: Iterable[OpenItem], charges: Sequence[OpenItem]) -> list[tuple[int, int, int]]:
    """Let unused payments and credits settle open charges: ``(source, charge, amount)`` triples.

    Both lists must be sorted by age; both lose what moves. Oldest money settles the oldest debt.
    """
    moves: list[tuple[int, int, int]] = []
    for source in sources:
        shares, rest_minor = allocate(source.open_minor, charges, service=source.service)
        source.open_minor = rest_minor
        moves.extend((source.item_id, charge_id, part) for charge_id, part in shares)
    return moves
