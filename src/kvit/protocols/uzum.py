"""Uzum Bank's Merchant API: check, create, confirm, reverse and status, each a POST of JSON to its own path.

Specification: the bank's published description (developer.uzumbank.uz) and open implementations, as gathered
in ``docs/protocols/uzum.md``; the vectors in ``tests/protocols/uzum`` are written from there. A payment is
held by ``create`` and booked by ``confirm``. A failure has ``status`` FAILED and a code, which is final.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Mapping, Optional, Tuple, Union

# One word a line would push the code off the page.
# isort: off
from kvit.domain.messages import (
    Command, Denied, Found, Held, Hold, HttpRequest, HttpResponse, Lookup, Malformed, Post, Posted,
    Result, Status, Void, Voided,
)  # fmt: skip

# isort: on
from kvit.protocols.base import Facts, Habits, Heard, Protocol, Switch, Terms
from kvit.protocols.kits import answers, jsonkit, kit, shownkit, times

#: What happened -> errorCode. ``what operation`` stands before ``what``.
CODES: Mapping[str, str] = {
    "denied": "10001",
    "json": "10002",
    "operation": "10003",
    "malformed": "10005", "too-many": "10005",
    "service": "10006", "agreement-closed": "10006",
    "no-such-account": "10007", "account-closed": "10007",
    "already-paid": "10008", "being-paid": "10008",
    "voided create": "10009",
    "conflict create": "10010", "repeated create": "10010",  # a repetition: switch replay
    "wrong-amount": "10011", "currency": "10011",
    "too-small": "10012",
    "too-large": "10013",
    "no-such-txn": "10014", "conflict": "10014",
    "voided": "10015",
    "repeated confirm": "10016",  # switch replay
    "void-forbidden": "10017",
    "repeated reverse": "10018",  # switch replay
    "try-later": "99999",  # switch try_later
}  # fmt: skip

DIALECT: Mapping[str, Switch] = {
    "failure_status": Switch("400", ("400", "200"), about="HTTP status of an answer with status FAILED"),
    "replay": Switch(
        "echo", ("echo", "codes"),
        about="a repeated create, confirm or reverse hears the first answer, or 10010, 10016, 10018"),
    "try_later": Switch("503", ("503", "99999"), about="our answer when we do not know: HTTP 503, or a code"),
    "hold_s": Switch("1800", pattern="[1-9][0-9]{0,6}", about="seconds after which a created payment fails"),
    "show": shownkit.switch("account:account,name:name,debt:debt", "`data`"),
    **kit.ACCOUNT_SWITCHES,
}  # fmt: skip


# --- our side ------------------------------------------------------------------------------------


def decode(request: HttpRequest, terms: Terms) -> Union[Command, Malformed, Denied]:
    """What the bank asks. Total: any bytes give a command, ``Malformed`` or ``Denied``."""
    if not kit.basic_accepts(request, terms.basic_login, terms.basic_password):
        return Denied()
    reader = _READERS.get(request.path)
    if reader is None:
        return Malformed("path", "unknown")
    root = jsonkit.object_of(request)
    if isinstance(root, Malformed):
        return root
    command = reader(root, terms)
    return root.problem or command


def encode(request: HttpRequest, result: Result, terms: Terms) -> HttpResponse:
    """Our answer. Total; the same request, result and terms give the same bytes."""
    operation = request.path if request.path in _READERS else ""
    result = answers.fitting(_KINDS.get(operation, ""), result, two_phase=True)
    code = _failure(operation, result, terms)
    echo = _echo(jsonkit.values_of(request), operation)
    if request.at is not None:  # our own time goes before the bank's
        echo["timestamp"] = times.ms_of(request.at)
    if not code:
        return _success(operation, echo, result, terms)
    if code == CODES["try-later"] and _switch(terms, "try_later") == "503":
        return HttpResponse(503, (), b"", "503")
    return _refusal(operation, echo, code, terms)


# --- the agent's side ----------------------------------------------------------------------------


def ask(command: Command, terms: Terms) -> HttpRequest:
    """The request with which the bank asks ``command``."""
    operation = _OPERATIONS[type(command).__name__]
    service = getattr(command, "service", "")
    at = getattr(command, "network_time", "")
    values: Dict[str, Any] = {
        "serviceId": int(service) if kit.is_digits(service, 19) else 0,
        "timestamp": max(times.ms_of_iso(at), times.ms_of_iso(at + "+00:00"), 0),
    }
    if not isinstance(command, Lookup):
        values["transId"] = getattr(command, "txn", "")
    if isinstance(command, (Lookup, Hold)):
        values["params"] = jsonkit.nested([*kit.split_number(command.number, "account", terms)])
    if isinstance(command, Hold):
        values["amount"] = command.amount_minor
    if isinstance(command, Post):
        values.update(command.fields)
    return jsonkit.post(values, kit.basic_headers(terms.basic_login, terms.basic_password), operation)


def read(command: Command, response: HttpResponse, terms: Terms) -> Heard:
    """What the bank does with an answer.

    FAILED is final, 99999 apart (after 10016 the status tells that it is paid). Whatever is no answer
    (another HTTP status, a body that is not understood, another payment's id) is asked again.
    """
    values = jsonkit.parse(response.body) if response.status in _STATUSES else None
    if not isinstance(values, dict) or not isinstance(values.get("status"), str):
        return Heard("again", code=str(response.status), comment="not understood")
    word = values["status"]
    sent = getattr(command, "txn", "")
    if sent and str(values.get("transId", sent)).lower() != sent:
        return Heard("again", comment="answer to another payment")
    shown = _read_data(values.get("data"))
    kind = type(command).__name__
    if word == "FAILED":
        code = str(values.get("errorCode", word))
        step = "again" if code == CODES["try-later"] else "stop"
        known = kind == "Post" and code == CODES["repeated confirm"]
        return Heard("done" if code == _ALREADY.get(kind) else step, code, state="known" if known else "")
    is_reversed = kind == "Status" and word == _GOOD["Void"][0]
    step = "done" if word in _GOOD.get(kind, ()) else "stop" if is_reversed else "again"
    if isinstance(command, Lookup):
        due_minor = shownkit.due_minor(dict(shown), _switch(terms, "show"), terms.exponent)
        return Heard(step, word, amount_minor=due_minor, shown=shown)
    amount_minor = values.get("amount")
    return Heard(
        step, word, receipt=dict(shown).get(_RECEIPT, ""),
        amount_minor=amount_minor if isinstance(amount_minor, int) else -1, shown=shown,
        state=_HEARD_STATES.get(word, "") if kind == "Status" else "",
    )  # fmt: skip


# --- reading requests ----------------------------------------------------------------------------

_UUID = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_KEPT = frozenset({"paymentSource", "tariff", "processingReferenceNumber", "cardType"})


def _txn(root: jsonkit.Fields) -> str:
    """The bank's id of a payment; a UUID is the same one in capitals."""
    text = root.text("transId")
    if text and _UUID.fullmatch(text) is None:
        root.wrong("transId", "not a UUID")
    elif text and not text.strip("0-"):  # the id of no payment: as a key it would merge them
        root.wrong("transId", "zero")
    return text.lower()


def _head(root: jsonkit.Fields) -> Tuple[str, str]:
    """The service, and the bank's time, which stand in every request."""
    return str(root.integer("serviceId")), root.moment_ms("timestamp")


def _lookup(root: jsonkit.Fields, terms: Terms) -> Command:
    service, _ = _head(root)
    return Lookup("", root.inside("params").account("account", terms), service)


def _hold(root: jsonkit.Fields, terms: Terms) -> Command:
    service, at = _head(root)
    return Hold(
        txn=_txn(root), number=root.inside("params").account("account", terms),
        amount_minor=root.minor("amount"), service=service, network_time=at,
        network_time_raw=str(root.values.get("timestamp")), lifetime_s=int(_switch(terms, "hold_s")),
    )  # fmt: skip


def _post(root: jsonkit.Fields, _terms: Terms) -> Command:
    """A time that is none is left out: FAILED, for that, could be said of a payment that is booked."""
    at = jsonkit.Fields(root.values).moment_ms("timestamp")
    return Post(
        _txn(root), "", 0, service=str(root.integer("serviceId")), network_time=at,
        network_time_raw=str(root.values["timestamp"]) if at else "", fields=root.kept(_KEPT), held=True,
    )  # fmt: skip


def _void(root: jsonkit.Fields, _terms: Terms) -> Command:
    _head(root)
    return Void(_txn(root))


def _status(root: jsonkit.Fields, _terms: Terms) -> Command:
    return Status(_txn(root))  # and nothing else: see ``_post``


_READERS: Mapping[str, Callable[[jsonkit.Fields, Terms], Command]] = {
    "check": _lookup, "create": _hold, "confirm": _post, "reverse": _void, "status": _status,
}  # fmt: skip


# --- writing answers -----------------------------------------------------------------------------

_KINDS = {"check": "Lookup", "create": "Hold", "confirm": "Post", "reverse": "Void", "status": "Status"}
_OPERATIONS = {kind: operation for operation, kind in _KINDS.items()}

#: The time that an answer to an operation names.
_TIMES = {
    "check": "timestamp", "create": "transTime", "confirm": "confirmTime", "reverse": "reverseTime",
    "status": "transTime",
}  # fmt: skip


def _failure(operation: str, result: Result, terms: Terms) -> str:
    """The errorCode of a "no"; empty for a yes."""
    what = answers.bad_news(result)
    if isinstance(result, Malformed):
        what = _wrong(result)
    elif isinstance(result, Voided):
        ended = operation in ("create", "confirm") or (operation == "status" and answers.has_expired(result))
        what = "voided" if ended else what
    if not what and operation != "status" and getattr(result, "repeat", False):
        what = "repeated" if _switch(terms, "replay") == "codes" else ""
    return CODES.get(f"{what} {operation}") or CODES[what] if what else ""


def _wrong(result: Malformed) -> str:
    if result.parameter in ("path", "method"):
        return "operation"
    if result.parameter == "json":
        return "json"
    if result.reason == "missing":
        return "malformed"
    if result.parameter.startswith("params."):
        return "no-such-account"  # a number that is not of the form is nobody's
    return "wrong-amount" if result.parameter == "amount" else "malformed"


def _echo(asked: Mapping[str, Any], operation: str) -> Dict[str, Any]:
    """What of the request goes back, where it is well-formed."""
    echo: Dict[str, Any] = {}
    service, at_ms, txn = (asked.get(name) for name in ("serviceId", "timestamp", "transId"))
    if type(service) is int and service >= 0:
        echo["serviceId"] = service
    if type(at_ms) is int and times.iso_of_ms(at_ms):
        echo["timestamp"] = at_ms
    if operation not in ("", "check") and isinstance(txn, str) and _UUID.fullmatch(txn) and txn.strip("0-"):
        echo["transId"] = txn
    return echo


def _refusal(operation: str, echo: Dict[str, Any], code: str, terms: Terms) -> HttpResponse:
    """A refusal's time is that of the answer; where the door told none, the request's."""
    name = _TIMES.get(operation, "timestamp")
    at_ms = echo.pop("timestamp", None)
    at = {} if at_ms is None else {name: at_ms}
    head = {**echo, **at, "status": "FAILED"} if name == "timestamp" else {**echo, "status": "FAILED", **at}
    return jsonkit.document({**head, "errorCode": code}, code, int(_switch(terms, "failure_status")))


def _success(operation: str, echo: Dict[str, Any], result: Result, terms: Terms) -> HttpResponse:
    if isinstance(result, Found):
        return jsonkit.document({**echo, "status": "OK", "data": _data(result, terms)}, "OK")
    assert isinstance(result, (Held, Posted, Voided))  # what else is good news was sorted out before
    echo.pop("timestamp", None)
    held_ms, posted_ms, voided_ms = _moments(result)
    if operation == "status":
        word = _STATES[type(result)]
        at = {"transTime": held_ms, "confirmTime": posted_ms, "reverseTime": voided_ms}
    else:
        word = _GOOD[_KINDS[operation]][0]
        at_ms = {"create": held_ms, "confirm": posted_ms, "reverse": voided_ms}[operation]
        at = {_TIMES[operation]: at_ms}
    told = {**echo, "status": word, **at, "data": _data(result, terms), "amount": result.amount_minor}
    return jsonkit.document(told, word)


def _moments(result: Union[Held, Posted, Voided]) -> Tuple[int, Optional[int], Optional[int]]:
    """When it was held, booked and taken back, in milliseconds since 1970."""
    if isinstance(result, Held):
        return times.ms_of(result.held_at), None, None
    if isinstance(result, Posted):
        return times.ms_of(result.held_at or result.received_at), times.ms_of(result.received_at), None
    voided_ms, before = times.ms_of(result.at), result.posted or result.held
    held_ms, posted_ms, _ = _moments(before) if before else (voided_ms, None, None)
    return held_ms, posted_ms, voided_ms


def _data(result: Union[Found, Held, Posted, Voided], terms: Terms) -> Dict[str, Any]:
    """The attributes agreed for the payer's screen; with a payment, the account and our receipt."""
    show = _switch(terms, "show")
    if isinstance(result, Found):
        texts = shownkit.texts(result, show, terms.exponent)
    else:
        texts = {name: result.number for what, name in shownkit.items(show) if what == "account"}
        texts[_RECEIPT] = str(result.receipt)
    return {name: {"value": text} for name, text in texts.items()}


_RECEIPT = "receipt"


# --- the agent's side in parts -------------------------------------------------------------------

_STATUSES = (200, 400)

#: The words that are a yes to each kind of command.
_GOOD: Mapping[str, Tuple[str, ...]] = {
    "Lookup": ("OK",), "Hold": ("CREATED",), "Post": ("CONFIRMED",), "Void": ("REVERSED",),
    "Status": ("CREATED", "CONFIRMED"),
}  # fmt: skip
_STATES = {Held: "CREATED", Posted: "CONFIRMED", Voided: "REVERSED"}
_HEARD_STATES = {"CREATED": "held", "CONFIRMED": "posted", "REVERSED": "voided"}
_ALREADY = {"Void": CODES["repeated reverse"]}


def _read_data(data: jsonkit.Json) -> Tuple[Tuple[str, str], ...]:
    """``{"name": {"value": "text"}}`` in pairs."""
    items = data.items() if isinstance(data, dict) else ()
    return tuple(
        (name, str(item["value"])) for name, item in items if isinstance(item, dict) and "value" in item
    )


def _txn_of(number: int) -> str:
    return f"{number >> 20:08x}-{number >> 4 & 0xFFFF:04x}-4000-8000-{number & 0xF:012x}"


def _switch(terms: Terms, name: str) -> str:
    return terms.dialect.get(name, DIALECT[name].default)


FACTS = Facts(
    "B",
    ("Uzum Bank's description of the Merchant API (developer.uzumbank.uz)", "three open implementations",
     "one public design that quotes the bank's page"),
    ("the HTTP status of a failure, 400 or 200: switch `failure_status`",
     "whether a repetition hears a code or the first answer: switch `replay`",
     "whether the bank asks again after 99999: switch `try_later`",
     "codes 10010 to 10018 and the life of half an hour (one source): switch `hold_s`",
     "the bank's addresses, its time limit, and whether there is a daily register"),
)  # fmt: skip

PROTOCOL = Protocol(
    name="uzum", title="Uzum Bank", decode=decode, encode=encode, ask=ask, read=read, dialect=DIALECT,
    commands=frozenset(_OPERATIONS), facts=FACTS, txn_of=_txn_of,
    habits=Habits(face="app", clock="utc"),
)  # fmt: skip
