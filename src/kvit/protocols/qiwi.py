"""QIWI / OSMP: the check-and-pay XML protocol of the terminal network, and its dialects.

Specification: the QIWI provider protocol (developer.qiwi.com) and the dialects seen in the field, as
gathered in ``docs/protocols/qiwi.md``; the vectors in ``tests/protocols/qiwi`` are written from there.
The network calls with GET or a form POST; the answer is XML with HTTP 200, or 401 without a body.
"""

from __future__ import annotations

import re
from typing import Callable, List, Mapping, Tuple, Union

# One word a line would push the code off the page.
# isort: off
from kvit.domain.messages import (
    REFUSALS, BadAmount, Command, Conflict, Denied, Found, HttpRequest, HttpResponse, ListPosted, Lookup,
    Malformed, NoSuchAccount, NoSuchTxn, Post, Posted, Refused, Result, Statement, Status, TryLater, Void,
    Voided,
)  # fmt: skip

# isort: on
from kvit.domain.money import format_amount, parse_amount
from kvit.protocols import kit, xmlkit
from kvit.protocols.base import Heard, Protocol, Switch, Terms

#: What happened -> result code and comment. Switches change the codes marked with a star.
CODES: Mapping[str, Tuple[str, str]] = {
    "done": ("0", "ok"),
    "try-later": ("1", "temporary error, repeat later"),
    "wrong-account": ("4", "wrong account number"),
    "no-such-account": ("5", "account not found"),
    "agreement-closed": ("8", "payments are not accepted now"),
    "wrong-extra": ("31", "wrong extra parameter"),
    "service": ("31", "service is not accepted"),
    "currency": ("31", "currency is not accepted"),
    "account-closed": ("79", "account takes no payments"),  # * closed_code
    "no-such-txn": ("79", "payment not found"),  # * cancel_not_found_code
    "too-small": ("241", "sum is too small"),  # * amount_codes
    "too-large": ("242", "sum is too large"),  # * amount_codes
    "malformed": ("300", "malformed request"),
    "conflict": ("300", "payment id is known with other data"),  # * conflict_code
    "void-forbidden": ("300", "cancellation is not allowed"),
    "voided": ("300", "payment was cancelled"),
}

#: The agent's side: after these codes it asks again (243: see the switch); all others are final.
AGAIN = ("1", "90")

_ON_OFF = ("on", "off")
_SHOWN = r"(name|debt|advance)(:[A-Za-z0-9_-]{0,32}){0,2}"

DIALECT: Mapping[str, Switch] = {
    "response_txn_tag": Switch(
        "osmp_txn_id", ("osmp_txn_id", "txn_id", "ibox_txn_id"), about="tag of the echoed payment id"),
    "answer_sum": Switch("on", _ON_OFF, about="`sum` in the answer to a payment"),
    "prv_txn_date": Switch("off", _ON_OFF, about="`prv_txn_date`, our booking time, beside `prv_txn`"),
    "comment": Switch("on", _ON_OFF, about="`comment` in every answer"),
    "show": Switch(
        "name:disp1,debt:disp2", pattern=f"none|{_SHOWN}(,{_SHOWN}){{0,8}}",
        about="what field1, field2 ... show: `what:name:type`, what = name, debt or advance; or `none`"),
    "debt_label": Switch("К оплате", pattern=r"[^\x00-\x1f]{0,40}", about="text before the debt"),
    "advance_label": Switch("Аванс", pattern=r"[^\x00-\x1f]{0,40}", about="text before the advance"),
    "balance_fio": Switch("off", _ON_OFF, about="`balance` and `fio` in the answer to a check (Pegas)"),
    "getinfo": Switch("on", _ON_OFF, about="the command getInfo"),
    "cancel": Switch("off", ("off", "a", "b"), about="cancel by `prv_txn` (a) or by `cancel_txn_id` (b)"),
    "status": Switch("off", _ON_OFF, about="the command status"),
    "verify": Switch("off", _ON_OFF, about="the command verify: the payments of a day (Pegas)"),
    "account_pattern": Switch(
        "", pattern=r"(?s).{0,200}", is_pattern=True,
        about="regular expression that the whole account must match as it came; empty: any"),
    "account_normalise": Switch("none", pattern=kit.NORMALISE_RULES, about="leading zeros dropped or added"),
    "txn_date": Switch("required", ("required", "optional"), about="may a payment come without its date"),
    "txn_date_format": Switch(kit.COMPACT, tuple(kit.LAYOUTS), about="how the network writes its dates"),
    "sum_digits": Switch("optional", ("optional", "exact"), about="`152.5` and `152` beside `152.50`"),
    "conflict_code": Switch(CODES["conflict"][0], ("300", "10", "215", "275"), about="known id, other data"),
    "closed_code": Switch(CODES["account-closed"][0], ("79", "7"), about="the account takes no payments"),
    "amount_codes": Switch("241-242", ("241-242", "275"), about="sum outside the limits"),
    "cancel_not_found_code": Switch(CODES["no-such-txn"][0], ("79", "0"), about="unknown payment"),
    "code_243": Switch("again", ("again", "stop"), about="agent's side: what 243 means to the network"),
    "ask_method": Switch("GET", ("GET", "POST"), about="agent's side: how the simulator asks"),
}  # fmt: skip


