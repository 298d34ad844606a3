"""What may happen to one payment on its way: each story is played by a network that means well.

A story sends what its mischief sends, then carries the payment to its end. What the biller must never do on
the way is a broken promise, in words.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from kvit.domain.messages import Command, Hold, Post, Status
from kvit.protocols.base import Heard
from kvit.simulator import bending, paying
from kvit.simulator.agent import Agent, Exchange

#: How far the clock is off in the story of that name.
_CLOCK_OFF = timedelta(days=1)


@dataclass
class Story:
    """One payment: what was sent of it so far, and the promises that were broken.

    ``aside`` holds what was sent that is no attempt at the payment itself.
    """

    agent: Agent
    kind: str
    first: Hold | Post
    pauses_s: Sequence[float]
    exchanges: list[Exchange] = field(default_factory=list)
    aside: list[Exchange] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> Heard:
        """What the network takes the payment for."""
        return paying.outcome(self.exchanges)

    @property
    def final(self) -> Command:
        """What books the payment: the post of what was held, or the payment itself."""
        held = [one.heard for one in self.exchanges if _is_yes(one, Hold)]
        if isinstance(self.first, Hold) and held:
            return self.agent.orders.post_held(self.first, held[-1].receipt)
        return self.first

    def receipts(self) -> set[str]:
        """Every receipt that a good answer to the payment itself has named."""
        told = [one.heard for one in self.exchanges if _is_yes(one, Post) or paying.is_booked(one)]
        return {heard.receipt for heard in told}

    def add(self, exchanges: Sequence[Exchange]) -> None:
        self.exchanges += exchanges

    async def settle(self) -> None:
        """Carry the payment to its end from where it stands, and send what booked it once more."""
        final = self.final
        if final == self.first:
            self.add(await paying.pay(self.agent, self.first, self.pauses_s))
        else:  # it is held: nobody announces it again
            self.add(await self.agent.repeat(final, self.pauses_s))
            self.add(await paying.clear_up(self.agent, self.exchanges[-1:]))
        if self.outcome.step != "done":
            return
        again = await self.agent.send(self.final)
        self.add([again])
        self.add(await paying.clear_up(self.agent, [again]))
        if self.outcome.step == "stop":
            self.broken.append("a booked payment was refused when it was sent again")
        if len(self.receipts()) > 1:
            self.broken.append("two receipts for one payment: " + ", ".join(sorted(self.receipts())))

    def must_not_be_taken(self, exchange: Exchange, what: str) -> None:
        """``exchange`` is no attempt at the payment, and its answer must not be a yes."""
        self.aside.append(exchange)
        if exchange.heard.step == "done":
            self.broken.append(what)


async def plain(story: Story) -> None:
    """Nothing happens."""
    await story.settle()


async def double(story: Story) -> None:
    """Each phase is sent twice in the same moment."""
    story.add(await story.agent.send_at_once(story.first, 2))
    if story.final != story.first:
        story.add(await story.agent.send_at_once(story.final, 2))
    await story.settle()


async def reorder(story: Story) -> None:
    """The end of a payment comes before its beginning, and its beginning once more after its end."""
    agent, first = story.agent, story.first
    if isinstance(first, Hold):
        early = await agent.send(agent.orders.post_held(first, "1"))
        story.must_not_be_taken(early, "a payment was booked that nobody had announced")
    await story.settle()
    if story.outcome.step == "done":
        story.aside += [
            await agent.send(first),
            await agent.send(agent.orders.lookup(first.number, first.txn)),
        ]
        await story.settle()


async def drop(story: Story) -> None:
    """The answer to each phase is lost."""
    story.add([await story.agent.send(story.first, drop=True)])
    story.add(await story.agent.repeat(story.first, story.pauses_s))
    if story.final != story.first:
        story.add([await story.agent.send(story.final, drop=True)])
    await story.settle()


async def slow(story: Story) -> None:
    """Each answer is taken a byte at a time."""
    story.add([await story.agent.send(story.first, slowly=True)])
    if story.final != story.first:
        story.add([await story.agent.send(story.final, slowly=True)])
    await story.settle()


async def wrong_sum(story: Story) -> None:
    """After the payment its id comes with another sum."""
    await story.settle()
    if story.outcome.step != "done":
        return
    other = replace(story.first, amount_minor=story.first.amount_minor + 1)
    exchange = await story.agent.send(other)
    if exchange.heard.amount_minor == story.first.amount_minor:  # the first answer again is as good as a no
        story.aside.append(exchange)
    else:
        story.must_not_be_taken(exchange, "another sum was taken under the id of a payment")
    await story.settle()


async def flip(story: Story) -> None:
    """A stranger sends it first: a wrong password, a wrong word, a signature with a bit flipped."""
    agent = story.agent
    for terms in bending.strangers(agent.protocol, agent.terms).values():
        exchange = await agent.carry(story.first, agent.protocol.ask(story.first, terms))
        story.must_not_be_taken(exchange, "a payment was taken from a stranger")
        if agent.orders.offers("Status"):
            became = await agent.send(Status(story.first.txn))
            story.must_not_be_taken(became, "what a stranger sent is known as a payment")
    await story.settle()


async def clock(story: Story) -> None:
    """The network's clock is a day off."""
    orders = story.agent.orders
    is_fast = sum(story.first.txn.encode()) % 2
    at = orders.now() + (_CLOCK_OFF if is_fast else -_CLOCK_OFF)
    story.first = replace(story.first, network_time=orders.time_of(at))
    await story.settle()


STORIES: Mapping[str, Callable[[Story], Awaitable[None]]] = {
    "none": plain,
    "double": double,
    "reorder": reorder,
    "drop": drop,
    "wrong-sum": wrong_sum,
    "flip": flip,
    "clock": clock,
    "slow": slow,
}


def _is_yes(exchange: Exchange, kind: type) -> bool:
    return isinstance(exchange.command, kind) and exchange.heard.step == "done"
