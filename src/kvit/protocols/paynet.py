"""Paynet's universal web service of a provider, in JSON-RPC or SOAP.

Specification: Paynet's document of 2022 and open implementations, gathered in ``docs/protocols/paynet.md``;
the vectors in ``tests/protocols/paynet`` are written from there. A payment is one step, and known by the
service and Paynet's number together. Both envelopes carry the same methods, members and codes.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, Union

# One word a line would push the code off the page.
# isort: off
from kvit.domain.messages import (
    Command, Denied, Found, HttpRequest, HttpResponse, ListPosted, Lookup, Malformed, NoSuchTxn, Post, Posted,
    Result, Statement, Status, Void, Voided,
)  # fmt: skip

# isort: on
from kvit.domain.money import format_amount
from kvit.protocols.base import Facts, Habits, Heard, Protocol, Switch, Terms
from kvit.protocols.kits import answers, jsonkit, kit, rpckit, shownkit, soapkit, times

#: What happened -> code. What is wrong with a JSON-RPC envelope is in ``rpckit.ENVELOPE_CODES``.
CODES: Mapping[str, int] = {
    "void-forbidden": 77, "repeated PerformTransaction": 201,
    "voided PerformTransaction": 202, "repeated CancelTransaction": 202,
    "no-such-txn": 203, "no-such-account": 302,
    "service": 305, "agreement-closed": 305,
    "wrong-field": 401,  # 402 for the second of several fields, and so on
    "missing-field": 411,
    "malformed": -32602,  # 411 in SOAP
    "denied": 412,  # HTTP 401 in JSON-RPC
    "too-small": 413, "too-large": 413, "wrong-amount": 413, "conflict": 413, "currency": 413,
    "wrong-time": 414, "too-many": 414,
    "account-closed": 501, "already-paid": 501, "being-paid": 501,
    "try-later": 503,  # switch try_later
}  # fmt: skip

MESSAGES: Mapping[int, str] = {
    -32300: "not a POST", -32700: "no JSON", -32600: "no such call", -32601: "no such method",
    -32602: "a parameter is missing or wrong", -32603: "internal error", 77: "cannot be cancelled",
    100: "temporarily not supported", 102: "system error", 201: "transaction exists",
    202: "transaction is cancelled", 203: "transaction not found", 302: "client not found",
    305: "service not found", **{400 + place: f"parameter {place} is wrong" for place in range(1, 11)},
    411: "a parameter is missing", 412: "wrong login or password", 413: "wrong sum",
    414: "wrong date or time", 501: "transactions are forbidden for this payer",
}  # fmt: skip

#: The agent's side: codes after which it asks again (103, "unknown error", tells nothing).
AGAIN = (-32603, 100, 102, 103)
_STEPS = {
    ("Status", "1"): ("done", "posted"), ("Status", "2"): ("stop", "voided"), ("Status", "3"): ("stop", ""),
    ("Void", "2"): ("done", ""),
}  # fmt: skip
_ALREADY = {"Void": CODES["repeated CancelTransaction"]}

DIALECT: Mapping[str, Switch] = {
    "envelope": Switch("json", ("json", "soap"), about="JSON-RPC 2.0, or the older SOAP"),
    "txn": Switch("service-id", ("service-id", "id"), about="key: `serviceId-transactionId`, or the latter"),
    "try_later": Switch("503", ("503", "100", "102", "-32603"), about="our answer when we do not know"),
    "status": Switch("number", ("number", "text"), about="`status` of GetInformation: `0` or `\"0\"`"),
    "show": shownkit.switch("name:name,balance:balance", "GetInformation"),
    "shown_unit": Switch("soum", ("soum", "tiyin"), about="unit of the sums among those fields"),
    **kit.ACCOUNT_SWITCHES,
}  # fmt: skip

SPACE = "http://uws.provider.com/"
_GMT_5 = timezone(timedelta(hours=5))


# --- our side ------------------------------------------------------------------------------------


def decode(request: HttpRequest, terms: Terms) -> Union[Command, Malformed, Denied]:
    """What Paynet asks. Total: any bytes give a command, ``Malformed`` or ``Denied``."""
    if not _is_soap(terms) and not kit.basic_accepts(request, terms.basic_login, terms.basic_password):
        return Denied()
    call = _call_in_soap(request, terms) if _is_soap(terms) else rpckit.call_of(request)
    if isinstance(call, (Malformed, Denied)):
        return call
    reader = _READERS.get(call.method.strip())  # some of the manual's examples have a space in front
    if reader is None:
        return rpckit.unknown_method()
    command = reader(call.params, terms)
    return call.params.problem or command


def encode(request: HttpRequest, result: Result, terms: Terms) -> HttpResponse:
    """Our answer. Total; the same request, result and terms give the same bytes."""
    is_soap = _is_soap(terms)
    if isinstance(result, Denied) and not is_soap:
        return kit.challenge("kvit")
    body = soapkit.asked(request) if is_soap else None
    method = "" if is_soap else rpckit.method_of(request).strip()
    method = body.name.removesuffix(_ARGUMENTS) if body else method
    result = answers.fitting(_KINDS.get(method, ""), result)
    code = _code(method, result, terms)
    if code == 503:
        return HttpResponse(503, (), b"", "503")
    if is_soap and method not in _KINDS:
        return HttpResponse(400, (), b"", "400")  # no operation that could be answered
    params = body.texts if body else rpckit.params_of(request)
    now = {} if request.at is None else {"timestamp": _stamp(request.at.astimezone(_GMT_5), terms)}
    told = {} if code else _told(method, result, str(params.get("serviceId")), terms, now)
    if is_soap:
        return soapkit.document(method + _RESULT, SPACE, _in_soap(method, code, {**now, **told}), str(code))
    return rpckit.failure(request, code, MESSAGES[code]) if code else rpckit.reply(request, told)


# --- the agent's side ----------------------------------------------------------------------------


def ask(command: Command, terms: Terms) -> HttpRequest:
    """The request with which Paynet asks ``command``."""
    params, fields = _ask_params(command, terms)
    method = _METHODS[type(command).__name__]
    if not _is_soap(terms):
        headers = kit.basic_headers(terms.basic_login, terms.basic_password)
        given = {**params, "fields": jsonkit.nested(fields)} if fields else params
        return rpckit.call(method, given, headers)
    login = (("username", terms.basic_login), ("password", terms.basic_password))
    if isinstance(command, Void) and command.reason:
        fields = [(_REASON, command.reason)]
    inner = soapkit.elements([*login, *((name, str(value)) for name, value in params.items())])
    return soapkit.post(method + _ARGUMENTS, SPACE, inner + _parameters(fields))


def read(command: Command, response: HttpResponse, terms: Terms) -> Heard:
    """What Paynet does: everything that is no answer (an HTTP error, 401 included) is asked again."""
    kind = type(command).__name__
    answer = _answer_in_soap(kind, response) if _is_soap(terms) else rpckit.answer_of(response)
    if answer is None or not (answer.code or isinstance(answer.result, dict)):
        return Heard("again", code=str(response.status), comment="not understood")
    if answer.code:
        step = "again" if answer.code in AGAIN else "done" if answer.code == _ALREADY.get(kind) else "stop"
        exists = kind == "Post" and answer.code == CODES["repeated PerformTransaction"]
        return Heard(step, str(answer.code), comment=str(answer.message), state="known" if exists else "")
    told = answer.result
    receipt, state = str(told.get("providerTrnId", "")), str(told.get("transactionState", ""))
    if kind == "Lookup" and isinstance(told.get("fields"), dict):
        return _read_fields(told["fields"], terms)
    if kind == "ListPosted" and isinstance(told.get("statements"), list):
        rows = [row for row in told["statements"] if isinstance(row, dict)]
        shown = tuple((str(row.get("transactionId")), str(row.get("amount"))) for row in rows)
        return Heard("done", "0", shown=shown)
    if kind == "Post" and receipt:
        return Heard("done", "0", receipt=receipt)
    step, became = _STEPS.get((kind, state), ("again", ""))
    return Heard(step, "0", receipt=receipt, state=became)


# --- reading requests ----------------------------------------------------------------------------

_ARGUMENTS, _RESULT = "Arguments", "Result"
_INTEGERS = ("serviceId", "transactionId", "amount")


def _call_in_soap(request: HttpRequest, terms: Terms) -> Union[rpckit.Call, Malformed, Denied]:
    """The same method and members as in JSON; the ``parameters`` are its ``fields``."""
    body = soapkit.asked(request)
    if body is None:
        return Malformed("xml", "not a SOAP envelope")
    if not soapkit.accepts(body, ("username", terms.basic_login), ("password", terms.basic_password)):
        return Denied()
    values: Dict[str, Any] = {name: text for name, text in body.texts.items() if text}
    fields = {group.get("paramKey", ""): group.get("paramValue") for _, group in body.groups}
    if len(fields) != len(body.groups) or "" in fields:
        return Malformed("request", "a parameter twice, or none")
    for name in _INTEGERS:
        if kit.is_digits(values.get(name, ""), 18):
            values[name] = int(values[name])
    params = jsonkit.Fields({**values, "fields": fields}, "params.")
    return rpckit.Call(None, body.name.removesuffix(_ARGUMENTS), params)


def _moment(params: jsonkit.Fields, name: str, terms: Terms) -> str:
    text = params.text(name, 40)
    iso = times.parse_with_offset(text, 5) if _is_soap(terms) else times.parse_moment(text, times.SPACED)
    if text and iso is None:
        params.wrong(name, "not a date")
    return iso or ""


def _txn(params: jsonkit.Fields, terms: Terms) -> str:
    """Paynet's key of a payment is the service and the number together."""
    service, number = params.integer("serviceId"), params.integer("transactionId", 1)
    return f"{service}-{number}" if _switch(terms, "txn") == "service-id" else str(number)


