"""Sberbank, protocol 1: the unified billing's check and payment with upper-case parameters.

Specification: the bank's terms as open implementations cite them, gathered in ``docs/protocols/sberbank.md``;
the vectors in ``tests/protocols/sberbank`` are written from there. The bank calls with GET or a form POST.
The answer is XML, or 401 without a body. A payment told again gets a code of its own with the first data.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Dict, List, Mapping, Tuple, Union

# One word a line would push the code off the page.
# isort: off
from kvit.domain.messages import (
    Command, Denied, Found, HttpRequest, HttpResponse, Lookup, Malformed, Post, Posted, Result,
    TryLater, Voided,
)  # fmt: skip

# isort: on
from kvit.domain.money import format_amount, parse_amount
from kvit.protocols.base import Facts, Habits, Heard, Protocol, Switch, Terms
from kvit.protocols.kits import answers, kit, times, xmlkit

#: What happened -> code and message; the numbers of the main edition.
CODES: Mapping[str, Tuple[str, str]] = {
    "found": ("0", "OK"),
    "paid": ("0", "accepted"),
    "try-later": ("1", "temporary error, repeat later"),
    "wrong-action": ("2", "wrong ACTION"),
    "no-such-account": ("3", "client not found"),
    "wrong-account": ("4", "wrong ACCOUNT"),
    "account-closed": ("5", "account takes no payments"),
    "already-paid": ("5", "invoice is paid"),
    "being-paid": ("5", "invoice is being paid"),
    "wrong-txn": ("6", "wrong PAY_ID"),
    "conflict": ("6", "payment id is known with other data"),  # never 8, which would confirm it
    "agreement-closed": ("7", "payments are not accepted now"),
    "service": ("7", "service is not accepted"),
    "currency": ("7", "currency is not accepted"),
    "paid-before": ("8", "duplicate, answer to the first one"),
    "wrong-sum": ("9", "wrong AMOUNT"),
    "too-small": ("10", "sum is too small"),
    "too-large": ("11", "sum is too large"),
    "wrong-date": ("12", "wrong PAY_DATE"),
    "malformed": ("300", "malformed request"),
    "voided": ("300", "payment was cancelled"),
    "no-such-txn": ("300", "payment not found"),
    "void-forbidden": ("300", "cancellation is not allowed"),
    "too-many": ("300", "too many payments for one answer"),
}

_OF_THE_CLIENT = ("wrong-account", "account-closed", "already-paid", "being-paid")
_OF_THE_AGREEMENT = ("agreement-closed", "service", "currency")
_OTHERS = ("malformed", "voided", "no-such-txn", "void-forbidden", "too-many")

#: Where an edition of the code table differs from the main one. What an edition has no code for gets the
#: nearest of its own, never a number that means something else there.
EDITIONS: Mapping[str, Mapping[str, str]] = {
    "main": {},
    "utm5": {
        **dict.fromkeys((*_OF_THE_CLIENT, *_OF_THE_AGREEMENT), "3"),
        "wrong-txn": "4", "conflict": "4", "paid-before": "5", "wrong-sum": "6", "too-small": "7",
        "too-large": "8", "wrong-date": "9", **dict.fromkeys(_OTHERS, "2"),
    },
    "lanbilling": {
        **dict.fromkeys(_OF_THE_CLIENT, "7"), "wrong-account": "3",
        **dict.fromkeys(("wrong-sum", "too-small", "too-large"), "4"),
        "wrong-txn": "5", "conflict": "5", "wrong-date": "6", **dict.fromkeys(_OTHERS, "-1"),
    },
}  # fmt: skip

DIALECT: Mapping[str, Switch] = {
    "codes": Switch("main", tuple(EDITIONS), about="which edition of the code table was signed"),
    "http_status": Switch(
        "200", ("200", "by-code"), about="`by-code`: 400 with a wrong parameter, 500 with code 1"),
    "balance_tag": Switch("BALANCE", ("BALANCE", "ACCOUNT_BALANCE"), about="tag of the client's balance"),
    "sum_tag": Switch("AMOUNT", ("AMOUNT", "SUM"), about="tag of the sum that was booked"),
    "info": Switch("", pattern=r"[^\x00-\x1f]{0,200}", about="`INFO`: a text for the payer of a check"),
    "charset": Switch("utf-8", xmlkit.CHARSETS, about="of the answers"),
    **kit.ACCOUNT_SWITCHES,
}  # fmt: skip


# --- our side ------------------------------------------------------------------------------------


def decode(request: HttpRequest, terms: Terms) -> Union[Command, Malformed, Denied]:
    """What the bank asks. Total: any bytes give a command, ``Malformed`` or ``Denied``."""
    if not kit.basic_accepts(request, terms.basic_login, terms.basic_password):
        return Denied()
    form = _form_of(request, terms)
    if isinstance(form, Malformed):
        return form
    kind = _kind(form.values)
    if not kind:
        return Malformed("ACTION", "unknown" if form.values.get("ACTION") else "missing")
    command = _lookup(form, terms) if kind == "Lookup" else _post(form, terms)
    return form.problem or command


def encode(request: HttpRequest, result: Result, terms: Terms) -> HttpResponse:
    """Our answer. Total; the same request, result and terms give the same bytes."""
    if isinstance(result, Denied):
        return kit.challenge("kvit")
    form = _form_of(request, terms)
    asked = {} if isinstance(form, Malformed) else form.values
    result = answers.fitting(_kind(asked), result)
    if isinstance(result, Voided) and result.posted is not None:  # whatever became of the payment since
        result = replace(result.posted, repeat=True)
    outcome = _outcome(result, terms)
    main_code, message = CODES[outcome]
    code = EDITIONS[_switch(terms, "codes")].get(outcome, main_code)
    if isinstance(result, Malformed):
        message = f"wrong {result.parameter}: {result.reason}"
    inner = xmlkit.element("CODE", code) + xmlkit.element("MESSAGE", message)
    if isinstance(result, Found):
        inner += _client(result, terms)
    elif isinstance(result, Posted):
        inner += _payment(result, asked.get("PAY_DATE", ""), terms)
    answer = xmlkit.document(inner, code, charset=_switch(terms, "charset"))
    return replace(answer, status=_status(result, terms))


# --- the agent's side ----------------------------------------------------------------------------


def ask(command: Command, terms: Terms) -> HttpRequest:
    """The request with which the bank asks ``command``."""
    pairs: List[Tuple[str, str]] = []
    if isinstance(command, Lookup):
        pairs = [("ACTION", "check"), *kit.split_number(command.number, "ACCOUNT", terms)]
        pairs += [("PAY_ID", command.txn), *command.fields]
    elif isinstance(command, Post):
        moment = times.format_moment(command.network_time, times.DOTTED).replace(" ", "_")
        pairs = [
            ("ACTION", "payment"), *kit.split_number(command.number, "ACCOUNT", terms),
            ("AMOUNT", format_amount(command.amount_minor, terms.exponent)), ("PAY_ID", command.txn),
            ("PAY_DATE", command.network_time_raw or moment), *command.fields,
        ]  # fmt: skip
    headers = kit.basic_headers(terms.basic_login, terms.basic_password)
    return kit.form_request([pair for pair in pairs if pair[1]], "GET", headers)


def read(command: Command, response: HttpResponse, terms: Terms) -> Heard:
    """What the bank does with an answer.

    0, and for a payment the code of a repetition, is a final yes. 1 and everything that is not an answer (an
    HTTP error, 401 included, a body that is not understood) is asked again; every other code is a final no.
    """
    by_code = response.status == _WRONG_PARAMETER and _switch(terms, "http_status") == "by-code"
    if response.status != 200 and not by_code:
        return Heard("again", code=str(response.status), comment="HTTP error")
    root = xmlkit.parse(response.body, _switch(terms, "charset"))
    code = root.child_text("CODE") if root is not None and root.tag == "response" else ""
    if root is None or not kit.is_digits(code[1:] if code[:1] == "-" else code, 9):
        return Heard("again", comment="not understood")
    pays = isinstance(command, Post)
    repeated = EDITIONS[_switch(terms, "codes")].get("paid-before", CODES["paid-before"][0])
    done = code == "0" or (pays and code == repeated)
    named = root.child_text(_switch(terms, "sum_tag") if pays else "REC_SUM")
    amount_minor = parse_amount(named, terms.exponent)
    return Heard(
        step="done" if done else "again" if code == CODES["try-later"][0] else "stop",
        code=code,
        comment=root.child_text("MESSAGE"),
        receipt=root.child_text("EXT_ID"),
        amount_minor=-1 if amount_minor is None else amount_minor,
        shown=tuple((child.tag, child.text.strip()) for child in root.children if child.tag in _SHOWN),
    )


_SHOWN = ("FIO", "ADDRESS", "BALANCE", "ACCOUNT_BALANCE", "INFO")


# --- reading requests ----------------------------------------------------------------------------

_TXN_DIGITS_MAX = 20
_READ = frozenset({"ACTION", "ACCOUNT", "AMOUNT", "PAY_ID", "PAY_DATE"})
_KEPT = re.compile("contact")
_KINDS = {"check": "Lookup", "payment": "Post"}


def _kind(values: Mapping[str, str]) -> str:
    return _KINDS.get(values.get("ACTION", "").lower(), "")


def _names(terms: Terms) -> Dict[str, str]:
    """Lower case -> the name as it is written here: one biller takes parameters in any case."""
    return {name.lower(): name for name in (*_READ, "contact", *terms.payer_fields)}


def _form_of(request: HttpRequest, terms: Terms) -> Union[kit.Form, Malformed]:
    """The parameters under the names that are written here; one in two cases is there twice."""
    form = kit.form_of(request)
    if isinstance(form, Malformed):
        return form
    names = terms.once(_names)
    values: Dict[str, str] = {}
    for name, value in form.values.items():
        known = names.get(name.lower(), name)
        if known in values:
            return Malformed(known, "repeated")
        values[known] = value
    return kit.Form(values)


def _lookup(form: kit.Form, terms: Terms) -> Command:
    number = form.account("ACCOUNT", terms)
    txn = form.digits("PAY_ID", _TXN_DIGITS_MAX, required=False)
    if form.values.get("AMOUNT"):  # a dummy: it has to be a sum, and goes no further
        form.amount_minor("AMOUNT", terms.exponent)
    _moment(form, required=False)
    return Lookup(txn, number, fields=form.kept(_KEPT, _READ, terms))


def _post(form: kit.Form, terms: Terms) -> Command:
    txn = form.digits("PAY_ID", _TXN_DIGITS_MAX)
    if txn and not txn.strip("0"):  # two payments under such an id would be taken for one
        form.wrong("PAY_ID", "zero")
    return Post(
        txn=txn, number=form.account("ACCOUNT", terms),
        amount_minor=form.amount_minor("AMOUNT", terms.exponent), network_time=_moment(form),
        network_time_raw=form.values.get("PAY_DATE", ""), fields=form.kept(_KEPT, _READ, terms),
    )  # fmt: skip


def _moment(form: kit.Form, *, required: bool = True) -> str:
    """``DD.MM.YYYY_HH:MM:SS``, or as one biller gets it, ``YYYYMMDDHHMMSS``."""
    text = form.values.get("PAY_DATE", "")
    if text[10:11] != "_":
        return form.moment("PAY_DATE", times.COMPACT, required=required)
    iso = times.parse_moment(text[:10] + " " + text[11:], times.DOTTED)
    if iso is None:
        form.wrong("PAY_DATE", "not a date")
    return iso or ""


# --- writing answers -----------------------------------------------------------------------------

#: What is wrong with which parameter.
_WRONG = {
    "ACTION": "wrong-action", "ACCOUNT": "wrong-account", "PAY_ID": "wrong-txn", "AMOUNT": "wrong-sum",
    "PAY_DATE": "wrong-date",
}  # fmt: skip
_WRONG_PARAMETER = 400


def _outcome(result: Result, terms: Terms) -> str:
    """The key of ``CODES`` for ``result``."""
    if isinstance(result, Malformed):
        of_the_number = result.parameter in terms.payer_fields
        return "wrong-account" if of_the_number else _WRONG.get(result.parameter, "malformed")
    if isinstance(result, Posted):
        return "paid-before" if result.repeat else "paid"
    return answers.bad_news(result) or ("found" if isinstance(result, Found) else "voided")


def _status(result: Result, terms: Terms) -> int:
    if _switch(terms, "http_status") == "200":
        return 200
    return _WRONG_PARAMETER if isinstance(result, Malformed) else 500 if isinstance(result, TryLater) else 200


def _client(result: Found, terms: Terms) -> str:
    balance = format_amount(result.advance_minor - result.due_minor, terms.exponent)
    cells = (
        ("FIO", result.display_name), (_switch(terms, "balance_tag"), balance),
        ("REC_SUM", format_amount(result.due_minor, terms.exponent)), ("INFO", _switch(terms, "info")),
    )  # fmt: skip
    return "".join(xmlkit.element(*cell) for cell in cells if cell[1])


def _payment(result: Posted, their_date: str, terms: Terms) -> str:
    """What was booked, when and under which number; our date has the form of the bank's."""
    layout = times.DOTTED if their_date[10:11] == "_" else times.COMPACT
    booked = times.format_moment(result.received_at.isoformat(), layout).replace(" ", "_")
    return (
        xmlkit.element("EXT_ID", str(result.receipt))
        + xmlkit.element("REG_DATE", booked)
        + xmlkit.element(_switch(terms, "sum_tag"), format_amount(result.amount_minor, terms.exponent))
    )


def _switch(terms: Terms, name: str) -> str:
    return terms.dialect.get(name, DIALECT[name].default)


FACTS = Facts(
    "B",
    (
        "the bank's terms of an online contract, as a MikBill gateway cites and implements them",
        "three other open implementations and the manual of a billing (Carbon)",
        "two implementations with another numbering (UTM5, LANBilling)",
    ),
    (
        "which HTTP status the bank wants, two implementations disagree: switch `http_status`",
        "the editions `utm5` and `lanbilling` are from one source each: switch `codes`",
        "that code 5 of `utm5` counts as success, as 8 does",
        "the code for a known `PAY_ID` with other data; kvit answers a wrong id, books nothing and alarms",
        "when and how often the bank repeats a request",
        "the form of the daily register",
    ),
)

PROTOCOL = Protocol(
    name="sberbank", title="Sberbank, protocol 1", decode=decode, encode=encode, ask=ask, read=read,
    dialect=DIALECT, commands=frozenset({"Lookup", "Post"}), facts=FACTS, habits=Habits(face="app"),
)  # fmt: skip
