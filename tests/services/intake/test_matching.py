"""Whose money is it? Each rule by itself, their order, and that nobody guesses."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from kvit.domain.lines import MoneyLine
from kvit.services.intake.matching import (
    OFF,
    PROPOSE,
    RULES,
    Found,
    Match,
    match,
    name_key,
    near_numbers,
    plain_number,
    wanted,
)
from tests.intake import line

#: 1002344 and 1002351 end in right Luhn digits.
NUMBERS = {"1002344", "1002351", "77"}
DOCUMENTS = {"INV-000123": {"1002344"}, "17": {"1002351"}, "A-1": {"1002344", "1002351"}}
PAYERS = {"40817": {"1002351"}, "40818": {"1002344", "1002351"}}
NAMES = {name_key("Тестов Тест Тестович"): {"1002344"}, name_key("Ким А."): {"1002344", "77"}}


def matched(
    text: str = "", scheme: str = "none", rules: dict[str, str] | None = None, **more: object
) -> Match:
    one = line(text=text, **more)  # type: ignore[arg-type]
    asked = wanted(one, scheme, {7, 2})
    numbers = (set(asked.numbers) | {plain_number(one.number)}) & NUMBERS
    owners = {name: DOCUMENTS[name] for name in {*asked.documents, one.number} & DOCUMENTS.keys()}
    return match(one, asked, Found(numbers, owners, PAYERS, NAMES), rules or RULES)


def found(text: str = "", scheme: str = "none", **more: object) -> tuple[str, str]:
    hit = matched(text, scheme, **more).hit  # type: ignore[arg-type]
    return ("", "") if hit is None else (hit.rule, hit.number)


@pytest.mark.parametrize(
    "text",
    [
        "Оплата, лицевой счет=1002344 за март", "Л/С 1002344", "л.с. N1002344", "лс1002344",
        "ЛС №1002344 март", "id1002344",
        "KD 1002344", "ACC 1002344", "account: 1002344", "Договор 1002344 от 01.02.2026", "абонент 1002344",
        "есепшот 1002344", "клиент 100 23 44", "л/с 100-23-44; сумма 1500.00",
    ],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["none", "luhn"])
def test_a_number_after_its_word(text: str, scheme: str) -> None:
    assert found(text, scheme) == ("number", "1002344")


def test_check_digits_speak_for_themselves() -> None:
    assert found("за воду 1002344 март", "luhn") == ("number", "1002344")
    assert found("за воду 1002344 март") == ("", "")
    near = matched("за воду 1002344 март")
    assert [hit.number for hit in near.proposals] == ["1002344"], "proposed, and not applied"


@pytest.mark.parametrize(
    "text",
    [
        "л/с 10023441", "л/с 91002344", "л/с 1002344.50", "л/с 1002344,00", "тел 8-1002344-5", "12:1002344",
        "сумма 1002.344", "за 10.02.344",
    ],
)  # fmt: skip
def test_a_part_of_something_else_is_no_number(text: str) -> None:
    assert found(text, "luhn") == ("", "")


def test_two_accounts_in_one_purpose_are_nobodys() -> None:
    both = matched("л/с 1002344 и л/с 1002351", "luhn")
    assert both.hit is None
    assert {hit.number for hit in both.proposals} == {"1002344", "1002351"}


def test_a_reference_goes_before_the_purpose() -> None:
    assert found("л/с 1002351", "luhn", number="1002344") == ("reference", "1002344")
    assert found("л/с 1002351", "luhn", number="INV-000123") == ("reference", "1002344")
    assert found("л/с 1002351", "luhn", number="elsewhere") == ("number", "1002351")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Оплата по счету INV-000123", "1002344"), ("inv-000123", ""), ("INV-000123/INV-000123", ""),
        ("Invoice INV-000123.", "1002344"), ("счет № 17", "1002351"), ("дом 17", ""), ("счет A-1", ""),
    ],
)  # fmt: skip
def test_an_invoice(text: str, number: str) -> None:
    assert found(text)[1] == number


def test_an_invoice_is_named_so_that_it_is_settled_first() -> None:
    hit = matched("Оплата по счету INV-000123").hit
    assert hit is not None
    assert hit.document == "INV-000123"


def test_a_payer_who_has_paid_for_one_client_only() -> None:
    assert found("за воду", payer_account="40817") == ("payer", "1002351")
    assert found("за воду", payer_account="40818") == ("", "")
    assert found("за воду", payer_account="40899") == ("", "")


def test_a_name_is_only_proposed_until_somebody_says_so() -> None:
    by_name = matched("за воду", payer="ТЕСТОВ Тест Тестович")
    assert by_name.hit is None
    assert [hit.number for hit in by_name.proposals] == ["1002344"]
    bold = matched("за воду", payer="Тестович, Тест Тестов", rules=RULES | {"name": "on"})
    assert bold.hit is not None
    assert matched("за воду", payer="Ким А.", rules=RULES | {"name": "on"}).hit is None
    assert matched("за воду", payer="Тестов", rules=RULES | {"name": "on"}).hit is None


@pytest.mark.parametrize("state", [OFF, PROPOSE])
def test_a_rule_that_is_not_on_applies_nothing(state: str) -> None:
    result = matched("л/с 1002344", "luhn", rules=RULES | {"number": state})
    assert result.hit is None
    assert [hit.number for hit in result.proposals] == (["1002344"] if state == PROPOSE else [])


@given(
    st.text(max_size=120),
    st.text(max_size=40),
    st.text(max_size=30),
    st.sampled_from(["none", "luhn", "mod97"]),
)
def test_any_text_is_looked_at(text: str, number: str, payer: str, scheme: str) -> None:
    one = MoneyLine(1, "", "x", 1, "in", "2026-11-20", number=number, text=text, payer=payer)
    asked = wanted(one, scheme, range(1, 41))
    result = match(one, asked, Found(set(asked.numbers), {}, {}, {}), RULES)
    assert result.hit is None or result.hit.number in asked.numbers


@given(st.integers(100, 10**9).map(str), st.data())
def test_what_is_mistyped_once_is_near(number: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(number) - 1))
    digit = data.draw(st.sampled_from("0123456789"))
    typed = number[:place] + digit + number[place + 1 :]
    if typed != number:
        assert number in near_numbers(typed)
    swapped = number[:place] + number[place + 1 : place + 2] + number[place] + number[place + 2 :]
    if swapped != number:
        assert number in near_numbers(swapped)
    assert number not in near_numbers(number)


def test_near_numbers_are_few_and_of_digits() -> None:
    assert len(near_numbers("1002344")) < 100
    assert near_numbers("x") == near_numbers("") == near_numbers("1" * 21) == set()
    assert "1002344" in near_numbers("001002344") or "01002344" in near_numbers("001002344")
