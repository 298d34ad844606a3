"""The adapter contract: four pure functions, one agreement's terms, and the switches of a dialect.

Standard library only, Python 3.9 syntax: protocols also run on cheap hosting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, FrozenSet, Mapping, Optional, Tuple, TypeVar, Union

from kvit.domain.messages import (
    Command,
    Denied,
    HttpRequest,
    HttpResponse,
    Malformed,
    Result,
)

T = TypeVar("T")

#: What ``read`` may say the agent does next: ``done`` (final yes), ``stop`` (final no), ``again``.
NEXT_STEPS = ("done", "stop", "again")


@dataclass(frozen=True)
class Terms:
    """One agreement as its adapter sees it. The adapter has no other configuration.

    ``dialect`` holds what the agreement says of the protocol's ``DIALECT`` switches; a switch that is
    not in it has its default. Login and password both empty: the agreement asks for none.

    ``secret`` is the word that both sides know, for protocols that sign with one. ``sign`` and ``verify``
    are there where the agreement has keys: ``sign("sha1", data)`` signs with our private key (RSA, PKCS #1
    v1.5), ``verify("sha1", data, signature)`` is whether the other side signed ``data``. In the terms of
    the agent's side (``ask``, ``read``) they are the agent's keys.

    ``payer_fields`` names the request's fields that together are the client's number; see
    ``kit.joined_number``. Empty: the protocol's own one.
    """

    agreement_id: str = ""
    currency: str = "RUB"
    exponent: int = 2
    basic_login: str = ""
    basic_password: str = field(default="", repr=False)
    dialect: Mapping[str, str] = field(default_factory=dict)
    secret: str = field(default="", repr=False)
    payer_fields: Tuple[str, ...] = ()
    sign: Optional[Callable[[str, bytes], bytes]] = field(default=None, repr=False)
    verify: Optional[Callable[[str, bytes, bytes], bool]] = field(default=None, repr=False)
    _worked_out: Dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, work_out: Callable[[Terms], T]) -> T:
        """What ``work_out`` makes of these terms: made the first time, and then kept with them."""
        known: Optional[T] = self._worked_out.get(work_out)
        if known is None:
            known = self._worked_out[work_out] = work_out(self)
        return known


@dataclass(frozen=True)
class Switch:
    """One dialect switch: its default and what it may be.

    ``choices`` lists the values; without choices any text that ``pattern`` matches from end to end.
    ``is_pattern``: the text is itself a regular expression and has to compile.
    """

    default: str
    choices: Tuple[str, ...] = ()
    pattern: str = ""
    about: str = ""
    is_pattern: bool = False

    def problem(self, value: str) -> str:
        """Why ``value`` cannot be set here; ``""`` when it can."""
        if self.choices and value not in self.choices:
            return "must be one of: " + ", ".join(self.choices)
        if not self.choices and re.fullmatch(self.pattern, value) is None:
            return "does not have the form " + self.pattern
        if self.is_pattern:
            try:
                re.compile(value)
            except (re.error, OverflowError, RecursionError) as error:
                return "is not a regular expression: " + str(error)
        return ""


def dialect_problems(switches: Mapping[str, Switch], given: Mapping[str, str]) -> Dict[str, str]:
    """What is wrong with an agreement's ``[dialect]``: switch -> reason; empty when nothing is."""
    problems: Dict[str, str] = {}
    for name, value in given.items():
        if name not in switches:
            problems[name] = "no such switch; there are: " + ", ".join(sorted(switches))
        elif problem := switches[name].problem(value):
            problems[name] = problem
    return problems


@dataclass(frozen=True)
class Heard:
    """What the agent's side makes of an answer: the next step, and what it could read.

    ``amount_minor`` is -1 where the answer names no sum. ``shown`` is what a terminal would show:
    pairs of a name and a text. ``state`` is what a good answer to a ``Status`` says of the payment:
    ``held``, ``posted`` or ``voided``; empty where the answer does not tell them apart. A "no" to a payment
    that says only that there is one with this id has ``known``: the network then asks for the status.
    """

    step: str
    code: str = ""
    comment: str = ""
    receipt: str = ""
    amount_minor: int = -1
    shown: Tuple[Tuple[str, str], ...] = ()
    state: str = ""


@dataclass(frozen=True)
class Facts:
    """How sure the description is that a protocol was written from.

    ``confidence``: A, a primary document and at least two independent implementations agree; B, several
    implementations, or a primary document alone; C, one or two sources; D, fragments. ``unconfirmed``: what
    had to be left to a switch or a safer default, a sentence each.
    """

    confidence: str
    sources: Tuple[str, ...]
    unconfirmed: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Habits:
    """How a network's agents behave: what the simulator plays.

    They wait ``timeout_s`` for an answer, rest ``pauses_s`` between attempts, and open ``connections`` at
    once. ``face``: their payers stand at a ``terminal`` or hold an ``app``.

    ``clock``: times in their messages are ``local`` to the agreement's zone, or ``utc`` (counted from 1970).
    ``statement``: they ask for the payments of ``days``, or between two ``times`` of that clock. ``service``
    is what they name as the service where an agreement lists none, ``reason`` what they say when they take
    a payment back. ``taken``: what they tell of is already taken, so that a payment cannot be refused.
    """

    timeout_s: float = 30.0
    pauses_s: Tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0)
    connections: int = 4
    face: str = "terminal"
    clock: str = "local"
    statement: str = "days"
    service: str = ""
    reason: str = "1"
    taken: bool = False


@dataclass(frozen=True)
class Protocol:
    """An entry of the list of protocols: the four functions and what the shared suite must know.

    * ``decode(request, terms)``: total, never raises, whatever the bytes.
    * ``encode(request, result, terms)``: total; same result, same bytes.
    * ``ask(command, terms)`` and ``read(command, response, terms)``: the agent's side.

    ``commands`` names the kinds that ``decode`` can give (``"Lookup"``, ``"Post"``, ...). ``grade`` is
    ``simulated`` (vectors from the published specification), ``certified`` (a bank's test stand
    passed) or ``live`` (payments seen).

    ``locks`` says what ``decode`` asks of the agreement to know its agent: ``basic`` (login and password),
    ``secret``, ``key`` (the agent's public key). An agreement with none of them relies on its networks
    alone. ``txn_of`` writes a number below 10**15 as a payment's id of this network.
    """

    name: str
    title: str
    decode: Callable[[HttpRequest, Terms], Union[Command, Malformed, Denied]]
    encode: Callable[[HttpRequest, Result, Terms], HttpResponse]
    ask: Callable[[Command, Terms], HttpRequest]
    read: Callable[[Command, HttpResponse, Terms], Heard]
    commands: FrozenSet[str]
    facts: Facts
    dialect: Mapping[str, Switch] = field(default_factory=dict)
    locks: Tuple[str, ...] = ("basic",)
    txn_of: Callable[[int], str] = str
    habits: Habits = Habits()
    grade: str = "simulated"

    @property
    def two_phase(self) -> bool:
        """Is a payment held before it is posted?"""
        return "Hold" in self.commands
