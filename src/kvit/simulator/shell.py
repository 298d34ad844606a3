"""The network at the shell: what ``kvit simulate check`` and ``kvit simulate pay`` do and print.

Everything goes through the biller's HTTP door, exactly as at the kiosk.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from kvit.domain.messages import Post
from kvit.domain.money import format_amount
from kvit.protocols.base import Protocol, Terms
from kvit.simulator import screen, texts, views
from kvit.simulator.agent import PAUSES_S, Agent, Exchange
from kvit.simulator.mischief import Verdict, judge_repeats

_Played = Callable[[Agent], Awaitable[list[Exchange]]]


@dataclass(frozen=True)
class Network:
    """Who calls whom: the biller's server, the agreement, and how patient the network is.

    ``timezone`` is the agreement's (an IANA name); ``pauses_s`` are the rests between attempts.
    """

    base_url: str
    protocol: Protocol
    terms: Terms
    timezone: str = "Europe/Moscow"
    timeout_s: float = 20.0
    pauses_s: Sequence[float] = PAUSES_S


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


def check(network: Network, number: str) -> list[Exchange]:
    """Ask once how much client ``number`` owes."""

    async def played(agent: Agent) -> list[Exchange]:
        return [await agent.send(agent.lookup(number))]

    return asyncio.run(_with_agent(network, played))


def pay(network: Network, order: PayOrder) -> list[Exchange]:
    """Send the payment as ordered. A copy that goes alone is repeated until its answer is final."""

    async def played(agent: Agent) -> list[Exchange]:
        post = agent.post(order.number, order.amount_minor, order.txn)
        exchanges = [await agent.send(post, drop=True)] if order.drop else []
        for _ in range(order.times):
            if order.at_once > 1:
                exchanges += await agent.send_at_once(post, order.at_once)
            else:
                exchanges += await agent.pay_until_final(post, network.pauses_s)
        return exchanges

    return asyncio.run(_with_agent(network, played))


def judge(exchanges: Sequence[Exchange]) -> Verdict:
    """What became of the one payment in ``exchanges``: the key and values of a verdict of the texts."""
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
    paid = isinstance(exchanges[0].command, Post)
    content = {
        "exchanges": [_as_dict(exchange, network) for exchange in exchanges],
        "conclusion": conclusion(exchanges, network),
        "good": judge(exchanges).good if paid else True,
    }
    return json.dumps(content, ensure_ascii=False, indent=2)


def conclusion(exchanges: Sequence[Exchange], network: Network) -> str:
    """One sentence for a person, in English."""
    last = exchanges[-1]
    if isinstance(last.command, Post):
        verdict = judge(exchanges)
        return texts.text(f"verdict.{verdict.key}", "en", verdict.values) + "."
    if last.heard.step == "again":
        return texts.text("verdict.no-final-answer") + "."
    if last.heard.step == "stop":
        return f"This number cannot be paid (code {last.heard.code}: {last.heard.comment})."
    name = screen.shown_name(last.heard, network.protocol, network.terms) or "The client"
    due_minor = screen.shown_due_minor(last.heard, network.protocol, network.terms)
    if due_minor is None:
        return f"{name} can be paid; the biller does not show the debt."
    return f"{name} owes {format_amount(due_minor, network.terms.exponent)} {network.terms.currency}."


async def _with_agent(network: Network, played: _Played) -> list[Exchange]:
    zone = ZoneInfo(network.timezone)
    agent = Agent(
        network.base_url, network.protocol, network.terms, network.timeout_s, now=lambda: datetime.now(zone)
    )
    async with agent:
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
    parts.append(f"receipt {heard.receipt}" if heard.receipt else "")
    return ", ".join(part for part in parts if part)


def _as_dict(exchange: Exchange, network: Network) -> dict[str, object]:
    heard = exchange.heard
    due_minor = screen.shown_due_minor(heard, network.protocol, network.terms)
    return {
        "command": views.KINDS[type(exchange.command)],
        "txn": views.txn_of(exchange.command),
        "at": exchange.at.isoformat(),
        "elapsed_ms": exchange.elapsed_ms,
        "failure": exchange.failure,
        "status": exchange.response.status if exchange.response else None,
        "next_step": heard.step,
        "code": heard.code,
        "comment": heard.comment,
        "receipt": heard.receipt,
        "amount_minor": heard.amount_minor if heard.amount_minor >= 0 else None,
        "name": screen.shown_name(heard, network.protocol, network.terms),
        "due_minor": due_minor,
        "request": exchange.request_text,
        "response": exchange.response_text,
    }


def _indented(mark: str, text: str) -> str:
    return "\n".join((mark + line).rstrip() for line in text.split("\n"))
