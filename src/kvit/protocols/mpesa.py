"""M-Pesa C2B: the validation and the confirmation that M-Pesa sends for payments to a short code.

Specification: the Daraja interface as libraries and guides describe it, gathered in
``docs/protocols/mpesa.md``; the vectors in ``tests/protocols/mpesa`` are written from there. A validation
may be refused. A confirmation tells of money that is taken: what can be booked is booked.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping, Union

# One word a line would push the code off the page.
# isort: off
from kvit.domain.messages import (
    Command, Denied, HttpRequest, HttpResponse, Lookup, Malformed, Post, Posted, Result, Voided,
)  # fmt: skip

# isort: on
from kvit.domain.money import format_amount, parse_amount
from kvit.protocols.base import Facts, Habits, Heard, Protocol, Switch, Terms
from kvit.protocols.kits import answers, jsonkit, kit, times

_OTHER = "C2B00016"

#: What happened -> ResultCode. A malformed member has its own line; whatever has none is another error.
CODES: Mapping[str, str] = {
    "no-such-account": "C2B00012",
    "account-closed": "C2B00012",
    "malformed BillRefNumber": "C2B00012",
    "too-small": "C2B00013",
    "too-large": "C2B00013",
    "malformed TransAmount": "C2B00013",
    "service": "C2B00015",
    "malformed BusinessShortCode": "C2B00015",
    "malformed": _OTHER,
    "denied": _OTHER,
    "conflict": _OTHER,
    "no-such-txn": _OTHER,
    "agreement-closed": _OTHER,
    "already-paid": _OTHER,
    "being-paid": _OTHER,
    "currency": _OTHER,
    "void-forbidden": _OTHER,
    "too-many": _OTHER,
}

DIALECT: Mapping[str, Switch] = {
    "result_code": Switch("text", ("text", "number"), about='ResultCode of a yes: `"0"` or `0`'),
    **kit.ACCOUNT_SWITCHES,
}


# --- our side ------------------------------------------------------------------------------------


def decode(request: HttpRequest, terms: Terms) -> Union[Command, Malformed, Denied]:
    """What M-Pesa asks or tells. Total: any bytes give a command or ``Malformed``. There is no lock."""
    if request.path not in _KINDS:
        return Malformed("path", "unknown")
    root = jsonkit.object_of(request)
    if isinstance(root, Malformed):
        return root
    command = _lookup(root, terms) if _KINDS[request.path] == "Lookup" else _post(root, terms)
    return root.problem or command


def encode(request: HttpRequest, result: Result, terms: Terms) -> HttpResponse:
    """Our answer. Total; the same request, result and terms give the same bytes.

    What we do not know is an HTTP error: it neither refuses a payment nor acknowledges one.
    """
    result = answers.fitting(_KINDS.get(request.path, ""), result)
    what = answers.bad_news(result)
    if what == "try-later":
        return HttpResponse(503, (), b"", "503")
    if what:
        parameter = result.parameter if isinstance(result, Malformed) else ""
        parameter = "BillRefNumber" if parameter in terms.payer_fields else parameter
        code = CODES.get(f"{what} {parameter}", CODES[what])
        # A yes of HTTP would acknowledge money that could not even be read.
        unread = what == "malformed" and _KINDS.get(request.path) != "Lookup"
        refusal = {"ResultCode": code, "ResultDesc": "Rejected"}
        return jsonkit.document(refusal, code, 400 if unread else 200)
    zero = "0" if _switch(terms, "result_code") == "text" else 0
    told: Dict[str, Any] = {"ResultCode": zero, "ResultDesc": "Accepted"}
    if isinstance(result, (Posted, Voided)):
        told["ThirdPartyTransID"] = str(result.receipt)
    return jsonkit.document(told, "0")


# --- the agent's side ----------------------------------------------------------------------------


def ask(command: Command, terms: Terms) -> HttpRequest:
    """The validation or confirmation that M-Pesa sends for ``command``."""
    values: Dict[str, Any] = dict.fromkeys(_MEMBERS, "")
    if isinstance(command, (Lookup, Post)):
        kept = dict(command.fields)
        for name in kept:  # in the order of the command
            values.pop(name, None)
        minor = command.amount_minor or 0
        values.update(
            TransID=command.txn, TransAmount=format_amount(minor, terms.exponent),
            BusinessShortCode=command.service, **kept,
        )  # fmt: skip
        values.update(kit.split_number(command.number, "BillRefNumber", terms))
    if isinstance(command, Post):
        raw = times.format_moment(command.network_time, times.COMPACT)
        values["TransTime"] = command.network_time_raw or raw
    path = "confirmation" if isinstance(command, Post) else "validation"
    return jsonkit.post(jsonkit.nested(list(values.items())), (), path)


def read(_command: Command, response: HttpResponse, _terms: Terms) -> Heard:
    """What M-Pesa does with an answer: 0 is a yes, any other code a no; the rest is no answer."""
    values = jsonkit.parse(response.body) if response.status in (200, 400) else None
    given = values.get("ResultCode") if isinstance(values, dict) else None
    code = str(given) if type(given) in (str, int) else ""
    if not isinstance(values, dict) or _CODE.fullmatch(code) is None:
        return Heard("again", code=str(response.status), comment="not understood")
    receipt = values.get("ThirdPartyTransID", "")
    return Heard(
        "done" if code == "0" else "stop", code, comment=str(values.get("ResultDesc", "")),
        receipt=receipt if isinstance(receipt, str) else "",
    )  # fmt: skip


# --- reading requests ----------------------------------------------------------------------------

_KINDS = {"validation": "Lookup", "confirmation": "Post"}
_MEMBERS = (
    "TransactionType", "TransID", "TransTime", "TransAmount", "BusinessShortCode", "BillRefNumber",
    "InvoiceNumber", "OrgAccountBalance", "ThirdPartyTransID", "MSISDN", "FirstName", "MiddleName",
    "LastName",
)  # fmt: skip

#: What helps to find whose money it is. The biller's own balance is not kept.
_KEPT = frozenset((
    "TransactionType", "InvoiceNumber", "ThirdPartyTransID", "MSISDN", "FirstName", "MiddleName", "LastName",
))  # fmt: skip
_TIME = frozenset({"TransTime"})

_CODE = re.compile("[0-9A-Z]{1,20}")
_TXN_SIZE_MAX = 40
_SHORT_CODE_SIZE_MAX = 20


def _lookup(root: jsonkit.Fields, terms: Terms) -> Command:
    return Lookup(
        root.text("TransID", _TXN_SIZE_MAX, required=False), root.account("BillRefNumber", terms),
        _short_code(root), amount_minor=_amount_minor(root, terms),
    )  # fmt: skip


def _post(root: jsonkit.Fields, terms: Terms) -> Command:
    """Only what a booking cannot do without has to be right: a refusal would lose sight of the money."""
    txn = root.text("TransID", _TXN_SIZE_MAX)
    if txn and not (txn.isascii() and txn.isalnum()):
        root.wrong("TransID", "not letters and digits")
    elif txn and not txn.strip("0"):
        root.wrong("TransID", "zero")
    raw = dict(root.kept(_TIME)).get("TransTime", "")
    return Post(
        txn, _typed(root, terms), _amount_minor(root, terms),
        service=_short_code(root), network_time=times.parse_moment(raw, times.COMPACT) or "",
        network_time_raw=raw, fields=root.kept(_KEPT), taken=True,
    )  # fmt: skip


def _amount_minor(root: jsonkit.Fields, terms: Terms) -> int:
    """Always with two digits after the point: also in a currency that has none, where they are zeros."""
    whole, point, rest = str(root.values.get("TransAmount", "")).partition(".")
    kept, dropped = rest[: terms.exponent], rest[terms.exponent :]
    if point and dropped and not dropped.strip("0"):
        amount_minor = parse_amount(whole + ("." + kept if kept else ""), terms.exponent)
        if amount_minor is not None:
            return amount_minor
    return root.amount_minor("TransAmount", terms.exponent)


def _short_code(root: jsonkit.Fields) -> str:
    text = root.word("BusinessShortCode", _SHORT_CODE_SIZE_MAX)
    if text and not kit.is_digits(text, _SHORT_CODE_SIZE_MAX):
        root.wrong("BusinessShortCode", "not digits")
    return text


def _typed(root: jsonkit.Fields, terms: Terms) -> str:
    """The client's number; where it is not of the agreed form, as much of it as can be shown."""
    alone = jsonkit.Fields(root.values)
    number = alone.account("BillRefNumber", terms)
    if alone.problem is None:
        return number
    raw = root.values.get("BillRefNumber")
    text = str(raw) if type(raw) in (str, int) else ""
    return "".join(mark for mark in text if kit.is_plain(mark))[: kit.ACCOUNT_SIZE_MAX]


