"""QIWI / OSMP: the check-and-pay XML protocol of the terminal network, and its dialects.

Specification: the QIWI provider protocol (developer.qiwi.com) and the dialects seen in the field, as
gathered in ``docs/protocols/qiwi.md``; the vectors in ``tests/protocols/qiwi`` are written from there.
The network calls with GET or a form POST; the answer is XML with HTTP 200, or 401 without a body.
"""

from __future__ import annotations

import re
from typing import Callable, Dict, List, Mapping, Tuple, Union

# One word a line would push the code off the page.
# isort: off
from kvit.domain.messages import (
    Command, Denied, Found, HttpRequest, HttpResponse, ListPosted, Lookup,
    Malformed, Post, Posted, Result, Statement, Status, Void,
    Voided,
)  # fmt: skip

# isort: on
from kvit.domain.money import format_amount, parse_amount
from kvit.protocols.base import Facts, Habits, Heard, Protocol, Switch, Terms
from kvit.protocols.kits import answers, kit, times, xmlkit

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
    "already-paid": ("79", "invoice is paid"),
    "being-paid": ("79", "invoice is being paid"),
    "no-such-txn": ("79", "payment not found"),  # * cancel_not_found_code
    "too-small": ("241", "sum is too small"),  # * amount_codes
    "too-large": ("242", "sum is too large"),  # * amount_codes
    "malformed": ("300", "malformed request"),
    "conflict": ("300", "payment id is known with other data"),  # * conflict_code
    "void-forbidden": ("300", "cancellation is not allowed"),
    "too-many": ("300", "too many payments for one answer"),
    "voided": ("300", "payment was cancelled"),
}

#: Outcomes whose code a switch of the dialect decides; the last is a choice that keeps both codes.
_SWITCHED = {
    "too-small": "amount_codes", "too-large": "amount_codes", "no-such-txn": "cancel_not_found_code",
    "conflict": "conflict_code", "account-closed": "closed_code",
}  # fmt: skip
_BOTH_CODES = "241-242"

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
    **kit.ACCOUNT_SWITCHES,
    "txn_date": Switch("required", ("required", "optional"), about="may a payment come without its date"),
    "txn_date_format": Switch(
        times.COMPACT, (times.COMPACT, times.ISO, times.DOTTED), about="how the network writes its dates"),
    "sum_digits": Switch("optional", ("optional", "exact"), about="`152.5` and `152` beside `152.50`"),
    "conflict_code": Switch(CODES["conflict"][0], ("300", "10", "215", "275"), about="known id, other data"),
    "closed_code": Switch(CODES["account-closed"][0], ("79", "7"), about="the account takes no payments"),
    "amount_codes": Switch(_BOTH_CODES, (_BOTH_CODES, "275"), about="sum outside the limits"),
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
    asked = kit.values_of(request)
    name = asked.get("command", "")
    result = answers.fitting(_KINDS.get(name, ""), result)
    if name == "pay" and isinstance(result, Voided) and result.posted is not None:
        result = result.posted  # a repetition hears the first answer, whatever became of the payment since
    style = terms.once(_Style)
    outcome = _outcome(name, result)
    code, told, comment = style.verdict(outcome, name)
    if isinstance(result, Malformed) and comment:
        comment = xmlkit.element("comment", f"wrong {result.parameter}: {result.reason}")
    echo = _echo(asked, name, style)
    if isinstance(result, Found):
        return xmlkit.document(echo + told + _shown(result, terms, style) + comment, code)
    if isinstance(result, (Posted, Voided)) and outcome == "done":
        return xmlkit.document(echo + _payment(result, terms, style) + told + comment, code)
    listed = _statement(result, terms) if isinstance(result, Statement) else ""
    return xmlkit.document(echo + told + listed + comment, code)


# --- the agent's side ----------------------------------------------------------------------------


def ask(command: Command, terms: Terms) -> HttpRequest:
    """The request with which the network asks ``command``. The check sum is a dummy, 1.00."""
    pairs = _ask_pairs(command, terms)
    headers = kit.basic_headers(terms.basic_login, terms.basic_password)
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
_RECEIPT_MAX = 2**63 - 1
_PAY_EXTRA = re.compile("trm_id|prv_id|data[1-9][0-9]?")
_PLAIN = frozenset({"command", "txn_id", "txn_date", "account", "sum"})
_READ = _PLAIN | {"pay_type"}
_CHECK_EXTRA = re.compile("ccy|" + _PAY_EXTRA.pattern)


def _lookup(form: kit.Form, terms: Terms) -> Command:
    checks = form.values["command"] == "check"  # getInfo has no payment yet
    txn = form.digits("txn_id", _TXN_DIGITS_MAX) if checks else ""
    number = form.account("account", terms)
    # The sum of a check is a dummy: it has to be a sum, and goes no further.
    form.amount_minor("sum", terms.exponent, fraction=_switch(terms, "sum_digits"), required=checks)
    if form.values.keys() <= _PLAIN:
        return Lookup(txn, number)
    form.currency("ccy")
    service = form.digits("pay_type", 9, required=False)
    return Lookup(txn, number, service, form.kept(_CHECK_EXTRA, _READ, terms))


