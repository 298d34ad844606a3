"""JSON: what a codec keeps of a document beside what it reads."""

from __future__ import annotations

import json

import pytest

from kvit.domain.messages import HttpRequest, Malformed
from kvit.protocols.kits import jsonkit

NAMES = frozenset({"a", "b", "c", "d", "e", "f", "g", "h"})


def kept(body: bytes) -> tuple[tuple[str, str], ...]:
    fields = jsonkit.object_of(HttpRequest("POST", body=body))
    assert isinstance(fields, jsonkit.Fields)
    pairs = fields.kept(NAMES)
    assert fields.problem is None
    return pairs


def test_texts_and_numbers_are_kept_in_their_order() -> None:
    assert kept(b'{"c":"x y","other":"z","b":7,"a":1.50}') == (("c", "x y"), ("b", "7"), ("a", "1.50"))


def test_what_is_no_text_is_left_out() -> None:
    values: dict[str, object] = {
        "a": None,
        "b": "",
        "c": True,
        "d": [],
        "e": {"a": "1"},
        "f": "x\0",
        "g": "x" * 1001,
        "h": "x" * 1000,
    }
    assert kept(json.dumps(values).encode()) == (("h", "x" * 1000),)


def test_paths_become_objects() -> None:
    pairs = [("account.street", "1"), ("account.house", "2"), ("a.b.c", "3"), ("plain", "4")]
    assert jsonkit.nested([*pairs]) == {
        "account": {"street": "1", "house": "2"},
        "a": {"b": {"c": "3"}},
        "plain": "4",
    }
    assert jsonkit.nested([("a", "1"), ("a.b", "2")]) == {"a": {"b": "2"}}
    assert jsonkit.nested([("a.b", "2"), ("a", "1")]) == {"a": "1"}


def read(values: dict[str, object]) -> jsonkit.Fields:
    return jsonkit.Fields(values)


def test_a_sum_that_is_a_text() -> None:
    fields = read({"a": "450.00", "b": "450"})
    assert (fields.decimal_minor("a", 2), fields.decimal_minor("b", 2)) == (45000, 45000)
    assert fields.problem is None


@pytest.mark.parametrize(
    "value", [450, jsonkit.Number("450.00"), "450,00", "-1", "1e3", "450.001", True, [], "", None]
)
def test_what_is_no_sum_in_a_text(value: object) -> None:
    fields = read({"a": value})
    assert fields.decimal_minor("a", 2) == 0
    assert fields.problem is not None
    assert fields.problem.parameter == "a"


def test_a_currency_code() -> None:
    assert read({"a": "KZT"}).currency("a") == "KZT"
    for value in ("kzt", "KZTT", "ТНГ", "K1T", 398, None):
        fields = read({"a": value})
        fields.currency("a")
        assert fields.problem is not None


def test_a_time_with_its_offset() -> None:
    fields = read({"a": "2025-03-14T09:15:30Z"})
    assert fields.instant("a") == "2025-03-14T09:15:30+00:00"
    assert fields.instant("b", required=False) == ""
    assert fields.problem is None
    without = read({})
    assert without.instant("b") == ""
    assert without.problem == Malformed("b", "missing")
    local = read({"a": "2025-03-14T09:15:30"})
    assert local.instant("a") == ""
    assert local.problem == Malformed("a", "not a time with its offset")


def test_other_members_are_named_where_their_name_is_fit() -> None:
    fields = read({"a": 1, "b": 2})
    fields.only(("a", "b", "c"))
    assert fields.problem is None
    one = read({"a": 1, "b": 2})
    one.only(("a",))
    assert one.problem == Malformed("b", "unknown")
    odd = read({"<b>": 1})
    odd.only(())
    assert odd.problem == Malformed("member", "unknown")
