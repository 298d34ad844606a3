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
    """For each lock of the protocol that these terms can open: the terms of people who cannot.

    With another login or password, another word to sign with, a signature with a bit flipped, and with
    nothing at all. The keys say it in words. Empty where nothing but addresses guards the door.
    """
    found: dict[str, Terms] = {}
    if "basic" in protocol.locks and (terms.basic_login or terms.basic_password):
        found["a wrong password"] = replace(terms, basic_password=terms.basic_password + "x")
        found["a wrong login"] = replace(terms, basic_login=terms.basic_login + "x")
        found["no credentials"] = replace(terms, basic_login="", basic_password="")
    if "secret" in protocol.locks and terms.secret:
        found["a wrong word to sign with"] = replace(terms, secret=terms.secret + "x")
        found["no word to sign with"] = replace(terms, secret="")
    sign = terms.sign
    if "key" in protocol.locks and sign is not None:
        found["a flipped signature"] = replace(
            terms, sign=lambda algorithm, data: _flipped(sign(algorithm, data))
        )
        found["no signature"] = replace(terms, sign=None)
    return found


def _flipped(signature: bytes) -> bytes:
    return signature[:-1] + bytes([signature[-1] ^ 1])


#: Other sums to find the place of the sum with.
_SUMS_MINOR = (1_234_567, 9_876_543)

#: A value with its name, as it stands in a query or form, in JSON and in XML.
_NAME = rb"[A-Za-z0-9_.:-]+"
_SHAPES = tuple(
    re.compile(shape)
    for shape in (
        rb'"(?P<name>' + _NAME + rb')"\s*:\s*"?(?P<value>[0-9.]+)"?',
        rb"<(?P<name>" + _NAME + rb")>(?P<value>[0-9.]+)</(?P=name)>",
        rb"(?P<name>" + _NAME + rb")=(?P<value>[0-9.]+)(?=&|$)",
    )
)


def with_sum(protocol: Protocol, terms: Terms, payment: Hold | Post, text: str) -> HttpRequest | None:
    """The request for ``payment`` with ``text`` in the place of its sum; ``None`` where that is not found.

    A signature stays that of a good sum, so a biller that checks it first refuses the stranger in it.
    """
    place = _place_of_sum(protocol, terms, payment)
    if place is None:
        return None
    request, part, whole, value = place
    return _with(request, part, whole, whole.replace(value, text.encode("ascii")))


def with_sum_twice(protocol: Protocol, terms: Terms, payment: Hold | Post) -> HttpRequest | None:
    """The request with its sum named twice, with another sum the first time; ``None`` where it names none."""
    place = _place_of_sum(protocol, terms, payment)
    if place is None:
        return None
    request, part, whole, value = place
    other = whole.replace(value, value.translate(_OTHER_DIGITS))
    joint = {b'"': b",", b"<": b""}.get(whole[:1], b"&")
    return _with(request, part, whole, other + joint + whole)


_OTHER_DIGITS = bytes.maketrans(b"123456789", b"234567891")


def _with(request: HttpRequest, part: str, old: bytes, new: bytes) -> HttpRequest:
    if part == "query":
        return replace(request, query=request.query.replace(old, new, 1))
    return replace(request, body=request.body.replace(old, new, 1))


def _place_of_sum(
    protocol: Protocol, terms: Terms, payment: Hold | Post
) -> tuple[HttpRequest, str, bytes, bytes] | None:
    """The request, which part of it names the sum, the sum with its name, and the sum alone.

    Found by asking for three sums: the name whose value is each of them in turn is that of the sum.
    """
    sums = (payment.amount_minor, *_SUMS_MINOR)
    requests = [protocol.ask(replace(payment, amount_minor=one), terms) for one in sums]
    texts = [_texts(one, terms.exponent) for one in sums]
    for part in ("query", "body"):
        for shape in _SHAPES:
            rows = [_named(shape, getattr(request, part)) for request in requests]
            for name, (whole, value) in rows[0].items():
                values = [row.get(name, (b"", b""))[1] for row in rows]
                if all(one in known for one, known in zip(values, texts, strict=True)):
                    return requests[0], part, whole, value
    return None


def _named(shape: re.Pattern[bytes], raw: bytes) -> Mapping[bytes, tuple[bytes, bytes]]:
    """Name -> the value with its name, and the value alone."""
    return {found["name"]: (found[0], found["value"]) for found in shape.finditer(raw)}


def _texts(amount_minor: int, exponent: int) -> tuple[bytes, ...]:
    """The ways in which a sum is written: in minor units, in major ones, those without a fraction."""
    major = format_amount(amount_minor, exponent)
    short = major.rstrip("0").rstrip(".") if "." in major else major
    return tuple(text.encode("ascii") for text in (str(amount_minor), major, short))