# --- our side ------------------------------------------------------------------------------------


def decode(request: HttpRequest, terms: Terms) -> Union[Command, Malformed, Denied]:
    """What the network asks. Total: any bytes give a command, ``Malformed`` or ``Denied``."""
    if not kit.basic_accepts(request, terms.basic_login, terms.basic_password):
        return Denied()
    form = kit.form_of(request)
    if isinstance(form, Malformed):
        return form
    name = form.values.get("command", "")
    reader = _READERS.get(name)
    if reader is None or (name in _OPTIONAL and _switch(terms, _OPTIONAL[name]) == "off"):
        return Malformed("command", "unknown" if name else "missing")
    command = reader(form, terms)
    return form.problem or command


def encode(request: HttpRequest, result: Result, terms: Terms) -> HttpResponse:
    """Our answer. Total; the same request, result and terms give the same bytes."""
    if isinstance(result, Denied):
        return kit.challenge("kvit")
    form = kit.form_of(request)
    asked = form.values if isinstance(form, kit.Form) else {}
    name = asked.get("command", "")
    if isinstance(result, (Found, Posted, Voided, Statement)) and not isinstance(result, _FITS.get(name, ())):
        result = TryLater("an answer to another question")
    if name == "pay" and isinstance(result, Voided) and result.posted is not None:
        result = result.posted  # a repetition hears the first answer, whatever became of the payment since
    outcome = _outcome(name, result)
    code, comment = CODES[outcome]
    code = _dialect_code(outcome, name, terms) or code
    if isinstance(result, Malformed):
        comment = "wrong " + result.parameter + ": " + result.reason
    parts = [_echo(asked, name, terms)]
    if outcome == "done" and isinstance(result, (Posted, Voided)):
        parts.append(_payment(result, terms))
    parts.append(xmlkit.element("result", code))
    if isinstance(result, Found):
        parts.append(_shown(result, terms))
    elif isinstance(result, Statement):
        parts.append(_statement(result, terms))
    if _switch(terms, "comment") == "on":
        parts.append(xmlkit.element("comment", comment))
    return xmlkit.document("".join(parts), code)


# --- the agent's side ----------------------------------------------------------------------------


def ask(command: Command, terms: Terms) -> HttpRequest:
    """The request with which the network asks ``command``. The check sum is a dummy, 1.00."""
    pairs = _ask_pairs(command, terms)
    headers: kit.Headers = ()
    if terms.basic_login or terms.basic_password:
        token = kit.basic_token(terms.basic_login, terms.basic_password)
        headers = ((b"authorization", b"Basic " + token),)
    return kit.form_request(pairs, _switch(terms, "ask_method"), headers)