def _post(form: kit.Form, terms: Terms) -> Command:
    txn = form.digits("txn_id", _TXN_DIGITS_MAX)
    if txn and not txn.strip("0"):  # the id of every probe: as a key it would merge payments
        form.wrong("txn_id", "zero")
    required = _switch(terms, "txn_date") == "required"
    return Post(
        txn=txn, number=form.account("account", terms),
        amount_minor=form.amount_minor("sum", terms.exponent, fraction=_switch(terms, "sum_digits")),
        currency=form.currency("ccy"), service=form.digits("pay_type", 9, required=False),
        network_time=form.moment("txn_date", _switch(terms, "txn_date_format"), required=required),
        network_time_raw=form.values.get("txn_date", ""), fields=form.kept(_PAY_EXTRA, _READ, terms),
    )  # fmt: skip


def _void(form: kit.Form, terms: Terms) -> Command:
    if _switch(terms, "cancel") == "a":
        return Void(receipt=form.number("prv_txn", _RECEIPT_MAX))
    form.moment("cancel_txn_date", _switch(terms, "txn_date_format"), required=False)
    return Void(
        void_txn=form.digits("txn_id", _TXN_DIGITS_MAX),
        txn=form.digits("cancel_txn_id", _TXN_DIGITS_MAX),
        number=form.account("account", terms),
        amount_minor=form.amount_minor("sum", terms.exponent, fraction=_switch(terms, "sum_digits")),
    )


_READERS: Mapping[str, Callable[[kit.Form, Terms], Command]] = {
    "check": _lookup, "pay": _post, "getInfo": _lookup, "cancel": _void,
    "status": lambda form, _terms: Status(form.digits("txn_id", _TXN_DIGITS_MAX)),
    "verify": lambda form, _terms: ListPosted(form.day("date"), form.day("date")),
}  # fmt: skip

#: Commands that an agreement may switch off: command -> switch.
_OPTIONAL = {"getInfo": "getinfo", "cancel": "cancel", "status": "status", "verify": "verify"}


# --- writing answers -----------------------------------------------------------------------------

_KINDS = {
    "check": "Lookup", "getInfo": "Lookup", "pay": "Post", "cancel": "Void", "status": "Status",
    "verify": "ListPosted",
}  # fmt: skip


def _outcome(name: str, result: Result) -> str:
    """The key of ``CODES`` for ``result``."""
    if isinstance(result, Voided):
        return "done" if name == "cancel" else "voided"
    if isinstance(result, Malformed):
        if result.parameter == "account":
            return "wrong-account"
        extra = result.parameter == "pay_type" or _CHECK_EXTRA.fullmatch(result.parameter)
        return "wrong-extra" if extra else "malformed"
    return answers.bad_news(result) or "done"


class _Style:
    """What the switches of one agreement come to."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._verdicts: Dict[Tuple[str, str], Tuple[str, str, str]] = {}
        self.txn_tag = _switch(terms, "response_txn_tag")
        self.cancel = _switch(terms, "cancel")
        self.has_sum, self.has_date, self.has_comment, self.has_balance = (
            _switch(terms, name) == "on" for name in ("answer_sum", "prv_txn_date", "comment", "balance_fio")
        )
        labels = {"debt": _switch(terms, "debt_label"), "advance": _switch(terms, "advance_label")}
        self.fields = []
        for position, item in enumerate(_switch(terms, "show").split(","), 1):
            what, name, kind = (item + "::").split(":")[:3]
            attributes = tuple(pair for pair in (("name", name), ("type", kind)) if pair[1])
            tag = "field" + str(position)
            self.fields.append((what, labels.get(what, ""), xmlkit.opening(tag, attributes), f"</{tag}>"))

    def verdict(self, outcome: str, name: str) -> Tuple[str, str, str]:
        """The result code of an outcome, and its elements ``result`` and (maybe empty) ``comment``."""
        known = self._verdicts.get((outcome, name))
        if known is None:
            code, comment = CODES[outcome]
            switch = _SWITCHED.get(outcome, "")
            if switch and (outcome != "no-such-txn" or name == "cancel"):
                chosen = _switch(self._terms, switch)
                code = code if chosen == _BOTH_CODES else chosen
            told = xmlkit.element("comment", comment) if self.has_comment else ""
            known = code, xmlkit.element("result", code), told
            if name in _READERS:  # whatever else an agent calls a command is not to be kept
                self._verdicts[outcome, name] = known
        return known


def _echo(asked: Mapping[str, str], name: str, style: _Style) -> str:
    """The payment's id as it came, where it came once and is well-formed."""
    txn, cancelled = asked.get("txn_id", ""), asked.get("cancel_txn_id", "")
    echo = xmlkit.element(style.txn_tag, txn) if kit.is_digits(txn, _TXN_DIGITS_MAX) else ""
    if name == "cancel" and style.cancel == "b" and kit.is_digits(cancelled, _TXN_DIGITS_MAX):
        echo += xmlkit.element("cancel_txn_id", cancelled)
    return echo


