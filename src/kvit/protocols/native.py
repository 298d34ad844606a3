"""kvit's own protocol: for a bank or an app that has none of its own. JSON, signed both ways.

Specification: ``docs/protocols/native.md`` and ``native.openapi.json`` beside it; the vectors in
``tests/protocols/native`` are written from there. Each operation is a POST to its own path. The caller
signs method, path and body; we sign status, the caller's signature and body: no answer fits another question.
"""

from __future__ import annotations

import hmac
import re
from typing import Any, Callable, Dict, List, Mapping, Tuple, Union

# One word a line would push the code off the page.
# isort: off
from kvit.domain.messages import (
    BadAmount, Command, Denied, Found, Held, Hold, HttpRequest, HttpResponse, ListPosted, Lookup, Malformed,
    Note, Post, Posted, Result, Statement, Status, Void, Voided,
)  # fmt: skip

# isort: on
from kvit.domain.money import format_amount, parse_amount
from kvit.protocols.base import Facts, Habits, Heard, Protocol, Switch, Terms
from kvit.protocols.kits import answers, jsonkit, kit

#: What happened -> code, HTTP status and message. ``try-later`` alone may be asked again.
CODES: Mapping[str, Tuple[str, int, str]] = {
    "done": ("ok", 200, ""),
    "no-such-account": ("no-such-account", 200, "nobody has this number"),
    "no-such-txn": ("no-such-payment", 200, "no payment has this id, or not with this receipt"),
    "conflict": ("conflict", 200, "this id is known with another number, sum, currency or service"),
    "too-small": ("amount-too-small", 200, "less than the agreement's least sum"),
    "too-large": ("amount-too-large", 200, "more than the agreement's greatest sum"),
    "currency": ("wrong-currency", 200, "not the agreement's currency"),
    "service": ("unknown-service", 200, "the agreement does not collect for this service"),
    "account-closed": ("account-closed", 200, "the account takes no payments"),
    "agreement-closed": ("agreement-closed", 200, "the agreement takes no payments now"),
    "already-paid": ("already-paid", 200, "the invoice is paid"),
    "being-paid": ("being-paid", 200, "the invoice is held for another payment"),
    "void-forbidden": ("void-forbidden", 200, "the agreement does not let you take payments back"),
    "too-many": ("too-many", 200, "more payments or days than one answer may hold: ask for less"),
    "voided": ("voided", 200, "the payment was taken back"),
    "released": ("released", 200, "the hold was released"),
    "expired": ("expired", 200, "the hold ended by itself"),
    "malformed": ("malformed", 400, ""),
    "denied": ("denied", 401, "the signature is missing or wrong"),
    "try-later": ("try-later", 503, "not known now, ask again"),
}

DIALECT: Mapping[str, Switch] = {
    "hold_lifetime_s": Switch(
        "3600", pattern="0|[1-9][0-9]{0,6}", about="seconds after which a hold ends by itself; 0: never"),
    **kit.ACCOUNT_SWITCHES,
}  # fmt: skip


# --- our side ------------------------------------------------------------------------------------


def decode(request: HttpRequest, terms: Terms) -> Union[Command, Malformed, Denied]:
    """What the bank asks. Total: any bytes give a command, ``Malformed`` or ``Denied``."""
    if not terms.secret:  # everybody can sign with an empty one
        return Denied("no secret")
    wanted = _signature(terms, request.method, request.path, request.body)
    if not hmac.compare_digest(_given(request.headers), wanted):
        return Denied("signature")
    reader = _READERS.get(request.path)
    if reader is None:
        return Malformed("path", "unknown")
    if request.query:
        return Malformed("query", "not allowed")
    root = jsonkit.object_of(request)
    if isinstance(root, Malformed):
        return root
    command = reader(root, terms)
    root.only(MEMBERS[request.path] + _number_members(request.path, terms))
    return root.problem or command


def encode(request: HttpRequest, result: Result, terms: Terms) -> HttpResponse:
    """Our answer, signed unless it denies. Total; the same request, result and terms give the same bytes."""
    kind = _KINDS.get(request.path, "")
    result = answers.fitting(kind, result, two_phase=True)
    code, status, message = CODES[_outcome(kind, result)]
    told: Dict[str, Any] = {"code": code}
    if isinstance(result, Denied):
        denied = jsonkit.document({**told, "message": message}, code, status)
        return HttpResponse(status, (*denied.headers, _CHALLENGE), denied.body, code)
    txn = jsonkit.values_of(request).get("id")
    if isinstance(txn, str) and not _id_problem(txn):
        told["id"] = txn
    told.update(_data(result, terms))
    if isinstance(result, Malformed):
        told.update(message=result.reason, field=result.parameter)
    elif message:
        told["message"] = message
    if isinstance(result, BadAmount):
        limits = (("least", result.low_minor), ("greatest", result.high_minor))
        told.update((name, _sum(limit, terms)) for name, limit in limits if limit is not None)
    answer = jsonkit.document(told, code, status)
    signature = _signature(terms, str(status), _hmac_of(request), answer.body)
    return HttpResponse(status, (*answer.headers, (_HEADER, signature)), answer.body, code)