def read(command: Command, response: HttpResponse, terms: Terms) -> Heard:
    """What the network does with an answer.

    0 is a final yes; 1, 90 and everything that is not an answer (an HTTP error, 401 included, a body
    that is not understood, another payment's id) is asked again; every other code is a final no.
    """
    if response.status != 200:
        return Heard("again", code=str(response.status), comment="HTTP error")
    root = xmlkit.parse(response.body)
    code = root.child_text("result") if root is not None and root.tag == "response" else ""
    if root is None or not kit.is_digits(code.lstrip("-"), 9):
        return Heard("again", comment="not understood")
    sent = command.void_txn if isinstance(command, Void) else getattr(command, "txn", "")
    echoed = root.child_text(_switch(terms, "response_txn_tag"))
    if sent and echoed and sent != echoed:
        return Heard("again", comment="answer to another payment")
    again = code in AGAIN or (code == "243" and _switch(terms, "code_243") == "again")
    amount_minor = parse_amount(root.child_text("sum"), terms.exponent)
    return Heard(
        step="again" if again else "done" if code == "0" else "stop",
        code=code,
        comment=root.child_text("comment"),
        receipt=root.child_text("prv_txn"),
        amount_minor=-1 if amount_minor is None else amount_minor,
        shown=_read_shown(root),
    )


# --- reading requests ----------------------------------------------------------------------------

_TXN_DIGITS_MAX = 20
_ACCOUNT_SIZE_MAX = 200
_SERVICE_DIGITS_MAX = 9
_RECEIPT_MAX = 2**63 - 1
_PAY_EXTRA = re.compile("trm_id|prv_id|data[1-9][0-9]?")
_CHECK_EXTRA = re.compile("ccy|" + _PAY_EXTRA.pattern)


def _lookup(form: kit.Form, terms: Terms) -> Command:
    checks = form.values["command"] == "check"  # getInfo has no payment yet
    txn = form.digits("txn_id", _TXN_DIGITS_MAX) if checks else ""
    number = _account(form, terms)
    # The sum of a check is a dummy: it has to be a sum, and goes no further.
    form.amount_minor("sum", terms.exponent, fraction=_switch(terms, "sum_digits"), required=checks)
    form.currency("ccy")
    service = form.digits("pay_type", _SERVICE_DIGITS_MAX, required=False)
    return Lookup(txn=txn, number=number, service=service, fields=form.kept(_CHECK_EXTRA))


def _post(form: kit.Form, terms: Terms) -> Command:
    txn = form.digits("txn_id", _TXN_DIGITS_MAX)
    if txn and not txn.strip("0"):  # the id of every probe: as a key it would merge payments
        form.wrong("txn_id", "zero")
    number = _account(form, terms)
    amount_minor = form.amount_minor("sum", terms.exponent, fraction=_switch(terms, "sum_digits"))
    required = _switch(terms, "txn_date") == "required"
    return Post(
        txn=txn,
        number=number,
        amount_minor=amount_minor,
        currency=form.currency("ccy"),
        service=form.digits("pay_type", _SERVICE_DIGITS_MAX, required=False),
        network_time=form.moment("txn_date", _switch(terms, "txn_date_format"), required=required),
        network_time_raw=form.values.get("txn_date", ""),
        fields=form.kept(_PAY_EXTRA),
    )


def _void(form: kit.Form, terms: Terms) -> Command:
    if _switch(terms, "cancel") == "a":
        return Void(receipt=form.number("prv_txn", _RECEIPT_MAX))
    form.moment("cancel_txn_date", _switch(terms, "txn_date_format"), required=False)
    return Void(
        void_txn=form.digits("txn_id", _TXN_DIGITS_MAX),
        txn=form.digits("cancel_txn_id", _TXN_DIGITS_MAX),
        number=_account(form, terms),
        amount_minor=form.amount_minor("sum", terms.exponent, fraction=_switch(terms, "sum_digits")),
    )


def _status(form: kit.Form, _terms: Terms) -> Command:
    return Status(form.digits("txn_id", _TXN_DIGITS_MAX))


def _list(form: kit.Form, _terms: Terms) -> Command:
    day = form.day("date")
    return ListPosted(day, day)


