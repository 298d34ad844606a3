"""R1 and R2 through the real HTTP door: whatever is repeated, at once or later, is there once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kvit.domain.messages import Post
from kvit.domain.money import format_amount
from tests.conftest import create_books
from tests.postgres import Cluster
from tests.proof.serving import Installation, installed
from tests.proof.terminals import Answer, Terminal, check_target, pay_target, run_terminals
from tests.seeding import Client, Due

CLIENTS = [Client(f"{place:07}", [Due(1_000 * place, "2026-09-30"), Due(500)]) for place in range(1, 201)]
#: Who owes enough that a check after each payment shows another sum.
DEBTORS = [Client(f"9{place:06}", [Due(100_000)]) for place in range(32)]
PAYMENTS = 5_000
TERMINALS = 32


class Sent(NamedTuple):
    """One request."""

    agreement_id: str
    post: Post


@pytest.fixture(scope="module", params=["sqlite", "postgres", "postgres-2-workers"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """One server for the tests of this file, each with ids of its own."""
    folder: Path = tmp_path_factory.mktemp("served")
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{folder / 'books.sqlite'}"
            create_books(url)
        else:
            cluster: Cluster = request.getfixturevalue("postgres_cluster")
            url = stack.enter_context(cluster.database(cluster.template("books", create_books)))
        installation = stack.enter_context(installed(url, folder, CLIENTS + DEBTORS, names=("qiwi", "bank")))
        installation.start(*(("--workers", "2") if request.param.endswith("workers") else ()))
        yield installation


def stored(served: Installation, prefix: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The payments of one test by (agreement, txn), account numbers included."""
    numbers = {account_id: number for number, account_id in served.town.account_ids.items()}
    rows = served.gateway.rows("payments", served.town.biller_id)
    found = {(row["agreement_id"], row["txn"]): {**row} for row in rows if row["txn"].startswith(prefix)}
    for row in found.values():
        row["number"] = numbers[row["account_id"]]
    return found


async def ask(terminal: Terminal, sent: Sent) -> Answer:
    return await terminal.ask(pay_target(*sent))


@pytest.mark.slow
def test_one_to_five_times_from_32_terminals(served: Installation) -> None:
    chance = random.Random(1)  # noqa: S311
    payments = [
        Sent(
            chance.choice(served.agreements).agreement_id,
            Post(f"1{place:06}", chance.choice(CLIENTS).number, chance.randint(1, 150_000)),
        )
        for place in range(PAYMENTS)
    ]
    times = {payment: chance.randint(1, 5) for payment in payments}
    requests = [payment for payment, count in times.items() for _ in range(count)]
    chance.shuffle(requests)
    before = served.balances()
    told, _ = run_terminals(served.port, TERMINALS, requests, ask)

    answers: defaultdict[Sent, set[Answer]] = defaultdict(set)
    for sent, answer in told:
        answers[sent].add(answer)
    assert {sent for sent, found in answers.items() if len(found) != 1} == set(), "answers that differ"
    assert Counter(answer.code for _, answer in told) == {"0": len(requests)}
    books = stored(served, "1")
    assert len(books) == PAYMENTS
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
    assert served.gateway.findings(served.town.biller_id) == []
    assert served.audit()["findings"] == []


def test_conflicting_repeats_race_the_original(served: Installation) -> None:
    """A quarter of the originals is answered beforehand; with the others whoever comes first is it."""
    chance = random.Random(2)  # noqa: S311
    agreement_id = served.agreements[0].agreement_id
    originals = [
        Sent(agreement_id, Post(f"2{place:06}", CLIENTS[place % 50].number, 777)) for place in range(200)
    ]
    settled = originals[:50]
    first, _ = run_terminals(served.port, 8, settled, ask)
    requests = [sent for sent in originals for _ in range(2)]
    for sent in originals:
        for place in range(5):
            number = CLIENTS[chance.randrange(50)].number if place % 2 else sent.post.number
            changed = replace(sent.post, number=number, amount_minor=778 + place)
            requests.append(Sent(agreement_id, changed))
    chance.shuffle(requests)
    told, _ = run_terminals(served.port, TERMINALS, requests, ask)

    books = stored(served, "2")
    assert len(books) == len(originals)
    conflicts = 0
    for sent, answer in told:
        row = books[agreement_id, sent.post.txn]
        if (row["number"], row["amount_minor"]) == (sent.post.number, sent.post.amount_minor):
            assert answer.code == "0"
        else:
            assert answer.code == "300", answer
            assert str(row["receipt"]).encode() not in answer.body
            conflicts += 1
    assert conflicts >= 1_000
    for sent, answer in first:
        row = books[agreement_id, sent.post.txn]
        assert row["amount_minor"] == 777, "an original that had been confirmed was changed"
        assert {a for s, a in told if s == sent} == {answer}
    records = served.gateway.rows("journal", served.town.biller_id)
    alarms = Counter(row["subject"] for row in records if row["verb"] == "payment.conflict")
    assert alarms.total() == conflicts
    assert served.gateway.findings(served.town.biller_id) == []


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
