"""Each mischief, with a biller that stands it and with one that does not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from kvit.protocols.registry import PROTOCOLS
from kvit.simulator import mischief
from kvit.simulator.agent import Agent
from kvit.simulator.mischief import Mischief, Verdict, judge_debt
from tests.simulator.biller import NUMBER, TERMS, UNKNOWN, TinyBiller, served

NO_PAUSES = (0.0, 0.0, 0.0)


def play(biller: TinyBiller, errand: Callable[[Agent], Awaitable[Mischief]]) -> Mischief:
    async def played(base_url: str) -> Mischief:
        async with Agent(base_url, PROTOCOLS["qiwi"], TERMS, 5.0) as agent:
            return await errand(agent)

    with served(biller) as base_url:
        return asyncio.run(played(base_url))


async def paid_again(agent: Agent) -> Mischief:
    post = agent.post(NUMBER, 10_000)
    first = await agent.send(post)
    return await mischief.again(agent, post, first.heard.receipt)


def test_again_brings_the_first_receipt() -> None:
    biller = TinyBiller()
    played = play(biller, paid_again)
    assert played.verdict.key == "booked-once-again"
    assert played.verdict.good
    assert played.verdict.values["receipt"] == "100045"
    assert biller.due_minor[NUMBER] == 115_000


def test_again_notices_a_second_booking() -> None:
    played = play(TinyBiller(honest=False), paid_again)
    assert played.verdict.key == "booked-more-than-once"
    assert not played.verdict.good
    assert played.verdict.values["receipt"] == "100045, 100046"


def test_again_notices_a_refusal_of_what_was_confirmed() -> None:
    played = play(TinyBiller(moods=["", "refuse"]), paid_again)
    assert (played.verdict.key, played.verdict.good) == ("booked-and-refused", False)


def test_five_at_once_are_really_in_flight_together() -> None:
    biller = TinyBiller(pause_s=0.3)
    played = play(biller, lambda agent: mischief.at_once(agent, agent.post(NUMBER, 10_000), 5))
    assert played.verdict == Verdict(
        "booked-once-at-once", True, {"count": "5", "waiting": "0", "receipt": "100045"}
    )
    assert len({one.request_text for one in played.exchanges}) == 1
    began, ended = max(one.at for one in played.exchanges), min(one.elapsed_ms for one in played.exchanges)
    assert (began - played.exchanges[0].at).total_seconds() * 1000 < ended
    assert biller.due_minor[NUMBER] == 115_000


def test_five_at_once_with_some_told_later() -> None:
    biller = TinyBiller(moods=["later", "", "later"])
    played = play(biller, lambda agent: mischief.at_once(agent, agent.post(NUMBER, 10_000), 5))
    assert (played.verdict.key, played.verdict.values["waiting"]) == ("booked-once-some-wait", "2")


def test_five_at_once_booked_five_times_is_told() -> None:
    played = play(
        TinyBiller(honest=False), lambda agent: mischief.at_once(agent, agent.post(NUMBER, 10_000), 5)
    )
    assert (played.verdict.key, played.verdict.good) == ("booked-more-than-once", False)


def test_five_at_once_all_refused_or_all_later() -> None:
    refused = play(
        TinyBiller(moods=["refuse"] * 5), lambda agent: mischief.at_once(agent, agent.post(NUMBER, 10_000))
    )
    later = play(
        TinyBiller(moods=["later"] * 5), lambda agent: mischief.at_once(agent, agent.post(NUMBER, 10_000))
    )
    assert (refused.verdict.key, refused.verdict.values["code"]) == ("refused", "79")
    assert later.verdict.key == "no-final-answer"


def test_a_lost_answer_is_asked_for_again() -> None:
    biller = TinyBiller(moods=["", "later"])
    played = play(biller, lambda agent: mischief.drop(agent, agent.post(NUMBER, 10_000), NO_PAUSES))
    assert [one.failure for one in played.exchanges] == ["dropped", "", ""]
    assert (played.verdict.key, played.verdict.values["receipt"]) == ("booked-once-drop", "100045")
    assert biller.due_minor[NUMBER] == 115_000


async def other_sum(agent: Agent) -> Mischief:
    first = agent.post(NUMBER, 10_000)
    await agent.send(first)
    return await mischief.other_sum(agent, first, agent.post(NUMBER, 20_000, first.txn))


def test_another_sum_is_refused() -> None:
    biller = TinyBiller()
    played = play(biller, other_sum)
    assert played.verdict == Verdict("other-sum-refused", True, {"code": "300"})
    assert biller.due_minor[NUMBER] == 115_000


def test_another_sum_that_is_taken_is_told() -> None:
    played = play(TinyBiller(honest=False), other_sum)
    assert (played.verdict.key, played.verdict.good) == ("other-sum-taken", False)


def test_an_unknown_number_is_refused_twice() -> None:
    played = play(TinyBiller(), lambda agent: mischief.unknown(agent, UNKNOWN, 10_000))
    assert [one.heard.code for one in played.exchanges] == ["5", "5"]
    assert (played.verdict.key, played.verdict.good) == ("unknown-refused", True)


def test_a_number_that_somebody_has_is_not_paid() -> None:
    biller = TinyBiller()
    played = play(biller, lambda agent: mischief.unknown(agent, NUMBER, 10_000))
    assert played.verdict.key == "unknown-exists"
    assert biller.posted == {}


@pytest.mark.parametrize(
    ("before_minor", "after_minor", "taken_minor", "key", "good"),
    [
        (125_000, 115_000, 10_000, "debt-fell-once", True),
        (125_000, 105_000, 10_000, "debt-odd", False),
        (125_000, 125_000, 10_000, "debt-odd", False),
        (5_000, 0, 10_000, "debt-fell-once", True),
        (0, 0, 10_000, "debt-advance", True),
        (125_000, 125_000, 0, "debt-same", True),
        (125_000, 124_999, 0, "debt-odd", False),
        (None, 5, 10_000, "debt-unseen", True),
        (5, None, 10_000, "debt-unseen", True),
    ],
)
def test_the_debt_tells_whether_it_was_once(
    before_minor: int | None, after_minor: int | None, taken_minor: int, key: str, good: bool
) -> None:
    assert judge_debt(before_minor, after_minor, taken_minor) == Verdict(key, good)