_READERS: Mapping[str, Callable[[kit.Form, Terms], Command]] = {
    "check": _lookup, "pay": _post, "getInfo": _lookup, "cancel": _void, "status": _status, "verify": _list,
}  # fmt: skip

#: Commands that an agreement may switch off: command -> switch.
_OPTIONAL = {"getInfo": "getinfo", "cancel": "cancel", "status": "status", "verify": "verify"}


def _account(form: kit.Form, terms: Terms) -> str:
    number = form.text("account", _ACCOUNT_SIZE_MAX)
    if not kit.matches(_switch(terms, "account_pattern"), number):
        form.wrong("account", "not the agreed form")
    return kit.normalise_number(number, _switch(terms, "account_normalise"))


# --- writing answers -----------------------------------------------------------------------------

# Which good news answers which command; anything else is our own fault and has to be asked again.
_FITS: Mapping[str, Tuple[type, ...]] = {
    "check": (Found,), "getInfo": (Found,), "pay": (Posted, Voided), "cancel": (Voided,),
    "status": (Posted, Voided), "verify": (Statement,),
}  # fmt: skip

_OUTCOMES: Mapping[type, str] = {
    Found: "done", Posted: "done", Statement: "done", NoSuchAccount: "no-such-account",
    NoSuchTxn: "no-such-txn", Conflict: "conflict", TryLater: "try-later",
}  # fmt: skip


def _outcome(name: str, result: Result) -> str:
    """The key of ``CODES`` for ``result``."""
    if isinstance(result, Voided):
        return "done" if name == "cancel" else "voided"
    if isinstance(result, BadAmount):
        above = result.high_minor is not None and result.amount_minor > result.high_minor
        return "too-large" if above else "too-small"
    if isinstance(result, Refused):
        return result.reason if result.reason in REFUSALS else "try-later"
    if isinstance(result, Malformed):
        if result.parameter == "account":
            return "wrong-account"
        extra = result.parameter == "pay_type" or _CHECK_EXTRA.fullmatch(result.parameter)
        return "wrong-extra" if extra else "malformed"
    return _OUTCOMES.get(type(result), "try-later")


def _dialect_code(outcome: str, name: str, terms: Terms) -> str:
    """The code that a switch gives to this outcome; ``""`` where none does."""
    if outcome in ("too-small", "too-large"):
        return "275" if _switch(terms, "amount_codes") == "275" else ""
    if outcome == "no-such-txn":
        return _switch(terms, "cancel_not_found_code") if name == "cancel" else ""
    switches = {"conflict": "conflict_code", "account-closed": "closed_code"}
    return _switch(terms, switches[outcome]) if outcome in switches else ""


def _echo(asked: Mapping[str, str], name: str, terms: Terms) -> str:
    """The payment's id as it came, where it came once and is well-formed."""
    tags = [("txn_id", _switch(terms, "response_txn_tag"))]
    if name == "cancel" and _switch(terms, "cancel") == "b":
        tags.append(("cancel_txn_id", "cancel_txn_id"))
    return "".join(
        xmlkit.element(tag, asked[parameter])
        for parameter, tag in tags
        if kit.is_digits(asked.get(parameter, ""), _TXN_DIGITS_MAX)
    )


def _payment(result: Union[Posted, Voided], terms: Terms) -> str:
    parts = [xmlkit.element("prv_txn", str(result.receipt))]
    if isinstance(result, Posted) and _switch(terms, "prv_txn_date") == "on":
        booked = kit.format_moment(result.received_at.isoformat(), kit.COMPACT)
        parts.append(xmlkit.element("prv_txn_date", booked))
    by_receipt = isinstance(result, Voided) and _switch(terms, "cancel") == "a"
    if _switch(terms, "answer_sum") == "on" and not by_receipt:
        parts.append(xmlkit.element("sum", format_amount(result.amount_minor, terms.exponent)))
    return "".join(parts)


