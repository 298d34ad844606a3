"""What a payer's screen shows, there and back."""

from __future__ import annotations

import pytest

from kvit.domain.messages import Found
from kvit.protocols.kits import shownkit

OWES = Found("0042017", 45000, 0, "RUB", "I. P.")
AHEAD = Found("0042017", 0, 150, "RUB")
ALL = "account:a,name:n,debt:d,advance:v,balance:b"


def test_texts_in_the_order_agreed() -> None:
    assert list(shownkit.texts(OWES, ALL, 2).items()) == [
        ("a", "0042017"), ("n", "I. P."), ("d", "450.00"), ("v", "0.00"), ("b", "-450.00"),
    ]  # fmt: skip
    assert shownkit.texts(AHEAD, "balance:b,name:n", 0) == {"b": "150"}
    assert shownkit.texts(OWES, "none", 2) == {}


@pytest.mark.parametrize("found", [OWES, AHEAD, Found("1", 0, 0, "RUB"), Found("1", 5, 0, "RUB")])
@pytest.mark.parametrize("show", ["debt:d", "balance:b", ALL])
@pytest.mark.parametrize("exponent", [0, 2])
def test_what_is_owed_is_read_back(found: Found, show: str, exponent: int) -> None:
    assert shownkit.due_minor(shownkit.texts(found, show, exponent), show, exponent) == found.due_minor


@pytest.mark.parametrize("shown", [{}, {"d": "x"}, {"d": "-1.00"}, {"b": "--1"}, {"b": ""}])
def test_what_does_not_say_what_is_owed(shown: dict[str, str]) -> None:
    assert shownkit.due_minor(shown, "debt:d,balance:b", 2) == -1


@pytest.mark.parametrize(
    ("value", "good"),
    [("none", True), ("name:fio", True), (ALL, True), ("name", False), ("sum:x", False), ("name:a b", False)],
)
def test_the_switch(value: str, good: bool) -> None:
    assert (shownkit.switch("none", "the screen").problem(value) == "") == good
