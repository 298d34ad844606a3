"""Steps about payments in two phases: nothing is booked before it is posted, nor after its release."""

from __future__ import annotations

from dataclasses import replace

from kvit.domain.messages import Hold
from kvit.simulator.conformance.bench import Trial
from kvit.simulator.conformance.steps import Step, two_phases


async def _hold(trial: Trial) -> None:
    before_minor = await trial.owed_minor()
    hold, _ = await trial.held()
    await trial.must_owe(before_minor, 0, "a payment that is only announced")
    await trial.must_be_known_as(hold.txn, "held", "a payment that is only announced")


async def _hold_again(trial: Trial) -> None:
    hold, receipt = await trial.held()
    again = await trial.repeat(hold)
    if trial.must(again, "done", "the same hold again") and again.heard.receipt != receipt:
        trial.wrong(f"the same hold again has receipt {again.heard.receipt}, and it was {receipt} before")


async def _hold_other_sum(trial: Trial) -> None:
    hold, _ = await trial.held()
    exchange = await trial.send(replace(hold, amount_minor=hold.amount_minor + 100))
    if exchange.heard.step == "done" and exchange.heard.amount_minor == hold.amount_minor:
        trial.note("the first answer came again, with the first sum")
    else:
        trial.must_not_be_taken(exchange, "another sum under an announced id")


async def _unheld(trial: Trial) -> None:
    before_minor = await trial.owed_minor()
    hold = trial.new()
    assert isinstance(hold, Hold)
    post = trial.agent.orders.post_held(hold, "1")
    trial.must_not_be_taken(await trial.send(post), "a payment that nobody announced")
    await trial.must_owe(before_minor, 0, "a payment that nobody announced")


async def _released(trial: Trial) -> None:
    before_minor = await trial.owed_minor()
    hold, receipt = await trial.held()
    void = trial.agent.orders.void(hold, receipt)
    if not trial.must(await trial.repeat(void), "done", "the release of a hold"):
        return
    trial.must(await trial.repeat(void), "done", "the same release again")
    await trial.must_owe(before_minor, 0, "a payment that was announced and released")


async def _post_released(trial: Trial) -> None:
    before_minor = await trial.owed_minor()
    hold, receipt = await trial.held()
    released = await trial.repeat(trial.agent.orders.void(hold, receipt))
    if released.heard.step != "done":
        trial.note("the hold was not released, so there was nothing to try")
        return
    post = trial.agent.orders.post_held(hold, receipt)
    trial.must_not_be_taken(await trial.repeat(post), "a payment that was released before")
    await trial.must_owe(before_minor, 0, "a payment that was released before")


STEPS = (
    Step(
        "hold", "A payment is announced", "a final yes, and the same debt as before",
        "What is announced is not paid yet: booked now, it would stay when the payer turns back.",
        _hold, ("Hold",), two_phases,
    ),
    Step(
        "hold-again", "The same announcement again", "the same answer with the same receipt",
        "The network books under the receipt that it heard; a new one is a second payment.",
        _hold_again, ("Hold",), two_phases,
    ),
    Step(
        "hold-other-sum", "The id of an announcement with another sum", "no yes to the other sum",
        "The payer agreed to the first sum.", _hold_other_sum, ("Hold",), two_phases,
    ),
    Step(
        "unheld", "A payment is booked that nobody announced", "no yes, nothing booked",
        "Nobody has looked whether this client can be paid.", _unheld, ("Hold",), two_phases,
    ),
    Step(
        "released", "An announced payment is released, twice", "a final yes both times, nothing booked",
        "The payer's money goes back; what stays held blocks an invoice.",
        _released, ("Hold", "Void"), two_phases,
    ),
    Step(
        "post-released", "A released payment is booked all the same", "no yes, nothing booked",
        "The payer has the money back already.", _post_released, ("Hold", "Void"), two_phases,
    ),
)  # fmt: skip
