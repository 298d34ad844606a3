"""What a bad day at a terminal does to a payment, and what became of it, in words.

Each function plays one mischief with an agent and judges the answers. A verdict is a key of the texts
(``static/texts.json``, group ``verdicts``) with the values that its sentence needs, so that the kiosk
says it in the reader's language and the shell in English.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kvit.domain.messages import Hold, Post, Status
from kvit.simulator import bending, paying
from kvit.simulator.agent import PAUSES_S, Agent, Exchange
from kvit.simulator.orders import Orders

#: The kinds of mischief, as the kiosk's buttons name them.
KINDS = (
    "again", "at-once", "drop", "other-sum", "unknown", "stranger", "slow", "status", "list", "cancel",
)  # fmt: skip

#: Those about the last confirmed payment.
OF_A_PAYMENT = ("again", "other-sum", "status", "list", "cancel")

#: Kinds that ask something which not every protocol knows.
_ASKS = {"status": "Status", "list": "ListPosted", "cancel": "Void"}


@dataclass(frozen=True)
class Verdict:
    """``good`` is whether the biller did what it should; ``values`` fill the sentence of ``key``."""

    key: str
    good: bool
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Mischief:
    """The exchanges in the order in which they were sent, and the verdict on them."""

    exchanges: tuple[Exchange, ...]
    verdict: Verdict


def offered(orders: Orders) -> list[str]:
    """The kinds that can be played with an agreement."""
    guarded = bool(bending.strangers(orders.protocol, orders.terms))
    return [
        kind
        for kind in KINDS
        if (kind not in _ASKS or orders.offers(_ASKS[kind])) and (kind != "stranger" or guarded)
    ]


async def again(agent: Agent, post: Post, first_receipt: str = "") -> Mischief:
    """Send a payment that has been confirmed (with ``first_receipt``) once more, word for word."""
    exchanges = await _cleared_up(agent, [await agent.send(post)])
    return Mischief(tuple(exchanges), judge_repeats(exchanges, "again", first_receipt))


async def at_once(agent: Agent, first: Hold | Post, times: int = 5) -> Mischief:
    """Send one new payment ``times`` over in the same moment: each phase of it."""
    exchanges = await _cleared_up(agent, await agent.send_at_once(first, times))
    verdict = judge_repeats(exchanges, "at-once")
    held = next((one.heard.receipt for one in exchanges if one.heard.step == "done"), None)
    if not isinstance(first, Hold) or held is None or not verdict.good:
        return Mischief(tuple(exchanges), verdict)
    posts = await agent.send_at_once(agent.orders.post_held(first, held), times)
    posts = await _cleared_up(agent, posts)
    return Mischief((*exchanges, *posts), judge_repeats(posts, "at-once"))


async def drop(agent: Agent, first: Hold | Post, pauses_s: Sequence[float] = PAUSES_S) -> Mischief:
    """Hang up before the answer to a new payment can be read, then ask again as a network does."""
    exchanges = [await agent.send(first, drop=True), *await agent.repeat(first, pauses_s)]
    heard = exchanges[-1].heard
    if isinstance(first, Hold) and heard.step == "done":
        post = agent.orders.post_held(first, heard.receipt)
        exchanges += [await agent.send(post, drop=True), *await agent.repeat(post, pauses_s)]
    cleared = await _cleared_up(agent, exchanges[-1:])
    return Mischief((*exchanges, *cleared[1:]), judge_repeats(cleared, "drop"))


async def other_sum(agent: Agent, first: Hold | Post, changed: Hold | Post) -> Mischief:
    """Send the id of ``first``, a confirmed payment, with the sum of ``changed``."""
    assert first.txn == changed.txn
    assert first.amount_minor != changed.amount_minor
    exchange = await agent.send(changed)
    heard = exchange.heard
    if heard.step == "stop":
        verdict = Verdict("other-sum-refused", True, {"code": heard.code})
    elif heard.step == "again":
        verdict = Verdict("no-final-answer", True, {"count": "1"})
    elif heard.amount_minor == first.amount_minor:
        verdict = Verdict("other-sum-first-answer", True, {"receipt": heard.receipt})
    else:
        verdict = Verdict("other-sum-taken", False, {"receipt": heard.receipt})
    return Mischief((exchange,), verdict)


async def unknown(agent: Agent, number: str, amount_minor: int) -> Mischief:
    """Ask for a number that nobody has, and pay it all the same."""
    check = await agent.send(agent.lookup(number))
    if check.heard.step == "done":
        return Mischief((check,), Verdict("unknown-exists", True, {"number": number}))
    pay = await agent.send(agent.orders.first(number, amount_minor))
    values = {"number": number, "code": pay.heard.code, "receipt": pay.heard.receipt}
    if pay.heard.step == "stop":
        verdict = Verdict("unknown-refused", True, values)
    elif pay.heard.step == "again":
        verdict = Verdict("no-final-answer", True, {"count": "2"})
    else:
        # Money that is taken already cannot be refused: then suspense is where it belongs.
        verdict = Verdict("unknown-taken", agent.protocol.habits.taken, values)
    return Mischief((check, pay), verdict)


async def stranger(agent: Agent, first: Hold | Post) -> Mischief:
    """Send a new payment as somebody who does not have the network's credentials or keys."""
    strangers = bending.strangers(agent.protocol, agent.terms).values()
    exchanges = [await agent.carry(first, agent.protocol.ask(first, terms)) for terms in strangers]
    taken = [one for one in exchanges if one.heard.step == "done"]
    if taken:
        return Mischief(
            tuple(exchanges), Verdict("stranger-taken", False, {"receipt": taken[0].heard.receipt})
        )
    return Mischief(tuple(exchanges), Verdict("stranger-refused", True, {"count": str(len(exchanges))}))


