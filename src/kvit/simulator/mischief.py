"""What a bad day at a terminal does to a payment, and what became of it, in words.

Each function plays one mischief with an agent and judges the answers. A verdict is a key of the texts
(``static/texts.json``, group ``verdicts``) with the values that its sentence needs, so that the kiosk
says it in the reader's language and the shell in English.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kvit.domain.messages import Hold, Post, Status
from kvit.simulator import paying
from kvit.simulator.agent import PAUSES_S, Agent, Exchange

#: The kinds of mischief, as the kiosk's buttons name them.
KINDS = ("again", "at-once", "drop", "other-sum", "unknown")


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
    """Did the debt go down by ``taken_minor`` (never below zero), as one booking does? ``None``: unseen."""
    if before_minor is None or after_minor is None:
        return Verdict("debt-unseen", True)
    change = before_minor - after_minor
    if change != min(taken_minor, before_minor):
        return Verdict("debt-odd", False)
    if change:
        return Verdict("debt-fell-once", True)
    # A payment on top of no debt is an advance, which a check does not always show.
    return Verdict("debt-advance" if taken_minor else "debt-same", True)
