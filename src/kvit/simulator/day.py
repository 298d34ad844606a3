"""A network's busy day: many payments with its own patience and connections, each with its own bad luck.

At the end stands a verdict: is every payment final, and is each booked once, as seen from outside: by the
receipts of repetitions, by the status, by what checks say is owed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kvit.simulator import screen
from kvit.simulator.agent import Agent
from kvit.simulator.mischief import judge_debt
from kvit.simulator.shell import Network
from kvit.simulator.stories import STORIES, Story


@dataclass(frozen=True)
class Plan:
    """``payments`` of ``amount_minor`` each, by turns for ``numbers`` and with the stories ``kinds``."""

    payments: int
    numbers: Sequence[str]
    amount_minor: int
    kinds: Sequence[str] = ("none",)
    connections: int = 4


@dataclass(frozen=True)
class Row:
    """What became of the payments of one story."""

    kind: str
    payments: int = 0
    booked: int = 0
    refused: int = 0
    open: int = 0
    requests: int = 0
    broken: int = 0


@dataclass(frozen=True)
class Standing:
    """A client before and after: sums in minor units, ``None`` where no check shows them."""

    number: str
    before_minor: int | None
    after_minor: int | None
    paid_minor: int
    verdict: str
    good: bool


@dataclass
class Day:
    """The verdict: ``rows`` by story, ``standings`` by client, ``broken`` promises in words."""

    rows: list[Row] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    elapsed_ms: list[float] = field(default_factory=list)

    @property
    def open(self) -> int:
        """Payments without a final answer."""
        return sum(row.open for row in self.rows)

    @property
    def good(self) -> bool:
        """Is every payment final, each booked once or refused, and no promise broken?"""
        return not self.open and not self.broken and all(one.good for one in self.standings)


def play(network: Network, plan: Plan, tell: Callable[[int], None] = lambda _: None) -> Day:
    """Play the whole day; ``tell`` hears how many payments have come to their end."""
    return asyncio.run(_play(network, plan, tell))


async def _play(network: Network, plan: Plan, tell: Callable[[int], None]) -> Day:
    async with network.agent() as agent:
        before = await _debts(agent, plan.numbers)
        stories = [_story(agent, network, plan, position) for position in range(plan.payments)]
        gate, ended = asyncio.Semaphore(plan.connections), 0

        async def played(story: Story) -> None:
            nonlocal ended
            async with gate:
                await STORIES[story.kind](story)
            ended += 1
            tell(ended)

        async with asyncio.TaskGroup() as group:
            for story in stories:
                group.create_task(played(story))
        after = await _debts(agent, plan.numbers)
    return _day(plan, stories, before, after)


def _story(agent: Agent, network: Network, plan: Plan, position: int) -> Story:
    kind = plan.kinds[position % len(plan.kinds)]
    number = plan.numbers[position // len(plan.kinds) % len(plan.numbers)]
    return Story(agent, kind, agent.orders.first(number, plan.amount_minor), network.pauses_s)


async def _debts(agent: Agent, numbers: Sequence[str]) -> Mapping[str, int | None]:
    found: dict[str, int | None] = dict.fromkeys(numbers)
    for number in numbers if agent.orders.offers("Lookup") else ():
        exchange = await agent.send(agent.orders.lookup(number))
        found[number] = screen.shown_due_minor(exchange.heard, agent.protocol, agent.terms)
    return found


def _day(
    plan: Plan, stories: Sequence[Story], before: Mapping[str, int | None], after: Mapping[str, int | None]
) -> Day:
    day = Day()
    for kind in plan.kinds:
        ours = [story for story in stories if story.kind == kind]
        steps = [story.outcome.step for story in ours]
        day.rows.append(
            Row(
                kind, len(ours), steps.count("done"), steps.count("stop"), steps.count("again"),
                sum(len(story.exchanges) + len(story.aside) for story in ours),
                sum(len(story.broken) for story in ours),
            )
        )  # fmt: skip
    for number in plan.numbers:
        booked = [one for one in stories if one.first.number == number and one.outcome.step == "done"]
        paid_minor = sum(one.first.amount_minor for one in booked)
        verdict = judge_debt(before[number], after[number], paid_minor)
        day.standings.append(
            Standing(number, before[number], after[number], paid_minor, verdict.key, verdict.good)
        )
    for story in stories:
        day.broken += [f"{story.kind}, payment {story.first.txn}: {what}" for what in story.broken]
        day.elapsed_ms += [one.elapsed_ms for one in story.exchanges if one.response is not None]
    return day
