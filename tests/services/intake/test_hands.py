"""What people do with single lines and with money in suspense: once, with a reason, and never too much."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from kvit.domain.errors import KvitError, NotAllowed, NotFound
from kvit.domain.lines import BadLine
from kvit.domain.messages import Post, Posted, Refused, Void
from kvit.services.corrections import void_payment
from kvit.services.intake import hands, rules
from kvit.services.intake.hands import Handled, Mending
from kvit.services.intake.ports import IntakeBook
from kvit.services.intake.suspense import Act as Why
from kvit.services.intake.suspense import Part, assign, send_back
from kvit.services.intake.undoing import Act
from tests.gateway import Gateway
from tests.intake import OWN, Counter, Result, line
from tests.seeding import Client, Due, agreement_of, seed

CLIENTS = [Client("1002344", [Due(30_000)]), Client("1002351"), Client("9", status="closed")]
DAY = "2026-11-20"


@pytest.fixture
def counter(gateway: Gateway) -> Counter:
    biller_id = seed(gateway.database, CLIENTS).biller_id
    return Counter(gateway, biller_id, [agreement_of(biller_id)])


def act(counter: Counter, reason: str = "seen the slip") -> Act:
    return Act(reason, "clerk", counter.gateway.clock.now())


def handle(counter: Counter, work: Callable[[IntakeBook], Handled]) -> Handled:
    return counter.store.write(work)


def place_of(result: Result, number: int = 0) -> tuple[int, int]:
    return result.outcome.import_id, result.decided[number].line.line


# --- quarantine --------------------------------------------------------------------------------------


def test_a_line_that_could_not_be_read_is_mended_and_booked(counter: Counter) -> None:
    bad = BadLine(1, "not an amount", "1;1002344;abc")
    result = counter.register(counter.agreements[0], bad)
    place, known = place_of(result), {one.agreement_id: one for one in counter.agreements}
    with pytest.raises(NotAllowed, match="--amount"):
        handle(counter, lambda book: hands.post(book, place, known, Mending("1002344"), act(counter)))
    mending = Mending("1002344", 20_000, DAY, "Тестов")
    done = handle(counter, lambda book: hands.post(book, place, known, mending, act(counter)))
    assert (done.state, done.number) == ("posted", "1002344")
    assert counter.paid() == {"1002344": 20_000}
    assert counter.register(counter.agreements[0], bad).counts == {"known": 1}
    with pytest.raises(NotAllowed, match="not in quarantine"):
        handle(counter, lambda book: hands.post(book, place, known, mending, act(counter)))
    assert counter.gateway.findings(counter.biller_id) == []


def test_what_differed_is_posted_confirmed_or_dropped(counter: Counter) -> None:
    agreement = counter.agreements[0]
    known = {agreement.agreement_id: agreement}
    posted = counter.gateway.ask(agreement, Post("1", "1002344", 100, network_time=f"{DAY}T10:00:00"))
    assert isinstance(posted, Posted)
    lines = [line("1002344", 100 + extra, DAY, key="1") for extra in (1, 2, 3)]
    places = [place_of(counter.register(agreement, one)) for one in lines]
    assert len(set(places)) == 3
    dropped = handle(counter, lambda book: hands.drop(book, places[0], act(counter)))
    assert dropped.state == "dropped"
    confirmed = handle(counter, lambda book: hands.confirm(book, places[1], posted.receipt, act(counter)))
    assert (confirmed.state, confirmed.receipt) == ("confirmed", posted.receipt)
    with pytest.raises(NotAllowed, match="stands in a register already"):
        handle(counter, lambda book: hands.confirm(book, places[2], posted.receipt, act(counter)))
    booked = handle(counter, lambda book: hands.post(book, places[2], known, Mending(), act(counter)))
    assert booked.state == "posted"
    assert counter.paid() == {"1002344": 100 + 103}
    assert [row["verb"] for row in counter.gateway.rows("line_acts", counter.biller_id)] == [
        "drop", "confirm", "post",
    ]  # fmt: skip


def test_a_line_is_tried_again_when_things_have_changed(counter: Counter) -> None:
    agreement = counter.agreements[0]
    posted = counter.gateway.ask(agreement, Post("1", "1002344", 100, network_time=f"{DAY}T10:00:00"))
    assert isinstance(posted, Posted)
    place = place_of(counter.register(agreement, line("1002344", 100, DAY, key="other")))
    biller, settings = counter.biller, counter.store.read(rules.settings)
    known = {agreement.agreement_id: agreement}

    def retry() -> Handled:
        return handle(
            counter,
            lambda book: hands.retry(
                book, place, lambda row: hands.source_for(row, biller, known, settings), act(counter)
            ),
        )

    assert retry().state == "quarantine"
    counter.register(agreement, line("1002344", 100, DAY, key="1"))
    done = retry()
    assert done.state == "posted", "the payment that looked just like it is another line's"
    assert counter.paid() == {"1002344": 200}


def test_a_line_of_another_currency_stays_where_it_is(counter: Counter) -> None:
    place = place_of(counter.statement(line("", 5, text="л/с 1002344", currency="KZT")))
    biller, settings = counter.biller, counter.store.read(rules.settings)
    done = handle(
        counter,
        lambda book: hands.retry(
            book, place, lambda row: hands.source_for(row, biller, {}, settings), act(counter)
        ),
    )
    assert done.state == "quarantine"
    assert counter.paid() == {}


# --- moving ------------------------------------------------------------------------------------------


def test_a_wrong_match_is_moved_and_the_file_may_come_again(counter: Counter) -> None:
    paid = line("", 20_000, text="л/с 1002344", payer_account="40817")
    receipt = counter.statement(paid).decided[0].receipt or 0
    done = handle(counter, lambda book: hands.move(book, receipt, "1002351", {}, act(counter)))
    assert done.number == "1002351"
    assert counter.paid() == {"1002351": 20_000}
    assert counter.gateway.balance(counter.biller_id, "1002344") == 30_000
    assert counter.statement(paid, name="again").counts == {"known": 1}
    later = line("", 1, text="спасибо", payer_account="40817", day="2026-11-21")
    assert counter.statement(later).decided[0].number == "1002351", "the payer is known by where it went"
    with pytest.raises(NotAllowed, match="did not come by a file"):
        handle(counter, lambda book: hands.move(book, receipt, "1002344", {}, act(counter)))
    moved = done.receipt or 0
    for number, error in (("1002351", NotAllowed), ("nobody", NotFound), ("9", NotFound)):
        with pytest.raises(error):
            handle(counter, lambda book, number=number: hands.move(book, moved, number, {}, act(counter)))  # type: ignore[misc]
    back = handle(counter, lambda book: hands.move(book, moved, "1002344", {}, act(counter)))
    assert counter.paid() == {"1002344": 20_000, "1002351": 1}
    assert back.receipt != receipt
    assert counter.gateway.findings(counter.biller_id) == []


def test_an_online_payment_is_not_moved(counter: Counter) -> None:
    agreement = counter.agreements[0]
    posted = counter.gateway.ask(agreement, Post("1", "1002344", 100, network_time=f"{DAY}T10:00:00"))
    assert isinstance(posted, Posted)
    counter.register(agreement, line("1002344", 100, DAY, key="1"))
    with pytest.raises(NotAllowed, match="did not come by a file"):
        handle(counter, lambda book: hands.move(book, posted.receipt, "1002351", {}, act(counter)))


@pytest.mark.parametrize("work", ["post", "confirm", "drop", "move"])
def test_nothing_is_done_without_a_reason(counter: Counter, work: str) -> None:
    place = place_of(counter.register(counter.agreements[0], BadLine(1, "no", "x")))
    why = act(counter, "  ")
    works: dict[str, Callable[[IntakeBook], Handled]] = {
        "post": lambda book: hands.post(book, place, {}, Mending(), why),
        "confirm": lambda book: hands.confirm(book, place, 1, why),
        "drop": lambda book: hands.drop(book, place, why),
        "move": lambda book: hands.move(book, 1, "1002344", {}, why),
    }
    with pytest.raises(NotAllowed, match="--reason"):
        handle(counter, works[work])


# --- suspense ----------------------------------------------------------------------------------------


def in_suspense(counter: Counter, amount_minor: int = 1_000) -> int:
    receipt = counter.statement(line("", amount_minor, text="за воду")).decided[0].receipt
    assert receipt is not None
    return receipt


def why(counter: Counter, reason: str = "found") -> Why:
    return Why(reason, "clerk", counter.gateway.clock.now())


def ledger_sums(counter: Counter) -> dict[str, int]:
    sums: dict[str, int] = {}
    for row in counter.gateway.rows("entries", counter.biller_id):
        sums[row["ledger_account"]] = sums.get(row["ledger_account"], 0) + row["amount_minor"]
    return {name: total for name, total in sums.items() if total}


def test_money_finds_its_clients_in_parts_and_the_rest_goes_back(counter: Counter) -> None:
    receipt = in_suspense(counter)
    parts = [Part("1002344", 600), Part("1002351", 100)]
    done = counter.store.write(lambda book: assign(book, receipt, parts, why(counter)))
    assert done.left_minor == 300
    done = counter.store.write(lambda book: send_back(book, receipt, 50, why(counter)))
    assert done.left_minor == 250
    done = counter.store.write(lambda book: assign(book, receipt, [Part("1002351", 0)], why(counter)))
    assert done.left_minor == 0
    sums = ledger_sums(counter)
    assert (sums.get("suspense", 0), sums["refund"], sums[f"bank:{OWN}"]) == (0, -50, 1_000)
    assert counter.gateway.balance(counter.biller_id, "1002344") == 30_000 - 600
    assert counter.gateway.balance(counter.biller_id, "1002351") == -350
    (charge,) = counter.gateway.rows("charges", counter.biller_id)
    assert charge["open_minor"] == 29_400, "it settles what is owed"
    with pytest.raises(NotAllowed, match="nothing of payment"):
        counter.store.write(lambda book: send_back(book, receipt, 1, why(counter)))
    assert counter.gateway.findings(counter.biller_id) == []


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ([Part("1002344", 1_001)], NotAllowed), ([Part("1002344", 600), Part("1002351", 401)], NotAllowed),
        ([Part("nobody", 1)], NotFound), ([Part("9", 1)], NotAllowed), ([Part("1002344", -1)], NotAllowed),
        ([Part("1002344", 1), Part("nobody", 1)], NotFound),
    ],
    ids=str,
)  # fmt: skip
def test_never_too_much_and_never_to_nobody(
    counter: Counter, parts: list[Part], error: type[KvitError]
) -> None:
    receipt = in_suspense(counter)
    before = counter.gateway.rows("entries", counter.biller_id)
    with pytest.raises(error):
        counter.store.write(lambda book: assign(book, receipt, parts, why(counter)))
    assert counter.gateway.rows("entries", counter.biller_id) == before


def test_what_found_its_client_is_not_taken_back_as_a_whole(counter: Counter) -> None:
    agreement = counter.agreements[0]
    posted = counter.gateway.ask(agreement, Post("1", "nobody", 100, taken=True))
    assert isinstance(posted, Posted)
    counter.store.write(lambda book: assign(book, posted.receipt, [Part("1002351", 40)], why(counter)))
    now = counter.gateway.clock.now()
    with pytest.raises(NotAllowed, match="found its client"):
        counter.gateway.corrections.run(
            lambda book: void_payment(book, counter.biller_id, posted.receipt, "x", "clerk", now)
        )
    assert counter.gateway.ask(agreement, Void("1")) == Refused("void-forbidden")
    again = counter.gateway.ask(agreement, Post("1", "nobody", 100, taken=True))
    assert isinstance(again, Posted)
    assert again.repeat, "its network hears what it heard before"
    assert counter.gateway.findings(counter.biller_id) == []


def test_who_is_no_longer_in_suspense(counter: Counter) -> None:
    paid = counter.statement(line("", 10, text="л/с 1002344")).decided[0].receipt or 0
    voided = in_suspense(counter)
    now = counter.gateway.clock.now()
    counter.gateway.corrections.run(
        lambda book: void_payment(book, counter.biller_id, voided, "x", "clerk", now)
    )
    for receipt, error in ((paid, NotAllowed), (voided, NotAllowed), (1, NotFound)):
        with pytest.raises(error):
            counter.store.write(
                lambda book, receipt=receipt: assign(book, receipt, [Part("1002351", 0)], why(counter))  # type: ignore[misc]
            )
    with pytest.raises(NotAllowed, match="--reason"):
        counter.store.write(lambda book: send_back(book, voided, 1, why(counter, " ")))


def test_two_people_give_the_same_money_away_at_once(counter: Counter) -> None:
    receipt = in_suspense(counter)
    given: list[int] = []

    def give() -> None:
        try:
            done = counter.store.write(
                lambda book: assign(book, receipt, [Part("1002351", 700)], why(counter))
            )
            given.append(done.left_minor)
        except NotAllowed:
            pass

    threads = [threading.Thread(target=give) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert given == [300]
    assert counter.gateway.balance(counter.biller_id, "1002351") == -700
    assert counter.gateway.findings(counter.biller_id) == []