def _shown(result: Found, terms: Terms) -> str:
    """``fields`` for the screen, and Pegas's two elements. A name that is not to be shown leaves no field."""
    debt = format_amount(result.due_minor, terms.exponent)
    advance = format_amount(result.advance_minor, terms.exponent)
    texts = {
        "name": result.display_name,
        "debt": (_switch(terms, "debt_label") + " " + debt).strip(),
        "advance": (_switch(terms, "advance_label") + " " + advance).strip(),
    }
    fields = []
    for position, item in enumerate(_switch(terms, "show").split(","), 1):
        what, name, kind = (item + "::").split(":")[:3]
        attributes = tuple(pair for pair in (("name", name), ("type", kind)) if pair[1])
        if texts.get(what):
            fields.append(xmlkit.element("field" + str(position), texts[what], attributes))
    parts = ["<fields>" + "".join(fields) + "</fields>"] if fields else []
    if _switch(terms, "balance_fio") == "on":
        balance = format_amount(result.advance_minor - result.due_minor, terms.exponent)
        parts += [xmlkit.element("balance", balance), xmlkit.element("fio", result.display_name)]
    return "".join(parts)


def _statement(result: Statement, terms: Terms) -> str:
    rows = []
    for item in result.items:
        moment = item.network_time or item.received_at.isoformat()
        cells = (
            ("txn_id", item.txn), ("prv_txn", str(item.receipt)), ("account", item.number),
            ("amount", format_amount(item.amount_minor, terms.exponent)),
            ("date", kit.format_moment(moment, kit.DOTTED)),
        )  # fmt: skip
        rows.append("<payment>" + "".join(xmlkit.element(tag, text) for tag, text in cells) + "</payment>")
    return "<payments>" + "".join(rows) + "</payments>"


# --- the agent's side in parts -------------------------------------------------------------------


def _ask_pairs(command: Command, terms: Terms) -> List[Tuple[str, str]]:
    exponent = terms.exponent
    if isinstance(command, Lookup):
        dummy = format_amount(10**exponent, exponent)
        head = [("command", "check"), ("txn_id", command.txn)] if command.txn else [("command", "getInfo")]
        tail = [("account", command.number), ("sum", dummy), ("pay_type", command.service)]
        pairs = [*head, *tail, *command.fields]
    elif isinstance(command, Post):
        layout = _switch(terms, "txn_date_format")
        moment = command.network_time_raw or kit.format_moment(command.network_time, layout)
        pairs = [
            ("command", "pay"), ("txn_id", command.txn), ("txn_date", moment if command.network_time else ""),
            ("account", command.number), ("sum", format_amount(command.amount_minor, exponent)),
            ("pay_type", command.service), ("ccy", command.currency), *command.fields,
        ]  # fmt: skip
    elif isinstance(command, Void) and command.receipt:
        pairs = [("command", "cancel"), ("prv_txn", str(command.receipt))]
    elif isinstance(command, Void):
        amount = "" if command.amount_minor is None else format_amount(command.amount_minor, exponent)
        pairs = [
            ("command", "cancel"), ("txn_id", command.void_txn), ("cancel_txn_id", command.txn),
            ("account", command.number), ("sum", amount),
        ]  # fmt: skip
    elif isinstance(command, Status):
        pairs = [("command", "status"), ("txn_id", command.txn)]
    else:
        pairs = [("command", "verify"), ("date", command.since.replace("-", ""))]
    return [pair for pair in pairs if pair[1]]


def _read_shown(root: xmlkit.Element) -> Tuple[Tuple[str, str], ...]:
    """The texts of ``fields`` by name, or the payments of a day by id."""
    shown = []
    for block in root.children:
        for item in block.children:
            if block.tag == "fields":
                shown.append((item.attributes.get("name", item.tag), item.text.strip()))
            elif block.tag == "payments":
                shown.append((item.child_text("txn_id"), item.child_text("amount")))
    return tuple(shown)


def _switch(terms: Terms, name: str) -> str:
    return terms.dialect.get(name, DIALECT[name].default)


PROTOCOL = Protocol(
    name="qiwi", title="QIWI / OSMP", decode=decode, encode=encode, ask=ask, read=read, dialect=DIALECT,
    commands=frozenset({"Lookup", "Post", "Void", "Status", "ListPosted"}),
)  # fmt: skip
