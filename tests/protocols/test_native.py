"""What the vectors cannot show: the bank's side of signatures and codes, answers to other questions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kvit.domain.messages import (
    Found,
    HttpRequest,
    HttpResponse,
    Lookup,
    Malformed,
    NoSuchTxn,
    Post,
    Posted,
    Result,
    Status,
    TryLater,
)
from kvit.protocols import native
from kvit.protocols.base import Terms

TERMS = Terms(secret="ein Wort, das beide wissen")
AT = datetime(2025, 3, 14, 6, 15, 31, tzinfo=UTC)
PAY = Post("A-1", "0042017", 45000, "RUB")
POSTED = Posted("A-1", 10045, "0042017", 45000, "RUB", AT)


def answered(result: Result, terms: Terms = TERMS) -> HttpResponse:
    return native.encode(native.ask(PAY, terms), result, terms)


def test_an_answer_is_good_for_its_own_question_alone() -> None:
    answer = answered(POSTED)
    assert native.read(PAY, answer, TERMS).step == "done"
    for other in (
        replace(PAY, amount_minor=45100),
        replace(PAY, txn="A-2"),
        Status("A-1"),
        Lookup("", "0042017"),
    ):
        assert native.read(other, answer, TERMS).step == "again"


@pytest.mark.parametrize("result", [POSTED, NoSuchTxn("A-1"), Malformed("amount"), TryLater()])
def test_an_answer_that_was_changed_is_none(result: Result) -> None:
    answer = answered(result)
    assert native.read(PAY, answer, replace(TERMS, secret="another")).step == "again"
    assert native.read(PAY, replace(answer, headers=answer.headers[:-1]), TERMS).step == "again"
    assert (
        native.read(PAY, replace(answer, headers=(*answer.headers, answer.headers[-1])), TERMS).step
        == "again"
    )
    assert native.read(PAY, replace(answer, body=answer.body + b" "), TERMS).step == "again"
    for status in {200, 201, 400, 500, 503} - {answer.status}:
        assert native.read(PAY, replace(answer, status=status), TERMS).step == "again"


def test_a_malformed_request_is_not_repeated() -> None:
    heard = native.read(PAY, answered(Malformed("amount", "not a sum")), TERMS)
    assert (heard.step, heard.code, heard.comment) == ("stop", "malformed", "not a sum")


def test_a_denial_is_not_final() -> None:
    """The payment may be booked already: only the secret is wrong."""
    wrong = replace(TERMS, secret="wrong")
    denied = native.decode(native.ask(PAY, wrong), TERMS)
    answer = native.encode(native.ask(PAY, wrong), denied, TERMS)  # type: ignore[arg-type]
    assert answer.status == 401
    assert native.read(PAY, answer, wrong).step == "again"


def test_a_check_is_never_told_that_something_is_booked() -> None:
    lookup = Lookup("", "0042017")
    request = native.ask(lookup, TERMS)
    assert native.encode(request, POSTED, TERMS).code == "try-later"
    assert native.encode(native.ask(PAY, TERMS), Found("1", 1, 0, "RUB"), TERMS).code == "try-later"


def test_the_agreement_s_currency_is_named_where_the_payment_has_none() -> None:
    command = native.decode(native.ask(replace(PAY, currency=""), TERMS), TERMS)
    assert command == replace(PAY, currency="RUB")


@pytest.mark.parametrize("path", ["", "Pay", "pay/", "v1=pay", "../pay", "pay\n{}", "\u0439"])
def test_only_the_described_paths_are_there(path: str) -> None:
    request = native.ask(PAY, TERMS)
    moved = HttpRequest("POST", path, b"", request.headers, request.body)
    assert type(native.decode(moved, TERMS)).__name__ == "Denied"
    signature = native._signature(TERMS, "POST", path, request.body)
    signed = replace(moved, headers=((b"kvit-signature", signature),))
    assert native.decode(signed, TERMS) == Malformed("path", "unknown")
