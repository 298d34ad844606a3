"""The door for XML from outside: what attacks a reader is refused, at once and in little memory."""

from __future__ import annotations

import pytest

from kvit.files.base import source_of_bytes
from kvit.files.errors import FileRefused
from kvit.files.guarded_xml import DEPTH_MAX, PIECE_BYTES_MAX, PLACES_MAX, TEXTS_MAX, Record, XmlRecords

MARKS = frozenset({"/a/r", "/a/r/r"})


def way(parent: str, name: str) -> str:
    return parent if name == "wrap" else f"{parent}/{name}"


def records(text: str | bytes) -> list[Record]:
    data = text if isinstance(text, bytes) else text.encode()
    walk = XmlRecords(source_of_bytes(data, "x.xml"), way, MARKS)
    found = list(walk)
    assert walk.broken == ""
    return found


def test_texts_and_attributes_of_records() -> None:
    inner, outer = records(
        '<a z="0">\n<x:r k="1">\n<b>1</b><b> 2 </b><wrap><b>3</b></wrap><r><c/></r></x:r></a>'
    )
    assert (outer.mark, outer.line, outer.parent) == ("/a/r", 2, None)
    assert outer.all("/a/r/b") == ["1", "2", "3"]
    assert outer.first("/a/r/none", "/a/r@k") == "1"
    assert outer.all("/a/r/none") == []
    assert outer.shown() == "/a/r@k 1; /a/r/b 1; /a/r/b 2; /a/r/b 3"
    assert (inner.mark, inner.parent) == ("/a/r/r", outer)


LAUGHS = "".join(f'<!ENTITY l{level} "{f"&l{level - 1};" * 10}">' for level in range(1, 10))


@pytest.mark.parametrize(
    "text",
    [
        f'<!DOCTYPE a [<!ENTITY l0 "lol">{LAUGHS}]><a><r>&l9;</r></a>',
        '<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]><a><r>&f;</r></a>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/hostname">%p;]><a/>',
        "<?xml version='1.0'?><!-- x --><!DOCTYPE a><a/>",
    ],
)
def test_a_document_type_is_refused(text: str) -> None:
    with pytest.raises(FileRefused, match="DOCTYPE"):
        records(text)


def test_an_entity_that_nobody_declared_breaks_the_file() -> None:
    walk = XmlRecords(source_of_bytes(b"<a><r>1</r><r>&x;</r></a>", "x"), way, MARKS)
    assert [record.first("/a/r") for record in walk] == ["1"]
    assert "line 1" in walk.broken


def test_deep_nesting() -> None:
    assert records("<a>" + "<b>" * (DEPTH_MAX - 1) + "</b>" * (DEPTH_MAX - 1) + "</a>") == []
    with pytest.raises(FileRefused, match="nested"):
        records("<a>" + "<b>" * 100_000)


@pytest.mark.parametrize(
    ("before", "after"),
    [('<a x="', '"/>'), ("<a>", "</a>"), ("<a><!-- ", " --></a>"), ("<a><![CDATA[", "]]></a>"), ("<", "/>"),
     ("<a><?p ", "?></a>")],
)  # fmt: skip
def test_a_huge_piece(before: str, after: str) -> None:
    with pytest.raises(FileRefused, match="longer than 1 MB"):
        records(before + "x" * (PIECE_BYTES_MAX * 3) + after)


def test_a_piece_that_is_only_large() -> None:
    assert len(records(f"<a><r>{'x' * 500_000}</r></a>")[0].first("/a/r")) == 500_000


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "windows-1251", "iso-8859-1"])
def test_large_files_in_any_encoding(codec: str) -> None:
    text = f"<?xml version='1.0' encoding='{codec}'?><a>" + "<r><b>1</b></r>\n" * 200_000 + "</a>"
    walk = XmlRecords(source_of_bytes(text.encode(codec), "x"), way, MARKS)
    assert sum(1 for _ in walk) == 200_000
    assert walk.broken == ""


def test_too_many_kinds_of_elements() -> None:
    with pytest.raises(FileRefused, match="kinds"):
        records("<a>" + "".join(f"<b{number}/>" for number in range(PLACES_MAX + 1)) + "</a>")


def test_too_many_texts_in_one_record() -> None:
    with pytest.raises(FileRefused, match="texts"):
        records("<a><r>" + "<b>1</b>" * (TEXTS_MAX + 1) + "</r></a>")
    assert len(records("<a>" + "<r><b>1</b></r>" * (TEXTS_MAX + 1) + "</a>")) == TEXTS_MAX + 1


@pytest.mark.parametrize("data", [b"", b"hello", b"\x00\x01", b"{}", b"   "])
def test_what_is_no_xml(data: bytes) -> None:
    with pytest.raises(FileRefused, match="not XML"):
        records(data)


@pytest.mark.parametrize("declared", ["shift_jis", "no-such", "utf-7", "ebcdic-cp-us"])
def test_encodings_that_are_not_read(declared: str) -> None:
    data = f"<?xml version='1.0' encoding='{declared}'?><a><r>1</r></a>".encode()
    walk = XmlRecords(source_of_bytes(data, "x"), way, MARKS)
    try:
        found = list(walk)
    except FileRefused:
        return
    assert [record.first("/a/r") for record in found] == ["1"]
    assert walk.broken == ""
