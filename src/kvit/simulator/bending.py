"""Requests as they should not be: from a stranger, with a sum that is none, with a parameter twice.

Everything works on the bytes that the protocol's own ``ask`` made, so that it does for a query, a form, JSON
and XML alike, without knowing any protocol.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from kvit.domain.messages import Hold, HttpRequest, Post
from kvit.domain.money import format_amount
from kvit.protocols.base import Protocol, Terms


def strangers(protocol: Protocol, terms: Terms) -> Mapping[str, Terms]:
    """For each lock of the protocol that these terms can open: the terms of somebody who cannot.

    ``basic``: another password. ``secret``: another word to sign with. ``key``: a signature with a bit
    flipped. Empty where nothing but addresses guards the door.
    """
    found: dict[str, Terms] = {}
    if "basic" in protocol.locks and (terms.basic_login or terms.basic_password):
        found["basic"] = replace(terms, basic_password=terms.basic_password + "x")
    if "secret" in protocol.locks and terms.secret:
        found["secret"] = replace(terms, secret=terms.secret + "x")
    sign = terms.sign
    if "key" in protocol.locks and sign is not None:
        found["key"] = replace(terms, sign=lambda algorithm, data: _flipped(sign(algorithm, data)))
    return found


def _flipped(signature: bytes) -> bytes:
    return signature[:-1] + bytes([signature[-1] ^ 1])


#: Other sums to find the place of the sum with: the same number of digits, all of them different.
_SUMS_MINOR = (1_234_567, 9_876_543)
_TOKEN = re.compile(rb"[0-9.]+")


def with_sum(protocol: Protocol, terms: Terms, payment: Hold | Post, text: str) -> HttpRequest | None:
    """The request for ``payment`` with ``text`` in the place of its sum; ``None`` where that is not found.

    A signature stays that of a good sum, so a biller that checks it first refuses the stranger in it.
    """
    place = _place_of_sum(protocol, terms, payment)
    if place is None:
        return None
    part, token = place
    request = protocol.ask(payment, terms)
    raw: bytes = getattr(request, part)
    return _with(request, part, raw.replace(token, text.encode("ascii"), 1))


def with_sum_twice(protocol: Protocol, terms: Terms, payment: Hold | Post) -> HttpRequest | None:
    """The request with its sum named twice, with another sum the first time; ``None`` where it names none."""
    place = _place_of_sum(protocol, terms, payment)
    if place is None:
        return None
    part, token = place
    request = protocol.ask(payment, terms)
    raw: bytes = getattr(request, part)
    whole = _named(raw, token)
    if whole is None:
        return None
    other = whole.replace(token, token.translate(_OTHER_DIGITS))
    joint = b"&" if whole[:1] not in b'"<' else b"," if whole[:1] == b'"' else b""
    return _with(request, part, raw.replace(whole, other + joint + whole, 1))


def _with(request: HttpRequest, part: str, raw: bytes) -> HttpRequest:
    return replace(request, query=raw) if part == "query" else replace(request, body=raw)


_OTHER_DIGITS = bytes.maketrans(b"123456789", b"234567891")
_NAME = rb"[A-Za-z0-9_.:-]+"


def _named(raw: bytes, token: bytes) -> bytes | None:
    """The sum with its name: ``sum=1.00``, ``"amount":100``, ``<amount>100</amount>``."""
    sum_text = re.escape(token)
    shapes = (
        rb'"' + _NAME + rb'"\s*:\s*"?' + sum_text + rb'"?',
        rb"<(" + _NAME + rb")>" + sum_text + rb"</\1>",
        _NAME + rb"=" + sum_text,
    )
    for shape in shapes:
        if found := re.search(shape, raw):
            return found[0]
    return None


def _place_of_sum(protocol: Protocol, terms: Terms, payment: Hold | Post) -> tuple[str, bytes] | None:
    """Which part of the request holds the sum, and the sum as it stands there.

    Found by asking for three sums: the token that is each of them, in the place of it, is the sum.
    """
    sums = (payment.amount_minor, *_SUMS_MINOR)
    requests = [protocol.ask(replace(payment, amount_minor=one), terms) for one in sums]
    for part in ("query", "body"):
        raws: list[bytes] = [getattr(request, part) for request in requests]
        rows = [_TOKEN.findall(raw) for raw in raws]
        if len({len(row) for row in rows}) != 1:
            continue
        for tokens in zip(*rows, strict=True):
            said = [_texts(one, terms.exponent) for one in sums]
            if all(token in texts for token, texts in zip(tokens, said, strict=True)):
                return part, tokens[0]
    return None


def _texts(amount_minor: int, exponent: int) -> tuple[bytes, ...]:
    """The ways in which a sum is written: in minor units, in major ones, those without a fraction."""
    major = format_amount(amount_minor, exponent)
    short = major.rstrip("0").rstrip(".") if "." in major else major
    return tuple(text.encode("ascii") for text in (str(amount_minor), major, short))
