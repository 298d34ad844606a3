"""Click (Uzbekistan), SHOP-API: prepare and complete as signed forms, answered in JSON; a question of debt.

Specification: Click's published request and error pages, as gathered in ``docs/protocols/click.md``; the
vectors in ``tests/protocols/click`` are written from there. Every form is signed: MD5 over its values as they
came and a word that both sides know. Sums are decimals of soums.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Tuple, Union

# One word a line would push the code off the page.
# isort: off
from kvit.domain.messages import (
    Command, Denied, Found, Held, Hold, HttpRequest, HttpResponse, Lookup,
    Malformed, Post, Posted, Result, Void, Voided,
)  # fmt: skip

# isort: on
from kvit.domain.money import format_amount, parse_amount
from kvit.protocols.base import Facts, Habits, Heard, Protocol, Switch, Terms
from kvit.protocols.kits import answers, jsonkit, kit, times

#: What happened -> ``error`` and ``error_note``.
CODES: Mapping[str, Tuple[int, str]] = {
    "done": (0, "Success"),
    "denied": (-1, "SIGN CHECK FAILED"),
    "too-small": (-2, "Wrong amount"),
    "too-large": (-2, "Wrong amount"),
    "not-as-prepared": (-2, "The sum or the number is not that of the prepare"),
    "no-such-action": (-3, "Action not found"),
    "paid": (-4, "Already paid"),
    "already-paid": (-4, "Already paid"),
    "void-forbidden": (-4, "Already paid"),
    "no-such-account": (-5, "The user or the order does not exist"),
    "account-closed": (-5, "The account takes no payments"),
    "agreement-closed": (-5, "Payments are not accepted now"),
    "being-paid": (-5, "The invoice is being paid"),
    "service": (-5, "The service is not accepted"),
    "currency": (-5, "The currency is not accepted"),
    "no-such-txn": (-6, "The transaction does not exist"),
    "try-later": (-7, "Temporary failure, repeat later"),
    "malformed": (-8, "Error in the request"),
    "conflict": (-8, "The transaction is known with other data"),
    "too-many": (-8, "Too many payments for one answer"),
    "cancelled": (-9, "The transaction is cancelled"),
}

DIALECT: Mapping[str, Switch] = {
    "try_later": Switch(
        "http-503", ("http-503", "-7"), about="how it is said that the books cannot be asked"
    ),
    "hold_s": Switch("86400", pattern="0|[1-9][0-9]{0,6}", about="how long a prepare waits; 0: for ever"),
    "getinfo": Switch("off", ("off", "on"), about="the question of debt, which nobody signs"),
    **kit.ACCOUNT_SWITCHES,
}


# --- our side ------------------------------------------------------------------------------------


def decode(request: HttpRequest, terms: Terms) -> Union[Command, Malformed, Denied]:
    """What Click asks, checked in the order of its own sample: fields, signature, action, then the rest."""
    if _is_getinfo(request, terms):
        return _lookup(request, terms)
    form = kit.form_of(request)
    if isinstance(form, Malformed):
        return form
    if request.method != "POST":
        return Malformed("method", "not allowed")
    values = form.values
    for name in _SIGNED[values.get("action") == "1"] + _UNSIGNED:
        if not values.get(name) and (name not in values or name != "error_note"):
            return Malformed(name, "missing")
    if not _is_signed(values, terms):
        return Denied()
    kind = _kind(request, values)
    if not kind:
        return Malformed("action", "unknown")
    command = _payment(form, kind, terms)
    return form.problem or command


def encode(request: HttpRequest, result: Result, terms: Terms) -> HttpResponse:
    """Our answer. Total; the same request, result and terms give the same bytes."""
    values: Mapping[str, str] = {}
    kind = "Lookup" if _is_getinfo(request, terms) else ""
    if not kind:
        values = kit.values_of(request)
        kind = _kind(request, values)
    result = answers.fitting(kind, result, two_phase=True)
    outcome = _outcome(kind, result)
    if outcome == "try-later" and _switch(terms, "try_later") == "http-503":
        return HttpResponse(503, (), b"", "503")
    code, note = CODES[outcome]
    told = _echo(values)
    if isinstance(result, Held):
        told["merchant_prepare_id"] = result.receipt
    elif kind in ("Post", "Void"):
        told["merchant_confirm_id"] = result.receipt if isinstance(result, Posted) else None
    told.update({"error": code, "error_note": note})
    if isinstance(result, Found):
        balance = format_amount(result.advance_minor - result.due_minor, terms.exponent)
        told["params"] = {
            "account": result.number, "full_name": result.display_name, "address": "", "balance": balance,
        }  # fmt: skip
    return jsonkit.document(told, str(code))


# --- the agent's side ----------------------------------------------------------------------------


def ask(command: Command, terms: Terms) -> HttpRequest:
    """The request with which Click asks ``command``: at the one address, ``action`` tells which."""
    if isinstance(command, Lookup):
        ids = {"click_trans_id": command.txn, "service_id": command.service}
        asked: Dict[str, Any] = {name: int(text) for name, text in ids.items() if text}
        asked.update(jsonkit.nested(list(kit.split_number(command.number, _CALLER, terms))))
        return replace(jsonkit.post(asked), query=_GETINFO)
    pairs = _ask_pairs(command, terms)
    signature = _signature(dict(pairs), terms)
    return kit.form_request([*pairs, ("sign_string", signature)], "POST", ())


def read(command: Command, response: HttpResponse, terms: Terms) -> Heard:
    """What Click does with an answer.

    0 is a final yes; so is -4 that brings the payment's id to a complete, and -9 to a complete that says that
    the payment failed. An HTTP status but 200, and what is not understood, is asked again; -7 where it was
    agreed that it is said for that. Every other code is a final no.
    """
    told = jsonkit.parse(response.body) if response.status == 200 else None
    code = told.get("error") if isinstance(told, dict) else None
    if not isinstance(told, dict) or isinstance(code, bool) or not isinstance(code, int):
        status = "" if response.status == 200 else str(response.status)
        return Heard("again", status, "not understood")
    kind, sent, echoed = type(command).__name__, getattr(command, "txn", ""), told.get("click_trans_id")
    if sent and echoed is not None and str(echoed) != sent:
        return Heard("again", str(code), "answer to another payment")
    number = told.get("merchant_prepare_id" if kind == "Hold" else "merchant_confirm_id")
    receipt = str(number) if isinstance(number, int) else ""
    note, params = told.get("error_note"), told.get("params")
    texts = params.items() if isinstance(params, dict) and kind == "Lookup" else ()
    shown = tuple((name, text) for name, text in texts if isinstance(text, str))
    comment = note if isinstance(note, str) else ""
    owed = _owed(dict(shown).get("balance", ""), terms)
    return Heard(_step(kind, code, receipt, terms), str(code), comment, receipt, owed, shown)


# --- reading requests ----------------------------------------------------------------------------

_GETINFO = b"payment_method=getinfo"
_CALLER = "params.caller_id"
_ID = re.compile("[1-9][0-9]{0,18}")
_FAILURE = re.compile("-[1-9][0-9]{0,8}")
_RECEIPT_MAX = 2**63 - 1

#: What is signed by a prepare and by a complete, in this order; the secret goes behind ``service_id``.
_SIGNED: Tuple[Tuple[str, ...], Tuple[str, ...]] = (
    ("click_trans_id", "service_id", "merchant_trans_id", "amount", "action", "sign_time"),
    (
        "click_trans_id", "service_id", "merchant_trans_id", "merchant_prepare_id", "amount", "action",
        "sign_time",
    ),
)  # fmt: skip
_UNSIGNED = ("click_paydoc_id", "error", "error_note", "sign_string")

#: Which actions there are at an address.
_ACTIONS: Mapping[str, Tuple[str, ...]] = {"": ("0", "1"), "prepare": ("0",), "complete": ("1",)}


def _kind(request: HttpRequest, values: Mapping[str, str]) -> str:
    """The command that a form means; empty for an action that there is not at this address."""
    action = values.get("action", "")
    if action not in _ACTIONS.get(request.path.rstrip("/"), ()):
        return ""
    failed = values.get("error", "").startswith("-")
    return "Hold" if action == "0" else "Void" if failed else "Post"


def _signature(values: Mapping[str, str], terms: Terms) -> str:
    first, second, *others = (values.get(name, "") for name in _SIGNED[values.get("action") == "1"])
    signed = "".join((first, second, terms.secret, *others)).encode("utf-8", "surrogatepass")
    return hashlib.md5(
        signed, usedforsecurity=False
    ).hexdigest()  # Click's own choice, where MD5 is barred too


def _is_signed(values: Mapping[str, str], terms: Terms) -> bool:
    return hmac.compare_digest(values["sign_string"].encode(), _signature(values, terms).encode())


def _payment(form: kit.Form, kind: str, terms: Terms) -> Command:
    txn, number = form.text("click_trans_id"), _number(form, terms)
    if _ID.fullmatch(txn) is None:
        form.wrong("click_trans_id", "not a number")
    amount_minor = form.amount_minor("amount", terms.exponent)
    error = form.values["error"]
    receipt = 0 if kind == "Hold" else form.number("merchant_prepare_id", _RECEIPT_MAX)
    common: Dict[str, Any] = {
        "service": form.digits("service_id", 9), "network_time": form.moment("sign_time", times.SPACED),
        "network_time_raw": form.values["sign_time"],
        "fields": (("click_paydoc_id", form.digits("click_paydoc_id", 19)),),
    }  # fmt: skip
    if kind == "Hold":
        if error != "0":
            form.wrong("error", "not 0")
        return Hold(txn, number, amount_minor, lifetime_s=int(_switch(terms, "hold_s")), **common)
    if error != "0" and _FAILURE.fullmatch(error) is None:
        form.wrong("error", "neither 0 nor below")
    if kind == "Void":
        return Void(txn, receipt, "", number, amount_minor, error, only_held=True)
    return Post(txn, number, amount_minor, held=True, receipt=receipt, **common)


def _number(form: kit.Form, terms: Terms) -> str:
    """The client's number: always the one that is signed, never the fields of a question of debt."""
    number = form.text("merchant_trans_id", kit.ACCOUNT_SIZE_MAX)
    agreed = kit.agreed_number(number, terms)
    if agreed is None:
        form.wrong("merchant_trans_id", "not the agreed form")
    return agreed or number


