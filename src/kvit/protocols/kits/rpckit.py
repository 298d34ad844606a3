"""JSON-RPC 2.0 for the protocols that speak it: the envelope, the reply, the failure.

One call a request, members by name. The id comes back as it came, in the type that it had. Standard library
only, Python 3.9 syntax: protocols also run on cheap hosting.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, NamedTuple, Optional, Union

from kvit.domain.messages import HttpRequest, HttpResponse, Malformed
from kvit.protocols.kits import jsonkit, kit

#: What is wrong with an envelope (``Malformed.parameter``) -> the code that JSON-RPC has for it. A member of
#: ``params`` has ``params.`` before its name, so it is never one of these.
ENVELOPE_CODES: Mapping[str, int] = {
    "http-method": -32300,
    "json": -32700,
    "request": -32600,
    "jsonrpc": -32600,
    "id": -32600,
    "method": -32600,
    "params": -32600,
    "method-name": -32601,
}

ID_SIZE_MAX = 100
_METHOD_SIZE_MAX = 64


class Call(NamedTuple):
    """One call. What is wrong with ``params`` (left out, not an object) is among the problems of that."""

    id: Union[int, str, None]
    method: str
    params: jsonkit.Fields


class Answer(NamedTuple):
    """What came back: ``code`` is 0 and ``result`` there, or ``code`` and the other two of an error."""

    result: jsonkit.Json = None
    code: int = 0
    message: jsonkit.Json = None
    data: jsonkit.Json = None


# --- our side ------------------------------------------------------------------------------------


def call_of(request: HttpRequest) -> Union[Call, Malformed]:
    """The call that a POST carries.

    ``jsonrpc`` may be left out and else is ``2.0``; ``id`` may be left out, and is an integer, a text or
    ``null``. A codec that does not know the method says ``unknown_method``.
    """
    if request.method != "POST":
        return Malformed("http-method", "not allowed")
    root = jsonkit.object_of(request)
    if isinstance(root, Malformed):
        is_json = jsonkit.parse(request.body) is not None
        return Malformed("request", "not an object") if is_json else root
    if root.values.get("jsonrpc", "2.0") != "2.0":
        root.wrong("jsonrpc", "not 2.0")
    if not _is_id(root.values.get("id")):
        root.wrong("id", "not an integer or a text")
    method = root.text("method", _METHOD_SIZE_MAX)
    return root.problem or Call(root.values.get("id"), method, root.inside("params"))


def unknown_method() -> Malformed:
    """What to say of a method that the protocol lacks."""
    return Malformed("method-name", "unknown")


def _is_id(value: jsonkit.Json) -> bool:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return True
    if isinstance(value, jsonkit.Number) or not isinstance(value, str):
        return False
    return len(value) <= ID_SIZE_MAX and kit.is_plain(value)


def id_of(request: HttpRequest) -> Union[int, str, None]:
    """The call's id where it has a good one."""
    value = jsonkit.values_of(request).get("id")
    return value if _is_id(value) else None


def method_of(request: HttpRequest) -> str:
    """The name of the method where the call has one."""
    value = jsonkit.values_of(request).get("method")
    is_name = isinstance(value, str) and len(value) <= _METHOD_SIZE_MAX and kit.is_plain(value)
    return str(value) if is_name else ""


def params_of(request: HttpRequest) -> Mapping[str, Any]:
    """The members of ``params``; none where it is no object."""
    value = jsonkit.values_of(request).get("params")
    return value if isinstance(value, dict) else {}


def reply(request: HttpRequest, result: jsonkit.Json) -> HttpResponse:
    """``result`` as the answer to ``request``; its code for the log is 0."""
    return jsonkit.document({"jsonrpc": "2.0", "id": id_of(request), "result": result}, "0")


def failure(
    request: HttpRequest, code: int, message: jsonkit.Json, data: jsonkit.Json = None
) -> HttpResponse:
    """An error as the answer to ``request``; without ``data`` there is no such member."""
    error: Dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return jsonkit.document({"jsonrpc": "2.0", "id": id_of(request), "error": error}, str(code))


# --- the agent's side ----------------------------------------------------------------------------


def call(method: str, params: Mapping[str, Any], headers: kit.Headers = (), path: str = "") -> HttpRequest:
    """A request that calls ``method``. One call is one request, so the same id does for each."""
    return jsonkit.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, headers, path)


def answer_of(response: HttpResponse) -> Optional[Answer]:
    """What an HTTP 200 says: a result without an error, or an error; ``None`` for anything else."""
    values = jsonkit.parse(response.body) if response.status == 200 else None
    if not isinstance(values, dict):
        return None
    error = values.get("error")
    if error is None:
        return Answer(values["result"]) if values.get("result") is not None else None
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, bool) or not isinstance(code, int) or code == 0:
        return None
    return Answer(None, code, error.get("message"), error.get("data"))
