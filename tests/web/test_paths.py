"""Only what is a door opens, by GET and POST; everything else says no, and says nothing of the house."""

from __future__ import annotations

import re

import pytest

from tests.web.serving import BASIC, NUMBER, Office, Serving

PAY = f"command=pay&txn_id=%d&txn_date=20261101120000&account={NUMBER}&sum=11.00"
#: What would help somebody who looks for a way in.
TELLING = re.compile(
    rb"Traceback|File \"|site-packages|sqlite|SELECT|INSERT|Error\b|Exception|/src/|kvit|uvicorn|litestar|"
    rb"python|[0-9]+\.[0-9]+\.[0-9]+|127\.0\.0\.1",
    re.IGNORECASE,
)

NOWHERE = (
    "/", "/pay", "/pay/", "/pay//qiwi", "//pay/qiwi", "/pay/none", "/pay/QIWI", "/PAY/qiwi", "/pay/qiwi;a=b",
    "/pay/qiwi%00", "/pay/qiwi%20", "/pay%2fqiwi", "/pay/%71iwi", "/%70ay/qiwi", "/pay/qiwi%2f",
    "/pay/qiwi%3Fa=b",
    "/pay/%2e/qiwi", "/pay/./qiwi", "/pay/../pay/qiwi", "/./pay/qiwi", "/pay/qiwi/../qiwi", "/pay/qiwi/..",
    "/pay/qiwi/./x", "/pay/none/../qiwi", "/pay/qiwi/../../healthz", "/pay/%D0%BA%D0%B8", "/pay/%F0%9F",
    "/pay/..%5cqiwi", "/healthz/", "/healthz/x", "/schema", "/docs", "/openapi.json", "/metrics", "/kiosk",
    "/static/", "/console", "/api", "/.env", "/kvit.toml", "*",
)  # fmt: skip


@pytest.mark.parametrize("target", NOWHERE)
def test_what_is_no_door_is_not_found(target: str, server: Serving, unharmed: None) -> None:
    for method in ("GET", "POST"):
        answer = server.ask(target + "?" + PAY % 51, method=method)
        assert answer.status in (404, 405)
        assert (
            TELLING.search(answer.head.replace(b"content-type: application/json", b"") + answer.body) is None
        )


@pytest.mark.parametrize(
    "method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"]
)
def test_other_methods_are_refused(method: str, server: Serving, unharmed: None) -> None:
    answer = server.ask("/pay/qiwi?" + PAY % 52, method=method)
    assert answer.status == 405
    assert b"allow: GET, POST" in answer.head
    assert TELLING.search(answer.head + answer.body) is None


def test_a_head_has_no_body(server: Serving, unharmed: None) -> None:
    assert server.ask("/pay/qiwi?" + PAY % 53, method="HEAD").body == b""


def test_a_door_is_also_what_is_below_it(office: Office, server: Serving) -> None:
    """Networks write a script's name, or a slash, behind the address that they were told."""
    before = office.payments()
    for txn, below in enumerate(("", "/", "/payment_app.cgi", "/a/b"), 54):
        assert server.ask(f"/pay/qiwi{below}?" + PAY % txn).result == "0"
    assert office.payments() == before + 4


def test_no_answer_tells_what_is_behind_the_door(server: Serving, unharmed: None) -> None:
    asked = ("command=check", "command=nonsense", "", "a=%ZZ", PAY.replace("11.00", "1e3") % 58)
    for query in asked:
        for headers in (BASIC, b""):
            answer = server.ask("/pay/qiwi?" + query, headers=headers)
            told = answer.head.replace(b'Basic realm="kvit"', b"").replace(b"www-authenticate: ", b"")
            assert TELLING.search(told + answer.body.replace(b'version="1.0"', b"")) is None
            assert b"\nserver:" not in answer.head.lower()


def test_answers_are_kept_by_no_proxy(server: Serving, unharmed: None) -> None:
    assert b"cache-control: no-store" in server.check().head
    assert b"cache-control: no-store" in server.ask("/pay/qiwi", headers=b"").head


def test_health_is_told_to_everybody_and_no_more_than_that(server: Serving) -> None:
    answer = server.ask("/healthz?verbose=1", headers=b"")
    assert (answer.status, answer.body) == (200, b"ready\n")
    assert TELLING.search(answer.head + answer.body) is None
