"""What Sberbank's and Kaspi's vectors cannot show: editions of a code table, the bank's side of codes."""

from __future__ import annotations

import pytest

from kvit.domain.messages import REFUSALS, HttpResponse, Lookup, Post
from kvit.protocols import kaspi, sberbank, sberbank2
from kvit.protocols.base import Terms

PAY = Post("5100000000000001", "0042017", 45000)
CHECK = Lookup("5100000000000001", "0042017")
YES = {"found", "paid"}


def answer(tag: str, code: str, *, status: int = 200) -> HttpResponse:
    body = f'<?xml version="1.0" encoding="UTF-8"?><response><{tag}>{code}</{tag}></response>'
    return HttpResponse(status, (), body.encode())


@pytest.mark.parametrize("edition", sberbank.EDITIONS)
def test_no_edition_says_yes_or_again_of_a_no(edition: str) -> None:
    numbers = {name: code for name, (code, _) in sberbank.CODES.items()}
    numbers.update(sberbank.EDITIONS[edition])
    assert {name for name, code in numbers.items() if code == numbers["found"]} == YES
    assert {name for name, code in numbers.items() if code == numbers["paid-before"]} == {"paid-before"}
    assert {name for name, code in numbers.items() if code == numbers["try-later"]} == {"try-later"}


@pytest.mark.parametrize("edition", sberbank.EDITIONS)
def test_an_edition_renumbers_what_there_is(edition: str) -> None:
    assert set(sberbank.EDITIONS[edition]) <= set(sberbank.CODES)


@pytest.mark.parametrize("codes", [kaspi.CODES, sberbank.CODES, sberbank2.CODES])
def test_every_no_is_in_the_table(codes: dict[str, tuple[str, str]]) -> None:
    noes = {"no-such-account", "no-such-txn", "conflict", "malformed", "try-later", "too-small", "too-large"}
    assert set(REFUSALS) | noes <= set(codes)


@pytest.mark.parametrize(
    ("edition", "code", "step"),
    [
        ("main", "0", "done"), ("main", "8", "done"), ("main", "1", "again"), ("main", "5", "stop"),
        ("main", "300", "stop"), ("main", "12345", "stop"), ("main", "-1", "stop"), ("main", "x", "again"),
        ("main", "--1", "again"), ("utm5", "5", "done"), ("utm5", "8", "stop"), ("utm5", "1", "again"),
        ("lanbilling", "8", "done"), ("lanbilling", "-1", "stop"), ("lanbilling", "12", "stop"),
    ],
)  # fmt: skip
def test_what_the_bank_does_after_each_code(edition: str, code: str, step: str) -> None:
    terms = Terms(dialect={"codes": edition})
    assert sberbank.read(PAY, answer("CODE", code), terms).step == step


def test_a_duplicate_is_a_yes_to_a_payment_alone() -> None:
    assert sberbank.read(CHECK, answer("CODE", "8"), Terms()).step == "stop"
    assert sberbank2.read(CHECK, answer("result", "8"), Terms()).step == "stop"
    assert sberbank2.read(PAY, answer("result", "8"), Terms()).step == "done"


@pytest.mark.parametrize("status", [204, 301, 400, 401, 403, 404, 500, 503])
def test_an_http_error_is_asked_again_whatever_its_body_says(status: int) -> None:
    assert sberbank.read(PAY, answer("CODE", "0", status=status), Terms()).step == "again"
    assert sberbank2.read(PAY, answer("result", "0", status=status), Terms()).step == "again"
    terms = Terms(dialect={"format": "xml"})
    assert kaspi.read(PAY, answer("result", "0", status=status), terms).step == "again"


def test_400_is_an_answer_only_where_that_was_agreed() -> None:
    terms = Terms(dialect={"http_status": "by-code"})
    assert sberbank.read(PAY, answer("CODE", "9", status=400), terms).step == "stop"
    assert sberbank.read(PAY, answer("CODE", "1", status=500), terms).step == "again"


@pytest.mark.parametrize(
    ("code", "step"),
    [("0", "done"), ("4", "again"), *((code, "stop") for code in ("1", "2", "3", "5", "77"))],
)
def test_what_kaspi_does_after_each_code(code: str, step: str) -> None:
    assert kaspi.read(PAY, HttpResponse(200, (), f'{{"result":{code}}}'.encode()), Terms()).step == step


@pytest.mark.parametrize(
    "body",
    [b'{"result":true}', b'{"result":0.0}', b'{"result":null}', b'{"result":0,"result":0}', b"[0]", b"0",
     b"{}", b'{"result":0,"txn_id":"5100000000000002"}'],
)  # fmt: skip
def test_what_is_no_answer_to_kaspi_is_asked_again(body: bytes) -> None:
    assert kaspi.read(PAY, HttpResponse(200, (), body), Terms()).step == "again"


def test_the_hash_that_an_operator_published() -> None:
    asked = {"command": "check", "txn_id": "1", "account": "49578", "sum": "1.00", "hash": "not hashed"}
    assert sberbank2.hash_of(asked, "SecretWord") == "9eacf62d29c062bef583964461300862"
