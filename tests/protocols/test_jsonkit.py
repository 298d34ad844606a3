"""JSON: what a codec keeps of a document beside what it reads."""

from __future__ import annotations

import json

from kvit.domain.messages import HttpRequest
from kvit.protocols import jsonkit

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
