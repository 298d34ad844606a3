"""What the vectors cannot show: the network's side of the codes, and switches wrongly set."""

from __future__ import annotations

import pytest

from kvit.domain.messages import HttpResponse, Lookup, Post, Refused, Void
from kvit.protocols import qiwi
from kvit.protocols.base import Heard, Switch, Terms, dialect_problems

PAY = Post("700000000001", "0042017", 45000)


def heard(inner: str, *, status: int = 200, dialect: dict[str, str] | None = None) -> Heard:
    body = f'<?xml version="1.0" encoding="UTF-8"?><response>{inner}</response>'.encode()
    return qiwi.read(PAY, HttpResponse(status, (), body), Terms(dialect=dialect or {}))


@pytest.mark.parametrize(
    ("code", "step"),
    [
        ("0", "done"), ("1", "again"), ("4", "stop"), ("5", "stop"), ("7", "stop"), ("8", "stop"),
        ("31", "stop"), ("32", "stop"), ("79", "stop"), ("90", "again"), ("241", "stop"), ("242", "stop"),
        ("243", "again"), ("300", "stop"), ("10", "stop"), ("500", "stop"), ("215", "stop"), ("275", "stop"),
        ("77777", "stop"), ("-1", "stop"),
    ],
)  # fmt: skip
def test_what_the_network_does_after_each_code(code: str, step: str) -> None:
    assert heard(f"<result>{code}</result>").step == step
    assert heard(f"<result> {code} </result>").code == code


def test_243_is_final_only_where_that_was_agreed() -> None:
    assert heard("<result>243</result>", dialect={"code_243": "stop"}).step == "stop"


@pytest.mark.parametrize("status", [204, 301, 401, 403, 404, 500, 502, 503])
def test_an_http_error_is_asked_again_whatever_its_body_says(status: int) -> None:
    assert heard("<result>0</result>", status=status).step == "again"


@pytest.mark.parametrize(
    "inner", ["", "<result/>", "<result>ok</result>", "<result>0x0</result>", "<x><result>0</result></x>"]
)
def test_an_answer_without_a_code_is_asked_again(inner: str) -> None:
    assert heard(inner).step == "again"


def test_the_answer_to_another_payment_is_asked_again() -> None:
    assert heard("<osmp_txn_id>700000000002</osmp_txn_id><result>0</result>").step == "again"
    assert heard("<osmp_txn_id>700000000001</osmp_txn_id><result>0</result>").step == "done"


def test_what_a_terminal_would_show() -> None:
    fields = '<fields><field1 name="disp1"> Иванова </field1><field2>450.00</field2></fields><x><y>1</y></x>'
    assert heard("<result>0</result>" + fields).shown == (("disp1", "Иванова"), ("field2", "450.00"))


def test_another_root_is_not_an_answer() -> None:
    answer = HttpResponse(200, (), b"<html><result>0</result></html>")
    assert qiwi.read(PAY, answer, Terms()).step == "again"


def test_the_dummy_sum_of_a_check_is_in_the_currency() -> None:
    assert b"sum=1.00" in qiwi.ask(Lookup("1", "2"), Terms()).query
    assert qiwi.ask(Lookup("1", "2"), Terms(exponent=0)).query.endswith(b"sum=1")


def test_a_cancellation_without_a_sum_is_not_asked_with_one() -> None:
    asked = qiwi.ask(Void(txn="1", void_txn="2", number="3"), Terms(dialect={"cancel": "b"}))
    assert b"sum" not in asked.query


def test_a_refusal_that_nobody_knows_is_our_own_fault() -> None:
    request = qiwi.ask(PAY, Terms())
    for reason in ("done", "conflict", "", "no such reason"):
        assert qiwi.encode(request, Refused(reason), Terms()).code == "1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("response_txn_tag", "id"), ("answer_sum", "yes"), ("cancel", "c"), ("show", "name;debt"),
        ("show", "password:disp1"), ("show", 'name:disp1" x="'),
        ("debt_label", "a\nb"), ("debt_label", "x" * 41),
        ("account_pattern", "[0-9"), ("account_pattern", "x" * 201), ("account_pattern", "(?<n"),
        ("account_normalise", "pad-0"), ("account_normalise", "pad-100"), ("account_normalise", ""),
        ("txn_date_format", "%Y%m%d"), ("conflict_code", "0"), ("conflict_code", "1"), ("closed_code", "90"),
        ("cancel_not_found_code", "1"), ("ask_method", "PUT"),
    ],
)  # fmt: skip
def test_what_a_switch_cannot_be(name: str, value: str) -> None:
    assert set(dialect_problems(qiwi.DIALECT, {name: value})) == {name}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("show", "none"), ("show", "debt"), ("show", "name:disp1:disp,debt::prt-data,advance"),
        ("debt_label", ""), ("account_pattern", ""), ("account_pattern", r"\d{7}|[А-Я]-\d+"),
        ("account_normalise", "pad-19"),
    ],
)  # fmt: skip
def test_what_a_switch_can_be(name: str, value: str) -> None:
    assert dialect_problems(qiwi.DIALECT, {name: value}) == {}


def test_a_problem_says_what_is_possible() -> None:
    assert Switch("on", ("on", "off")).problem("yes") == "must be one of: on, off"
    assert Switch("", pattern="[a-z]*").problem("A") == "does not have the form [a-z]*"