def _is_getinfo(request: HttpRequest, terms: Terms) -> bool:
    asked = request.query == _GETINFO or request.path.rstrip("/") == "getinfo"
    return asked and _switch(terms, "getinfo") == "on"


def _lookup(request: HttpRequest, terms: Terms) -> Union[Command, Malformed]:
    fields = jsonkit.object_of(request)
    if isinstance(fields, Malformed):
        return fields
    txn, service = (fields.word(name, required=False) for name in ("click_trans_id", "service_id"))
    for name, text in (("click_trans_id", txn), ("service_id", service)):
        if text and _ID.fullmatch(text) is None:
            fields.wrong(name, "not a number")
    number = fields.account(_CALLER, terms)
    return fields.problem or Lookup(txn, number, service)


# --- writing answers -----------------------------------------------------------------------------


def _outcome(kind: str, result: Result) -> str:
    """The key of ``CODES`` for ``result``."""
    if isinstance(result, Voided):
        return "cancelled"
    if isinstance(result, Posted):
        return "done" if kind == "Post" and not result.repeat else "paid"
    outcome = answers.bad_news(result) or "done"
    if isinstance(result, Malformed):
        if result.parameter == "action":
            return "no-such-action"
        return "no-such-account" if result.reason == "not the agreed form" else outcome
    return "not-as-prepared" if outcome == "conflict" and kind in ("Post", "Void") else outcome


