"""What a kiosk knows before anybody stands in front of it, and how it plays an order.

Everything it knows about a client comes from answers of the HTTP door.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeGuard
from zoneinfo import ZoneInfo

from kvit.domain.messages import Hold, Post
from kvit.domain.money import format_amount, parse_amount
from kvit.protocols.base import Terms
from kvit.protocols.kits.kit import NUMBER_JOINT
from kvit.protocols.registry import PROTOCOLS
from kvit.simulator import mischief, paying, screen, views
from kvit.simulator.agent import PAUSES_S, Agent, Exchange
from kvit.simulator.orders import Contract, Orders


class Label(NamedTuple):
    """What the books say of a number: a key of the texts, and the sum (decimal text) that it speaks of."""

    key: str
    amount: str = ""


NumbersWorthTrying = Sequence[tuple[str, str | Label]]

#: No protocol has a longer client number (QIWI allows 200 characters).
NUMBER_LENGTH_MAX = 200

#: How many copies "at once" sends.
AT_ONCE = 5


@dataclass(frozen=True)
class KioskAgreement:
    """One terminal network that this kiosk can be.

    ``language`` (``ru``, ``kk`` or ``en``) is what its screen speaks first, ``notes`` the banknotes it
    takes, in whole units of the currency, ``timezone`` an IANA name, ``contract`` what the network knows of
    the agreement beside its terms.
    """

    terms: Terms
    protocol_name: str
    biller_name: str
    title: str
    language: str = "ru"
    timezone: str = "Europe/Moscow"
    notes: Sequence[int] = (50, 100, 500, 1000, 5000)
    contract: Contract = field(default_factory=Contract)


@dataclass(frozen=True)
class KioskSettings:
    """``base_url``: where the biller's door is, or a callable where it is known only after the start.

    ``numbers_worth_trying``: (number, label) pairs, or a callable that gives them at each page load; a label
    is text as it stands, or a ``Label`` that is said in the reader's language.
    """

    base_url: str | Callable[[], str]
    agreements: Sequence[KioskAgreement]
    numbers_worth_trying: NumbersWorthTrying | Callable[[], NumbersWorthTrying] = ()
    timeout_s: float = 20.0
    pauses_s: Sequence[float] = PAUSES_S


class Room:
    """Plays orders of the page with the agents of ``settings``."""

    def __init__(self, settings: KioskSettings) -> None:
        self.settings = settings
        self._agreements = {one.terms.agreement_id: one for one in settings.agreements}

    def of_face(self, face: str) -> list[KioskAgreement]:
        """The networks whose payers stand at a ``terminal``, or hold an ``app``."""
        agreements = self.settings.agreements
        return [one for one in agreements if PROTOCOLS[one.protocol_name].habits.face == face]

    def numbers(self) -> NumbersWorthTrying:
        """The numbers worth trying, as they are now."""
        numbers = self.settings.numbers_worth_trying
        return numbers() if callable(numbers) else numbers

    async def check(self, order: views.CheckOrder) -> views.CheckReply | views.Complaint:
        """Ask about one client."""
        agreement = self._agreements.get(order.agreement)
        if agreement is None:
            return views.Complaint("error.agreement")
        if not _is_number(order.number):
            return views.Complaint("error.number")
        async with self._agent(agreement) as agent:
            return await self._checked(agent, order.number)

    async def pay(self, order: views.PayOrder) -> views.PayReply | views.Complaint:
        """Make one attempt to pay. The page repeats it while the answer is "again"."""
        prepared = self._prepare(order)
        if isinstance(prepared, views.Complaint):
            return prepared
        agreement, amount_minor = prepared
        async with self._agent(agreement) as agent:
            first = agent.orders.first(order.number, amount_minor, order.txn, order.network_time)
            command = agent.orders.post_held(first, order.hold) if _is_held(first, order) else first
            exchange = await agent.send(command)
            heard = exchange.heard
            held = isinstance(command, Hold) and heard.step == "done"
            is_final = heard.step == "done" and not held
            remains = await self._checked(agent, order.number) if is_final else None
        return views.PayReply(
            step="held" if held else heard.step,
            code=heard.code,
            comment=heard.comment,
            failure=exchange.failure,
            txn=first.txn,
            network_time=first.network_time,
            number=first.number,
            amount=format_amount(first.amount_minor, agreement.terms.exponent),
            receipt="" if held else heard.receipt,
            hold=heard.receipt if held else order.hold,
            remains=remains,
            exchanges=[views.exchange_view(exchange)],
        )

    async def cancel(self, order: views.CancelOrder) -> views.CancelReply | views.Complaint:
        """Make one attempt to take a confirmed payment back."""
        prepared = self._prepare(order)
        if isinstance(prepared, views.Complaint):
            return prepared
        agreement, amount_minor = prepared
        async with self._agent(agreement) as agent:
            paid = agent.orders.first(order.number, amount_minor, order.txn, order.network_time)
            exchange = await agent.send(agent.orders.void(paid, order.receipt))
            heard = exchange.heard
            remains = await self._checked(agent, order.number) if heard.step == "done" else None
        return views.CancelReply(
            step=heard.step,
            code=heard.code,
            comment=heard.comment,
            failure=exchange.failure,
            txn=paid.txn,
            remains=remains,
            exchanges=[views.exchange_view(exchange)],
        )

    async def misbehave(self, order: views.MischiefOrder) -> views.MischiefReply | views.Complaint:
        """Play a mischief between two real checks, so that its effect on the debt is seen."""
        if order.kind not in mischief.KINDS:
            return views.Complaint("error.kind")
        if order.kind in mischief.OF_A_PAYMENT and not order.txn:
            return views.Complaint("error.pay-first")
        prepared = self._prepare(order)
        if isinstance(prepared, views.Complaint):
            return prepared
        agreement, amount_minor = prepared
        async with self._agent(agreement) as agent:
            if order.kind not in mischief.offered(agent.orders):
                return views.Complaint("error.kind")
            before = await agent.send(agent.lookup(order.number))
            played, taken_minor = await self._play(agent, order, amount_minor)
            after = await agent.send(agent.lookup(order.number))
        return _mischief_reply(order.kind, agent, played, taken_minor, (before, after))

    async def _play(
        self, agent: Agent, order: views.MischiefOrder, amount_minor: int
    ) -> tuple[mischief.Mischief, int]:
        """What happened, and how much one booking takes off the debt."""
        if order.kind == "unknown":
            return await mischief.unknown(agent, _unknown_like(order.number), amount_minor), 0
        if order.kind in mischief.OF_A_PAYMENT:
            return await self._play_again(agent, order, amount_minor)
        new = agent.orders.first(order.number, amount_minor)
        if order.kind == "stranger":
            return await mischief.stranger(agent, new), 0
        if order.kind == "at-once":
            played = await mischief.at_once(agent, new, AT_ONCE)
        elif order.kind == "slow":
            played = await mischief.slow(agent, new)
        else:
            played = await mischief.drop(agent, new, self.settings.pauses_s)
        booked = any(
            paying.is_booked(one) or (isinstance(one.command, Post) and one.heard.step == "done")
            for one in played.exchanges
        )
        return played, amount_minor if booked else 0

    async def _play_again(
        self, agent: Agent, order: views.MischiefOrder, amount_minor: int
    ) -> tuple[mischief.Mischief, int]:
        """The same for what is done with a confirmed payment."""
        first = agent.orders.first(order.number, amount_minor, order.txn, order.network_time)
        if order.kind == "other-sum":
            return await mischief.other_sum(agent, first, _changed(agent, first)), 0
        if order.kind == "status":
            return await mischief.status(agent, first), 0
        if order.kind == "list":
            return await mischief.listed(agent, first), 0
        if order.kind == "cancel":
            played = await mischief.cancel(agent, first, order.receipt)
            return played, -amount_minor if played.verdict.key == "cancelled" else 0
        post = agent.orders.post_held(first, order.hold) if isinstance(first, Hold) else first
        return await mischief.again(agent, post, order.receipt), 0

    async def _checked(self, agent: Agent, number: str) -> views.CheckReply:
        exchange = await agent.send(agent.lookup(number))
        return views.check_reply(exchange, number, agent)

    def _prepare(
        self, order: views.PayOrder | views.MischiefOrder | views.CancelOrder
    ) -> tuple[KioskAgreement, int] | views.Complaint:
        agreement = self._agreements.get(order.agreement)
        if agreement is None:
            return views.Complaint("error.agreement")
        if not _is_number(order.number):
            return views.Complaint("error.number")
        amount_minor = parse_amount(order.amount, agreement.terms.exponent)
        if amount_minor is None:
            return views.Complaint("error.amount")
        return agreement, amount_minor

    def _agent(self, agreement: KioskAgreement) -> Agent:
        base_url = self.settings.base_url
        zone, protocol = ZoneInfo(agreement.timezone), PROTOCOLS[agreement.protocol_name]
        orders = Orders(protocol, agreement.terms, agreement.contract, lambda: datetime.now(zone))
        where = base_url() if callable(base_url) else base_url
        return Agent(where, protocol, agreement.terms, self.settings.timeout_s, orders)


def _mischief_reply(
    kind: str,
    agent: Agent,
    played: mischief.Mischief,
    taken_minor: int,
    checks: tuple[Exchange, Exchange],
) -> views.MischiefReply:
    terms = agent.terms
    before_minor, after_minor = (
        screen.shown_due_minor(check.heard, agent.protocol, terms) for check in checks
    )
    debt = mischief.judge_debt(before_minor, after_minor, taken_minor)
    before, after = (
        None if due is None else format_amount(due, terms.exponent) for due in (before_minor, after_minor)
    )
    return views.MischiefReply(
        kind=kind,
        verdict=views.verdict_view(played.verdict),
        debt=views.verdict_view(debt),
        due_before=before,
        due_after=after,
        exchanges=[views.exchange_view(one) for one in (checks[0], *played.exchanges, checks[1])],
    )


def _changed(agent: Agent, first: Hold | Post) -> Hold | Post:
    """``first`` with a hundred units more."""
    more_minor = 100 * 10**agent.terms.exponent
    return agent.orders.first(first.number, first.amount_minor + more_minor, first.txn, first.network_time)


def _is_held(first: Hold | Post, order: views.PayOrder) -> TypeGuard[Hold]:
    return isinstance(first, Hold) and order.held


def _unknown_like(number: str) -> str:
    """A number of the same shape as ``number`` that hardly anybody has."""
    nines, eights = (re.sub(f"[^{NUMBER_JOINT}]", digit, number) for digit in "98")
    return nines if nines != number else eights


def _is_number(number: str) -> bool:
    return 0 < len(number) <= NUMBER_LENGTH_MAX
