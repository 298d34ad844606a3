"""What the kiosk's endpoints take and give, as JSON.

Sums travel as decimal text (``"450.00"``), since a browser's numbers are floats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from kvit.domain.messages import Hold, ListPosted, Lookup, Note, Post, Status, Void
from kvit.domain.money import format_amount
from kvit.simulator import screen
from kvit.simulator.agent import Agent, Exchange
from kvit.simulator.mischief import Verdict
from kvit.simulator.paying import txn_of as txn_of

#: What people call each command on the wire.
KINDS: Mapping[type, str] = {
    Lookup: "check",
    Hold: "hold",
    Post: "pay",
    Void: "cancel",
    Status: "status",
    ListPosted: "list",
    Note: "note",
}


class CheckOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Ask about a client."""

    agreement: str
    number: str


class PayOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Pay, once. ``txn`` and ``network_time`` are empty at the first attempt.

    ``held``: the payment is held already (a reply said so); ``hold`` is the receipt of that.
    """

    agreement: str
    number: str
    amount: str
    txn: str = ""
    network_time: str = ""
    held: bool = False
    hold: str = ""


class MischiefOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Play ``kind``. ``txn``, ``network_time`` and the receipts are those of the last confirmed payment."""

    agreement: str
    kind: str
    number: str
    amount: str
    txn: str = ""
    network_time: str = ""
    receipt: str = ""
    hold: str = ""


class CancelOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Take a confirmed payment back. ``receipt`` is the payment's own."""

    agreement: str
    number: str
    amount: str
    txn: str
    network_time: str = ""
    receipt: str = ""


class ExchangeView(msgspec.Struct):
    """One request and its answer as they were on the wire."""

    kind: str
    method: str
    request: str
    response: str
    failure: str
    status: int
    code: str
    step: str
    comment: str
    receipt: str
    elapsed_ms: float
    at: datetime


class CheckReply(msgspec.Struct):
    """What the terminal shows of a client. ``due`` is ``None`` where the biller shows no debt.

    ``exact``: no other sum than ``due`` is taken.
    """

    step: str
    code: str
    comment: str
    failure: str
    txn: str
    number: str
    name: str
    due: str | None
    exact: bool
    exchanges: Sequence[ExchangeView]


class PayReply(msgspec.Struct):
    """What became of one attempt to pay; ``remains`` is a check made after a confirmed payment.

    ``step`` is ``held`` after the first of two phases: the page then sends the order again with ``held`` and
    ``hold``, the receipt of that phase.
    """

    step: str
    code: str
    comment: str
    failure: str
    txn: str
    network_time: str
    number: str
    amount: str
    receipt: str
    hold: str
    remains: CheckReply | None
    exchanges: Sequence[ExchangeView]


class CancelReply(msgspec.Struct):
    """What became of a cancellation; ``remains`` is a check made after one that was granted."""

    step: str
    code: str
    comment: str
    failure: str
    txn: str
    remains: CheckReply | None
    exchanges: Sequence[ExchangeView]


class VerdictView(msgspec.Struct):
    """A sentence of the texts, and whether the biller did what it should."""

    key: str
    good: bool
    values: Mapping[str, str]


class MischiefReply(msgspec.Struct):
    """The exchanges of a mischief, what they mean, and what real checks around it showed."""

    kind: str
    verdict: VerdictView
    debt: VerdictView
    due_before: str | None
    due_after: str | None
    exchanges: Sequence[ExchangeView]


class Complaint(msgspec.Struct):
    """An order that cannot be played; ``error`` is a key of the texts."""

    error: str


def exchange_view(exchange: Exchange) -> ExchangeView:
    """``exchange`` as the page shows it."""
    return ExchangeView(
        kind=KINDS[type(exchange.command)],
        method=exchange.request.method,
        request=exchange.request_text,
        response=exchange.response_text,
        failure=exchange.failure,
        status=exchange.response.status if exchange.response else 0,
        code=exchange.heard.code,
        step=exchange.heard.step,
        comment=exchange.heard.comment,
        receipt=exchange.heard.receipt,
        elapsed_ms=exchange.elapsed_ms,
        at=exchange.at,
    )


def check_reply(exchange: Exchange, number: str, agent: Agent) -> CheckReply:
    """What the terminal of ``agent`` shows after the check ``exchange`` for client ``number``."""
    heard, terms = exchange.heard, agent.terms
    due_minor = screen.shown_due_minor(heard, agent.protocol, terms)
    return CheckReply(
        step=heard.step,
        code=heard.code,
        comment=heard.comment,
        failure=exchange.failure,
        txn=txn_of(exchange.command),
        number=number,
        name=screen.shown_name(heard, agent.protocol, terms),
        due=None if due_minor is None else format_amount(due_minor, terms.exponent),
        exact=screen.is_exact(heard),
        exchanges=[exchange_view(exchange)],
    )


def verdict_view(verdict: Verdict) -> VerdictView:
    """``verdict`` with the key under which the texts have it."""
    return VerdictView(key=f"verdict.{verdict.key}", good=verdict.good, values=verdict.values)