def _lookup(params: jsonkit.Fields, terms: Terms) -> Command:
    service = str(params.integer("serviceId"))
    return Lookup("", params.inside("fields").account(_CLIENT, terms), service)


def _post(params: jsonkit.Fields, terms: Terms) -> Command:
    return Post(
        txn=_txn(params, terms), number=params.inside("fields").account(_CLIENT, terms),
        amount_minor=params.minor("amount"), service=str(params.values.get("serviceId")),
        network_time=_moment(params, "transactionTime", terms),
        network_time_raw=str(params.values.get("transactionTime")),
    )  # fmt: skip


def _void(params: jsonkit.Fields, terms: Terms) -> Command:
    fields = params.inside("fields", required=False)
    return Void(_txn(params, terms), reason=dict(fields.kept(frozenset([_REASON]))).get(_REASON, ""))


def _list(params: jsonkit.Fields, terms: Terms) -> Command:
    params.integer("serviceId")
    return ListPosted(_moment(params, "dateFrom", terms), _moment(params, "dateTo", terms))


_CLIENT, _REASON = "client_id", "cancel_reason_code"
_READERS: Mapping[str, Callable[[jsonkit.Fields, Terms], Command]] = {
    "GetInformation": _lookup, "PerformTransaction": _post, "CancelTransaction": _void,
    "CheckTransaction": lambda params, terms: Status(_txn(params, terms)), "GetStatement": _list,
}  # fmt: skip


