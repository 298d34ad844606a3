"""Rule 1: money is an integer of minor units, and what is not plainly a sum is no sum."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvit.domain import money
from kvit.domain.model import Fee

SOURCE = Path(money.__file__).parents[1]
#: The rooms in which sums are added, split and compared. (Two of their files also measure time.)
MONEY_FILES = [*(SOURCE / "domain").glob("*.py"), *(SOURCE / "services").glob("*.py")]
TIME_FILES = {"imports.py", "receivables_ports.py"}

exponents = st.integers(0, 3)
#: What people, spreadsheets and attackers write for sums.
texts = st.text("0123456789.,-+eE _٣３²  ", max_size=22) | st.from_regex(
    r"[0-9]{0,18}\.?[0-9]{0,4}", fullmatch=True
)


@given(exponents, st.integers(0, 10**16 - 1))
def test_every_sum_is_read_back_as_it_was_written(exponent: int, amount_minor: int) -> None:
    text = money.format_amount(amount_minor, exponent)
    assert money.parse_amount(text, exponent) == amount_minor
    assert money.parse_amount(text, exponent, fraction="exact") == amount_minor


@given(exponents, texts)
def test_what_is_read_is_what_decimal_arithmetic_says(exponent: int, text: str) -> None:
    whole = rf"[0-9]{{1,{16 - exponent}}}"
    grammar = whole if exponent == 0 else rf"{whole}(\.[0-9]{{1,{exponent}}})?"
    expected = int(Decimal(text).scaleb(exponent)) if re.fullmatch(grammar, text) else None
    found = money.parse_amount(text, exponent)
    assert found == expected
    assert found is None or type(found) is int


@given(exponents, texts)
def test_exact_takes_only_all_digits(exponent: int, text: str) -> None:
    found = money.parse_amount(text, exponent, fraction="exact")
    is_exact = len(text.partition(".")[2]) == exponent
    assert found == (money.parse_amount(text, exponent) if is_exact else None)


@pytest.mark.parametrize(
    "text",
    ["", ".", "1.", ".5", "1e3", "1E3", "+1", "-1", "-0", " 1", "1 ", "1 000", "1,00", "1_000", "0x10", "nan",
     "inf", "1.000", "1.001", "١٢", "１２", "1²", "1\x00", "1\n", "12345678901234567", "123456789012345.00"],
)  # fmt: skip
def test_refused(text: str) -> None:
    assert money.parse_amount(text) is None


@given(st.integers(-(10**17), 10**17), exponents)
def test_a_negative_sum_keeps_its_sign_in_front(amount_minor: int, exponent: int) -> None:
    text = money.format_amount(amount_minor, exponent)
    assert Decimal(text) == Decimal(amount_minor).scaleb(-exponent)
    assert text.lstrip("-")[0].isdigit()
    assert len(text.partition(".")[2]) == exponent


def test_currencies_without_and_with_three_decimals() -> None:
    assert [money.exponent_of(code) for code in ("RUB", "KZT", "JPY", "KWD", "XXX")] == [2, 2, 0, 3, 2]


# --- fees (rule 12) --------------------------------------------------------------------------------

fees = st.builds(
    Fee,
    percent_millionths=st.integers(0, 999_999),
    fixed_minor=st.integers(0, 10_000),
    min_minor=st.integers(0, 10_000),
    max_minor=st.none() | st.integers(0, 100_000),
)


@given(fees, st.integers(1, 10**16))
def test_a_fee_is_a_part_of_the_sum(fee: Fee, amount_minor: int) -> None:
    fee_minor = fee.of(amount_minor)
    assert type(fee_minor) is int
    assert 0 <= fee_minor <= amount_minor
    assert fee.max_minor is None or fee_minor <= fee.max_minor
    assert fee_minor >= min(
        fee.min_minor, amount_minor, amount_minor if fee.max_minor is None else fee.max_minor
    )


@given(st.integers(0, 999_999), st.integers(1, 10**16))
@example(900_001, 10**16 - 1)
def test_a_share_is_rounded_half_up_exactly(millionths: int, amount_minor: int) -> None:
    """At sums beyond 2**53 too, where a float is off by one."""
    exact = Decimal(amount_minor) * Decimal(millionths) / Decimal(1_000_000)
    assert Fee(percent_millionths=millionths).of(amount_minor) == int(exact + Decimal("0.5"))


# --- no float (the source itself) -------------------------------------------------------------------


def inexact(tree: ast.AST) -> Iterator[str]:
    """Whatever makes or takes a float: literals, true division, ``float``, ``round``, ``/=``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            yield f"{node.lineno}: {node.value}"
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield f"{node.lineno}: true division"
        elif isinstance(node, ast.Name) and node.id in {"float", "round"}:
            yield f"{node.lineno}: {node.id}"


def test_where_sums_are_worked_with_there_is_no_float() -> None:
    assert len(MONEY_FILES) > 20
    found = {
        path.name: list(inexact(ast.parse(path.read_text(encoding="utf-8"))))
        for path in MONEY_FILES
        if path.name not in TIME_FILES
    }
    assert {name: places for name, places in found.items() if places} == {}


def test_the_search_for_floats_finds_them() -> None:
    tree = ast.parse("a = 1.5\nb = c / 2\nb /= 2\nd = float(b)\ne = round(b)\nf = b // 2\ng = 7")
    assert sorted(int(place.partition(":")[0]) for place in inexact(tree)) == [1, 2, 3, 4, 5]
