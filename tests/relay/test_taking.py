"""Rows of a relay in the books: in order, once, under the relay's receipts; nothing blocks the queue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random

import pytest

from kvit.domain import days
from kvit.domain.relay_terms import RELAY_RECEIPTS_FROM
from kvit.relay import receipts
from kvit.services.audit.verify import verify
from kvit.services.periods import close, read_month
from kvit.services.relaying.words import read_row
from kvit.storage.audit import SqlAuditBook
from kvit.storage.closing import SqlClosing
from kvit.storage.sealing import seal_all
from tests.relay.taking import EPOCH, KEY, NUMBER, RELAY, Relayed, relayed_at


@pytest.fixture
def office(books_url: str) -> Iterator[Relayed]:
    with relayed_at(books_url) as relayed:
        yield relayed


def audit(office: Relayed) -> list[str]:
    with office.bureau.database.read() as connection:
        report = verify(SqlAuditBook(connection), ["water"], days.to_us(office.bureau.clock.at))
    return [str(one) for one in report.findings]


def test_a_payment_is_booked_under_the_receipt_that_the_relay_gave(office: Relayed) -> None:
    office.bureau.charge("1", 1_000)
    taking = office.take(office.row(1, "a", "1", 400), office.row(2, "b", "2", 50))
    assert (taking.through, taking.states()) == (2, {"posted": 2})
    payments = office.payments()
    assert payments["a"][0] == receipts.make(NUMBER, 1, EPOCH, KEY) >= RELAY_RECEIPTS_FROM
    assert (office.bureau.due("1"), office.bureau.due("2")) == (600, -50)
    assert [row["sequence"] for row in office.table("relay_rows")] == [1, 2]


def test_what_came_before_changes_nothing(office: Relayed) -> None:
    rows = [office.row(1, "a"), office.row(2, "b")]
    office.take(*rows)
    again = office.take(*rows, office.row(3, "c"))
    assert (again.through, again.states()) == (3, {"posted": 1})
    assert office.bureau.due("1") == -300


def test_behind_a_gap_nothing_is_taken(office: Relayed) -> None:
    taking = office.take(office.row(1, "a"), office.row(3, "c"))
    assert (taking.through, taking.gap_after) == (1, 1)
    assert set(office.payments()) == {"a"}
    assert office.take(office.row(2, "b"), office.row(3, "c")).through == 3


def test_money_for_nobody_is_in_suspense(office: Relayed) -> None:
    assert office.take(office.row(1, "a", "nobody", 777)).states() == {"suspense": 1}
    assert office.payments()["a"][1:] == (0, 777)


def test_an_id_that_is_booked_otherwise_waits_and_the_next_ones_go_on(office: Relayed) -> None:
    taking = office.take(office.row(1, "a", "1", 100), office.row(2, "a", "1", 200), office.row(3, "b"))
    assert taking.states() == {"posted": 2, "quarantine": 1}
    (waiting,) = office.relays.quarantine(RELAY)
    assert (waiting.sequence, waiting.amount_minor) == (2, 200)
    assert '"txn": "a"' in waiting.content
    assert office.bureau.due("1") == -200


def test_a_repeat_through_another_inbox_row_is_no_second_payment(office: Relayed) -> None:
    taking = office.take(office.row(1, "a"), office.row(2, "a"))
    assert taking.states() == {"posted": 1, "repeat": 1}
    assert "booked under the receipt" in taking.verdicts[1].reason


@pytest.mark.parametrize(
    "wrong",
    [
        {"receipt": 5},
        {"receipt": receipts.make(NUMBER, 2, EPOCH, KEY)},
        {"receipt": receipts.make(NUMBER + 1, 1, EPOCH, KEY)},
        {"receipt": receipts.make(NUMBER, 1, "f" * 32, KEY)},
        {"receipt": receipts.make(NUMBER, 1, EPOCH, b"another key")},
        {"currency": "KZT"},
        {"agreement": "another"},
        {"amount_minor": 0},
        {"amount_minor": 1.5},
        {"amount_minor": -1},
        {"kind": "gift"},
        {"txn": ""},
        {"txn": "a\x00b"},
        {"number": "\ud800"},
        {"number": None},
        {"fields": {"a": 1}},
    ],
)
def test_what_cannot_be_believed_waits_and_blocks_nothing(office: Relayed, wrong: dict[str, object]) -> None:
    taking = office.take(office.row(1, "x", more=wrong), office.row(2, "b"))
    assert taking.states() == {"quarantine": 1, "posted": 1}
    assert set(office.payments()) == {"b"}
    assert office.relays.quarantine(RELAY)[0].reason


def test_a_receipt_that_is_booked_already_is_poison_for_its_own_row_alone(office: Relayed) -> None:
    office.take(office.row(1, "a"))
    agreements = office.agreements
    other = Relayed(office.bureau, "f" * 32, agreements)
    other.relays.meet_epoch(RELAY, other.epoch, 2)
    other.relays.trust(RELAY, other.epoch)
    taken = receipts.make(NUMBER, 1, EPOCH, KEY)
    from kvit.services.relaying.ports import Inbox
    from kvit.services.relaying.taking import take_rows

    believing = Inbox("water", RELAY, other.epoch, agreements, lambda _row: "")
    rows = [other.row(1, "b", receipt=taken), other.row(2, "c")]
    taking = take_rows(other.intake, believing, rows, office.bureau.clock.now())
    assert taking.states() == {"quarantine": 1, "posted": 1}
    assert set(office.payments()) == {"a", "c"}


def test_two_phases(office: Relayed) -> None:
    held = office.row(1, "h", "1", 300, kind="hold")
    other = office.row(2, "g", "2", 50, kind="hold")
    assert office.take(held, other).states() == {"held": 2}
    assert office.payments() == {}
    receipt = held.receipt
    posted = office.row(3, "h", "", 0, kind="post_hold", receipt=receipt)
    released = office.row(4, "g", "", 0, kind="void", receipt=other.receipt)
    assert office.take(posted, released).states() == {"posted": 1, "released": 1}
    assert office.payments()["h"][::2] == (receipt, 300)
    back = office.take(office.row(5, "h", "", 0, kind="void", receipt=receipt))
    assert back.states() == {"quarantine": 1}


def test_an_epoch_that_is_not_trusted_is_not_taken(office: Relayed) -> None:
    other = Relayed(office.bureau, "f" * 32)
    assert other.take(other.row(1, "a")).is_stopped
    other.relays.meet_epoch(RELAY, other.epoch, 2)
    assert other.take(other.row(1, "a")).is_stopped
    assert office.payments() == {}
    other.relays.trust(RELAY, other.epoch)
    assert other.take(other.row(1, "a")).states() == {"posted": 1}
    assert office.take(office.row(1, "b")).is_stopped


def test_a_payment_without_a_time_of_the_network_is_of_the_day_that_the_relay_took_it(
    office: Relayed,
) -> None:
    friday = days.to_us(office.bureau.clock.at)
    office.bureau.clock.at += timedelta(days=3)
    office.take(
        office.row(1, "a", received_at_us=friday),
        office.row(2, "b", network_time="2026-10-19T23:59:00"),
        office.row(3, "c", received_at_us=1),
    )
    booked = {row["txn"]: row["accounting_date"] for row in office.table("payments")}
    assert booked == {"a": "2026-10-20", "b": "2026-10-19", "c": "2026-10-23"}


def test_the_auditor_takes_receipts_of_a_relay_for_what_they_are(office: Relayed) -> None:
    """They are above every id of the books' own series, and say nothing of when they were booked."""
    office.take(office.row(1, "a", network_time="2026-09-30T10:00:00"))
    office.bureau.paid("2", 100)
    with office.bureau.database.write() as connection:
        closing, now = SqlClosing(connection, "water"), office.bureau.clock.now
        close(closing, read_month("2026-09"), [], "", "cli:anna", now)
    office.take(office.row(2, "b", network_time="2026-09-30T10:00:00"))
    seal_all(office.bureau.database)
    assert audit(office) == []
    booked = {row["txn"]: row["accounting_date"] for row in office.table("payments")}
    assert (booked["a"], booked["b"]) == ("2026-09-30", "2026-10-01")


def test_what_is_not_a_row_at_all() -> None:
    for nonsense in ({}, {"sequence": 0}, {"sequence": True}, {"sequence": "1"}, {"sequence": 1 << 70}):
        assert read_row(nonsense) is None


@pytest.mark.parametrize("seed", range(8))
def test_any_order_of_doubled_and_cut_envelopes_books_each_payment_once(office: Relayed, seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - an order of rows
    rows = [
        office.row(n, f"t{chance.randint(1, 20)}", chance.choice("123"), 100 + n % 2) for n in range(1, 31)
    ]
    first: dict[str, tuple[str, int]] = {}
    for row in rows:
        first.setdefault(row.txn, (row.number, row.amount_minor))
    through = 0
    while through < len(rows):
        start = chance.randint(0, through)
        sent = rows[start : start + chance.randint(1, 8)] + chance.choices(rows, k=chance.randint(0, 3))
        chance.shuffle(sent)
        through = office.take(*sent).through
    numbers = {row["account_id"]: row["number"] for row in office.table("accounts")}
    booked = {txn: (numbers[account], amount) for txn, (_, account, amount) in office.payments().items()}
    assert booked == first