def _echo(values: Mapping[str, str]) -> Dict[str, Any]:
    """The payment's id and the client's number as they came, where they are well-formed."""
    txn, number = values.get("click_trans_id", ""), values.get("merchant_trans_id", "")
    told: Dict[str, Any] = {"click_trans_id": int(txn)} if _ID.fullmatch(txn) else {}
    if number and len(number) <= kit.ACCOUNT_SIZE_MAX and kit.is_plain(number):
        told["merchant_trans_id"] = number
    return told


# --- the agent's side in parts -------------------------------------------------------------------

_DONE: Mapping[str, Tuple[int, ...]] = {"Lookup": (0,), "Hold": (0,), "Post": (0, -4), "Void": (-9,)}
_UNDATED = "2000-01-01 00:00:00"


def _ask_pairs(command: Command, terms: Terms) -> List[Tuple[str, str]]:
    """A form without its signature. A cancellation has no time and no service of its own."""
    values = command.__dict__
    moment = values.get("network_time_raw") or times.format_moment(
        values.get("network_time") or _UNDATED, times.SPACED
    )
    txn = values.get("txn", "")
    pairs = {
        "click_trans_id": txn,
        "service_id": values.get("service") or "0",
        "click_paydoc_id": dict(values.get("fields", ())).get("click_paydoc_id", txn),
        "merchant_trans_id": values.get("number", ""),
        "merchant_prepare_id": str(values.get("receipt") or ""),
        "amount": format_amount(values.get("amount_minor") or 0, terms.exponent),
        "action": "0" if isinstance(command, Hold) else "1",
        "error": values.get("reason", "0"),
        "error_note": "Failed" if isinstance(command, Void) else "Success",
        "sign_time": moment,
    }
    return [(name, text) for name, text in pairs.items() if text]


