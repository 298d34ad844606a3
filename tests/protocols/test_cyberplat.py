"""What the vectors cannot show: the network's side of the codes and of our signature."""

from __future__ import annotations

import pytest

from kvit.domain.messages import Command, HttpRequest, HttpResponse, Status, Void
from kvit.protocols import cyberplat
from kvit.protocols.base import Heard, Terms
from tests.protocols.rsa import KEYS, sign

STATUS = Status("500000123")
CANCEL = Void("500000123", reason="2")
TERMS = Terms(**KEYS)


def signed(text: str) -> bytes:
    signature = sign("sha1", text.encode()).hex()
    return text.replace("</response>", f"<sign>{signature}</sign></response>").encode()


def heard(code: str, command: Command = STATUS, dialect: dict[str, str] | None = None) -> Heard:
    body = signed(f'<?xml version="1.0" encoding="windows-1251"?><response><code>{code}</code></response>')
    return cyberplat.read(command, HttpResponse(200, (), body), Terms(dialect=dialect or {}, **KEYS))


@pytest.mark.parametrize(
    ("code", "step"),
    [
        ("0", "done"), ("-4", "stop"), ("-3", "again"), ("-2", "stop"), ("-1", "stop"), ("1", "stop"),
        ("2", "stop"), ("3", "stop"), ("4", "stop"), ("5", "stop"), ("6", "stop"), ("7", "stop"),
        ("8", "again"),
        ("9", "stop"), ("10", "stop"), ("11", "again"), ("12", "again"), ("14", "again"), ("100", "stop"),
        ("", "again"), ("00", "again"), ("77", "again"), ("ok", "again"),
    ],
)  # fmt: skip
def test_what_the_network_does_after_each_code(code: str, step: str) -> None:
    assert heard(code).step == step


def test_what_is_cancelled_already_is_cancelled() -> None:
    assert heard("7", CANCEL).step == "done"
    assert heard("6", CANCEL).step == "stop"


def test_11_is_final_only_where_that_was_agreed() -> None:
    assert heard("11", CANCEL, {"code_11": "final"}).step == "stop"


TEXT = "<response><code>0</code></response>"


@pytest.mark.parametrize(
    "body",
    [
        TEXT.encode(),
        signed(TEXT).replace(b"<code>0", b"<code>2"),
        signed(TEXT).replace(b"<sign>", b"<sign>00"),
        signed(TEXT).replace(b"<code>", b"<code >"),
        signed(TEXT) + b"<!-- -->",
        b"<response><sign></sign></response>",
    ],
)
def test_an_answer_without_our_signature_is_asked_again(body: bytes) -> None:
    assert cyberplat.read(STATUS, HttpResponse(200, (), body), TERMS).step == "again"


def test_a_line_end_behind_the_answer_is_signed_too() -> None:
    assert cyberplat.read(STATUS, HttpResponse(200, (), signed(TEXT + "\n")), TERMS).step == "done"


@pytest.mark.parametrize("status", [204, 302, 401, 403, 500, 503])
def test_an_http_error_is_asked_again_whatever_its_body_says(status: int) -> None:
    assert cyberplat.read(STATUS, HttpResponse(status, (), signed(TEXT)), TERMS).step == "again"


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"&sign=00",
        b"action=&sign=",
        b"sign=00",
        b"action=status&sign=0",
        b"action=status&sign=+1",
        b"\xff" * 99,
    ],
)
def test_nothing_unsigned_is_read(query: bytes) -> None:
    assert type(cyberplat.decode(HttpRequest("GET", query=query), TERMS)).__name__ == "Denied"
