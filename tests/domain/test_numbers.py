"""Check digits: the published vectors, and the errors that each scheme promises to find."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvit.domain import numbers

payloads = st.text("0123456789", min_size=1, max_size=30)
checked = st.sampled_from(["luhn", "mod97"])

VECTORS = [
    ("7992739871", "luhn", "79927398713"),
    ("100234", "luhn", "1002344"),
    ("411111111111111", "luhn", "4111111111111111"),
    ("100234", "mod97", "10023496"),
    ("794", "mod97", "79444"),
    ("1", "luhn", "18"),
    ("0", "luhn", "00"),
    ("0", "mod97", "098"),
    ("32", "mod97", "3202"),
    ("А-17/б", "none", "А-17/б"),
]


@pytest.mark.parametrize(("payload", "scheme", "number"), VECTORS)
def test_published_vectors(payload: str, scheme: str, number: str) -> None:
    assert numbers.with_check(payload, scheme) == number
    assert numbers.is_valid(number, scheme)
    assert numbers.payload_of(number, scheme) == payload


@pytest.mark.parametrize(
    ("number", "scheme"),
    [
        ("79927398710", "luhn"),
        ("1002345", "luhn"),
        ("10023469", "mod97"),
        # 3299 and 3202 leave the same remainder by 97; ISO 7064 writes only the latter.
        ("3299", "mod97"),
        ("100234 4", "luhn"),
        ("100-2344", "luhn"),
        ("+1002344", "luhn"),
        ("١٠٠٢٣٤٤", "luhn"),
        ("1002344\n", "luhn"),
        ("", "luhn"),
        ("0", "luhn"),
        ("97", "mod97"),
        ("", "none"),
        ("1" * 41, "none"),
    ],
)
def test_refused_numbers(number: str, scheme: str) -> None:
    assert not numbers.is_valid(number, scheme)


@given(
    st.lists(st.text("01А", max_size=3)),
    st.sampled_from(["none", "luhn"]),
    st.sampled_from(["", "1" * 41, "0"]),
)
def test_the_wrong_ones_of_many_are_those_wrong_alone(some: list[str], scheme: str, another: str) -> None:
    every = [*some, another]
    assert numbers.wrong_numbers(every, scheme) == [
        number for number in every if not numbers.is_valid(number, scheme)
    ]
    assert numbers.wrong_numbers([], scheme) == []


@given(payloads, checked)
def test_a_number_with_its_check_digits_is_valid(payload: str, scheme: str) -> None:
    number = numbers.with_check(payload, scheme)
    assert numbers.is_valid(number, scheme)
    assert number.startswith(payload)
    assert len(number) == len(payload) + numbers.CHECK_DIGITS[scheme]


@given(payloads, checked, st.data())
def test_every_single_wrong_digit_is_found(payload: str, scheme: str, data: st.DataObject) -> None:
    number = numbers.with_check(payload, scheme)
    place = data.draw(st.integers(0, len(number) - 1))
    for digit in set("0123456789") - {number[place]}:
        assert not numbers.is_valid(number[:place] + digit + number[place + 1 :], scheme)


@given(payloads)
def test_mod97_finds_every_swap_of_two_digits(payload: str) -> None:
    number = numbers.with_check(payload, "mod97")
    for left, right in itertools.combinations(range(len(number)), 2):
        swapped = list(number)
        swapped[left], swapped[right] = swapped[right], swapped[left]
        if swapped != list(number):
            assert not numbers.is_valid("".join(swapped), "mod97")


@given(payloads)
def test_luhn_finds_every_swap_of_neighbours_but_09(payload: str) -> None:
    number = numbers.with_check(payload, "luhn")
    for place in range(len(number) - 1):
        pair = number[place : place + 2]
        swapped = number[:place] + pair[::-1] + number[place + 2 :]
        unseen = pair[0] == pair[1] or set(pair) == {"0", "9"}
        assert numbers.is_valid(swapped, "luhn") == unseen


@given(st.text(max_size=60), st.sampled_from(sorted(numbers.SCHEMES)))
def test_any_text_gets_a_verdict(text: str, scheme: str) -> None:
    assert numbers.is_valid(text, scheme) in {True, False}


def test_wrong_payloads_are_our_own_fault() -> None:
    for payload in ("12a", "١٢", "1 2", "-1"):
        with pytest.raises(ValueError, match="the digits 0 to 9 only"):
            numbers.with_check(payload, "luhn")
    for payload in ("", "1" * 40):
        with pytest.raises(ValueError, match="1 to 39 characters"):
            numbers.with_check(payload, "luhn")
    with pytest.raises(KeyError):
        numbers.is_valid("1", "damm")


def test_new_numbers_follow_the_last_one() -> None:
    assert list(numbers.next_numbers(100234, 3, "none", 6)) == ["100235", "100236", "100237"]
    assert list(numbers.next_numbers(100233, 1, "luhn", 6)) == ["1002344"]
    assert list(numbers.next_numbers(100233, 1, "mod97", 6)) == ["10023496"]


@given(st.integers(0, 10**7), st.integers(0, 50), st.sampled_from(sorted(numbers.SCHEMES)), st.integers(1, 7))
def test_new_numbers_are_valid_unused_and_have_no_leading_zero(
    after: int, count: int, scheme: str, width: int
) -> None:
    new = list(numbers.next_numbers(after, count, scheme, width))
    assert len(new) == len(set(new)) == min(count, numbers.numbers_left(after, width))
    for number in new:
        assert numbers.is_valid(number, scheme)
        payload = numbers.payload_of(number, scheme)
        assert len(payload) == width
        assert int(payload) > after
        assert width == 1 or not number.startswith("0")
        assert int(payload) > 0


def test_a_used_up_width_gives_fewer_numbers() -> None:
    assert list(numbers.next_numbers(97, 10, "none", 2)) == ["98", "99"]
    assert numbers.numbers_left(97, 2) == 2
    assert list(numbers.next_numbers(99, 10, "none", 2)) == []
    assert numbers.numbers_left(99, 2) == 0
    assert list(numbers.next_numbers(0, 2, "none", 3)) == ["100", "101"]
    assert numbers.numbers_left(0, 3) == 900


def test_an_impossible_width_is_refused() -> None:
    for width in (0, 40):
        with pytest.raises(ValueError, match="1 to 39"):
            list(numbers.next_numbers(0, 1, "luhn", width))
