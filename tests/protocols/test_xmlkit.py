"""XML from outside: nothing is fetched, nothing grows, nothing is read twice. (Reliability list, S1.)"""

from __future__ import annotations

import time
import tracemalloc
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvit.protocols.kits import xmlkit

DOCTYPES = {
    "file": b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><r>&x;</r>',
    "http": b'<!DOCTYPE r [<!ENTITY x SYSTEM "http://127.0.0.1:9/">]><r>&x;</r>',
    "outer subset": b'<!DOCTYPE r SYSTEM "http://127.0.0.1:9/r.dtd"><r/>',
    "public": b'<!DOCTYPE r PUBLIC "-//R//EN" "r.dtd"><r/>',
    "parameter entity": b'<!DOCTYPE r [<!ENTITY % x SYSTEM "file:///etc/hostname"> %x;]><r/>',
    "laughs": b'<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><r>&b;</r>',
    "quadratic": b'<!DOCTYPE r [<!ENTITY a "' + b"h" * 50_000 + b'">]><r>' + b"&a;" * 30_000 + b"</r>",
    "default attribute": b'<!DOCTYPE r [<!ATTLIST r a CDATA "x">]><r/>',
    "bare": b"<!DOCTYPE r><r/>",
    "behind a declaration": b'<?xml version="1.0"?>\n<!-- c --><!DOCTYPE r><r/>',
    "UTF-16": '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE r><r/>'.encode("utf-16"),
}

BROKEN = {
    "empty": b"",
    "text": b"ok",
    "html": b"<html><body><br></body></html>",
    "unclosed": b"<r><a></r>",
    "two roots": b"<r/><r/>",
    "junk behind": b"<r/>junk",
    "undeclared entity": b"<r>&nbsp;</r>",
    "repeated attribute": b'<r a="1" a="2"/>',
    "NUL": b"<r>\0</r>",
    "not UTF-8": b"<r>\xff</r>",
    "overlong": b"<r>\xc0\xbc</r>",
    "UTF-16": "<r/>".encode("utf-16"),
    "UTF-16 without mark": "<r/>".encode("utf-16-le"),
    "UTF-7 text is no markup": b"+ADw-r/+AD4-",
    "control character": b"<r>&#1;</r>",
    "deep": b"<r>" * 20_000 + b"</r>" * 20_000,
    "one too deep": b"<r>" * 17 + b"</r>" * 17,
    "large": b"<r>" + b"x" * xmlkit.XML_BYTES_MAX + b"</r>",
}


@pytest.mark.parametrize("body", [*DOCTYPES.values(), *BROKEN.values()], ids=[*DOCTYPES, *BROKEN])
def test_refused(body: bytes) -> None:
    tracemalloc.start()
    began = time.perf_counter()
    assert xmlkit.parse(body) is None
    took_s = time.perf_counter() - began
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert took_s < 1  # 50 ms is meant; a shared machine may pause
    assert peak_bytes < 20_000_000


def test_many_small_pieces_are_read_in_one_pass() -> None:
    body = b"<r>" + b"a<b/>" * 50_000 + b"</r>"
    began = time.perf_counter()
    root = xmlkit.parse(body)
    assert time.perf_counter() - began < 5
    assert root is not None
    assert root.text == "a" * 50_000
    assert len(root.children) == 50_000


def test_a_document_is_read() -> None:
    root = xmlkit.parse('<r a="1">x<b> у </b>&lt;y<![CDATA[<z>]]><b/></r>'.encode())
    assert root is not None
    assert (root.tag, root.attributes, root.text) == ("r", {"a": "1"}, "x<y<z>")
    assert [child.tag for child in root.children] == ["b", "b"]
    assert root.child_text("b") == "у"
    assert root.child_text("c") == ""


def test_the_deepest_allowed_is_read() -> None:
    assert xmlkit.parse(b"<r>" * xmlkit.XML_DEPTH_MAX + b"</r>" * xmlkit.XML_DEPTH_MAX) is not None


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.text(), st.text())
def test_what_is_written_is_read(text: str, attribute: str) -> None:
    """Every text comes back, save for what XML 1.0 cannot carry, which becomes U+FFFD."""
    written = xmlkit.document(xmlkit.element("a", text, (("b", attribute),)), "0")
    root = xmlkit.parse(written.body)
    assert root is not None
    (child,) = root.children
    assert child.text == carried(text)
    assert child.attributes == {"b": carried(attribute)}


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.text(st.characters(codec="utf-8") | st.sampled_from("Жё№…•₸😀\x98")))
def test_a_declared_charset_is_the_real_one(text: str) -> None:
    """In windows-1251 every text comes back: what the charset lacks as a character reference."""
    written = xmlkit.document(xmlkit.element("a", text), "0", charset="windows-1251")
    assert written.headers == ((b"content-type", b"text/xml; charset=windows-1251"),)
    assert xmlkit.charset_of(written.body) == "windows-1251"
    for root in (xmlkit.parse(written.body, "windows-1251"), ET.fromstring(written.body)):  # noqa: S314
        assert root is not None
        (child,) = root.children if isinstance(root, xmlkit.Element) else root
        assert (child.text or "") == carried(text)


@pytest.mark.parametrize(
    ("prolog", "charset"),
    [
        (b"<?xml version='1.0' encoding='Windows-1251' ?>", "windows-1251"),
        (b'<?xml version="1.0" encoding="UTF-8"?>', "utf-8"),
        (b'<?xml version="1.0" encoding="utf-16"?>', "utf-8"),
        (b'<?xml version="1.0"?><a encoding="windows-1251"/>', "utf-8"),
        (b'<a encoding="windows-1251"/>', "utf-8"),
        (b"", "utf-8"),
    ],
)
def test_the_charset_that_a_document_declares(prolog: bytes, charset: str) -> None:
    assert xmlkit.charset_of(prolog + b"<r/>") == charset


def test_bytes_that_are_not_of_the_charset_are_refused() -> None:
    assert xmlkit.parse(b"<r>\x98</r>", "windows-1251") is None
    assert xmlkit.parse(b"<r>\xc6</r>", "windows-1251") == xmlkit.Element("r", text="Ж")
    assert xmlkit.parse(b"<r>\xc6</r>") is None


def carried(text: str) -> str:
    """XML 1.0, production Char."""
    allowed = ((0x9, 0xA), (0xD, 0xD), (0x20, 0xD7FF), (0xE000, 0xFFFD), (0x10000, 0x10FFFF))
    return "".join(
        mark if any(low <= ord(mark) <= high for low, high in allowed) else "\ufffd" for mark in text
    )
