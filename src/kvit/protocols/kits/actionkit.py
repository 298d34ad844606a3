"""The interface of ``action``, ``number``, ``receipt``, ``code``: what CyberPlat and Kassa24 share.

Facts as gathered in ``docs/protocols/cyberplat.md``. Standard library only, Python 3.9 syntax: protocols also
run on cheap hosting.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import List, Mapping, Tuple

from kvit.domain.messages import (
    Command,
    Found,
    HttpResponse,
    Lookup,
    Malformed,
    Post,
    Posted,
    Result,
    Void,
    Voided,
)
from kvit.domain.money import format_amount
from kvit.protocols.base import Heard, Switch, Terms
from kvit.protocols.kits import answers, kit, times, xmlkit

#: What happened -> code and message.
CODES: Mapping[str, Tuple[str, str]] = {
    "done": ("0", "ok"),
    "denied": ("-4", "wrong signature"),
    "service": ("-2", "wrong type"),
    "wrong-type": ("-2", "wrong type"),
    "wrong-additional": ("-1", "wrong additional"),
    "wrong-action": ("1", "wrong action"),
    "no-such-account": ("2", "client not found"),
    "wrong-number": ("2", "wrong number"),
    "too-small": ("3", "sum is too small"),
    "too-large": ("3", "sum is too large"),
    "wrong-amount": ("3", "wrong amount"),
    "conflict": ("4", "receipt is known with other data"),
    "wrong-receipt": ("4", "wrong receipt"),
    "wrong-date": ("5", "wrong date"),
    "no-such-txn": ("6", "no payment has this receipt"),
    "voided": ("7", "payment was cancelled"),
    "try-later": ("8", "state unknown, repeat"),
    "void-forbidden": ("9", "cancellation is not allowed"),
    "wrong-mes": ("11", "wrong mes"),
    "account-closed": ("100", "account takes no payments"),
    "agreement-closed": ("100", "payments are not accepted now"),
    "already-paid": ("100", "invoice is paid"),
    "being-paid": ("100", "invoice is being paid"),
    "currency": ("100", "currency is not accepted"),
    "too-many": ("100", "too many payments for one answer"),
    "malformed": ("100", "malformed request"),
}

#: The agent's side: what is final. -3 (the biller's own fault), 8 and any other code are asked again.
DONE = "0"
FINAL = ("-4", "-2", "-1", "1", "2", "3", "4", "5", "6", "7", "9", "10", "100")

#: The switches that both have.
SWITCHES: Mapping[str, Switch] = {
    "show": Switch(
        "none", ("none", "name", "debt", "name,debt"),
        about="what the message of a check holds instead of `ok`: the masked name, the debt"),
    "type_1": Switch(
        "default", ("default", "service"), about="`type` 1: no service in particular, or the service 1"),
    "debt_label": Switch("К оплате", pattern=r"[^\x00-\x1f]{0,40}", about="text before the debt"),
    **kit.ACCOUNT_SWITCHES,
}  # fmt: skip

_READ = frozenset({"action", "number", "amount", "type", "receipt", "date", "sign"})
_EXTRA = re.compile("additional|mes")
_MES_DIGITS_MAX = 9


# --- our side ------------------------------------------------------------------------------------


def lookup(form: kit.Form, terms: Terms) -> Lookup:
    """``action=check``. Its sum may be left out, and is a dummy: it has to be a sum, and goes no further."""
    form.amount_minor("amount", terms.exponent, required=False)
    number = form.account("number", terms)
    return Lookup("", number, _service(form, terms), form.kept(_EXTRA, _READ, terms))


def post(form: kit.Form, terms: Terms, digits_min: int, digits_max: int) -> Post:
    """``action=payment``; the receipt of ``digits_min`` to ``digits_max`` digits is the payment's id."""
    form.digits("mes", _MES_DIGITS_MAX, required=False)
    return Post(
        txn=receipt(form, digits_min, digits_max),
        number=form.account("number", terms),
        amount_minor=form.amount_minor("amount", terms.exponent),
        service=_service(form, terms),
        network_time=form.moment("date", times.ISO),
        network_time_raw=form.values.get("date", ""),
        fields=form.kept(_EXTRA, _READ, terms),
    )


def receipt(form: kit.Form, digits_min: int, digits_max: int) -> str:
    """The network's id of a payment."""
    txn = form.digits("receipt", digits_max)
    if len(txn) < digits_min:
        form.wrong("receipt", "too short")
    elif not txn.strip("0"):  # the id of every probe: as a key it would merge payments
        form.wrong("receipt", "zero")
    return txn


