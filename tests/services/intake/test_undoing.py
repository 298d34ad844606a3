"""A whole import is taken back by reversing entries, and may come again; one that broke off is completed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.lines import BadLine, MoneyLine
from kvit.domain.messages import Post, Posted
from kvit.services.corrections import void_payment
from kvit.services.intake.suspense import Act, Part, assign
from kvit.services.intake.undoing import Undone, undo
from kvit.storage.intake import SqlIntake
from tests.gateway import Gateway
from tests.intake import Counter, line
from tests.seeding import Client, Due, agreement_of, seed

T = TypeVar("T")
CLIENTS = [Client("1002344", [Due(30_000)]), Client("1002351")]
LINES: list[MoneyLine | BadLine] = [
    line("1002344", 20_000, key="1"), line("1002351", 500, key="2"), line("nobody", 70, key="3"),
    BadLine(4, "no", "rubbish"),
]  # fmt: skip


@pytest.fixture
def counter(gateway: Gateway) -> Counter:
    return Counter(gateway, seed(gateway.database, CLIENTS).biller_id)


def take_back(counter: Counter, import_id: int, reason: str = "wrong file") -> Undone:
    return undo(counter.store, counter.gateway.clock, import_id, reason, "clerk")


def test_everything_is_as_before_and_the_same_file_may_come_again(counter: Counter) -> None:
    agreement = agreement_of(counter.biller_id)
    first = counter.register(agreement, *LINES)
    assert first.verdicts == ["new", "new", "suspense", "quarantined"]
    done = take_back(counter, first.outcome.import_id)
    assert (done.lines, done.payments, done.amount_minor) == (4, 3, 20_570)
    assert counter.paid() == {}
    assert counter.gateway.balance(counter.biller_id, "1002344") == 30_000
    assert counter.gateway.findings(counter.biller_id) == []
    again = counter.register(agreement, *LINES, name="again.csv")
    assert again.verdicts == first.verdicts
    assert counter.paid() == {"1002344": 20_000, "1002351": 500, "": 70}
    assert counter.register(agreement, *LINES).counts == {"known": 4}
    assert take_back(counter, again.outcome.import_id).payments == 3, "the later import owns them now"
    assert counter.paid() == {}
    assert counter.gateway.findings(counter.biller_id) == []


def test_what_came_online_stays_and_is_only_unconfirmed(counter: Counter) -> None:
    agreement = agreement_of(counter.biller_id)
    assert isinstance(counter.gateway.ask(agreement, Post("1", "1002344", 20_000)), Posted)
    first = counter.register(agreement, LINES[0])
    assert first.counts == {"confirmed": 1}
    assert take_back(counter, first.outcome.import_id).payments == 0
    assert counter.paid() == {"1002344": 20_000}
    assert counter.register(agreement, LINES[0]).counts == {"confirmed": 1}


def test_only_the_lines_that_were_its_own(counter: Counter) -> None:
    agreement = agreement_of(counter.biller_id)
    counter.register(agreement, *LINES[:1])
    second = counter.register(agreement, *LINES[:2])
    assert take_back(counter, second.outcome.import_id).payments == 1
    assert counter.paid() == {"1002344": 20_000}


def test_a_payment_that_somebody_has_voided_already(counter: Counter) -> None:
    first = counter.register(agreement_of(counter.biller_id), *LINES)
    receipt, now = first.decided[0].receipt or 0, counter.gateway.clock.now()
    counter.gateway.corrections.run(
        lambda book: void_payment(book, counter.biller_id, receipt, "twice", "clerk", now)
    )
    assert take_back(counter, first.outcome.import_id).payments == 2
    assert counter.paid() == {}
    assert counter.gateway.findings(counter.biller_id) == []


def test_what_does_not_go(counter: Counter) -> None:
    first = counter.register(agreement_of(counter.biller_id), *LINES)
    import_id, receipt = first.outcome.import_id, first.decided[2].receipt or 0
    with pytest.raises(NotAllowed, match="reason"):
        take_back(counter, import_id, " ")
    with pytest.raises(NotFound):
        take_back(counter, 10**9)
    act = Act("found", "clerk", counter.gateway.clock.now())
    counter.store.write(lambda book: assign(book, receipt, [Part("1002351", 10)], act))
    before = counter.paid()
    with pytest.raises(NotAllowed, match="assigned from suspense"):
        take_back(counter, import_id)
    assert counter.paid() == before
    second = counter.register(agreement_of(counter.biller_id), line("1002351", 1, key="9"))
    take_back(counter, second.outcome.import_id)
    with pytest.raises(NotAllowed, match="undone before"):
        take_back(counter, second.outcome.import_id)


class _Broken(Exception):
    """The machine died."""


class _Dying(SqlIntake):
    """Breaks off after so many transactions."""

    left = 0

    def write(self, work: Callable[[Any], T]) -> T:
        if type(self).left == 0:
            raise _Broken
        type(self).left -= 1
        return super().write(work)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_an_import_that_broke_off_is_completed_by_the_same_file(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    agreement = agreement_of(counter.biller_id)
    lines = [line("1002351", place, key=str(place)) for place in range(1, 261)]
    with monkeypatch.context() as patch:
        patch.setattr(Counter, "store", property(lambda self: _Dying(self.gateway.database, self.biller_id)))
        _Dying.left = steps
        with pytest.raises(_Broken):
            counter.register(agreement, *lines)
    assert len(counter.gateway.rows("payments", counter.biller_id)) >= 100 * (steps > 1)
    result = counter.register(agreement, *lines)
    assert result.outcome.resumed
    assert result.counts == {"new": 260}, "what the first run has done is told as it was"
    assert len(counter.gateway.rows("payments", counter.biller_id)) == 260
    assert counter.gateway.findings(counter.biller_id) == []


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_an_undoing_that_broke_off_is_gone_on_with(counter: Counter, steps: int) -> None:
    agreement = agreement_of(counter.biller_id)
    lines = [line("1002351", place, key=str(place)) for place in range(1, 131)]
    import_id = counter.register(agreement, *lines).outcome.import_id
    _Dying.left = steps
    with pytest.raises(_Broken):
        undo(_Dying(counter.gateway.database, counter.biller_id), counter.gateway.clock, import_id, "x", "y")
    with pytest.raises(NotAllowed, match="being undone"):
        counter.register(agreement, *lines)
    take_back(counter, import_id)
    assert counter.paid() == {}
    assert counter.gateway.findings(counter.biller_id) == []


def test_two_imports_of_one_file_at_once(counter: Counter) -> None:
    agreement = agreement_of(counter.biller_id)
    lines = [line("1002351", 1 + place % 7, key=str(place)) for place in range(150)]
    failures: list[BaseException] = []

    def take(name: str) -> None:
        try:
            counter.register(agreement, *lines, name=name)
        except BaseException as failure:  # noqa: BLE001 - told by the test
            failures.append(failure)

    threads = [threading.Thread(target=take, args=(f"{place}.csv",)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(counter.gateway.rows("payments", counter.biller_id)) == 150
    assert counter.paid() == {"1002351": sum(1 + place % 7 for place in range(150))}
    assert counter.gateway.findings(counter.biller_id) == []


def test_a_register_and_the_network_at_once(counter: Counter) -> None:
    """Each payment comes by both ways at the same time: it is there once."""
    agreement = agreement_of(counter.biller_id)
    lines = [line("1002351", 100, key=str(place)) for place in range(200)]

    def knock() -> None:
        for place in reversed(range(200)):
            counter.gateway.ask(agreement, Post(str(place), "1002351", 100))

    thread = threading.Thread(target=knock)
    thread.start()
    result = counter.register(agreement, *lines)
    thread.join()
    assert sum(result.counts.get(name, 0) for name in ("new", "confirmed")) == 200
    assert counter.paid() == {"1002351": 20_000}
    assert counter.gateway.findings(counter.biller_id) == []
