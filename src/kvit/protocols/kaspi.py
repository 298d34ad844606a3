"""Kaspi.kz: the bank of Kazakhstan asks and reports payments of its app and terminals, OSMP's way.

Specification: what independent implementations quote of the bank's "online interaction protocol", as gathered
in ``docs/protocols/kaspi.md``; the vectors in ``tests/protocols/kaspi`` are written from there. The bank
calls with GET; the answer is JSON or XML with HTTP 200, and 401 for who did not prove that it is the bank.
"""

from __future__ import annotations

import hmac
import re
from typing import Callable, Dict, List, Mapping, Tuple, Union

# One word a line would push the code off the page.
# isort: off
from kvit.domain.messages import (
    Command, Denied, Found, HttpRequest, HttpResponse, Lookup, Malformed, Post, Posted, Result, Void, Voided,
)  # fmt: skip

# isort: on
from kvit.domain.money import format_amount, parse_amount
from kvit.protocols.base import Facts, Habits, Heard, Protocol, Switch, Terms
from kvit.protocols.kits import answers, jsonkit, kit, times, xmlkit

#: What happened -> result code and comment, which the payer may read.
CODES: Mapping[str, Tuple[str, str]] = {
    "found": ("0", "Клиент найден"),
    "paid": ("0", "Принято"),
    "cancelled": ("0", "Платёж отменён"),
    "no-such-account": ("1", "Клиент не найден"),
    "wrong-account": ("1", "Неверный номер клиента"),
    "no-such-txn": ("1", "Платёж с этим номером не найден"),
    "already-paid": ("3", "Уже оплачено"),
    "try-later": ("4", "Временная ошибка, повторите позже"),
    "being-paid": ("5", "Оплачивается другим платежом"),
    "account-closed": ("5", "Счёт клиента закрыт"),
    "agreement-closed": ("5", "Приём платежей закрыт"),
    "too-small": ("5", "Сумма слишком мала"),
    "too-large": ("5", "Сумма слишком велика"),
    "currency": ("5", "Валюта не принимается"),
    "service": ("5", "Услуга не принимается"),
    "conflict": ("5", "Номер платежа известен с другими данными"),
    "malformed": ("5", "Неверный запрос"),
    "voided": ("5", "Платёж был отменён"),
    "void-forbidden": ("5", "Отмена не разрешена"),
    "too-many": ("5", "Слишком много платежей для одного ответа"),
}

_SHOWN = r"(name|number|debt|advance)(:[^\x00-\x1f\x7f:,]{0,40})?"

DIALECT: Mapping[str, Switch] = {
    "format": Switch("json", ("json", "xml"), about="how answers are written, as agreed at connection"),
    "receipt_tag": Switch("prv_txn_id", ("prv_txn_id", "prv_txn"), about="name of our payment number"),
    "show": Switch(
        "name:ФИО,number:Договор", pattern=f"none|{_SHOWN}(,{_SHOWN}){{0,8}}",
        about="what field1, field2 ... show: `what:label`, what = name, number, debt, advance; or `none`"),
    "bin": Switch("", pattern="([0-9]{12})?", about="`bin` in the answer to a check: the business number"),
    "cancel": Switch("off", ("on", "off"), about="the command cancel by `prv_txn`, an agreed extension"),
    **kit.ACCOUNT_SWITCHES,
}  # fmt: skip


# --- our side ------------------------------------------------------------------------------------


def decode(request: HttpRequest, terms: Terms) -> Union[Command, Malformed, Denied]:
    """What the bank asks. Total: any bytes give a command, ``Malformed`` or ``Denied``."""
    if not kit.basic_accepts(request, terms.basic_login, terms.basic_password):
        return Denied()
    form = kit.form_of(request)
    if terms.secret and not _has_secret(form, terms):
        return Denied()
    if isinstance(form, Malformed):
        return form
    name = form.values.get("command", "")
    reader = _READERS.get(name)
    if reader is None or (name == "cancel" and _switch(terms, "cancel") == "off"):
        return Malformed("command", "unknown" if name else "missing")
    command = reader(form, terms)
    return form.problem or command