def reason(form: kit.Form) -> str:
    """Why a payment is cancelled: a number."""
    return form.digits("mes", _MES_DIGITS_MAX)


def _service(form: kit.Form, terms: Terms) -> str:
    """The kind of payment; 1 is the default one, as is none, unless the agreement says otherwise."""
    kind = form.digits("type", 9, required=False)
    return "" if kind == "1" and switch(terms, "type_1") == "default" else kind


def outcome(result: Result, terms: Terms) -> str:
    """The key of ``CODES`` for a result of anything but a cancellation."""
    if isinstance(result, Malformed):
        own = "wrong-" + result.parameter
        if own in CODES:
            return own
        return "wrong-number" if result.parameter in terms.payer_fields else "malformed"
    return "voided" if isinstance(result, Voided) else answers.bad_news(result) or "done"


def written(told: Tuple[str, str], result: Result, terms: Terms, charset: str) -> HttpResponse:
    """The answer: ``code``, then our number and time of the payment if there is one, then ``message``."""
    code, message = told
    booked = ""
    if isinstance(result, Posted):
        booked = _booked(result.receipt, result.received_at)
    elif isinstance(result, Voided):
        booked = _booked(result.receipt, result.at)
    elif isinstance(result, Found):
        message = _shown(result, terms) or message
    elif isinstance(result, Malformed):
        message = f"wrong {result.parameter}: {result.reason}"
    inner = xmlkit.element("code", code) + booked + xmlkit.element("message", message)
    return xmlkit.document(inner, code, charset=charset)


def _booked(number: int, at: datetime) -> str:
    return xmlkit.element("authcode", str(number)) + xmlkit.element(
        "date", times.format_moment(at.isoformat(), times.ISO)
    )


def _shown(found: Found, terms: Terms) -> str:
    wanted = switch(terms, "show")
    debt = switch(terms, "debt_label") + " " + format_amount(found.due_minor, terms.exponent)
    texts = (("name", found.display_name), ("debt", debt.strip()))
    return "; ".join(text for what, text in texts if what in wanted.split(",") and text)


def switch(terms: Terms, name: str) -> str:
    """What the agreement says of one of ``SWITCHES``."""
    return terms.dialect.get(name, SWITCHES[name].default)


# --- the agent's side ----------------------------------------------------------------------------


def pairs(command: Command, terms: Terms) -> List[Tuple[str, str]]:
    """The parameters that ask ``command``, in the order of the description's example."""
    if isinstance(command, (Lookup, Post)):
        asked = [
            ("action", "check" if isinstance(command, Lookup) else "payment"),
            *kit.split_number(command.number, "number", terms),
        ]
        default = "1" if switch(terms, "type_1") == "default" else ""
        kind = ("type", command.service or default)
        if isinstance(command, Lookup):
            asked += [kind, *command.fields]
        else:
            amount = format_amount(command.amount_minor, terms.exponent)
            date = command.network_time_raw or times.format_moment(command.network_time, times.ISO)
            asked += [("amount", amount), kind, ("receipt", command.txn), ("date", date), *command.fields]
    elif isinstance(command, Void):
        asked = [("action", "cancel"), ("receipt", command.txn), ("mes", command.reason)]
    else:
        asked = [("action", "status"), ("receipt", getattr(command, "txn", ""))]
    return [pair for pair in asked if pair[1]]


def heard(command: Command, response: HttpResponse, final: Tuple[str, ...] = FINAL) -> Heard:
    """What the network does with an answer: 0 is a final yes, ``final`` holds the codes that are a no.

    All else is asked again: the other codes, an HTTP error, a body that is not understood.
    """
    if response.status != 200:
        return Heard("again", code=str(response.status), comment="HTTP error")
    root = xmlkit.parse(response.body, xmlkit.charset_of(response.body))
    if root is None or root.tag != "response":
        return Heard("again", comment="not understood")
    code, message = root.child_text("code"), root.child_text("message")
    done = code == DONE or (code == "7" and isinstance(command, Void))  # it was cancelled before
    return Heard(
        step="done" if done else "stop" if code in final else "again",
        code=code,
        comment=message,
        receipt=root.child_text("authcode"),
        shown=(("message", message),) if done and isinstance(command, Lookup) else (),
    )
