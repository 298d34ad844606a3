"""Play all steps against a target, and keep what came of each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from kvit.simulator.agent import Agent, Exchange
from kvit.simulator.conformance import afterwards, lines, payments, phases
from kvit.simulator.conformance.bench import Target, Trial, Unfit
from kvit.simulator.conformance.steps import Step
from kvit.simulator.orders import Orders

#: In the order in which they are played; those about all answers come last.
STEPS = (*payments.STEPS[:2], *phases.STEPS, *payments.STEPS[2:], *afterwards.STEPS)
LAST = lines.STEPS

#: How often, and after what rests, a payment is repeated that is answered "later".
PAUSES_S = (0.2, 0.5, 1.0)

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True)
class Outcome:
    """What came of one step: ``said`` is what came, in sentences; ``exchanges`` are its own."""

    step: Step
    verdict: str
    said: tuple[str, ...]
    exchanges: tuple[Exchange, ...] = ()


@dataclass
class Report:
    """A whole run."""

    target: Target
    began: datetime
    outcomes: list[Outcome] = field(default_factory=list)

    def count(self, verdict: str) -> int:
        return sum(one.verdict == verdict for one in self.outcomes)

    @property
    def good(self) -> bool:
        """Did no step fail, and at least one pass?"""
        return self.count(FAILED) == 0 and self.count(PASSED) > 0

    def failed(self) -> list[str]:
        """The keys of the steps that failed."""
        return [one.step.key for one in self.outcomes if one.verdict == FAILED]


def run(target: Target, tell: Callable[[Step], None] = lambda _: None) -> Report:
    """Play the acceptance test; ``tell`` hears of each step as it begins."""
    return asyncio.run(_run(target, tell))


async def _run(target: Target, tell: Callable[[Step], None]) -> Report:
    async with target.network.agent() as agent:
        report = Report(target, agent.orders.now())
        if not await _is_there(agent, target):
            what = "nobody answers at this address"
            report.outcomes += [Outcome(step, FAILED, (what,)) for step in (*STEPS, *LAST)]
            return report
        for step in STEPS:
            tell(step)
            report.outcomes.append(await _played(step, agent, target))
        everything = [exchange for one in report.outcomes for exchange in one.exchanges]
        for step in LAST:
            trial = Trial(agent, target, everything)
            await step.play(trial)
            report.outcomes.append(_outcome(step, trial, keep=False))
    return report


async def _is_there(agent: Agent, target: Target) -> bool:
    exchange = await agent.send(agent.orders.lookup(target.number, amount_minor=target.amount_minor))
    return exchange.failure != "unreachable"


def why_not(step: Step, orders: Orders, target: Target) -> str:
    """Why a step does not apply to a target; empty where it does."""
    missing = [kind for kind in step.needs if not orders.offers(kind)]
    return step.unfit(target) or (f"not offered: {', '.join(missing)}" if missing else "")


async def _played(step: Step, agent: Agent, target: Target) -> Outcome:
    if reason := why_not(step, agent.orders, target):
        return Outcome(step, SKIPPED, (reason,))
    trial = Trial(agent, target)
    try:
        await step.play(trial)
    except Unfit as unfit:
        trial.wrong(str(unfit))
    return _outcome(step, trial)


def _outcome(step: Step, trial: Trial, *, keep: bool = True) -> Outcome:
    said = (*trial.problems, *trial.notes) or ("as expected",)
    exchanges = tuple(trial.exchanges) if keep else ()
    return Outcome(step, FAILED if trial.problems else PASSED, said, exchanges)