def _payment(result: Union[Posted, Voided], terms: Terms, style: _Style) -> str:
    told = xmlkit.element("prv_txn", str(result.receipt))
    if isinstance(result, Posted) and style.has_date:
        booked = times.format_moment(result.received_at.isoformat(), times.COMPACT)
        told += xmlkit.element("prv_txn_date", booked)
    by_receipt = isinstance(result, Voided) and style.cancel == "a"
    if style.has_sum and not by_receipt:
        told += xmlkit.element("sum", format_amount(result.amount_minor, terms.exponent))
    return told


def _shown(result: Found, terms: Terms, style: _Style) -> str:
    """``fields`` for the screen, and Pegas's two elements. A name that is not to be shown leaves no field."""
    fields = ""
    for what, label, opening, closing in style.fields:
        if what == "name":
            text = result.display_name
        else:
            sum_minor = result.due_minor if what == "debt" else result.advance_minor
            text = (label + " " + format_amount(sum_minor, terms.exponent)).strip() if what != "none" else ""
        if text:
            fields += opening + xmlkit.escape(text) + closing
    shown = "<fields>" + fields + "</fields>" if fields else ""
    if style.has_balance:
        balance = format_amount(result.advance_minor - result.due_minor, terms.exponent)
        shown += xmlkit.element("balance", balance) + xmlkit.element("fio", result.display_name)
    return shown


def _statement(result: Statement, terms: Terms) -> str:
    rows = []
    for item in result.items:
        if isinstance(item, Posted):
            moment = (item.network_at or item.received_at).isoformat()
            cells = (
                ("txn_id", item.txn), ("prv_txn", str(item.receipt)), ("account", item.number),
                ("amount", format_amount(item.amount_minor, terms.exponent)),
                ("date", times.format_moment(moment, times.DOTTED)),
            )  # fmt: skip
            rows.append("<payment>" + "".join(xmlkit.element(*cell) for cell in cells) + "</payment>")
    return "<payments>" + "".join(rows) + "</payments>"


# --- the agent's side in parts -------------------------------------------------------------------


def _ask_pairs(command: Command, terms: Terms) -> List[Tuple[str, str]]:
    exponent = terms.exponent
    if isinstance(command, Lookup):
        dummy = format_amount(10**exponent, exponent)
        head = [("command", "check"), ("txn_id", command.txn)] if command.txn else [("command", "getInfo")]
        tail = [
            *kit.split_number(command.number, "account", terms),
            ("sum", dummy),
            ("pay_type", command.service),
        ]
        pairs = [*head, *tail, *command.fields]
    elif isinstance(command, Post):
        layout = _switch(terms, "txn_date_format")
        moment = command.network_time_raw or times.format_moment(command.network_time, layout)
        pairs = [
            ("command", "pay"), ("txn_id", command.txn), ("txn_date", moment if command.network_time else ""),
            *kit.split_number(command.number, "account", terms),
            ("sum", format_amount(command.amount_minor, exponent)),
            ("pay_type", command.service), ("ccy", command.currency), *command.fields,
        ]  # fmt: skip
    elif isinstance(command, Void):
        amount = "" if command.amount_minor is None else format_amount(command.amount_minor, exponent)
        by = [("prv_txn", str(command.receipt))] if command.receipt and _switch(terms, "cancel") != "b" else [
            ("txn_id", command.void_txn), ("cancel_txn_id", command.txn),
            *kit.split_number(command.number, "account", terms), ("sum", amount),
        ]  # fmt: skip
        pairs = [("command", "cancel"), *by]
    elif isinstance(command, Status):
        pairs = [("command", "status"), ("txn_id", command.txn)]
    else:
        since = command.since if isinstance(command, ListPosted) else ""
        pairs = [("command", "verify"), ("date", since.replace("-", ""))]
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


FACTS = Facts(
    "A", ("QIWI's protocol for providers (developer.qiwi.com)", "five open billings and libraries"),
    ("what QIWI does after code 243: switch `code_243`",),
)  # fmt: skip

PROTOCOL = Protocol(
    name="qiwi", title="QIWI / OSMP", decode=decode, encode=encode, ask=ask, read=read, dialect=DIALECT,
    commands=frozenset({"Lookup", "Post", "Void", "Status", "ListPosted"}), facts=FACTS,
    habits=Habits(timeout_s=60.0, connections=15),
)  # fmt: skip
