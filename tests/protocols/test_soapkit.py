"""SOAP: what an envelope brings, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvit.domain.messages import HttpRequest
from kvit.protocols.kits import soapkit

SPACE = "http://biller.example/"


def envelope(inner: str) -> bytes:
    return f'<s:Envelope xmlns:s="x"><s:Header/><s:Body>{inner}</s:Body></s:Envelope>'.encode()


def test_an_operation_with_texts_and_groups() -> None:
    body = soapkit.body_of(envelope("<n:Pay><n:a> 1 </n:a><p><k>x</k><v>y</v></p><b/><p><k/></p></n:Pay>"))
    assert body == soapkit.Body("Pay", {"a": "1", "b": ""}, [("p", {"k": "x", "v": "y"}), ("p", {"k": ""})])


@pytest.mark.parametrize(
    "document",
    [
        b"", b"<a/>", b"<Envelope/>", b"<Envelope><Body/></Envelope>", envelope("<a/><b/>"), envelope("<a>"),
        b"<Envelope><Body><a/></Body><Body><a/></Body></Envelope>", b"<!DOCTYPE a>" + envelope("<a/>"),
    ],
)  # fmt: skip
def test_what_is_no_envelope(document: bytes) -> None:
    assert soapkit.body_of(document) is None


@pytest.mark.parametrize("inner", ["<a/><a/>", "<p><k/><k/></p>", "<p><k><x/></k></p>", "<a/><n:a/>"])
def test_what_has_no_one_meaning(inner: str) -> None:
    assert soapkit.body_of(envelope(f"<Pay>{inner}</Pay>")) is None


def test_who_asks() -> None:
    def accepted(inner: str, login: str = "lög", word: str = "in") -> bool:
        body = soapkit.body_of(envelope(f"<Pay>{inner}</Pay>"))
        assert body is not None
        return soapkit.accepts(body, ("user", login), ("word", word))

    assert accepted("<user>lög</user><word>in</word>")
    assert accepted("", "", "")
    for wrong in (
        "",
        "<user>lög</user>",
        "<user>lög</user><word>In</word>",
        "<user>log</user><word>in</word>",
    ):
        assert not accepted(wrong)


def test_groups_are_written() -> None:
    groups = [[("k", "<x>"), ("v", "")], [("k", "y")]]
    body = soapkit.body_of(envelope(f"<Pay>{soapkit.grouped('p', groups)}</Pay>"))
    assert body == soapkit.Body("Pay", {}, [("p", {"k": "<x>", "v": ""}), ("p", {"k": "y"})])


def test_the_bytes_are_parsed_once() -> None:
    request = soapkit.post("Pay", SPACE, "")
    assert soapkit.asked(request) is soapkit.asked(request)
    assert soapkit.asked(HttpRequest("PUT", body=request.body)) is None


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.text(st.characters(exclude_categories=["C"])))
def test_what_is_written_is_read(text: str) -> None:
    request = soapkit.post("Pay", SPACE, soapkit.elements([("a", text)]))
    assert soapkit.body_of(request.body) == soapkit.Body("Pay", {"a": text.strip()}, [])
    answer = soapkit.document("PayResult", SPACE, soapkit.elements([("a", text)]), "0")
    assert soapkit.body_of(answer.body) == soapkit.Body("PayResult", {"a": text.strip()}, [])
    assert answer.headers == ((b"content-type", b"text/xml; charset=utf-8"),)