def encode(request: HttpRequest, result: Result, terms: Terms) -> HttpResponse:
    """Our answer. Total; the same request, result and terms give the same bytes."""
    if isinstance(result, Denied):
        return kit.challenge("kvit")
    asked = kit.values_of(request)
    name = asked.get("command", "")
    result = answers.fitting(_KINDS.get(name, ""), result)
    if name == "pay" and isinstance(result, Voided) and result.posted is not None:
        result = result.posted  # a repetition hears the first answer, whatever became of the payment since
    outcome = _outcome(name, result, terms)
    code, comment = CODES[outcome]
    if isinstance(result, Malformed) and outcome == "malformed":
        comment = f"{comment}: {result.parameter}, {result.reason}"
    txn = asked.get("txn_id", "")
    members: Dict[str, jsonkit.Json] = {"txn_id": txn} if kit.is_digits(txn, _TXN_DIGITS_MAX) else {}
    if isinstance(result, (Posted, Voided)) and outcome != "voided":
        members[_switch(terms, "receipt_tag")] = str(result.receipt)
    members["result"] = int(code)
    if isinstance(result, (Found, Posted)):
        amount_minor = result.due_minor if isinstance(result, Found) else result.amount_minor
        members["sum"] = format_amount(amount_minor, terms.exponent)
    members["comment"] = comment
    if isinstance(result, Found):
        members["fields"] = _shown(result, terms)
        members["bin"] = _switch(terms, "bin")
    return _written({tag: value for tag, value in members.items() if value not in ("", {})}, code, terms)


# --- the agent's side ----------------------------------------------------------------------------


def ask(command: Command, terms: Terms) -> HttpRequest:
    """The request with which the bank asks ``command``. The check sum is a dummy, 1.00."""
    pairs: List[Tuple[str, str]] = [("command", "cancel")]
    if isinstance(command, Void):
        pairs += [("prv_txn", str(command.receipt))]
    elif isinstance(command, (Lookup, Post)):
        pays = isinstance(command, Post)
        pairs = [("command", "pay" if pays else "check"), ("txn_id", command.txn)]
        if isinstance(command, Post):
            moment = command.network_time_raw or times.format_moment(command.network_time, times.COMPACT)
            pairs += [("txn_date", moment)]
        amount_minor = command.amount_minor if isinstance(command, Post) else 10**terms.exponent
        pairs += kit.split_number(command.number, "account", terms)
        pairs += [("sum", format_amount(amount_minor or 0, terms.exponent)), ("service_id", command.service)]
        pairs += command.fields
    pairs += [(_SECRET, terms.secret)]
    headers = kit.basic_headers(terms.basic_login, terms.basic_password)
    return kit.form_request([pair for pair in pairs if pair[1]], "GET", headers)


def read(command: Command, response: HttpResponse, terms: Terms) -> Heard:
    """What the bank does with an answer.

    0 is a final yes, 4 and everything that is not an answer (an HTTP error, 401 included, a body that is not
    understood, another payment's id) is asked again; every other code is a final no.
    """
    if response.status != 200:
        return Heard("again", code=str(response.status), comment="HTTP error")
    members, shown = (_read_json if _switch(terms, "format") == "json" else _read_xml)(response.body)
    code = members.get("result", "")
    if not kit.is_digits(code, 9):
        return Heard("again", comment="not understood")
    sent, echoed = getattr(command, "txn", ""), members.get("txn_id", "")
    if sent and echoed and sent != echoed:
        return Heard("again", comment="answer to another payment")
    amount_minor = parse_amount(members.get("sum", ""), terms.exponent)
    return Heard(
        step="done" if code == "0" else "again" if code == CODES["try-later"][0] else "stop",
        code=code,
        comment=members.get("comment", ""),
        receipt=members.get(_switch(terms, "receipt_tag"), ""),
        amount_minor=-1 if amount_minor is None else amount_minor,
        shown=shown,
    )


# --- reading requests ----------------------------------------------------------------------------


def _has_secret(form: Union[kit.Form, Malformed], terms: Terms) -> bool:
    """Is the agreed constant in ``data1``?"""
    given = "" if isinstance(form, Malformed) else form.values.get(_SECRET, "")
    return hmac.compare_digest(given.encode(), terms.secret.encode("utf-8", "surrogatepass"))


_TXN_DIGITS_MAX = 18
_RECEIPT_MAX = 2**63 - 1
_SERVICE_SIZE_MAX = 100
_EXTRA = re.compile("data[1-9][0-9]?")
_READ = frozenset({"command", "txn_id", "txn_date", "account", "sum", "service_id"})

#: The field with the agreed constant. Where one was agreed it is no field of the payment.
_SECRET = "data1"  # noqa: S105 - the field's name
_READ_WITH_SECRET = _READ | {_SECRET}


def _lookup(form: kit.Form, terms: Terms) -> Command:
    txn = form.digits("txn_id", _TXN_DIGITS_MAX)
    number = form.account("account", terms)
    form.amount_minor("sum", terms.exponent)  # a dummy: it has to be a sum, and goes no further
    return Lookup(txn, number, _service(form), _kept(form, terms))


