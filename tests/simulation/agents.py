"""Agents as networks are: they ask until they know, each with its own patience."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from zoneinfo import ZoneInfo

from kvit.domain.messages import Command, ListPosted, Lookup, Post, Status, Void
from kvit.protocols.base import Heard
from tests.simulation.plan import Payment
from tests.simulation.wire import Wire
from tests.simulation.world import World

#: How long an agent waits for an answer: a tenth of QIWI's sixty seconds.
PATIENCE_S = 6.0
#: A check is given up after so many tries: nobody has paid yet.
CHECKS_MAX = 3
#: Who asks so often after everything went well again, and still does not know, will never know.
TRIES_MAX = 4
#: Until then, faults may still have their after-effects: slow answers, a process that starts.
_AFTERMATH_S = 8.0


class NeverFinal(Exception):
    """Asked again and again, and never told."""


class Agents:
    """All payments of a history, each a story of its own."""

    def __init__(self, world: World, wire: Wire, chance: Random) -> None:
        self._world = world
        self._wire = wire
        self._chance = chance

    async def pay(self, payment: Payment) -> None:
        """One client's visit to a terminal, and what the network does with it later."""
        await asyncio.sleep(payment.at_s)
        name, post = payment.agreement_id, self._dated(payment)
        if payment.checked:
            await self._ask(name, Lookup(post.txn, post.number), tries_max=CHECKS_MAX)
        rival = None
        if payment.rival is not None:
            other = replace(
                post, number=payment.rival.number, amount_minor=payment.rival.amount_minor,
                service=payment.rival.service,
            )  # fmt: skip
            rival = asyncio.create_task(self._rival(name, other, payment.rival_at_s))
        heard = await self._ask(name, post)
        if rival is not None:
            await rival
        for what in payment.later:
            await asyncio.sleep(self._chance.uniform(0, 2))
            await self._later(what, name, post, heard)

    async def _rival(self, name: str, post: Post, at_s: float) -> None:
        await asyncio.sleep(max(at_s - self._world.loop.time(), 0))
        await self._ask(name, post)

    async def _later(self, what: str, name: str, post: Post, heard: Heard | None) -> None:
        is_paid = heard is not None and heard.step == "done"
        if what == "check":
            await self._ask(name, Lookup(post.txn, post.number))
        elif what == "pay again":
            await self._ask(name, post)
        elif what == "pay other":
            await self._ask(name, replace(post, amount_minor=post.amount_minor + 7))
        elif what == "status":
            await self._ask(name, Status(post.txn))
        elif what == "list":
            day = post.network_time[:10]
            await self._ask(name, ListPosted(day, day))
        elif is_paid and heard is not None:
            await self._ask(name, self._void(name, post, int(heard.receipt), wrongly=what == "void wrongly"))
            if self._chance.random() < 0.5:
                await self._ask(name, post)

    def _void(self, name: str, post: Post, receipt: int, *, wrongly: bool) -> Void:
        """In the words of the agreement; by receipt nothing can be told wrongly."""
        if self._world.terms[name].dialect["cancel"] == "a":
            return Void(receipt=receipt)
        amount_minor = post.amount_minor + wrongly
        return Void(txn=post.txn, void_txn="9" + post.txn, number=post.number, amount_minor=amount_minor)

    def _dated(self, payment: Payment) -> Post:
        """With the network's own time, which is nobody else's."""
        plan, name = self._world.plan, payment.agreement_id
        there = self._world.clock.true().astimezone(ZoneInfo(plan.agreements[name].timezone))
        moment = there + timedelta(days=plan.skew_days[name])
        return replace(payment.post, network_time=moment.replace(tzinfo=None).isoformat(timespec="seconds"))

    async def _ask(self, name: str, command: Command, tries_max: int = 0) -> Heard | None:
        """The final answer; ``None`` after ``tries_max`` tries, if there is such a limit."""
        world, late = self._world, 0
        pauses_s = _pauses_s(self._chance, is_eager=name in world.plan.eager)
        for tries, pause_s in enumerate(pauses_s, 1):
            late += world.loop.time() > world.plan.quiet_s + _AFTERMATH_S
            heard = await self._answer(name, command)
            if heard is not None and heard.step != "again":
                world.trace.note("agent", "{} knows: {} {}", name, heard.step, heard.code)
                world.trace.most("tries after the faults", late)
                return heard
            if tries == tries_max:
                return None
            if late >= TRIES_MAX:
                raise NeverFinal(f"{name} asked {command} {late} times after the faults, and does not know")
            await asyncio.sleep(pause_s)
        raise AssertionError("agents never give up")

    async def _answer(self, name: str, command: Command) -> Heard | None:
        parcel = self._wire.send(name, command)
        patience = self._world.loop.call_later(PATIENCE_S, parcel.hear, None)
        try:
            return await parcel.answer
        finally:
            patience.cancel()


def _pauses_s(chance: Random, *, is_eager: bool) -> Iterator[float]:
    """A minute of theirs is half a second here. Eager ones ask every minute or so, as QIWI's terminals do;
    patient ones after one minute, three times after five, then every half hour, as YooMoney did."""
    if is_eager:
        while True:
            yield chance.uniform(0.3, 0.8)
    yield from (0.5, 2.5, 2.5, 2.5)
    while True:
        yield 15.0
