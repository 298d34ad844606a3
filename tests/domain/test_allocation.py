"""Rule 11: explicit target, else by service, else oldest due first; the rest is an advance."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvit.domain.allocation import allocate, by_age, use_advances
from kvit.domain.model import OpenItem

DAYS = ("2026-08-31", "2026-09-30", "2026-10-31")
SERVICES = ("", "water", "waste")


@st.composite
def items(draw: st.DrawFn, first_id: int = 1, open_max: int = 6) -> list[OpenItem]:
    """Charges (or unused money) by age, as callers have to give them."""
    count = draw(st.integers(0, 5))
    found = [
        OpenItem(
            first_id + place, draw(st.integers(0, open_max)), draw(st.sampled_from(DAYS)),
            draw(st.sampled_from(SERVICES)),
        )
        for place in range(count)
    ]  # fmt: skip
    return sorted(found, key=by_age)


def coin_by_coin(
    amount_minor: int, charges: list[OpenItem], target: list[int], service: str
) -> dict[int, int]:
    """What each charge gets when every single minor unit goes to whoever comes first by the rule."""
    given_minor: dict[int, int] = {}
    for _ in range(amount_minor):
        waiting = [charge for charge in charges if charge.open_minor > given_minor.get(charge.item_id, 0)]
        if not waiting:
            break
        first = min(
            waiting,
            key=lambda charge: (
                target.index(charge.item_id) if charge.item_id in target else len(target),
                bool(service) and charge.service != service,
                charge.due_on,
                charge.item_id,
            ),
        )
        given_minor[first.item_id] = given_minor.get(first.item_id, 0) + 1
    return given_minor


@given(
    st.integers(0, 25),
    items(),
    st.lists(st.integers(1, 7), max_size=3, unique=True),
    st.sampled_from(SERVICES),
)
def test_as_if_every_coin_chose_for_itself(
    amount_minor: int, charges: list[OpenItem], target: list[int], service: str
) -> None:
    before = deepcopy(charges)
    expected = coin_by_coin(amount_minor, before, target, service)
    shares, rest_minor = allocate(amount_minor, charges, target=target, service=service)
    assert dict(shares) == expected
    assert rest_minor == amount_minor - sum(expected.values())
    assert {c.item_id: c.open_minor for c in charges} == {
        c.item_id: c.open_minor - expected.get(c.item_id, 0) for c in before
    }


@given(st.integers(0, 10**16), items(open_max=10**16))
def test_nothing_is_made_and_nothing_is_lost(amount_minor: int, charges: list[OpenItem]) -> None:
    """With sums that a float cannot hold, too."""
    before_minor = {charge.item_id: charge.open_minor for charge in charges}
    shares, rest_minor = allocate(amount_minor, charges)
    assert sum(part for _, part in shares) + rest_minor == amount_minor
    assert rest_minor >= 0
    assert len({charge_id for charge_id, _ in shares}) == len(shares)
    for charge_id, part in shares:
        assert 0 < part <= before_minor[charge_id]
    if rest_minor:
        assert not any(charge.open_minor for charge in charges), "an advance, while something is open"


@given(items(first_id=100), items())
def test_unused_money_settles_like_payments_that_come_one_after_another(
    sources: list[OpenItem], charges: list[OpenItem]
) -> None:
    by_hand = deepcopy(charges)
    expected = []
    for source in sources:
        found = coin_by_coin(source.open_minor, by_hand, [], source.service)
        for charge in by_hand:
            charge.open_minor -= found.get(charge.item_id, 0)
        expected += [(source.item_id, charge_id, part) for charge_id, part in found.items()]
    unused_before = {source.item_id: source.open_minor for source in sources}
    moves = use_advances(sources, charges)
    assert sorted(moves) == sorted(expected)
    assert charges == by_hand
    for source in sources:
        moved = sum(part for source_id, _, part in moves if source_id == source.item_id)
        assert source.open_minor == unused_before[source.item_id] - moved >= 0
    assert not any(s.open_minor for s in sources) or not any(c.open_minor for c in charges)


@pytest.mark.parametrize(
    ("target", "service", "expected"),
    [
        ((), "", [(1, 300), (2, 200)]),
        ((), "waste", [(3, 300), (1, 200)]),
        ((2,), "", [(2, 300), (1, 200)]),
        ((3, 2), "", [(3, 300), (2, 200)]),
        ((2,), "waste", [(2, 300), (3, 200)]),
        ((99,), "", [(1, 300), (2, 200)]),
        ((), "unheard of", [(1, 300), (2, 200)]),
    ],
)
def test_who_comes_first(target: tuple[int, ...], service: str, expected: list[tuple[int, int]]) -> None:
    charges = [
        OpenItem(1, 300, DAYS[0], "water"),
        OpenItem(2, 300, DAYS[1], "water"),
        OpenItem(3, 300, DAYS[2], "waste"),
    ]
    assert allocate(500, charges, target=target, service=service) == (expected, 0)
