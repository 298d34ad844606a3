"""The network at the shell: what ``kvit simulate`` does with one payment, and what it prints.

Everything goes through the biller's HTTP door, exactly as at the kiosk.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from kvit.domain.messages import Command, Hold, ListPosted, Lookup, Post, Status
from kvit.domain.money import format_amount
from kvit.protocols.base import Protocol, Terms
from kvit.simulator import paying, screen, texts, views
from kvit.simulator.agent import PAUSES_S, Agent, Exchange
from kvit.simulator.mischief import Verdict, judge_repeats
from kvit.simulator.orders import Contract, Orders

_Played = Callable[[Agent], Awaitable[list[Exchange]]]


@dataclass(frozen=True)
class Network:
    """Who calls whom: the biller's server, the agreement, and how patient the network is.

    ``timezone`` is the agreement's (an IANA name); ``pauses_s`` are the rests between attempts;
    ``contract`` is what the network knows of the agreement beside its terms.
    """

    base_url: str
    protocol: Protocol
    terms: Terms
    timezone: str = "Europe/Moscow"
    timeout_s: float = 20.0
    pauses_s: Sequence[float] = PAUSES_S
    contract: Contract = field(default_factory=Contract)

    def agent(self) -> Agent:
        """The network's agent; to be used with ``async with``."""
        return Agent(self.base_url, self.protocol, self.terms, self.timeout_s, self.orders())

    def orders(self) -> Orders:
        """What makes its commands."""
        zone = ZoneInfo(self.timezone)
        return Orders(self.protocol, self.terms, self.contract, lambda: datetime.now(zone))


@dataclass(frozen=True)
class PayOrder:
    """A payment, and how badly it is sent: all copies have one id, ``txn`` or a new one.

    ``times`` rounds follow each other; in each, ``at_once`` copies are in flight together. ``drop`` first
    sends one copy whose answer is not read.
    """

    number: str
    amount_minor: int
    txn: str = ""
    times: int = 1
    at_once: int = 1
    drop: bool = False


@dataclass(frozen=True)
class CancelOrder:
    """A payment that is to be taken back. A network sends of it what its protocol repeats."""

    txn: str
    receipt: str = ""
    number: str = ""
    amount_minor: int = 0


def check(network: Network, number: str) -> list[Exchange]:
    """Ask once how much client ``number`` owes."""
    return ask(network, network.orders().lookup(number))


def status(network: Network, txn: str) -> list[Exchange]:
    """Ask once what became of payment ``txn``."""
    return ask(network, Status(txn))


def statement(network: Network, since: datetime, until: datetime) -> list[Exchange]:
    """Ask once which payments there were; both ends inclusive, whole days where the network asks for days."""
    return ask(network, network.orders().statement(since, until))


def cancel(network: Network, order: CancelOrder) -> list[Exchange]:
    """Take a payment back, or release what is held; repeated until the answer is final."""
    orders = network.orders()
    paid = orders.first(order.number, order.amount_minor, order.txn)

    async def played(agent: Agent) -> list[Exchange]:
        return await agent.repeat(orders.void(paid, order.receipt), network.pauses_s)

    return asyncio.run(_with_agent(network, played))


def ask(network: Network, command: Command) -> list[Exchange]:
    """Send ``command`` once."""

    async def played(agent: Agent) -> list[Exchange]:
        return [await agent.send(command)]

    return asyncio.run(_with_agent(network, played))


def pay(network: Network, order: PayOrder) -> list[Exchange]:
    """Send the payment as ordered. A copy that goes alone is repeated until its answer is final.

    Where the protocol has two phases, each of them is sent as ordered.
    """

    async def played(agent: Agent) -> list[Exchange]:
        first = agent.orders.first(order.number, order.amount_minor, order.txn)
        exchanges = await _sent(agent, first, order, network.pauses_s)
        held = [one.heard for one in exchanges if one.heard.step == "done"]
        if isinstance(first, Hold) and held:
            post = agent.orders.post_held(first, held[-1].receipt)
            exchanges += await _sent(agent, post, order, network.pauses_s)
        return exchanges + await paying.clear_up(agent, exchanges)

    return asyncio.run(_with_agent(network, played))


async def _sent(agent: Agent, command: Command, order: PayOrder, pauses_s: Sequence[float]) -> list[Exchange]:
    """One phase of a payment, as badly as it was ordered."""
    exchanges = [await agent.send(command, drop=True)] if order.drop else []
    for _ in range(order.times):
        if order.at_once > 1:
            exchanges += await agent.send_at_once(command, order.at_once)
        else:
            exchanges += await agent.repeat(command, pauses_s)
    return exchanges


def judge(exchanges: Sequence[Exchange]) -> Verdict:
    """What became of the one payment in ``exchanges``: the key and values of a verdict of the texts."""
    phases = ([one for one in exchanges if isinstance(one.command, kind)] for kind in (Hold, Post | Status))
    verdicts = [_judged(phase) for phase in phases if phase]
    return next((one for one in verdicts if not one.good), verdicts[-1])


