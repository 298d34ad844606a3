"""R1, through the real HTTP door: whatever is repeated, at once or later, is there once."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from kvit.domain.messages import Post
from kvit.domain.money import format_amount
from tests.faults.conftest import Seen, load
from tests.faults.paying import check_all
from tests.faults.served import CLIENTS, KINDS, Sent, ask, serving, stored
from tests.proof.serving import Installation
from tests.proof.terminals import Answer, Terminal, check_target, run_terminals
from tests.seeding import Client, Due

#: Who owes enough that a check after each payment shows another sum.
DEBTORS = [Client(f"9{place:06}", [Due(100_000)]) for place in range(32)]
PAYMENTS = load(5_000, 100_000)
#: Two workers are tried with fewer: it is the same code, and one more who writes.
PAYMENTS_2_WORKERS = load(2_000, 20_000)
TERMINALS = 32


@pytest.fixture(scope="module", params=KINDS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """One server for the tests of this file, each with ids of its own."""
    with serving(request, tmp_path_factory.mktemp("served"), CLIENTS + DEBTORS) as installation:
        yield installation


def test_fifty_at_once(served: Installation) -> None:
    """Fifty connections are open, then all of them say the same."""
    sent = Sent(served.agreements[0].agreement_id, Post("3000001", CLIENTS[0].number, 5_000))
    before = served.balances()

    async def story() -> list[Answer]:
        terminals = [Terminal(served.port) for _ in range(50)]
        warm = check_target(sent.agreement_id, sent.post.number)
        await asyncio.gather(*(terminal.ask(warm) for terminal in terminals))
        answers = await asyncio.gather(*(ask(terminal, sent) for terminal in terminals))
        for terminal in terminals:
            await terminal.close()
        return answers

    answers = asyncio.run(story())
    assert len(set(answers)) == 1
    assert answers[0].code == "0"
    assert before[sent.post.number] - served.balances()[sent.post.number] == 5_000
    assert [row["attempts"] for row in stored(served, "3").values()] == [50]
    check_all(served)


def test_twice_at_once_fifty_times(served: Installation) -> None:
    agreement_id = served.agreements[1].agreement_id
    before = served.balances()

    async def story() -> list[tuple[Answer, Answer]]:
        one, other = Terminal(served.port), Terminal(served.port)
        pairs = []
        for place in range(50):
            sent = Sent(agreement_id, Post(f"4{place:06}", CLIENTS[1].number, 10))
            first, second = await asyncio.gather(ask(one, sent), ask(other, sent))
            pairs.append((first, second))
        await one.close()
        await other.close()
        return pairs

    for first, second in asyncio.run(story()):
        assert first == second
        assert first.code == "0"
    assert before[CLIENTS[1].number] - served.balances()[CLIENTS[1].number] == 500
    assert {row["attempts"] for row in stored(served, "4").values()} == {2}
    check_all(served)


def test_a_check_after_each_pay_shows_what_is_left(served: Installation) -> None:
    """Through the door, on other connections than the pay, while others pay and check too."""
    agreement_id = served.agreements[0].agreement_id

    async def pay_and_check(terminal: Terminal, client: Client) -> list[str]:
        other = Terminal(served.port)
        owed_minor, wrong = 100_000, []
        for place in range(10):
            sent = Sent(agreement_id, Post(f"5{client.number}{place}", client.number, 100))
            assert (await ask(terminal, sent)).code == "0"
            owed_minor -= 100
            answer = await other.ask(check_target(agreement_id, client.number))
            shown = format_amount(owed_minor)
            if f" {shown}<".encode() not in answer.body:
                wrong.append(f"{client.number} after {place}: {answer.body!r}, not {shown}")
        await other.close()
        return wrong

    told, _ = run_terminals(served.port, TERMINALS, DEBTORS, pay_and_check)
    assert [line for _, lines in told for line in lines] == []
    check_all(served)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_one_to_five_times_from_32_terminals(
    served: Installation, seen: Seen, request: pytest.FixtureRequest
) -> None:
    is_alone = "2-workers" not in request.node.name
    count = PAYMENTS if is_alone else PAYMENTS_2_WORKERS
    chance = random.Random(1)  # noqa: S311
    payments = [
        Sent(
            chance.choice(served.agreements).agreement_id,
            Post(f"1{place:06}", chance.choice(CLIENTS).number, chance.randint(1, 150_000)),
        )
        for place in range(count)
    ]
    times = {payment: chance.randint(1, 5) for payment in payments}
    requests = [payment for payment, often in times.items() for _ in range(often)]
    chance.shuffle(requests)
    before = served.balances()
    began_s = time.monotonic()
    told, _ = run_terminals(served.port, TERMINALS, requests, ask)
    took_s = time.monotonic() - began_s

    answers: defaultdict[Sent, set[Answer]] = defaultdict(set)
    for sent, answer in told:
        answers[sent].add(answer)
    assert {sent for sent, found in answers.items() if len(found) != 1} == set(), "answers that differ"
    assert Counter(answer.code for _, answer in told) == {"0": len(requests)}
    books = stored(served, "1")
    assert len(books) == count
    for payment in payments:
        row = books[payment.agreement_id, payment.post.txn]
        assert (row["number"], row["amount_minor"]) == (payment.post.number, payment.post.amount_minor)
        assert row["attempts"] == times[payment], "an answer that did not write"
        assert f"<prv_txn>{row['receipt']}</prv_txn>".encode() in next(iter(answers[payment])).body
    paid: Counter[str] = Counter()
    for payment in payments:
        paid[payment.post.number] += payment.post.amount_minor
    after = served.balances()
    assert {number: before[number] - after[number] for number in before} == {n: paid[n] for n in before}
    check_all(served)
    seen(payments=count, requests=len(requests), a_second=round(len(requests) / took_s))
