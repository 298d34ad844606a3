"""A row of a relay's inbox as it travels, and what may be believed of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

from kvit.domain.messages import Fields

PAY, HOLD, POST_HOLD, VOID = "pay", "hold", "post_hold", "void"
KINDS = (PAY, HOLD, POST_HOLD, VOID)

#: Texts of a row are no longer than this; what is longer did not come from a protocol of ours.
_TEXT_MAX = 4_000
_INTEGER_MAX = (1 << 63) - 1


class Envelope(NamedTuple):
    """One row of the inbox; ``content`` is all of it. ``broken``: why it cannot be read (empty: it can)."""

    sequence: int
    kind: str = ""
    agreement_id: str = ""
    txn: str = ""
    number: str = ""
    amount_minor: int = 0
    currency: str = ""
    service: str = ""
    network_time: str = ""
    network_time_raw: str = ""
    fields: Fields = ()
    receipt: int = 0
    relayed_at_us: int = 0
    content: str = ""
    broken: str = ""


def read_row(row: Mapping[str, Any]) -> Envelope | None:
    """A row of the node's answer; ``None`` when not even its sequence can be read. Total."""
    sequence = row.get("sequence")
    if not _is_integer(sequence) or sequence < 1:
        return None
    content = json.dumps(row, ensure_ascii=False, sort_keys=True, default=str)
    if not _is_encodable(content):
        content = json.dumps(row, sort_keys=True, default=str)
    kind = row.get("kind")
    if kind not in KINDS:
        return Envelope(sequence, content=content, broken="it is of a kind that this version does not know")
    texts = {
        name: row.get(key, "")
        for name, key in (
            ("agreement_id", "agreement"), ("txn", "txn"), ("number", "number"), ("currency", "currency"),
            ("service", "service"), ("network_time", "network_time"),
            ("network_time_raw", "network_time_raw"),
        )
    }  # fmt: skip
    amount_minor, receipt, at_us = row.get("amount_minor"), row.get("receipt"), row.get("received_at_us")
    fields = _fields(row.get("fields") or {})
    good = (
        all(_is_text(one) for one in texts.values())
        and bool(texts["txn"])
        and fields is not None
        and all(_is_integer(one) and one >= 0 for one in (amount_minor, receipt, at_us))
    )
    if not good:
        return Envelope(sequence, str(kind), content=content, broken="a part of it is missing or malformed")
    assert fields is not None
    return Envelope(
        sequence, str(kind), fields=fields, content=content, amount_minor=int(amount_minor or 0),
        receipt=int(receipt or 0), relayed_at_us=int(at_us or 0), **texts,
    )  # fmt: skip


def _fields(values: object) -> Fields | None:
    """An object of texts, or a list of pairs of texts."""
    pairs = list(values.items()) if isinstance(values, dict) else values
    if not isinstance(pairs, list):
        return None
    found = []
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(_is_text(one) for one in pair):
            return None
        found.append((pair[0], pair[1]))
    return tuple(found)


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= _TEXT_MAX and "\x00" not in value and _is_encodable(value)


def _is_encodable(text: str) -> bool:
    """JSON can write half of a pair of surrogates; no database takes it."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and -_INTEGER_MAX <= value <= _INTEGER_MAX
