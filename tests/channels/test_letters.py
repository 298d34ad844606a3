"""Letters as banks write them: names in pieces and code pages, letters in letters, and tricks."""

from __future__ import annotations

import base64
from email.message import EmailMessage
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvit.channels.letters import read_letter, sender_of, subject_of, vouched_for

NAME = "Реестр за ноябрь.csv"


def word(page: str, data: bytes) -> bytes:
    return f"=?{page}?B?{base64.b64encode(data).decode()}?=".encode()


def names(disposition: bytes, kind: bytes = b"application/octet-stream") -> list[str]:
    letter = (
        b"From: bank@bank.example\r\nMIME-Version: 1.0\r\nContent-Type: " + kind
        + b"\r\nContent-Disposition: " + disposition + b"\r\n\r\nrow\r\n"
    )  # fmt: skip
    return [one.name for one in read_letter(letter, with_text=False).attachments]


KOI, WIN, UTF = NAME.encode("koi8-r"), NAME.encode("cp1251"), NAME.encode()
_HALF = base64.b64encode(KOI)


@pytest.mark.parametrize(
    "disposition",
    [
        b'attachment; filename="' + word("koi8-r", KOI[:7]) + b"\r\n " + word("koi8-r", KOI[7:]) + b'"',
        b"attachment; filename=" + word("windows-1251", WIN),
        b'attachment; filename="' + word("utf-8", UTF[:5]) + b" " + word("utf-8", UTF[5:]) + b'"',
        b"attachment;\r\n filename*0*=koi8-r''" + quote(KOI[:6]).encode()
        + b";\r\n filename*1*=" + quote(KOI[6:]).encode(),
        b"attachment; filename*=utf-8''" + quote(UTF).encode(),
        b"attachment; filename*=no-such-page''" + quote(WIN).encode(),
        b'attachment; filename*0="=?koi8-r?B?' + _HALF[:10] + b'"; filename*1="' + _HALF[10:] + b'?="',
        b'attachment; filename="' + WIN + b'"',
        b'attachment; filename="' + KOI + b'"',
        b'inline; filename="' + UTF + b'"',
        b'attachment; filename="C:\\bank\\..\\' + word("koi8-r", KOI) + b'"',
        b'attachment; filename="../../' + UTF + b'"',
    ],
    ids=range(12),
)  # fmt: skip
def test_names(disposition: bytes) -> None:
    assert names(disposition) == [NAME]


def test_the_name_may_stand_with_the_kind() -> None:
    assert names(b"attachment", b'application/x-any; name="' + word("koi8-r", KOI) + b'"') == [NAME]


def test_a_letter_in_a_letter_and_several_registers() -> None:
    inner = EmailMessage()
    inner["Subject"] = "forwarded"
    inner.set_content("see the file")
    inner.add_attachment(b"one", maintype="text", subtype="csv", filename="one.csv")
    inner.add_attachment("два".encode("cp1251"), maintype="text", subtype="csv", filename="two.csv")
    outer = EmailMessage()
    outer.set_content("as promised")
    outer.add_attachment(inner)
    outer.add_attachment(b"three", maintype="application", subtype="zip", filename="three.zip")
    found = read_letter(outer.as_bytes(), with_text=True)
    assert [(one.name, one.content) for one in found.attachments] == [
        ("one.csv", b"one"), ("two.csv", "два".encode("cp1251")), ("three.zip", b"three"),
    ]  # fmt: skip


def test_the_text_is_a_file_where_that_is_wanted_and_there_is_no_other() -> None:
    letter = b"From: a@b.c\r\nContent-Type: text/plain; charset=koi8-r\r\n\r\n1;2\r\n"
    assert read_letter(letter, with_text=False).attachments == []
    assert [(one.name, one.content) for one in read_letter(letter, with_text=True).attachments] == [
        ("letter.txt", b"1;2\r\n")
    ]


def test_a_box_of_outlook_is_seen() -> None:
    letter = b'Content-Type: application/ms-tnef; name="winmail.dat"\r\n\r\nx'
    assert read_letter(letter, with_text=False).is_boxed


def test_a_letter_of_a_thousand_parts_or_levels_is_refused() -> None:
    many = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\na\r\n" * 1_000 + b"--x--\r\n"
    with pytest.raises(ValueError, match="more than 500 parts"):
        read_letter(many, with_text=False)
    deep = b"".join(
        f"Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n".encode()
        for level in range(5_000)
    )
    with pytest.raises(ValueError, match=r"nested|parts"):
        read_letter(deep, with_text=False)


@pytest.mark.parametrize(
    ("head", "sender"),
    [
        (b"From: Bank <Reg@Bank.example>", "reg@bank.example"),
        (b'From: "Bank, \r\n Moscow" <reg@bank.example>', "reg@bank.example"),
        (b"From: reg@bank.example", "reg@bank.example"),
        (b"From: " + word("koi8-r", "Банк".encode("koi8-r")) + b" <reg@bank.example>", "reg@bank.example"),
        (b"From: reg@bank.example <evil@other.example>", ""),
        (b"From: reg@bank.example, evil@other.example", ""),
        (b"From: reg@bank.example\r\nFrom: evil@other.example", ""),
        (b"From: <reg@bank.example> <evil@other.example>", ""),
        (b"From: reg@bank.example(evil@other.example)", ""),
        (b"From: evil@other.example\x00@bank.example", ""),
        (b"Sender: reg@bank.example", ""),
        (b"From: " + b"a" * 100_000, ""),
    ],
)
def test_who_wrote_it(head: bytes, sender: str) -> None:
    assert sender_of(head + b"\r\n\r\n") == sender


@pytest.mark.parametrize(
    ("results", "is_vouched"),
    [
        ("mx.our.example; dkim=pass header.d=bank.example", True),
        ("mx.our.example; spf=pass; dkim=pass (2048-bit (ok)) header.i=@bank.example header.s=k", True),
        ("mx.our.example 1; dkim=pass header.d=mail.bank.example", True),
        ("mx.our.example; dkim=pass header.d=other.example", False),
        ("mx.our.example; dkim=pass header.d=evilbank.example", False),
        ("mx.our.example; dkim=fail header.d=bank.example", False),
        ("mx.our.example; dkim=none", False),
        ("mx.our.example; dkim=pass header.d=example", False),
        ("mx.other.example; dkim=pass header.d=bank.example", False),
        ("mx.other.example (mx.our.example); dkim=pass header.d=bank.example", False),
        ("mx.our.example; x=1 dkim=pass header.d=bank.example", False),
        ("mx.other.example; none\r\nAuthentication-Results: mx.our.example; dkim=pass header.d=bank.example",
         False),
    ],
)  # fmt: skip
def test_who_vouches_for_it(results: str, is_vouched: bool) -> None:
    head = f"Authentication-Results: {results}\r\nFrom: reg@bank.example\r\n\r\n".encode()
    assert vouched_for(head, "mx.our.example") is is_vouched


def test_without_results_nobody_does() -> None:
    assert not vouched_for(b"From: reg@bank.example\r\n\r\n", "mx.our.example")


def test_the_subject_in_halves() -> None:
    text = "РЕЕСТР ПЛАТЕЖЕЙ".encode("koi8-r")
    head = b"Subject: " + word("koi8-r", text[:5]) + b"\r\n " + word("koi8-r", text[5:]) + b"\r\n\r\n"
    assert subject_of(head) == "РЕЕСТР ПЛАТЕЖЕЙ"


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything(data: bytes) -> None:
    for letter in (data, b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" + data):
        read_letter(letter, with_text=True)
        sender_of(letter)
        subject_of(letter)
        vouched_for(letter, "mx")
