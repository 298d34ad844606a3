"""CyberPlat: check, payment, status and cancel in a signed query, a signed XML document as the answer.

Facts as gathered in ``docs/protocols/cyberplat.md``; the vectors in ``tests/protocols/cyberplat`` are written
from there. The network signs the query from ``action=`` up to ``&sign=``, byte for byte; we sign the
whole document as it is without ``<sign>``, which is then put in at its end. RSA, in hexadecimal.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Callable, Mapping, Tuple, Union

# One word a line would push the code off the page.
# isort: off
from kvit.domain.messages import (
    Command, Denied, HttpRequest, HttpResponse, Malformed, Result, Status, Void, Voided,
)  # fmt: skip

# isort: on
from kvit.protocols.base import Facts, Habits, Heard, Protocol, Switch, Terms
from kvit.protocols.kits import actionkit, answers, kit

#: What happened -> code and message; ``_verdict`` says which of them a switch changes.
CODES: Mapping[str, Tuple[str, str]] = actionkit.CODES

DIALECT: Mapping[str, Switch] = {
    "hash": Switch("sha1", ("sha1", "sha256"), about="the hash that both sides sign"),
    "charset": Switch(
        "windows-1251", ("windows-1251", "utf-8"), about="charset of the answers; they declare it"),
    "cancel_again_code": Switch("0", ("0", "7"), about="a cancellation asked for once more"),
    "cancel_unknown_code": Switch("6", ("6", "2"), about="cancellation of a payment that is not there"),
    "code_11": Switch(
        "temporary", ("temporary", "final"),
        about="what 11 is to the network: where it asks again after it, a wrong `mes` is answered 100"),
    **actionkit.SWITCHES,
}  # fmt: skip

_RECEIPT_DIGITS = (3, 15)


# --- our side ------------------------------------------------------------------------------------


def decode(request: HttpRequest, terms: Terms) -> Union[Command, Malformed, Denied]:
    """What the network asks. Total: any bytes give a command, ``Malformed`` or ``Denied``."""
    if terms.verify is None:  # without its key anybody could speak for the network
        return Denied("no key")
    signed, _, signature = request.query.rpartition(b"&sign=")
    # Only what is signed is read: nothing may stand before `action` or behind `sign`.
    if not signed.startswith(b"action=") or _HEX.fullmatch(signature) is None:
        return Denied("signature")
    if not terms.verify(_switch(terms, "hash"), signed, bytes.fromhex(signature.decode("ascii"))):
        return Denied("signature")
    if request.method != "GET":
        return Malformed("method", "not allowed")
    form = kit.form_of(request)
    if isinstance(form, Malformed):
        return form
    name = form.values.get("action", "")
    reader = _READERS.get(name)
    if reader is None:
        return Malformed("action", "unknown" if name else "missing")
    command = reader(form, terms)
    return form.problem or command


def encode(request: HttpRequest, result: Result, terms: Terms) -> HttpResponse:
    """Our answer, signed. Total; the same request, result and terms give the same bytes."""
    kind = _KINDS.get(kit.values_of(request).get("action", ""), "")
    result = answers.fitting(kind, result)
    code, message = _verdict(kind, result, terms)
    answer = actionkit.written((code, message), result, terms, _switch(terms, "charset"))
    if terms.sign is None:
        return answer
    signature = terms.sign(_switch(terms, "hash"), answer.body).hex().upper().encode("ascii")
    return replace(answer, body=answer.body[: -len(_END)] + b"<sign>" + signature + b"</sign>" + _END)


_HEX = re.compile(b"(?:[0-9A-Fa-f]{2}){1,2048}")
_END = b"</response>"

_KINDS = {"check": "Lookup", "payment": "Post", "status": "Status", "cancel": "Void"}

_READERS: Mapping[str, Callable[[kit.Form, Terms], Command]] = {
    "check": actionkit.lookup,
    "payment": lambda form, terms: actionkit.post(form, terms, *_RECEIPT_DIGITS),
    "status": lambda form, _terms: Status(actionkit.receipt(form, *_RECEIPT_DIGITS)),
    "cancel": lambda form, _terms: Void(
        txn=actionkit.receipt(form, *_RECEIPT_DIGITS), reason=actionkit.reason(form)
    ),
}


def _verdict(kind: str, result: Result, terms: Terms) -> Tuple[str, str]:
    """Code and message for a result."""
    if kind == "Void" and isinstance(result, Voided):
        again = result.repeat and _switch(terms, "cancel_again_code") == CODES["voided"][0]
        return CODES["voided" if again else "done"]
    outcome = actionkit.outcome(result, terms)
    code, message = CODES[outcome]
    if kind == "Void" and outcome == "no-such-txn":
        return _switch(terms, "cancel_unknown_code"), message
    if outcome == "wrong-mes" and _switch(terms, "code_11") == "temporary":
        return CODES["malformed"]
    return code, message


def _switch(terms: Terms, name: str) -> str:
    return terms.dialect.get(name, DIALECT[name].default)


# --- the agent's side ----------------------------------------------------------------------------


def ask(command: Command, terms: Terms) -> HttpRequest:
    """The request with which the network asks ``command``."""
    query = kit.form_request(actionkit.pairs(command, terms), "GET", ()).query
    if terms.sign is not None:
        query += b"&sign=" + terms.sign(_switch(terms, "hash"), query).hex().upper().encode("ascii")
    return HttpRequest("GET", query=query)


def read(command: Command, response: HttpResponse, terms: Terms) -> Heard:
    """What the network does with an answer; one without our good signature is none."""
    if response.status == 200 and terms.verify is not None and not _is_ours(response.body, terms):
        return Heard("again", comment="wrong signature")
    final = ("11",) if _switch(terms, "code_11") == "final" else ()
    return actionkit.heard(command, response, actionkit.FINAL + final)


_SIGN = re.compile(rb"<sign>((?:[0-9A-Fa-f]{2}){1,2048})</sign>(?=</response>\s*\Z)")


def _is_ours(body: bytes, terms: Terms) -> bool:
    found = _SIGN.search(body)
    if found is None or terms.verify is None:
        return False
    signed = body[: found.start()] + body[found.end() :]
    return terms.verify(_switch(terms, "hash"), signed, bytes.fromhex(found[1].decode("ascii")))


FACTS = Facts(
    "B",
    (
        "the billings ABillS (module Cyberplat) and MCN (CyberPlatProcessor)",
        "published samples of LANBilling and BISquit",
        "a list of the codes in a PHP library",
    ),
    (
        "the hash that is signed, named by one source: switch `hash`",
        "the answer to a second cancellation, 0 or 7: switch `cancel_again_code`",
        "the answer to the cancellation of an unknown receipt, 6 or 2: switch `cancel_unknown_code`",
        "whether code 11 is final: switch `code_11`",
        "whether code -3 is temporary: kvit never answers it",
        "what a known receipt with other data is answered: 4, and nothing is booked",
        "how long the network waits, how often it asks, its register, its zone",
    ),
)

PROTOCOL = Protocol(
    name="cyberplat", title="CyberPlat", decode=decode, encode=encode, ask=ask, read=read, dialect=DIALECT,
    commands=frozenset({"Lookup", "Post", "Void", "Status"}), facts=FACTS, locks=("key",),
    txn_of=lambda number: str(number).zfill(_RECEIPT_DIGITS[0]), habits=Habits(),
)  # fmt: skip