async def slow(agent: Agent, first: Hold | Post) -> Mischief:
    """Take the answers to a new payment a byte at a time."""
    exchanges = [await agent.send(first, slowly=True)]
    heard = exchanges[0].heard
    if isinstance(first, Hold) and heard.step == "done":
        exchanges.append(await agent.send(agent.orders.post_held(first, heard.receipt), slowly=True))
    return Mischief(tuple(exchanges), judge_repeats(exchanges[-1:], "slow"))


async def status(agent: Agent, first: Hold | Post) -> Mischief:
    """Ask what became of a confirmed payment."""
    exchange = await agent.send(Status(first.txn))
    values = {"code": exchange.heard.code}
    if exchange.heard.step == "again":
        verdict = Verdict("no-final-answer", True, {"count": "1"})
    elif paying.is_booked(exchange):
        verdict = Verdict("status-booked", True, values)
    else:
        verdict = Verdict("status-missing", False, values)
    return Mischief((exchange,), verdict)


async def listed(agent: Agent, first: Hold | Post) -> Mischief:
    """Ask for today's payments, and look for a confirmed one among them."""
    now = agent.orders.now()
    exchange = await agent.send(agent.orders.statement(now.replace(hour=0, minute=0, second=0), now))
    times = sum(paying.is_listed(name, first.txn) for name, _ in exchange.heard.shown)
    values = {"count": str(len(exchange.heard.shown)), "times": str(times)}
    if exchange.heard.step == "again":
        return Mischief((exchange,), Verdict("no-final-answer", True, {"count": "1"}))
    return Mischief(
        (exchange,), Verdict("listed-once" if times == 1 else "listed-otherwise", times == 1, values)
    )


async def cancel(agent: Agent, first: Hold | Post, receipt: str) -> Mischief:
    """Take a confirmed payment back."""
    exchange = await agent.send(agent.orders.void(first, receipt))
    values = {"code": exchange.heard.code}
    keys = {"done": "cancelled", "stop": "cancel-refused", "again": "no-final-answer"}
    return Mischief((exchange,), Verdict(keys[exchange.heard.step], True, values))


async def _cleared_up(agent: Agent, exchanges: list[Exchange]) -> list[Exchange]:
    return [*exchanges, *await paying.clear_up(agent, exchanges)]


def judge_repeats(exchanges: Sequence[Exchange], kind: str, first_receipt: str = "") -> Verdict:
    """One payment was sent several times: was it booked once, under ``first_receipt`` where known?"""
    heard = [exchange.heard for exchange in exchanges if not isinstance(exchange.command, Status)]
    booked = [exchange.heard for exchange in exchanges if paying.is_booked(exchange)]
    known = {first_receipt} if first_receipt else set()
    receipts = sorted(known | {one.receipt for one in (*heard, *booked) if one.step == "done"})
    waiting = sum(one.step == "again" for one in heard)
    refusals = sorted({one.code for one in heard if one.step == "stop"} if not booked else ())
    values = {"count": str(len(heard)), "waiting": str(waiting), "receipt": ", ".join(receipts)}
    if len(receipts) > 1:
        return Verdict("booked-more-than-once", False, values)
    if receipts and refusals:
        return Verdict("booked-and-refused", False, {**values, "code": ", ".join(refusals)})
    if receipts and waiting:
        return Verdict("booked-once-some-wait", True, values)
    if receipts:
        return Verdict(f"booked-once-{kind}", True, values)
    if refusals:
        return Verdict("refused", True, {**values, "code": ", ".join(refusals)})
    return Verdict("no-final-answer", True, values)


def judge_debt(before_minor: int | None, after_minor: int | None, taken_minor: int) -> Verdict:
    """Did the debt go down by ``taken_minor`` (never below zero), as one booking does? ``None``: unseen.

    What was given back is below zero.
    """
    if before_minor is None or after_minor is None:
        return Verdict("debt-unseen", True)
    change = before_minor - after_minor
    if change != min(taken_minor, before_minor):
        return Verdict("debt-odd", False)
    if change:
        return Verdict("debt-fell-once" if change > 0 else "debt-rose-once", True)
    # A payment on top of no debt is an advance, which a check does not always show.
    return Verdict("debt-advance" if taken_minor else "debt-same", True)
