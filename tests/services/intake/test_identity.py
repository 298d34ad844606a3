"""A payment that files tell of is booked once, however often and in whatever files it comes."""

from __future__ import annotations

from collections import Counter as Multiset

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from kvit.domain.lines import BadLine, LineIds, MoneyLine
from tests.gateway import Gateway
from tests.intake import Counter, line
from tests.seeding import Client, agreement_of, seed

CLIENTS = [Client("1002344"), Client("1002351")]


@pytest.fixture
def counter(gateway: Gateway) -> Counter:
    return Counter(gateway, seed(gateway.database, CLIENTS).biller_id)


def test_the_same_file_under_another_name_changes_nothing(counter: Counter) -> None:
    agreement = agreement_of(counter.biller_id, protocol="files")
    lines = [line("1002344", 150_000, key="1"), line("1002351", 123_450, key="2")]
    assert counter.register(agreement, *lines).counts == {"new": 2}
    before = counter.gateway.rows("entries", counter.biller_id)
    assert counter.register(agreement, *lines, name="another.csv").counts == {"known": 2}
    assert counter.gateway.rows("entries", counter.biller_id) == before
    assert counter.paid() == {"1002344": 150_000, "1002351": 123_450}


def test_two_real_equal_payments_both_survive(counter: Counter) -> None:
    """With ids of their own they are plainly two; without, the second one is marked."""
    with_ids = agreement_of(counter.biller_id, "with", protocol="files")
    lines = [line("1002344", 150_000, key="1"), line("1002344", 150_000, key="2")]
    assert counter.register(with_ids, *lines).counts == {"new": 2}
    without = agreement_of(counter.biller_id, "without", protocol="files")
    lines = [line("1002344", 150_000), line("1002344", 150_000)]
    assert counter.register(without, *lines).verdicts == ["new", "twin"]
    assert counter.register(without, *lines).counts == {"known": 2}
    assert counter.paid() == {"1002344": 600_000}
    assert counter.gateway.findings(counter.biller_id) == []


def test_a_longer_file_adds_what_is_new(counter: Counter) -> None:
    agreement = agreement_of(counter.biller_id, protocol="files")
    morning = [line("1002344", 100), line("1002344", 100), line("1002351", 70)]
    counter.register(agreement, *morning)
    evening = counter.register(agreement, *morning, line("1002344", 100), line("1002351", 71))
    assert evening.verdicts == ["known", "known", "known", "twin", "new"]
    assert counter.paid() == {"1002344": 300, "1002351": 141}


def test_two_agents_may_use_the_same_ids(counter: Counter) -> None:
    for name in ("one", "other"):
        agreement = agreement_of(counter.biller_id, name, protocol="files")
        assert counter.register(agreement, line("1002344", 100, key="1")).counts == {"new": 1}
    assert counter.paid() == {"1002344": 200}


def test_the_same_id_with_another_sum_waits_for_a_person(counter: Counter) -> None:
    agreement = agreement_of(counter.biller_id, protocol="files")
    counter.register(agreement, line("1002344", 100, key="1"))
    for other in (line("1002344", 101, key="1"), line("1002351", 100, key="1")):
        again = counter.register(agreement, other)
        assert again.counts == {"quarantined": 1}
        assert "came before as 1002344" in again.decided[0].reason
        assert counter.register(agreement, other).counts == {"known": 1}
    assert counter.register(agreement, line("1002344", 100, key="1")).counts == {"known": 1}
    assert counter.paid() == {"1002344": 100}


def test_a_line_that_cannot_be_read_waits_once_and_blocks_nothing(counter: Counter) -> None:
    agreement = agreement_of(counter.biller_id, protocol="files")
    lines: list[MoneyLine | BadLine]
    lines = [line("1002344", 100, key="1"), BadLine(2, "not an amount", "2;abc"), line("1002344", 5, key="3")]
    assert counter.register(agreement, *lines).verdicts == ["new", "quarantined", "new"]
    assert counter.register(agreement, *lines).counts == {"known": 3}
    (waiting,) = [
        row for row in counter.gateway.rows("money_lines", counter.biller_id) if row["state"] == "quarantine"
    ]
    assert (waiting["raw"], waiting["amount_minor"], waiting["receipt"]) == ("2;abc", 0, None)


def test_what_is_pending_leaves_no_trace(counter: Counter) -> None:
    """It comes again when it is booked, word for word the same."""
    pending = line("", 100, text="счёт 1002344", is_final=False)
    assert counter.statement(pending).counts == {"ignored": 1}
    assert counter.statement(pending._replace(is_final=True)).counts == {"new": 1}


#: A true history: on each day, payments of few kinds, so that many are equal.
DAYS = ("2026-11-18", "2026-11-19", "2026-11-20")
PAYMENT = st.tuples(
    st.sampled_from(DAYS), st.sampled_from(["1002344", "1002351"]), st.sampled_from([100, 250])
)
HISTORY = st.lists(PAYMENT, max_size=14)
#: A download: days from and to, and of the last day perhaps only so many payments.
DOWNLOAD = st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 6))


@settings(max_examples=40)
@given(HISTORY, st.lists(DOWNLOAD, max_size=5), st.booleans())
@example([(DAYS[0], "1002344", 100)] * 3, [(0, 0, 1), (0, 2, 0), (0, 0, 2)], False)
def test_any_downloads_of_one_history_book_it_once(
    shared_gateway: Gateway,
    history: list[tuple[str, str, int]],
    downloads: list[tuple[int, int, int]],
    has_ids: bool,
) -> None:
    counter = Counter(shared_gateway, seed(shared_gateway.database, CLIENTS).biller_id)
    agreement = agreement_of(counter.biller_id, protocol="files")
    ordered = sorted(history, key=lambda payment: payment[0])
    truth = [
        line(number, amount_minor, day, key=str(place) if has_ids else "")
        for place, (day, number, amount_minor) in enumerate(ordered)
    ]
    for first, last, cut in [*downloads, (0, 2, 0)]:
        span = [one for one in truth if DAYS[min(first, last)] <= one.day <= DAYS[max(first, last)]]
        counter.register(agreement, *_cut(span, cut))
    expected: Multiset[str] = Multiset()
    for _, number, amount_minor in history:
        expected[number] += amount_minor
    assert counter.paid() == dict(expected)
    assert len(counter.gateway.rows("payments", counter.biller_id)) == len(history)
    assert counter.gateway.findings(counter.biller_id) == []


def _cut(lines: list[MoneyLine], cut: int) -> list[MoneyLine]:
    """The last day is not over yet: its last ``cut`` payments are not there."""
    if not lines or not cut:
        return lines
    last = sum(one.day == lines[-1].day for one in lines)
    return lines[: len(lines) - min(cut, last)]


@given(st.lists(st.sampled_from(["a", "b", "c"])), st.lists(st.sampled_from(["a", "b", "c"])))
def test_ids_of_a_longer_file_begin_with_those_of_the_shorter(shorter: list[str], more: list[str]) -> None:
    def ids(texts: list[str]) -> list[str]:
        known = LineIds()
        return [known.of(line("1", 1, text=text)) for text in texts]

    assert ids(shorter + more)[: len(shorter)] == ids(shorter)
    assert len(set(ids(shorter + more))) == len(shorter) + len(more)
