"""Kassa24 (Kazakhstan): CyberPlat's check and payment without signatures, in tenge.

Facts as gathered in ``docs/protocols/kassa24.md``; the vectors in ``tests/protocols/kassa24`` are written
from there. The network calls with GET; the answer is XML with HTTP 200, or 401 without a body.
"""

from __future__ import annotations

from typing import Callable, Mapping, Tuple, Union

# One word a line would push the code off the page.
# isort: off
from kvit.domain.messages import Command, Denied, HttpRequest, HttpResponse, Malformed, Result

# isort: on
from kvit.protocols.base import Facts, Habits, Heard, Protocol, Switch, Terms
from kvit.protocols.kits import actionkit, answers, kit

#: What happened -> code and message. 11 is not used: some programs take it for temporary.
CODES: Mapping[str, Tuple[str, str]] = {
    **actionkit.CODES,
    "wrong-mes": actionkit.CODES["malformed"],
}

DIALECT: Mapping[str, Switch] = {
    "charset": Switch(
        "utf-8", ("utf-8", "windows-1251"), about="charset of the answers; they declare it"),
    **actionkit.SWITCHES,
}  # fmt: skip

# How long a receipt is, no source says: CyberPlat's has 3 to 15 digits.
_RECEIPT_DIGITS = (1, 20)


def decode(request: HttpRequest, terms: Terms) -> Union[Command, Malformed, Denied]:
    """What the network asks. Total: any bytes give a command, ``Malformed`` or ``Denied``."""
    if not kit.basic_accepts(request, terms.basic_login, terms.basic_password):
        return Denied()
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
    """Our answer. Total; the same request, result and terms give the same bytes."""
    if isinstance(result, Denied):
        return kit.challenge("kvit")
    result = answers.fitting(_KINDS.get(kit.values_of(request).get("action", ""), ""), result)
    charset = terms.dialect.get("charset", DIALECT["charset"].default)
    return actionkit.written(CODES[actionkit.outcome(result, terms)], result, terms, charset)


_KINDS = {"check": "Lookup", "payment": "Post"}

_READERS: Mapping[str, Callable[[kit.Form, Terms], Command]] = {
    "check": actionkit.lookup,
    "payment": lambda form, terms: actionkit.post(form, terms, *_RECEIPT_DIGITS),
}


def ask(command: Command, terms: Terms) -> HttpRequest:
    """The agent's side: the request with which the network asks ``command``."""
    headers = kit.basic_headers(terms.basic_login, terms.basic_password)
    return kit.form_request(actionkit.pairs(command, terms), "GET", headers)


def read(command: Command, response: HttpResponse, _terms: Terms) -> Heard:
    """The agent's side: 0 is a final yes, 8 and all that is not described are asked again."""
    return actionkit.heard(command, response)


FACTS = Facts(
    "C",
    ("ABillS's test of its module Kassa24 (one source)", "CyberPlat's interface, whose names it uses"),
    (
        "the layout of the answers and the codes, inferred from CyberPlat's",
        "the charset of the answers: switch `charset`",
        "whether requests can be signed, or carry a password",
        "how long a receipt may be: up to 20 digits are taken",
        "`type`, `mes` and `additional`: read as CyberPlat's",
        "status and cancellation: not described, so not offered",
        "how long the network waits, how often it asks, its register",
    ),
)

PROTOCOL = Protocol(
    name="kassa24", title="Kassa24", decode=decode, encode=encode, ask=ask, read=read, dialect=DIALECT,
    commands=frozenset({"Lookup", "Post"}), facts=FACTS, locks=("basic",), habits=Habits(),
)  # fmt: skip
