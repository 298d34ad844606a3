"""Sberbank, protocol 2: check and pay of the unified billing, OSMP's way, with an MD5 hash by agreement.

Specification: what a billing's manual, an operator's manual and an open implementation agree on, gathered in
``docs/protocols/sberbank2.md``; the vectors in ``tests/protocols/sberbank2`` are written from there. The bank
calls with GET or a form POST; the answer is XML with HTTP 200, or 401 without a body.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from hashlib import md5
from typing import List, Mapping, Tuple, Union

# One word a line would push the code off the page.
# isort: off
from kvit.domain.messages import (
    Command, Denied, Found, HttpRequest, HttpResponse, Lookup, Malformed, Post, Posted, Result, Voided,
)  # fmt: skip

# isort: on
from kvit.domain.money import format_amount, parse_amount
from kvit.protocols.base import Facts, Habits, Heard, Protocol, Switch, Terms
from kvit.protocols.kits import answers, kit, times, xmlkit

#: What happened -> code and comment; the numbers of the main edition.
CODES: Mapping[str, Tuple[str, str]] = {
    "found": ("0", "OK"),
    "paid": ("0", "accepted"),
    "try-later": ("1", "temporary error, repeat later"),
    "wrong-command": ("2", "wrong command"),
    "no-such-account": ("3", "client not found"),
    "wrong-account": ("4", "wrong account"),
    "account-closed": ("5", "account takes no payments"),
    "already-paid": ("5", "invoice is paid"),
    "being-paid": ("5", "invoice is being paid"),
    "wrong-txn": ("6", "wrong txn_id"),
    "conflict": ("6", "payment id is known with other data"),  # never 8, which would confirm it
    "agreement-closed": ("7", "payments are not accepted now"),
    "service": ("7", "service is not accepted"),
    "currency": ("7", "currency is not accepted"),
    "paid-before": ("8", "duplicate, answer to the first one"),
    "wrong-sum": ("9", "wrong sum"),
    "too-small": ("10", "sum is too small"),
    "too-large": ("11", "sum is too large"),
    "wrong-date": ("12", "wrong txn_date"),
    "wrong-hash": ("14", "wrong hash"),  # only in the edition 14-707
    "malformed": ("300", "malformed request"),
    "voided": ("300", "payment was cancelled"),
    "no-such-txn": ("300", "payment not found"),
    "void-forbidden": ("300", "cancellation is not allowed"),
    "too-many": ("300", "too many payments for one answer"),
}

_SIGNED = "14-707"

DIALECT: Mapping[str, Switch] = {
    "codes": Switch("main", ("main", _SIGNED), about="14-707: 14 for a wrong hash, 707 in place of 300"),
    "info": Switch("", pattern=r"[^\x00-\x1f]{0,200}", about="`info`: a text for the payer of a check"),
    **kit.ACCOUNT_SWITCHES,
}


# --- our side ------------------------------------------------------------------------------------


def decode(request: HttpRequest, terms: Terms) -> Union[Command, Malformed, Denied]:
    """What the bank asks. Total: any bytes give a command, ``Malformed`` or ``Denied``."""
    if not kit.basic_accepts(request, terms.basic_login, terms.basic_password):
        return Denied()
    form = kit.form_of(request)
    if terms.secret and not _is_signed(form, terms.secret):
        return Denied("signature")
    if isinstance(form, Malformed):
        return form
    if terms.secret and _is_ambiguous(form.values):
        return Malformed("query", "has two meanings under its hash")
    name = form.values.get("command", "")
    if name not in _KINDS:
        return Malformed("command", "unknown" if name else "missing")
    command = _lookup(form, terms) if name == "check" else _post(form, terms)
    return form.problem or command


def encode(request: HttpRequest, result: Result, terms: Terms) -> HttpResponse:
    """Our answer. Total; the same request, result and terms give the same bytes."""
    edition = _switch(terms, "codes")
    if isinstance(result, Denied) and not (edition == _SIGNED and result.reason == "signature"):
        return kit.challenge("kvit")
    name = kit.values_of(request).get("command", "")
    result = answers.fitting(_KINDS.get(name, ""), result)
    if isinstance(result, Voided) and result.posted is not None:  # whatever became of the payment since
        result = replace(result.posted, repeat=True)
    code, comment = CODES[_outcome(result, terms)]
    if code == "300" and edition == _SIGNED:
        code = "707"
    if isinstance(result, Malformed):
        comment = f"wrong {result.parameter}: {result.reason}"
    cells = [("result", code), ("comment", comment)]
    if isinstance(result, Found):
        balance = format_amount(result.advance_minor - result.due_minor, terms.exponent)
        cells += [("fio", result.display_name), ("balance", balance), ("info", _switch(terms, "info"))]
    elif isinstance(result, Posted):
        booked = times.format_moment(result.received_at.isoformat(), times.COMPACT)
        amount = format_amount(result.amount_minor, terms.exponent)
        cells += [("ext_id", str(result.receipt)), ("reg_date", booked), ("sum", amount)]
    return xmlkit.document("".join(xmlkit.element(*cell) for cell in cells if cell[1]), code)


# --- the agent's side ----------------------------------------------------------------------------


def ask(command: Command, terms: Terms) -> HttpRequest:
    """The request with which the bank asks ``command``. The check sum is a dummy, 1.00."""
    pairs: List[Tuple[str, str]] = []
    if isinstance(command, (Lookup, Post)):
        pays = isinstance(command, Post)
        amount_minor = command.amount_minor if isinstance(command, Post) else 10**terms.exponent
        pairs = [
            ("command", "pay" if pays else "check"), *kit.split_number(command.number, "account", terms),
            ("sum", format_amount(amount_minor, terms.exponent)), ("txn_id", command.txn),
        ]  # fmt: skip
        if isinstance(command, Post):
            moment = command.network_time_raw or times.format_moment(command.network_time, times.COMPACT)
            pairs += [("txn_date", moment)]
        pairs = [pair for pair in (*pairs, ("serv_id", command.service)) if pair[1]]
    if terms.secret:
        pairs += [("hash", hash_of(dict(pairs), terms.secret))]
    return kit.form_request(pairs, "GET", kit.basic_headers(terms.basic_login, terms.basic_password))


def read(command: Command, response: HttpResponse, terms: Terms) -> Heard:
    """What the bank does with an answer.

    0, and for a payment 8, is a final yes. 1, 14 (as 401 is: what a wrong hash leads to is not described) and
    everything that is not an answer is asked again; every other code is a final no.
    """
    if response.status != 200:
        return Heard("again", code=str(response.status), comment="HTTP error")
    root = xmlkit.parse(response.body)
    code = root.child_text("result") if root is not None and root.tag == "response" else ""
    if root is None or not kit.is_digits(code, 9):
        return Heard("again", comment="not understood")
    pays = isinstance(command, Post)
    done = code == "0" or (pays and code == CODES["paid-before"][0])
    balance = root.child_text("balance")
    named = root.child_text("sum") if pays else balance[1:] if balance[:1] == "-" else balance and "0"
    amount_minor = parse_amount(named, terms.exponent)
    again = code in (CODES["try-later"][0], CODES["wrong-hash"][0])
    return Heard(
        step="done" if done else "again" if again else "stop",
        code=code,
        comment=root.child_text("comment"),
        receipt=root.child_text("ext_id"),
        amount_minor=-1 if amount_minor is None else amount_minor,
        shown=tuple((child.tag, child.text.strip()) for child in root.children if child.tag in _SHOWN),
    )


_SHOWN = ("fio", "balance", "info")


# --- the hash ------------------------------------------------------------------------------------


def hash_of(values: Mapping[str, str], secret: str) -> str:
    """MD5 of all parameters but ``hash``, sorted by name, as ``k=v&...``, with ``&secret=`` behind them."""
    pairs = [name + "=" + value for name, value in sorted(values.items()) if name != "hash"]
    signed = "&".join([*pairs, "secret=" + secret]).encode("utf-8", "surrogatepass")
    return md5(signed, usedforsecurity=False).hexdigest()


def _is_signed(form: Union[kit.Form, Malformed], secret: str) -> bool:
    """What cannot be read cannot be checked, and is then not known to come from the bank."""
    if isinstance(form, Malformed):
        return False
    given = form.values.get("hash", "").lower().encode()
    return hmac.compare_digest(given, hash_of(form.values, secret).encode())


def _is_ambiguous(values: Mapping[str, str]) -> bool:
    """Could the same text have been signed for other parameters? ``account`` = ``1&sum=9`` and the like."""
    return any("&" in name or "=" in name or "&" in value for name, value in values.items())


# --- reading requests ----------------------------------------------------------------------------

_TXN_DIGITS_MAX = 20
_SERVICE_SIZE_MAX = 100
_KINDS = {"check": "Lookup", "pay": "Post"}


def _lookup(form: kit.Form, terms: Terms) -> Command:
    number = form.account("account", terms)
    txn = form.digits("txn_id", _TXN_DIGITS_MAX)
    form.amount_minor("sum", terms.exponent)  # a dummy: it has to be a sum, and goes no further
    return Lookup(txn, number, _service(form))


def _post(form: kit.Form, terms: Terms) -> Command:
    txn = form.digits("txn_id", _TXN_DIGITS_MAX)
    if txn and not txn.strip("0"):  # two payments under such an id would be taken for one
        form.wrong("txn_id", "zero")
    return Post(
        txn=txn, number=form.account("account", terms),
        amount_minor=form.amount_minor("sum", terms.exponent), service=_service(form),
        network_time=form.moment("txn_date", times.COMPACT),
        network_time_raw=form.values.get("txn_date", ""),
    )  # fmt: skip


def _service(form: kit.Form) -> str:
    return form.text("serv_id", _SERVICE_SIZE_MAX) if form.values.get("serv_id") else ""


# --- writing answers -----------------------------------------------------------------------------

#: What is wrong with which parameter.
_WRONG = {
    "command": "wrong-command", "account": "wrong-account", "txn_id": "wrong-txn", "sum": "wrong-sum",
    "txn_date": "wrong-date",
}  # fmt: skip


def _outcome(result: Result, terms: Terms) -> str:
    """The key of ``CODES`` for ``result``."""
    if isinstance(result, Malformed):
        of_the_number = result.parameter in terms.payer_fields
        return "wrong-account" if of_the_number else _WRONG.get(result.parameter, "malformed")
    if isinstance(result, Denied):
        return "wrong-hash"
    if isinstance(result, Posted):
        return "paid-before" if result.repeat else "paid"
    return answers.bad_news(result) or ("found" if isinstance(result, Found) else "voided")


def _switch(terms: Terms, name: str) -> str:
    return terms.dialect.get(name, DIALECT[name].default)


FACTS = Facts(
    "B",
    (
        "the manual of a billing (Carbon), with the hash",
        "an operator's manual, with an example of the hash that was computed again",
        "the open billing Ubilling (front end sberbank)",
    ),
    (
        "what the bank does when the hash is wrong; kvit answers HTTP 401, or 14 by switch `codes`",
        "the codes 14 and 707, from one source: switch `codes`",
        "whether escaped characters are signed escaped; kvit signs the values themselves",
        "the code for a known `txn_id` with other data; kvit answers a wrong id, books nothing and alarms",
        "the bank's addresses: those of protocol 1",
        "when and how often the bank repeats a request",
        "the form of the daily register",
    ),
)

PROTOCOL = Protocol(
    name="sberbank2", title="Sberbank, protocol 2", decode=decode, encode=encode, ask=ask, read=read,
    dialect=DIALECT, commands=frozenset({"Lookup", "Post"}), facts=FACTS, locks=("basic", "secret"),
    habits=Habits(face="app"),
)  # fmt: skip