# --- signatures ----------------------------------------------------------------------------------

_HEADER = b"kvit-signature"
_CHALLENGE = (b"www-authenticate", b"Kvit-Signature")
_FORM = re.compile(b"v1=[0-9a-f]{64}")


def _signature(terms: Terms, first: str, second: str, body: bytes) -> bytes:
    """``v1=`` and the HMAC-SHA256 of two words and the body, a line end between them.

    The words are method and path of a request, or status of an answer and its request's HMAC.
    """
    head = f"{first}\n{second}\n".encode("utf-8", "surrogatepass")
    return b"v1=" + hmac.digest(terms.once(_key), head + body, "sha256").hex().encode("ascii")


def _key(terms: Terms) -> bytes:
    return terms.secret.encode("utf-8", "surrogatepass")


def _given(headers: kit.Headers) -> bytes:
    """The one signature that came, empty where there is none, more than one, or one of another form."""
    values = kit.header_values(headers, _HEADER)
    return values[0] if len(values) == 1 and _FORM.fullmatch(values[0]) else b""


def _hmac_of(request: HttpRequest) -> str:
    return _given(request.headers)[3:].decode("ascii")


# --- reading requests ----------------------------------------------------------------------------

_ID = re.compile(r"[A-Za-z0-9._:-]+")
_ID_SIZE_MAX = 64
_KIND = re.compile("[a-z][a-z0-9-]*")
_FIELD_NAME = re.compile("[A-Za-z][A-Za-z0-9_.-]{0,31}")
_FIELDS_MAX = 20
_REASON_SIZE_MAX = 200


def _id_problem(text: str) -> str:
    """Why a text is no payment's id; empty where it is one."""
    if len(text) > _ID_SIZE_MAX:
        return "too long"
    if _ID.fullmatch(text) is None:
        return "not an id"
    # The id of every probe: as a key it would merge payments.
    return "" if text.strip("0._:-") else "zero"


def _id(root: jsonkit.Fields, name: str = "id", *, required: bool = True) -> str:
    text = root.text(name, required=required)
    problem = _id_problem(text) if text else ""
    if problem:
        root.wrong(name, problem)
    return text


def _kept(root: jsonkit.Fields, *, strict: bool = False) -> Tuple[Tuple[str, str], ...]:
    """The texts in ``fields``.

    What is only kept with a payment never spoils one: a text with control characters, an empty or a very long
    one is left out, unless ``strict``. A name or a type that is wrong is the caller's program's mistake.
    """
    inside = root.inside("fields", required=False)
    if len(inside.values) > _FIELDS_MAX:
        root.wrong("fields", "too many")
    pairs = []
    for name, value in inside.values.items():
        if _FIELD_NAME.fullmatch(name) is None:
            root.wrong("fields", "not a field's name")
        elif strict or type(value) is not str:
            pairs.append((name, inside.text(name)))
        elif 0 < len(value) <= kit.TEXT_SIZE_MAX and kit.is_plain(value):
            pairs.append((name, value))
    return tuple(pairs)


def _lookup(root: jsonkit.Fields, terms: Terms) -> Command:
    return Lookup(
        txn="", number=root.account("number", terms), service=root.text("service", required=False),
        amount_minor=root.decimal_minor("amount", terms.exponent) if "amount" in root.values else None,
    )  # fmt: skip


def _payment(root: jsonkit.Fields, terms: Terms) -> Dict[str, Any]:
    """What ``hold`` and ``pay`` share."""
    return {
        "txn": _id(root), "number": root.account("number", terms),
        "amount_minor": root.decimal_minor("amount", terms.exponent), "currency": root.currency("currency"),
        "service": root.text("service", required=False), "network_time": root.instant("time", required=False),
        "network_time_raw": root.text("time", required=False), "fields": _kept(root),
    }  # fmt: skip