# --- writing answers -----------------------------------------------------------------------------

_METHODS = {
    "Lookup": "GetInformation", "Post": "PerformTransaction", "Status": "CheckTransaction",
    "Void": "CancelTransaction", "ListPosted": "GetStatement",
}  # fmt: skip
_KINDS = {method: kind for kind, method in _METHODS.items()}


def _code(method: str, result: Result, terms: Terms) -> int:
    """The code of a "no"; 0 for a yes, and for a state that was asked for."""
    if isinstance(result, Malformed):
        return _wrong(result, terms)
    if method == "CheckTransaction" and isinstance(result, (NoSuchTxn, Posted, Voided)):
        return 0
    what = answers.bad_news(result)
    if method == "PerformTransaction" and isinstance(result, Voided):
        what = "voided"
    elif getattr(result, "repeat", False):
        what = "repeated"
    if what == "try-later":
        return int(_switch(terms, "try_later"))
    return CODES.get(f"{what} {method}") or CODES[what] if what else 0


def _wrong(result: Malformed, terms: Terms) -> int:
    name, is_missing = result.parameter, result.reason == "missing"
    if name in rpckit.ENVELOPE_CODES and not _is_soap(terms):
        return rpckit.ENVELOPE_CODES[name]
    if name.startswith("params.fields"):
        field = name[len("params.fields.") :]
        place = terms.payer_fields.index(field) if field in terms.payer_fields else 0
        return CODES["missing-field"] if is_missing else CODES["wrong-field"] + min(place, 9)
    if not is_missing and name in _WRONG:
        return CODES["wrong-amount" if name == _WRONG[0] else "wrong-time"]
    return CODES["missing-field" if _is_soap(terms) else "malformed"]


