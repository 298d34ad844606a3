"""Steps about one payment: is it booked, is it booked once, and is what is no payment refused?"""

from __future__ import annotations

from dataclasses import replace

from kvit.domain.messages import Hold, Status
from kvit.simulator import bending, paying, screen
from kvit.simulator.conformance.bench import Trial, said
from kvit.simulator.conformance.steps import Step

#: Sums as they must not be taken: as they are put into a request in the place of the right one.
ODD_SUMS = ("1e3", "10,00", "-1")


async def _found(trial: Trial) -> None:
    orders, target = trial.agent.orders, trial.target
    first = await trial.send(orders.lookup(target.number, amount_minor=target.amount_minor))
    if not trial.must(first, "done", f"number {target.number}"):
        return
    name = screen.shown_name(first.heard, trial.agent.protocol, trial.agent.terms)
    before_minor = screen.shown_due_minor(first.heard, trial.agent.protocol, trial.agent.terms)
    if name:
        trial.note(f"shown to the payer: {name}")
    if before_minor == 0:
        trial.note("this client owes nothing, so no step can see its debt go down")
    await trial.must_owe(before_minor, 0, "a second check")


async def _not_found(trial: Trial) -> None:
    orders, target = trial.agent.orders, trial.target
    exchange = await trial.send(orders.lookup(target.unknown, amount_minor=target.amount_minor))
    trial.must(exchange, "stop", f"number {target.unknown}, which nobody has")


async def _pay(trial: Trial) -> None:
    before_minor = await trial.owed_minor()
    paid = await trial.paid()
    heard = trial.exchanges[-1].heard
    if not paid.receipt:
        trial.note("the answer names no receipt")
    if heard.amount_minor not in (-1, paid.final.amount_minor):
        trial.wrong(f"the answer names another sum: {heard.amount_minor} in minor units")
    await trial.must_owe(before_minor, paid.final.amount_minor, "a payment")


async def _pay_again(trial: Trial) -> None:
    paid = await trial.paid()
    before_minor = await trial.owed_minor()
    for _ in range(2):
        await trial.must_be_the_same(paid, await trial.repeat(paid.final), "the same payment again")
    await trial.must_owe(before_minor, 0, "the same payment again")


async def _other_sum(trial: Trial) -> None:
    paid = await trial.paid()
    before_minor = await trial.owed_minor()
    other = replace(paid.first, amount_minor=paid.first.amount_minor + 100)
    exchange = await trial.send(other)
    if exchange.heard.step == "done" and exchange.heard.amount_minor == paid.first.amount_minor:
        trial.note("the first answer came again, with the first sum")
    else:
        trial.must_not_be_taken(exchange, "another sum under a known id")
    await trial.must_owe(before_minor, 0, "another sum under a known id")
    await trial.must_be_the_same(paid, await trial.repeat(paid.final), "the first payment afterwards")


async def _other_number(trial: Trial) -> None:
    paid = await trial.paid()
    before_minor = await trial.owed_minor()
    exchange = await trial.send(replace(paid.first, number=trial.target.another))
    trial.must_not_be_taken(exchange, "another number under a known id")
    await trial.must_owe(before_minor, 0, "another number under a known id")


async def _odd_sums(trial: Trial) -> None:
    before_minor = await trial.owed_minor()
    protocol, terms = trial.agent.protocol, trial.agent.terms
    for text in ODD_SUMS:
        payment = trial.new()
        request = bending.with_sum(protocol, terms, payment, text)
        if request is None:
            trial.note("the sum was not found in the request, so none was put in its place")
            break
        trial.must_not_be_taken(await trial.carry(payment, request), f"the sum {text}")
    await trial.must_owe(before_minor, 0, "sums that are none")


async def _no_sum(trial: Trial) -> None:
    before_minor = await trial.owed_minor()
    for amount_minor in (0, -trial.target.amount_minor):
        payment = replace(trial.new(), amount_minor=amount_minor)
        trial.must_not_be_taken(await trial.send(payment), f"the sum {amount_minor} in minor units")
    await trial.must_owe(before_minor, 0, "zero and less")


async def _twice_in_one(trial: Trial) -> None:
    payment = trial.new()
    before_minor = await trial.owed_minor()
    request = bending.with_sum_twice(trial.agent.protocol, trial.agent.terms, payment)
    if request is None:
        trial.note("the sum was not found in the request, so it was not put there twice")
        return
    trial.must_not_be_taken(await trial.carry(payment, request), "a request that names two sums")
    await trial.must_owe(before_minor, 0, "a request that names two sums")


async def _unknown_paid(trial: Trial) -> None:
    before_minor = await trial.owed_minor()
    exchange = await trial.repeat(trial.new(number=trial.target.unknown))
    if trial.agent.protocol.habits.taken:
        trial.must(exchange, "done", "money that is already taken")
        trial.note("money that is taken for a number that nobody has is in suspense: look for it there")
    else:
        trial.must(exchange, "stop", f"a payment for {trial.target.unknown}, which nobody has")
    await trial.must_owe(before_minor, 0, "a payment for another number")


