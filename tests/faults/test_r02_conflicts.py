"""R2: repeats with other content race the original; it stays as it was, and each of them is an alarm."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace

import pytest

from kvit.domain.messages import Post
from tests.faults.conftest import Seen, load
from tests.faults.paying import check_all
from tests.faults.served import CLIENTS, KINDS, Sent, ask, serving, stored
from tests.proof.serving import Installation
from tests.proof.terminals import run_terminals

TERMINALS = 32
#: Five conflicting repeats come with each.
ORIGINALS = load(200, 2_000)


@pytest.fixture(scope="module", params=KINDS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    with serving(request, tmp_path_factory.mktemp("served"), CLIENTS) as installation:
        yield installation


def test_conflicting_repeats_race_the_original(served: Installation, seen: Seen) -> None:
    """A quarter of the originals is answered beforehand; with the others whoever comes first is it."""
    chance = random.Random(2)  # noqa: S311
    agreement_id = served.agreements[0].agreement_id
    originals = [
        Sent(agreement_id, Post(f"2{place:06}", CLIENTS[place % 50].number, 777))
        for place in range(ORIGINALS)
    ]
    settled = originals[: ORIGINALS // 4]
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
    assert conflicts >= 5 * ORIGINALS  # more, where a changed one came first
    answers = defaultdict(set)
    for sent, answer in told:
        answers[sent].add(answer)
    for sent, answer in first:
        row = books[agreement_id, sent.post.txn]
        assert row["amount_minor"] == 777, "an original that had been confirmed was changed"
        assert answers[sent] == {answer}
    records = served.gateway.rows("journal", served.town.biller_id)
    alarms = Counter(row["subject"] for row in records if row["verb"] == "payment.conflict")
    assert alarms.total() == conflicts
    check_all(served)
    seen(payments=ORIGINALS, conflicts=conflicts, alarms=alarms.total())
