"""Steps about what comes after a payment: its status, the list of payments, and taking it back."""

from __future__ import annotations

from datetime import timedelta

from kvit.domain.messages import Status
from kvit.simulator import paying
from kvit.simulator.conformance.bench import Paid, Trial
from kvit.simulator.conformance.steps import Step, may_refuse

#: A list is asked for from this long before its payments: the clocks of two sides are never the same.
_MARGIN = timedelta(minutes=5)


async def _status(trial: Trial) -> None:
    paid = await trial.paid()
    exchange = await trial.send(Status(paid.first.txn))
    if not trial.must(exchange, "done", "the status of a payment"):
        return
    if exchange.heard.state not in ("", "posted"):
        trial.wrong(f"a payment that was confirmed is {exchange.heard.state} by its status")
    if exchange.heard.receipt and exchange.heard.receipt != paid.receipt:
        trial.wrong(f"the status names receipt {exchange.heard.receipt}, and the payment {paid.receipt}")


async def _status_unknown(trial: Trial) -> None:
    trial.must(await trial.send(Status(trial.agent.orders.new_txn())), "stop", "the status of no payment")


async def _statement(trial: Trial) -> None:
    orders = trial.agent.orders
    began = orders.now()
    paid = [await trial.paid() for _ in range(2)]
    never = trial.new()
    exchange = await trial.send(orders.statement(began - _MARGIN, orders.now() + _MARGIN))
    if not trial.must(exchange, "done", "the list of payments"):
        return
    names = [name for name, _ in exchange.heard.shown]
    for one in paid:
        times = sum(paying.is_listed(name, one.first.txn) for name in names)
        if times != 1:
            trial.wrong(f"payment {one.first.txn} is in the list {times} times, and should be there once")
    if any(paying.is_listed(name, never.txn) for name in names):
        trial.wrong("the list has a payment that was never made")


async def _taken_back(trial: Trial) -> tuple[Paid, bool, int | None, int]:
    """A payment that the network asked to take back: was it, what was owed before, and what it came to."""
    before_minor = await trial.owed_minor()
    paid = await trial.paid()
    exchange = await trial.repeat(trial.agent.orders.void(paid.first, paid.receipt))
    is_back = exchange.heard.step == "done"
    if exchange.heard.step == "again":
        trial.must(exchange, "done", "the cancellation of a payment")
    if not is_back:
        trial.note(f"this biller does not take payments back (code {exchange.heard.code})")
    return paid, is_back, before_minor, 0 if is_back else paid.final.amount_minor


async def _void(trial: Trial) -> None:
    paid, is_back, before_minor, less_minor = await _taken_back(trial)
    await trial.must_owe(before_minor, less_minor, "a payment and its cancellation")
    if not is_back:
        await trial.must_be_the_same(
            paid, await trial.repeat(paid.final), "a payment that was not taken back"
        )


async def _void_again(trial: Trial) -> None:
    paid, is_back, before_minor, less_minor = await _taken_back(trial)
    if not is_back:
        return
    again = await trial.repeat(trial.agent.orders.void(paid.first, paid.receipt))
    if again.heard.step == "again":
        trial.must(again, "done", "the same cancellation again")
    await trial.must_owe(before_minor, less_minor, "a cancellation that came twice")


async def _pay_after_void(trial: Trial) -> None:
    paid, is_back, before_minor, less_minor = await _taken_back(trial)
    if not is_back:
        return
    await trial.repeat(paid.final)
    await trial.must_owe(before_minor, less_minor, "the repetition of a payment that was taken back")


STEPS = (
    Step(
        "status", "The status of a payment", "that it is booked, with its receipt",
        "After a lost answer the network goes by the status: a no there is money paid back and credited.",
        _status, ("Status",),
    ),
    Step(
        "status-unknown", "The status of an id that was never used", "a final no",
        "A yes would confirm a payment that never was.", _status_unknown, ("Status",),
    ),
    Step(
        "statement", "The list of payments", "each payment once, and none that was not made",
        "The sides reconcile by it: what is missing or doubled there is a difference every day.",
        _statement, ("ListPosted",),
    ),
    Step(
        "void", "A payment is taken back", "granted: the debt is as before; or refused: the payment stands",
        "The client gets the money back and must owe again, or neither.", _void, ("Void",), may_refuse,
    ),
    Step(
        "void-again", "The same cancellation again", "nothing more is given back",
        "A cancellation is repeated as payments are.", _void_again, ("Void",), may_refuse,
    ),
    Step(
        "pay-after-void", "A payment that was taken back is repeated", "nothing is booked",
        "An old repetition that arrives late must not pay again.", _pay_after_void, ("Void",), may_refuse,
    ),
)  # fmt: skip