_WRONG = ("params.amount", "params.transactionTime", "params.dateFrom", "params.dateTo")


def _told(method: str, result: Result, service: str, terms: Terms, now: Mapping[str, str]) -> Dict[str, Any]:
    """The members of a result, as JSON-RPC has them; ``now`` is for those that name no time."""
    if isinstance(result, Found):
        fields = shownkit.texts(result, *_show(terms))
        return {"status": 0 if _switch(terms, "status") == "number" else "0", **now, "fields": fields}
    if isinstance(result, Statement):
        plain = service.lstrip("0") or "0"  # in SOAP it is a text
        rows = (_row(item, plain, terms) for item in result.items if isinstance(item, Posted))
        return {"statements": [row for row in rows if row]}
    if not isinstance(result, (Posted, Voided)):
        return {"transactionState": 3, **now}
    ours: Dict[str, Any] = {"providerTrnId": result.receipt}
    at = {"timestamp": _stamp(result.at if isinstance(result, Voided) else result.received_at, terms)}
    if method == "PerformTransaction":
        return {**ours, **at, "fields": jsonkit.nested(kit.split_number(result.number, _CLIENT, terms))}
    state = {"transactionState": 2 if isinstance(result, Voided) else 1}
    return {**state, **at, **ours} if method == "CheckTransaction" else {**ours, **at, **state}


def _row(item: Posted, service: str, terms: Terms) -> Optional[Dict[str, Any]]:
    """A line of a statement; ``None`` for another service's payment."""
    of, number = item.service or service, item.txn
    if _switch(terms, "txn") == "service-id":
        of, _, number = item.txn.partition("-")
    if of != service:
        return None
    return {
        "amount": item.amount_minor, "transactionId": int(number) if kit.is_digits(number, 18) else number,
        "providerTrnId": item.receipt, "timestamp": _stamp(item.network_at or item.received_at, terms),
    }  # fmt: skip


def _stamp(at: datetime, terms: Terms) -> str:
    iso = at.isoformat(timespec="seconds")
    return iso if _is_soap(terms) else times.format_moment(iso, times.SPACED)


#: Members of a result, and of a line of a statement -> their elements in SOAP.
_ELEMENTS = (
    ("timestamp", "timeStamp"), ("providerTrnId", "providerTrnId"), ("transactionState", "transactionState"),
)  # fmt: skip
_ROW = (
    ("amount", "amount"), ("providerTrnId", "providerTrnId"), ("transactionId", "transactionId"),
    ("timestamp", "transactionTime"),
)  # fmt: skip
_NO_ERROR = (("transactionStateErrorStatus", "0"), ("transactionStateErrorMsg", "Success"))


def _in_soap(method: str, code: int, told: Mapping[str, Any]) -> str:
    """The elements of a result: the same members, some under other names."""
    head = (("errorMsg", MESSAGES[code] if code else "Success"), ("status", str(code)))
    tail = _NO_ERROR if method == "CheckTransaction" and not code else ()
    told_here = [(tag, str(told[name])) for name, tag in _ELEMENTS if name in told]
    rows = ([(tag, str(row[name])) for name, tag in _ROW] for row in told.get("statements", ()))
    inner = soapkit.elements((*head, *told_here, *tail)) + soapkit.grouped("statements", rows)
    return inner + (_parameters(told.get("fields", {}).items()) if method == "GetInformation" else "")


