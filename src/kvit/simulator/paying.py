"""One payment from its first request to its last, as a network that wants to know carries it through."""

from __future__ import annotations

from collections.abc import Sequence

from kvit.domain.messages import Command, Hold, ListPosted, Post, Status
from kvit.protocols.base import Heard
from kvit.simulator.agent import PAUSES_S, Agent, Exchange


async def pay(agent: Agent, first: Hold | Post, pauses_s: Sequence[float] = PAUSES_S) -> list[Exchange]:
    """Repeat ``first`` while it is answered "again"; a hold that is accepted is then posted.

    Some networks' "no" to a repetition only means that there is such a payment: then the status is asked.
    What became of the payment is what ``outcome`` says of the exchanges.
    """
    exchanges = await agent.repeat(first, pauses_s)
    if isinstance(first, Hold) and exchanges[-1].heard.step == "done":
        post = agent.orders.post_held(first, exchanges[-1].heard.receipt)
        exchanges += await agent.repeat(post, pauses_s)
    return exchanges + await clear_up(agent, exchanges)


async def clear_up(agent: Agent, exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Ask for the status where the last answers of ``exchanges`` said no more than that it is known."""
    known = [one for one in exchanges if isinstance(one.command, Post) and one.heard.state == "known"]
    if not known or not agent.orders.offers("Status"):
        return []
    return [await agent.send(Status(txn_of(known[-1].command)))]


def outcome(exchanges: Sequence[Exchange]) -> Heard:
    """What the network takes the payment for after ``exchanges``: its last answer.

    A status that shows the payment booked outweighs the no before it.
    """
    for exchange in reversed(exchanges):
        if not isinstance(exchange.command, Status):
            return exchange.heard
        if is_booked(exchange):
            return exchange.heard
    return Heard("again")


def is_booked(exchange: Exchange) -> bool:
    """Does this answer to a status say that the payment is in the books?"""
    heard = exchange.heard
    return isinstance(exchange.command, Status) and heard.step == "done" and heard.state in ("", "posted")


def txn_of(command: Command) -> str:
    """The network's id in ``command``, empty where it has none."""
    return "" if isinstance(command, ListPosted) else command.txn


def is_listed(name: str, txn: str) -> bool:
    """Is ``name`` the id ``txn`` as a list names it? Of an id in two parts a list may name the last one."""
    return bool(name) and (name == txn or txn.endswith("-" + name))