def _step(kind: str, code: int, receipt: str, terms: Terms) -> str:
    if code in _DONE.get(kind, ()) and (receipt or kind in ("Lookup", "Void")):
        return "done"
    later = code == CODES["try-later"][0] and _switch(terms, "try_later") == str(code)
    return "again" if later or code == CODES["done"][0] else "stop"


def _owed(balance: str, terms: Terms) -> int:
    """A debt is a balance below zero; -1 where there is none to read."""
    sum_minor = parse_amount(balance.removeprefix("-"), terms.exponent)
    if sum_minor is None:
        return -1
    return sum_minor if balance.startswith("-") else 0


def _switch(terms: Terms, name: str) -> str:
    return terms.dialect.get(name, DIALECT[name].default)


FACTS = Facts(
    "A",
    ("Click's pages on requests and errors (docs.click.uz)", "Click's PHP sample", "three open programs"),
    (
        "what Click does after -7 or an HTTP error, and how long it waits: switch `try_later`, HTTP 503",
        "that a repeated prepare gets the same id",
        "the order of the checks: Click's sample alone",
        "how long a prepare may wait for its complete: switch `hold_s`, a day",
        "the zone of `sign_time`: the agreement's",
        "`getinfo`, from one program, unsigned: switch `getinfo`, off",
        "the known id with other data: -8 to a prepare, -2 to a complete (of Click's sample: another sum)",
    ),
)  # fmt: skip

PROTOCOL = Protocol(
    name="click", title="Click", decode=decode, encode=encode, ask=ask, read=read, dialect=DIALECT,
    commands=frozenset({"Lookup", "Hold", "Post", "Void"}), facts=FACTS, locks=("secret",),
    habits=Habits(face="app", reason="-5017"),
)  # fmt: skip