def _hold(root: jsonkit.Fields, terms: Terms) -> Command:
    lifetime = terms.dialect.get("hold_lifetime_s", DIALECT["hold_lifetime_s"].default)
    return Hold(lifetime_s=int(lifetime), **_payment(root, terms))


def _confirm(root: jsonkit.Fields, _terms: Terms) -> Command:
    receipt = root.text("receipt", required=False)
    if receipt and not (kit.is_digits(receipt, 19) and 0 < int(receipt) <= jsonkit.INTEGER_MAX):
        root.wrong("receipt", "not a receipt")
        receipt = ""
    return Post(_id(root), "", 0, held=True, receipt=int(receipt or 0))


def _void(root: jsonkit.Fields, _terms: Terms) -> Command:
    reason = root.text("reason", _REASON_SIZE_MAX, required=False)
    return Void(_id(root), void_txn=_id(root, "void_id", required=False), reason=reason)


def _list(root: jsonkit.Fields, _terms: Terms) -> Command:
    states = root.text("states", required=False)
    if states not in ("", "posted", "all"):
        root.wrong("states", "not posted or all")
    return ListPosted(root.instant("since"), root.instant("until"), every_state=states == "all")


def _note(root: jsonkit.Fields, _terms: Terms) -> Command:
    kind = root.text("kind", 32)
    if kind and _KIND.fullmatch(kind) is None:
        root.wrong("kind", "not a word")
    return Note(_id(root), kind, _kept(root, strict=True))


_READERS: Mapping[str, Callable[[jsonkit.Fields, Terms], Command]] = {
    "check": _lookup, "hold": _hold, "confirm": _confirm,
    "pay": lambda root, terms: Post(**_payment(root, terms)),
    "void": _void, "status": lambda root, _terms: Status(_id(root)), "list": _list, "note": _note,
}  # fmt: skip

_KINDS = {
    "check": "Lookup", "hold": "Hold", "confirm": "Post", "pay": "Post", "void": "Void", "status": "Status",
    "list": "ListPosted", "note": "Note",
}  # fmt: skip

#: The members of each operation, but for the client's number.
MEMBERS: Mapping[str, Tuple[str, ...]] = {
    "check": ("amount", "service"),
    "hold": ("id", "amount", "currency", "service", "time", "fields"),
    "confirm": ("id", "receipt"),
    "pay": ("id", "amount", "currency", "service", "time", "fields"),
    "void": ("id", "void_id", "reason"),
    "status": ("id",),
    "list": ("since", "until", "states"),
    "note": ("id", "kind", "fields"),
}


def _number_members(operation: str, terms: Terms) -> Tuple[str, ...]:
    """Where the client's number stands."""
    if operation not in ("check", "hold", "pay"):
        return ()
    return tuple(path.partition(".")[0] for path in terms.payer_fields or ("number",))


# --- writing answers -----------------------------------------------------------------------------


def _outcome(kind: str, result: Result) -> str:
    """The key of ``CODES``."""
    if isinstance(result, Voided) and kind not in ("Void", "Status"):
        return _state(result)
    return answers.bad_news(result) or "done"


def _state(result: Union[Held, Posted, Voided]) -> str:
    if not isinstance(result, Voided):
        return "held" if isinstance(result, Held) else "posted"
    if result.posted is not None:
        return "voided"
    return "expired" if answers.has_expired(result) else "released"


def _data(result: Result, terms: Terms) -> Dict[str, Any]:
    """What an answer tells beside its code."""
    if isinstance(result, Found):
        shown = {"name": result.display_name} if result.display_name else {}
        return {
            "number": result.number, "due": _sum(result.due_minor, terms),
            "advance": _sum(result.advance_minor, terms), "currency": result.currency, "exact": result.exact,
            **shown,
        }  # fmt: skip
    if isinstance(result, Statement):
        return {"payments": [_told(item, terms) for item in result.items]}
    return {"payment": _told(result, terms)} if isinstance(result, (Held, Posted, Voided)) else {}


def _told(result: Union[Held, Posted, Voided], terms: Terms) -> Dict[str, Any]:
    """A payment; a member that has no value is left out."""
    first: Any = (result.posted or result.held or result) if isinstance(result, Voided) else result
    state = _state(result)
    at = {
        "time": getattr(first, "network_at", None), "held_at": getattr(first, "held_at", None),
        "expires_at": getattr(first, "expires_at", None) if state in ("held", "expired") else None,
        "posted_at": getattr(first, "received_at", None), "voided_at": getattr(result, "at", None),
    }  # fmt: skip
    told = {
        "id": result.txn, "receipt": str(result.receipt), "state": state, "number": result.number,
        "amount": _sum(result.amount_minor, terms), "currency": result.currency,
        "service": getattr(first, "service", ""),
        **{name: moment.isoformat(timespec="seconds") for name, moment in at.items() if moment},
        "void_id": getattr(result, "void_txn", ""),
    }  # fmt: skip
    return {name: value for name, value in told.items() if value}