async def _strangers(trial: Trial) -> None:
    before_minor = await trial.owed_minor()
    agent, orders = trial.agent, trial.agent.orders
    strangers = bending.strangers(agent.protocol, agent.terms)
    if not strangers:
        trial.note("nothing but addresses guards this door: no password, word or key was given")
    for lock, terms in strangers.items():
        payment = trial.new()
        exchange = await trial.carry(payment, agent.protocol.ask(payment, terms))
        trial.must_not_be_taken(exchange, f"a payment with {lock}")
        await trial.must_be_known_as(payment.txn, "", "what a stranger sent")
        if isinstance(payment, Hold):  # nothing may stand that the stranger could now have booked
            post = orders.post_held(payment, exchange.heard.receipt or "1")
            trial.must_not_be_taken(await trial.send(post), "the payment that a stranger announced")
    await trial.must_owe(before_minor, 0, "a stranger's payment")


async def _at_once(trial: Trial, times: int) -> None:
    before_minor = await trial.owed_minor()
    payment = trial.new()
    receipts = {one.heard.receipt for one in await trial.copies(payment, times) if one.heard.step == "done"}
    final = payment
    if isinstance(payment, Hold):
        if len(receipts) != 1:
            trial.wrong(f"{times} holds in the same moment got {len(receipts)} different answers")
            return
        final = trial.agent.orders.post_held(payment, receipts.pop())
        posted = await trial.copies(final, times)
        receipts = {one.heard.receipt for one in posted if one.heard.step == "done"}
    answers = [one for one in trial.exchanges if one.command == final]
    cleared = await paying.clear_up(trial.agent, answers)
    trial.exchanges += cleared
    receipts |= {one.heard.receipt for one in cleared if paying.is_booked(one)}
    refused = [one for one in answers if one.heard.step == "stop"]
    if len(receipts) != 1:
        trial.wrong(f"{times} copies in the same moment got {len(receipts)} different receipts")
    if refused and not cleared:
        trial.wrong(f"{len(refused)} of {times} copies in the same moment were refused ({said(refused[0])})")
    await trial.must_owe(before_minor, payment.amount_minor, f"{times} copies in the same moment")


async def _dropped(trial: Trial) -> None:
    before_minor = await trial.owed_minor()
    payment = trial.new()
    await trial.send(payment, drop=True)
    exchange = await trial.repeat(payment)
    if isinstance(payment, Hold):
        if not trial.must(exchange, "done", "the hold whose answer was lost, again"):
            return
        final = trial.agent.orders.post_held(payment, exchange.heard.receipt)
        await trial.send(final, drop=True)
        exchange = await trial.repeat(final)
    if exchange.heard.state == "known":
        exchange = await trial.send(Status(payment.txn))
    trial.must(exchange, "done", "the payment whose answer was lost, again")
    await trial.must_owe(before_minor, payment.amount_minor, "the payment whose answer was lost, and again")


STEPS = (
    Step(
        "found", "A check of a client that owes", "a final yes, and the same debt at a second check",
        "A client that is not found cannot pay; a check that moves money would book what nobody paid.",
        _found, ("Lookup",),
    ),
    Step(
        "not-found", "A check of a number that nobody has", "a final no",
        "The payer must be told before the money is taken; an answer that is no answer is asked for ever.",
        _not_found, ("Lookup",),
    ),
    Step(
        "pay", "A payment", "a final yes, and the debt less by the sum, once",
        "This is the payment itself: confirmed must mean booked, and booked once.", _pay,
    ),
    Step(
        "pay-again", "The same payment again, twice", "the first receipt again, and nothing booked",
        "Networks repeat what they heard no answer to. A second booking is money that nobody paid; a no to "
        "what was confirmed makes the bank pay the client back what we have credited.", _pay_again,
    ),
    Step(
        "other-sum", "The id of a payment with another sum", "no yes to it; the first payment stands",
        "One id is one payment for ever: with two sums under it the registers of both sides never agree.",
        _other_sum,
    ),
    Step(
        "other-number", "The id of a payment with another number", "no yes; the first payment stands",
        "A yes would tell the bank that another client was credited, who was not.", _other_number,
    ),
    Step(
        "odd-sums", "Sums that are none: 1e3, 10,00, -1", "no yes, nothing booked",
        "A sum that each side reads in its own way books a thousand for one, or takes money away.", _odd_sums,
    ),
    Step(
        "no-sum", "A sum of zero, and one below zero", "no yes, nothing booked",
        "Nothing paid is no payment, and less than nothing would be a debt that nobody made.", _no_sum,
    ),
    Step(
        "two-sums", "A request that names the sum twice", "no yes, nothing booked",
        "Where a signature covers the one and the books take the other, anybody can change the sum.",
        _twice_in_one,
    ),
    Step(
        "unknown-paid", "A payment for a number that nobody has", "a final no; a yes to taken money",
        "Money must not be taken for nobody; where it is taken already, it must be in suspense.",
        _unknown_paid,
    ),
    Step(
        "strangers", "The same from somebody who is not the network", "no yes, and nothing is known of it",
        "Whoever can report payments can give money away.", _strangers,
    ),
    Step(
        "two-at-once", "Two copies of a payment in the same moment", "one receipt, booked once",
        "A repetition may overtake the first attempt; looking first and booking then books both.",
        lambda trial: _at_once(trial, 2),
    ),
    Step(
        "five-at-once", "Five copies of a payment in the same moment", "one receipt, booked once",
        "The same, harder.", lambda trial: _at_once(trial, 5),
    ),
    Step(
        "dropped", "A payment whose answer is lost, then again", "a yes, booked once",
        "The line breaks after the booking: the network knows nothing and asks again.", _dropped,
    ),
)  # fmt: skip
