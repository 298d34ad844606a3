"""The envelope of JSON-RPC: what is a call, what comes back, and in which type."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kvit.domain.messages import HttpRequest, HttpResponse, Malformed
from kvit.protocols.kits import rpckit


def post(values: Any) -> HttpRequest:  # noqa: ANN401 - any JSON
    return HttpRequest("POST", body=json.dumps(values).encode())


def call_with(**members: Any) -> HttpRequest:  # noqa: ANN401
    return post({"jsonrpc": "2.0", "id": 17, "method": "Pay", "params": {"amount": 1}, **members})


def test_a_call() -> None:
    call = rpckit.call_of(call_with())
    assert isinstance(call, rpckit.Call)
    assert (call.id, call.method) == (17, "Pay")
    assert call.params.integer("amount") == 1
    call.params.text("other")
    assert call.params.problem == Malformed("params.other", "missing")


def test_what_may_be_left_out() -> None:
    call = rpckit.call_of(post({"method": "Pay"}))
    assert isinstance(call, rpckit.Call)
    assert call.id is None
    assert call.params.problem == Malformed("params", "missing")


@pytest.mark.parametrize(
    ("request_", "wrong"),
    [
        (HttpRequest("GET", query=b"method=Pay"), Malformed("http-method", "not allowed")),
        (HttpRequest("POST"), Malformed("json", "not a JSON object")),
        (HttpRequest("POST", body=b'{"id":1,"id":2,"method":"Pay"}'), Malformed("json", "not a JSON object")),
        (post([]), Malformed("request", "not an object")),
        (post([{"method": "Pay"}]), Malformed("request", "not an object")),
        (call_with(jsonrpc="1.0"), Malformed("jsonrpc", "not 2.0")),
        (call_with(jsonrpc=2), Malformed("jsonrpc", "not 2.0")),
        (call_with(jsonrpc=None), Malformed("jsonrpc", "not 2.0")),
        (call_with(id=1.5), Malformed("id", "not an integer or a text")),
        (call_with(id=True), Malformed("id", "not an integer or a text")),
        (call_with(id=[1]), Malformed("id", "not an integer or a text")),
        (call_with(id="a\nb"), Malformed("id", "not an integer or a text")),
        (call_with(id="7" * 101), Malformed("id", "not an integer or a text")),
        (call_with(method=None), Malformed("method", "missing")),
        (call_with(method=7), Malformed("method", "not a text")),
        (call_with(method="P" * 65), Malformed("method", "too long")),
    ],
)
def test_what_is_no_call(request_: HttpRequest, wrong: Malformed) -> None:
    assert rpckit.call_of(request_) == wrong
    assert wrong.parameter in rpckit.ENVELOPE_CODES


@pytest.mark.parametrize("params", [[1], "x", 1, None, True])
def test_params_are_an_object(params: object) -> None:
    call = rpckit.call_of(call_with(params=params))
    assert isinstance(call, rpckit.Call)
    assert call.params.problem is not None
    assert call.params.problem.parameter in rpckit.ENVELOPE_CODES


@pytest.mark.parametrize(
    ("given", "echoed"),
    [
        (17, b"17"), (-1, b"-1"), (0, b"0"), ("17", b'"17"'), ("", b'""'), (None, b"null"),
        ("Ж", '"Ж"'.encode()), (1.5, b"null"), (True, b"null"), ({"a": 1}, b"null"), (2**70, b"null"),
        ("a\0", b"null"),
    ],
)  # fmt: skip
def test_the_id_comes_back_in_its_own_type(given: object, echoed: bytes) -> None:
    answer = rpckit.reply(call_with(id=given), {"allow": True})
    assert answer.body == b'{"jsonrpc":"2.0","id":' + echoed + b',"result":{"allow":true}}'
    assert answer.code == "0"


def test_a_failure() -> None:
    answer = rpckit.failure(call_with(), -31050, {"ru": "Нет", "en": "No"}, "contract")
    told = (
        '{"jsonrpc":"2.0","id":17,"error":{"code":-31050,"message":{"ru":"Нет","en":"No"},"data":"contract"}}'
    )
    assert answer.body.decode() == told
    assert answer.code == "-31050"
    unread = rpckit.failure(HttpRequest("POST", body=b"{"), -32700, "no JSON")
    assert unread.body == b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no JSON"}}'


def test_parts_of_a_call_for_the_answer() -> None:
    assert rpckit.method_of(call_with()) == "Pay"
    assert rpckit.params_of(call_with()) == {"amount": 1}
    assert rpckit.method_of(call_with(method=7)) == rpckit.method_of(HttpRequest("GET")) == ""
    assert rpckit.params_of(call_with(params=[1])) == rpckit.params_of(HttpRequest("GET")) == {}


def test_a_call_there_and_back() -> None:
    request = rpckit.call("Pay", {"amount": 1})
    call = rpckit.call_of(request)
    assert isinstance(call, rpckit.Call)
    assert (call.id, call.method, call.params.values) == (1, "Pay", {"amount": 1})
    assert rpckit.answer_of(rpckit.reply(request, {"a": 1})) == rpckit.Answer({"a": 1})
    assert rpckit.answer_of(rpckit.failure(request, -1, "no", "x")) == rpckit.Answer(None, -1, "no", "x")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'{"result":null}', b'{"error":"no"}', b'{"error":{}}', b'{"error":{"code":"1"}}',
        b'{"error":{"code":true},"result":{}}', b'{"error":{"code":0},"result":{}}', b'{"result":{}',
    ],
)  # fmt: skip
def test_what_is_no_answer(body: bytes) -> None:
    assert rpckit.answer_of(HttpResponse(200, body=body)) is None


def test_a_result_beside_an_error_is_none() -> None:
    both = rpckit.answer_of(HttpResponse(200, body=b'{"result":{},"error":{"code":5}}'))
    assert both == rpckit.Answer(None, 5)
    assert rpckit.answer_of(HttpResponse(500, body=b'{"result":{}}')) is None
    assert rpckit.answer_of(HttpResponse(200, body=b'{"result":{},"error":null}')) == rpckit.Answer({})