# --- settings ------------------------------------------------------------------------------------

_MARKS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _txn_of(number: int) -> str:
    """Ten capital letters and digits, as in all samples."""
    marks = ""
    for _ in range(10):
        number, place = divmod(number, len(_MARKS))
        marks = _MARKS[place] + marks
    return marks


def _switch(terms: Terms, name: str) -> str:
    return terms.dialect.get(name, DIALECT[name].default)


FACTS = Facts(
    "B",
    ("the documents of four libraries (ExMpesa, mpesa for Rust, dart_mpesa, pesafy)",
     "the guides of pesakit and django-mpesa"),
    ("M-Pesa's addresses: one library's list",
     "the time limit of an answer (about 8 seconds is often quoted)",
     "what M-Pesa does after an HTTP error on a confirmation; what cannot be read gets 400",
     "the zone of TransTime: UTC+3 follows from the market",
     "the length of TransID: 10 in all samples, up to 40 are taken",
     "further words that an address may not contain"),
)  # fmt: skip

PROTOCOL = Protocol(
    name="mpesa", title="M-Pesa C2B", decode=decode, encode=encode, ask=ask, read=read, dialect=DIALECT,
    commands=frozenset(_KINDS.values()), facts=FACTS, locks=(), txn_of=_txn_of,
    habits=Habits(timeout_s=8.0, face="app", service="600000", taken=True),
)  # fmt: skip