def _sum(amount_minor: int, terms: Terms) -> str:
    return format_amount(amount_minor, terms.exponent)


# --- the agent's side ----------------------------------------------------------------------------


def ask(command: Command, terms: Terms) -> HttpRequest:
    """The request with which the bank asks ``command``, signed."""
    operation = _operation(command)
    members = [member for member in _asked(command, terms) if member[1]]
    request = jsonkit.post(jsonkit.nested(members), (), operation)
    signature = _signature(terms, request.method, operation, request.body)
    return HttpRequest("POST", operation, b"", (*request.headers, (_HEADER, signature)), request.body)


def read(command: Command, response: HttpResponse, terms: Terms) -> Heard:
    """What the bank does with an answer: what is not signed for this very question is none.

    ``ok`` is a final yes, ``try-later`` is asked again, every other code of ``CODES`` is a final no.
    """
    if type(command).__name__ not in PROTOCOL.commands:
        return Heard("again", comment="not a question")
    wanted = _signature(terms, str(response.status), _hmac_of(ask(command, terms)), response.body)
    values = jsonkit.parse(response.body)
    if not hmac.compare_digest(_given(response.headers), wanted) or not isinstance(values, dict):
        return Heard("again", code=str(response.status), comment="not signed by kvit for this question")
    code = str(values.get("code"))
    step = "done" if code == "ok" else "stop" if code in _FINAL else "again"
    payment = jsonkit.Fields(values).inside("payment").values
    shown = [(name, str(values[name])) for name in ("name", "due", "advance") if name in values]
    shown += [("exact", "yes")] if values.get("exact") is True else []
    shown += [(str(one["id"]), str(one["amount"])) for one in values.get("payments", ())]
    became = str(payment.get("state", "")) if isinstance(command, Status) else ""
    amount_minor = parse_amount(str(values.get("due", payment.get("amount", ""))), terms.exponent)
    return Heard(
        step, code, str(values.get("message", "")), str(payment.get("receipt", "")),
        -1 if amount_minor is None else amount_minor, tuple(shown),
        "voided" if became in _ENDED else became,
    )  # fmt: skip


_ENDED = ("voided", "released", "expired")
_FINAL = frozenset(code for code, status, _ in CODES.values() if status in (200, 400))


def _operation(command: Command) -> str:
    if isinstance(command, Post):
        return "confirm" if command.held else "pay"
    return next(operation for operation, kind in _KINDS.items() if kind == type(command).__name__)


def _asked(command: Command, terms: Terms) -> List[Tuple[str, Any]]:
    """The members of a request, in the order of the document's examples; empty ones are left out."""
    txn = ("id", getattr(command, "txn", ""))
    if isinstance(command, Lookup):
        number = kit.split_number(command.number, "number", terms)
        amount = "" if command.amount_minor is None else _sum(command.amount_minor, terms)
        return [*number, ("amount", amount), ("service", command.service)]
    if isinstance(command, Post) and command.held:
        return [txn, ("receipt", str(command.receipt or ""))]
    if isinstance(command, (Hold, Post)):
        return [
            txn, *kit.split_number(command.number, "number", terms),
            ("amount", _sum(command.amount_minor, terms)), ("currency", command.currency or terms.currency),
            ("service", command.service), ("time", command.network_time_raw or command.network_time),
            ("fields", dict(command.fields)),
        ]  # fmt: skip
    if isinstance(command, Void):
        return [txn, ("void_id", command.void_txn), ("reason", command.reason)]
    if isinstance(command, ListPosted):
        states = "all" if command.every_state else ""
        return [("since", command.since), ("until", command.until), ("states", states)]
    if isinstance(command, Note):
        return [txn, ("kind", command.kind), ("fields", dict(command.fields))]
    return [txn]


FACTS = Facts("A", ("kvit's own description: `native.openapi.json` beside this page",))

_HABITS = Habits(face="app", clock="utc", statement="times")

PROTOCOL = Protocol(
    name="native", title="kvit's own", decode=decode, encode=encode, ask=ask, read=read, dialect=DIALECT,
    commands=frozenset(_KINDS.values()), facts=FACTS, locks=("secret",), habits=_HABITS,
)  # fmt: skip