def _post(form: kit.Form, terms: Terms) -> Command:
    txn = form.digits("txn_id", _TXN_DIGITS_MAX)
    if txn and not txn.strip("0"):  # the id of every probe: as a key it would merge payments
        form.wrong("txn_id", "zero")
    return Post(
        txn=txn, number=form.account("account", terms),
        amount_minor=form.amount_minor("sum", terms.exponent), service=_service(form),
        network_time=form.moment("txn_date", times.COMPACT),
        network_time_raw=form.values.get("txn_date", ""), fields=_kept(form, terms),
    )  # fmt: skip


def _service(form: kit.Form) -> str:
    return form.text("service_id", _SERVICE_SIZE_MAX) if form.values.get("service_id") else ""


def _kept(form: kit.Form, terms: Terms) -> Tuple[Tuple[str, str], ...]:
    return form.kept(_EXTRA, _READ_WITH_SECRET if terms.secret else _READ, terms)


_READERS: Mapping[str, Callable[[kit.Form, Terms], Command]] = {
    "check": _lookup, "pay": _post,
    "cancel": lambda form, _terms: Void(receipt=form.number("prv_txn", _RECEIPT_MAX)),
}  # fmt: skip


# --- writing answers -----------------------------------------------------------------------------

_KINDS = {"check": "Lookup", "pay": "Post", "cancel": "Void"}


def _outcome(name: str, result: Result, terms: Terms) -> str:
    """The key of ``CODES`` for ``result``."""
    if isinstance(result, Malformed):
        of_the_number = result.parameter in ("account", *terms.payer_fields)
        return "wrong-account" if of_the_number else "malformed"
    if isinstance(result, Voided):
        return "cancelled" if name == "cancel" else "voided"
    return answers.bad_news(result) or ("found" if isinstance(result, Found) else "paid")


def _shown(result: Found, terms: Terms) -> Dict[str, Dict[str, str]]:
    """``{"field1": {"@name": label, "#text": text}}``; a text that is not to be shown leaves no field."""
    texts = {
        "name": result.display_name, "number": result.number, "none": "",
        "debt": format_amount(result.due_minor, terms.exponent),
        "advance": format_amount(result.advance_minor, terms.exponent),
    }  # fmt: skip
    fields = {}
    for position, item in enumerate(_switch(terms, "show").split(","), 1):
        what, _, label = item.partition(":")
        if texts[what]:
            fields["field" + str(position)] = {"@name": label, "#text": texts[what]}
    return fields


def _written(members: Mapping[str, jsonkit.Json], code: str, terms: Terms) -> HttpResponse:
    if _switch(terms, "format") == "json":
        return jsonkit.document(members, code)
    inner = ""
    for tag, value in members.items():
        if isinstance(value, dict):
            lines = (
                xmlkit.element(one, row["#text"], (("name", row["@name"]),)) for one, row in value.items()
            )
            inner += f"<{tag}>{''.join(lines)}</{tag}>"
        else:
            inner += xmlkit.element(tag, str(value))
    return xmlkit.document(inner, code)


# --- the agent's side in parts -------------------------------------------------------------------

_Read = Tuple[Mapping[str, str], Tuple[Tuple[str, str], ...]]


def _read_json(body: bytes) -> _Read:
    """The members that are texts or integers, and the texts of ``fields``."""
    root = jsonkit.parse(body)
    if not isinstance(root, dict):
        return {}, ()
    members = {name: str(value) for name, value in root.items() if type(value) in (str, int)}
    fields = root.get("fields")
    rows = [row for row in fields.values() if isinstance(row, dict)] if isinstance(fields, dict) else []
    return members, tuple((str(row.get("@name", "")), str(row.get("#text", ""))) for row in rows)


def _read_xml(body: bytes) -> _Read:
    root = xmlkit.parse(body)
    if root is None or root.tag != "response":
        return {}, ()
    members = {child.tag: child.text.strip() for child in root.children}
    rows = (row for child in root.children if child.tag == "fields" for row in child.children)
    return members, tuple((row.attributes.get("name", ""), row.text.strip()) for row in rows)


def _switch(terms: Terms, name: str) -> str:
    return terms.dialect.get(name, DIALECT[name].default)


FACTS = Facts(
    "B",
    ("seven open implementations that quote the bank's protocol", "the billing ABillS (module Kaspi)"),
    (
        "whether Kaspi asks again after code 5; kvit answers it only to what stays a no",
        "the same `txn_id` with other data; kvit answers 5, books nothing and alarms",
        "`cancel`, from one source: switch `cancel`, off",
        "when and how often Kaspi repeats a request",
        "the form of the daily register",
    ),
)  # fmt: skip

PROTOCOL = Protocol(
    name="kaspi", title="Kaspi.kz", decode=decode, encode=encode, ask=ask, read=read, dialect=DIALECT,
    commands=frozenset({"Lookup", "Post", "Void"}), facts=FACTS, locks=("basic", "secret"),
    habits=Habits(timeout_s=15.0, connections=15, face="app"),
)  # fmt: skip