def _parameters(pairs: Iterable[Tuple[str, str]]) -> str:
    return soapkit.grouped("parameters", (zip(("paramKey", "paramValue"), pair) for pair in pairs))


# --- the agent's side in parts -------------------------------------------------------------------


def _ask_params(command: Command, terms: Terms) -> Tuple[Dict[str, Any], List[Tuple[str, str]]]:
    """The members of a call, and its fields."""
    service, _, txn = getattr(command, "txn", "").rpartition("-")
    service = getattr(command, "service", "") or service
    params: Dict[str, Any] = {"serviceId": int(service) if kit.is_digits(service, 18) else 1}
    if kit.is_digits(txn, 19):
        params["transactionId"] = int(txn)
    if isinstance(command, ListPosted):
        params.update(dateFrom=_ask_time(command.since, terms), dateTo=_ask_time(command.until, terms))
    if isinstance(command, Post):
        at = command.network_time_raw or _ask_time(command.network_time, terms)
        params.update(amount=command.amount_minor, transactionTime=at)
    if isinstance(command, (Lookup, Post)):
        return params, kit.split_number(command.number, _CLIENT, terms)
    return params, []


def _ask_time(iso: str, terms: Terms) -> str:
    return iso[:19] + "+05:00" if _is_soap(terms) else times.format_moment(iso, times.SPACED)


def _answer_in_soap(kind: str, response: HttpResponse) -> Optional[rpckit.Answer]:
    body = soapkit.body_of(response.body) if response.status == 200 else None
    is_answer = body and body.name.endswith(_METHODS.get(kind, "") + _RESULT)
    status = body.texts.get("status", "") if body and is_answer else ""
    if body is None or not kit.is_digits(status[1:] if status[:1] == "-" else status, 9):
        return None
    rows = [group for name, group in body.groups if name == "statements"]
    pairs = [group for name, group in body.groups if name == "parameters"]
    fields = {pair.get("paramKey", ""): pair.get("paramValue", "") for pair in pairs}
    told = {**body.texts, "fields": fields, "statements": rows}
    return rpckit.Answer(told, int(status), body.texts.get("errorMsg", ""))


def _read_fields(fields: Mapping[str, Any], terms: Terms) -> Heard:
    """What a screen shows; the debt, where a balance says it, as a text of its own."""
    shown = {name: str(value) for name, value in fields.items()}
    due_minor = shownkit.due_minor(shown, *_show(terms))
    if due_minor >= 0:
        shown.setdefault("debt", format_amount(due_minor, terms.exponent))
    return Heard("done", "0", amount_minor=due_minor, shown=tuple(shown.items()))


def _show(terms: Terms) -> Tuple[str, int]:
    return _switch(terms, "show"), 0 if _switch(terms, "shown_unit") == "tiyin" else terms.exponent


def _is_soap(terms: Terms) -> bool:
    return _switch(terms, "envelope") == "soap"


def _switch(terms: Terms, name: str) -> str:
    return terms.dialect.get(name, DIALECT[name].default)


FACTS = Facts(
    "A",
    ("Paynet's document of its universal web service, 1.0 and 1.1 (2022)", "two open implementations",
     "for SOAP one open billing"),
    ("SOAP as a whole (one source): switch `envelope`",
     "whether Paynet asks again after 100, 102 or -32603: switch `try_later`",
     "whether `status` of GetInformation is a number: switch `status`",
     "the unit and the sign of `balance`: switches `shown_unit`, `show`",
     "which payments a statement lists: performed ones, bounds included",
     "Paynet's addresses, time limit and repetitions; the meaning of 103, 113, 140, 141 and 415"),
)  # fmt: skip

PROTOCOL = Protocol(
    name="paynet", title="Paynet", decode=decode, encode=encode, ask=ask, read=read, dialect=DIALECT,
    commands=frozenset(_METHODS), facts=FACTS, txn_of=lambda number: f"1-{number}",
    habits=Habits(statement="times", service="1"),
)  # fmt: skip