def _judged(exchanges: Sequence[Exchange]) -> Verdict:
    answered = [one for one in exchanges if one.failure != "dropped"]
    counted = [one for one in answered if one.heard.step != "again" or not _asked_again(one, answered)]
    dropped = len(answered) < len(exchanges)
    kind = "at-once" if len(counted) > 1 else "drop" if dropped else "alone"
    return judge_repeats(counted, kind)


def as_text(exchanges: Sequence[Exchange], network: Network) -> str:
    """Each request and answer as it was on the wire, and a last line that says what it means."""
    blocks = []
    for position, exchange in enumerate(exchanges, 1):
        kind = views.KINDS[type(exchange.command)]
        head = f"[{position}] {kind}, {exchange.elapsed_ms} ms: {_heard(exchange)}"
        answer = exchange.response_text or texts.text(f"failure.{exchange.failure}")
        blocks.append("\n".join([head, _indented("> ", exchange.request_text), _indented("< ", answer)]))
    return "\n\n".join([*blocks, conclusion(exchanges, network)])


def as_json(exchanges: Sequence[Exchange], network: Network) -> str:
    """The same for programs: an object with ``exchanges``, ``conclusion`` and ``good``."""
    paid = isinstance(exchanges[0].command, Hold | Post)
    content = {
        "exchanges": [_as_dict(exchange, network) for exchange in exchanges],
        "conclusion": conclusion(exchanges, network),
        "good": judge(exchanges).good if paid else True,
    }
    return json.dumps(content, ensure_ascii=False, indent=2)


def conclusion(exchanges: Sequence[Exchange], network: Network) -> str:
    """One sentence for a person, in English."""
    last = exchanges[-1]
    if isinstance(exchanges[0].command, Hold | Post):
        verdict = judge(exchanges)
        return texts.text(f"verdict.{verdict.key}", "en", verdict.values) + "."
    if last.heard.step == "again":
        return texts.text("verdict.no-final-answer") + "."
    said = ": ".join(text for text in (f"code {last.heard.code}", last.heard.comment) if text)
    if last.heard.step == "stop":
        return f"{_REFUSED[views.KINDS[type(last.command)]]} ({said})."
    if isinstance(last.command, Lookup):
        return _found(last, network)
    if isinstance(last.command, ListPosted):
        return f"{len(last.heard.shown)} payments are listed."
    if isinstance(last.command, Status):
        receipt = f", receipt {last.heard.receipt}" if last.heard.receipt else ""
        return f"The payment is {last.heard.state or 'known'}{receipt}."
    return f"The payment is taken back ({said})."


#: What a final no means.
_REFUSED = {
    "check": "This number cannot be paid",
    "cancel": "The payment was not taken back",
    "status": "There is no such payment in the books, or it was taken back",
    "list": "The list is refused",
}


def _found(last: Exchange, network: Network) -> str:
    name = screen.shown_name(last.heard, network.protocol, network.terms) or "The client"
    due_minor = screen.shown_due_minor(last.heard, network.protocol, network.terms)
    if due_minor is None:
        return f"{name} can be paid; the biller does not show the debt."
    return f"{name} owes {format_amount(due_minor, network.terms.exponent)} {network.terms.currency}."


async def _with_agent(network: Network, played: _Played) -> list[Exchange]:
    async with network.agent() as agent:
        return await played(agent)


def _asked_again(exchange: Exchange, others: Sequence[Exchange]) -> bool:
    """Was the payment sent again after ``exchange`` had ended? Copies in flight together do not count."""
    ended = exchange.at + timedelta(milliseconds=exchange.elapsed_ms)
    return any(other.at >= ended for other in others)


def _heard(exchange: Exchange) -> str:
    heard = exchange.heard
    if exchange.failure:
        return texts.text(f"failure.short.{exchange.failure}")
    parts = [f"code {heard.code}" if heard.code else "", heard.comment]
    parts += [f"receipt {heard.receipt}" if heard.receipt else "", heard.state]
    return ", ".join(part for part in parts if part)


def _as_dict(exchange: Exchange, network: Network) -> dict[str, object]:
    heard = exchange.heard
    due_minor = screen.shown_due_minor(heard, network.protocol, network.terms)
    return {
        "command": views.KINDS[type(exchange.command)],
        "txn": paying.txn_of(exchange.command),
        "at": exchange.at.isoformat(),
        "elapsed_ms": exchange.elapsed_ms,
        "failure": exchange.failure,
        "status": exchange.response.status if exchange.response else None,
        "next_step": heard.step,
        "code": heard.code,
        "comment": heard.comment,
        "receipt": heard.receipt,
        "state": heard.state,
        "shown": [list(pair) for pair in heard.shown],
        "amount_minor": heard.amount_minor if heard.amount_minor >= 0 else None,
        "name": screen.shown_name(heard, network.protocol, network.terms),
        "due_minor": due_minor,
        "request": exchange.request_text,
        "response": exchange.response_text,
    }


def _indented(mark: str, text: str) -> str:
    return "\n".join((mark + line).rstrip() for line in text.split("\n"))
