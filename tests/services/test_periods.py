"""Closing a month: the checklist, the record, and that nothing is dated in it afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import pytest

from kvit.domain import days
from kvit.domain.errors import NotAllowed, SettingsError
from kvit.domain.file_terms import NO_FILES
from kvit.domain.messages import Post, Posted, Result
from kvit.services.payments import post_batch
from kvit.services.periods import (
    Closed,
    Item,
    Month,
    Open,
    PeriodFacts,
    Sum,
    checklist,
    close,
    read_month,
)
from kvit.services.ports import PostingBook, Wanted
from kvit.services.settling.making import By, Wish, settle
from kvit.storage.closing import SqlClosing
from kvit.storage.settlements import SqlSettlements
from tests.daybooks import PAID_OUT, DayBook, daybook, only
from tests.gateway import Gateway, postings_of

OCTOBER = read_month("2026-10")
GREEN = [Item("books", True, "")]
#: Within the month that is closed, and not so long ago that the network's clock would not be believed.
IN_OCTOBER = "2026-10-31T12:00:00"


@pytest.fixture
def book(gateway: Gateway) -> DayBook:
    return daybook(gateway, files=NO_FILES)


def close_october(book: DayBook, items: list[Item] | None = None, accept: str = "") -> Closed:
    with book.gateway.database.write() as connection:
        return close(
            SqlClosing(connection, book.biller_id), OCTOBER, items or GREEN, accept, "cli:anna",
            book.gateway.clock.now,
        )  # fmt: skip


def facts_of(
    book: DayBook, month: Month = OCTOBER, *reconciled: Open, today: str = "2026-11-23"
) -> PeriodFacts:
    with book.gateway.database.read() as connection:
        closing = SqlClosing(connection, book.biller_id)
        now_us = days.to_us(book.gateway.clock.now())
        return PeriodFacts(
            closing.biller(), today, closing.first_booked(), closing.suspense(month.last_day),
            closing.quarantine(month.last_day), closing.lumps(month.last_day), closing.holds(now_us, now_us),
            closing.running_imports(), 0, 0, reconciled,
        )  # fmt: skip


def red(facts: PeriodFacts, month: Month = OCTOBER) -> list[str]:
    return [item.name for item in checklist(month, facts) if not item.ok]


def dates(book: DayBook) -> list[str]:
    return [str(row["accounting_date"]) for row in book.gateway.rows("transactions", book.biller_id)]


def test_a_month() -> None:
    assert read_month("2026-02") == Month("2026-02", "2026-02-01", "2026-02-28")
    for wrong in ("2026", "2026-13", "October", "2026-10-01"):
        with pytest.raises(SettingsError, match="not a month"):
            read_month(wrong)


def test_a_month_without_anything_is_green(book: DayBook) -> None:
    assert red(facts_of(book)) == []


def test_what_makes_it_red(book: DayBook) -> None:
    book.pay("t1", at=IN_OCTOBER)
    book.gateway.ask(book.agreement, Post("t2", "7777", 700, network_time=IN_OCTOBER, taken=True))
    book.row("t3", day="2026-10-30")
    book.row("bad", 0, "", day="")
    book.lump("l1", 1_000, day="2026-10-31")
    facts = facts_of(book, OCTOBER, Open(book.agreement.agreement_id, 2, 1))
    assert (facts.suspense, facts.quarantine, facts.lumps) == (Sum(1, 700), Sum(2, 50_000), Sum(1, 1_000))
    assert red(facts) == ["quarantine", "suspense", "lump sums", "registers", "reconciliation"]
    assert red(facts_of(book, read_month("2026-09"))) == ["quarantine"]


def test_holds_imports_records_and_the_auditor(book: DayBook) -> None:
    facts = facts_of(book)
    bad = PeriodFacts(
        facts.biller, facts.today, "", Sum(), Sum(), Sum(), holds=1, running_imports=1, unsealed=1,
        audit_findings=1, reconciled=(),
    )  # fmt: skip
    assert red(bad) == ["imports", "holds", "journal", "books"]


def test_months_are_closed_in_their_order(book: DayBook) -> None:
    book.gateway.clock.instant = datetime(2026, 9, 15, 9, tzinfo=UTC)
    book.pay("t1", at="2026-09-15T12:00:00")
    book.gateway.clock.instant = datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert red(facts_of(book)) == ["earlier months"]
    assert red(facts_of(book, read_month("2026-09")), read_month("2026-09")) == []


def test_a_month_that_is_not_over_cannot_be_accepted(book: DayBook) -> None:
    items = checklist(OCTOBER, facts_of(book, today="2026-10-31"))
    with pytest.raises(NotAllowed, match="cannot be closed: over"):
        close_october(book, items, accept="in a hurry")


def test_what_is_red_is_accepted_with_a_reason_that_stays(book: DayBook) -> None:
    items = [Item("suspense", False, "1 of 7.00"), Item("books", True, "")]
    with pytest.raises(NotAllowed, match="this is open: suspense"):
        close_october(book, items)
    close_october(book, items, accept="the client is looked for")
    with book.gateway.database.read() as connection:
        done = only(SqlClosing(connection, book.biller_id).closes())
        assert SqlClosing(connection, book.biller_id).biller().closed_through == "2026-10-31"
    assert done.through == "2026-10-31"
    assert "the client is looked for" in done.detail
    assert "1 of 7.00" in done.detail
    records = book.gateway.rows("journal", book.biller_id)
    record = only(row for row in records if row["verb"] == "period.closed")
    assert (record["subject"], record["actor"]) == ("2026-10-31", "cli:anna")


def test_a_month_is_closed_once(book: DayBook) -> None:
    close_october(book)
    with pytest.raises(NotAllowed, match="closed meanwhile"):
        close_october(book)
    assert red(facts_of(book)) == ["not closed yet"]


def test_whoever_dates_entries_dates_them_after_the_close(gateway: Gateway) -> None:
    """Payments, voids and settlements of October, made after its close, are of the first of November."""
    book = daybook(gateway, files=PAID_OUT)
    receipt = book.pay("t1", 100_000, at=IN_OCTOBER)
    close_october(book)
    book.pay("t2", 50_000, at=IN_OCTOBER)
    assert dates(book) == ["2026-10-31", "2026-11-01"]
    lump = book.lump("l1", 98_800, day="2026-10-31")
    store = SqlSettlements(gateway.database, book.biller_id, [book.agreement])
    wish = Wish(lump.source, lump.line_key)
    store.run(lambda open_book: settle(open_book, wish, By("cli:anna", gateway.clock.now())))
    assert dates(book)[-1] == "2026-11-01"
    book.void(receipt)
    assert min(dates(book)[1:]) == "2026-11-01"


# --- at the same time --------------------------------------------------------------------------------


class Halting:
    """A posting whose decision is held up after it has read which periods are open."""

    def __init__(self, book: PostingBook) -> None:
        self._book = book
        self.has_read = threading.Event()
        self.may_go_on = threading.Event()

    def work(self, book: PostingBook) -> PostingBook:
        self._book = book
        return self  # type: ignore[return-value]

    def situation(self, wanted: Wanted) -> object:
        situation = self._book.situation(wanted)
        self.has_read.set()
        assert self.may_go_on.wait(20)
        return situation

    def write(self, plan: object) -> None:
        self._book.write(plan)  # type: ignore[arg-type]


def test_a_payment_that_read_the_open_period_commits_before_the_close(book: DayBook) -> None:
    """The close waits for it, so the payment stands in October and was made before the close."""
    gateway, halting = book.gateway, Halting(None)  # type: ignore[arg-type]
    posted: list[Result] = []
    closed: list[Closed] = []
    demand = (book.agreement, Post("t1", "1001", 700, network_time=IN_OCTOBER))

    def pay() -> None:
        own, now = postings_of(gateway.database), gateway.clock.now()
        try:
            posted.extend(own.run(lambda open_book: post_batch(halting.work(open_book), [demand], now)))
        finally:
            own.close()

    payer = threading.Thread(target=pay)
    closer = threading.Thread(target=lambda: closed.append(close_october(book)))
    payer.start()
    assert halting.has_read.wait(20)
    closer.start()
    time.sleep(0.3)
    assert closed == [], "the close did not wait for who may still post into the period"
    halting.may_go_on.set()
    payer.join(20)
    closer.join(20)
    (result,) = posted
    assert isinstance(result, Posted)
    assert dates(book) == ["2026-10-31"]
    assert result.receipt < only(closed).journal_id


def paid_and_closed(book: DayBook, pay: Callable[[int, threading.Event], None], payers: int = 3) -> Closed:
    stop, failures = threading.Event(), list[BaseException]()

    def run(place: int) -> None:
        try:
            pay(place, stop)
        except BaseException as error:  # noqa: BLE001 - shown by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(payers)]
    for thread in threads:
        thread.start()
    try:
        deadline = time.monotonic() + 20
        while len(dates(book)) < 40 and time.monotonic() < deadline:
            time.sleep(0.01)
        done = close_october(book)
        so_far = len(dates(book))
        while len(dates(book)) < so_far + 40 and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    assert failures == []
    return done


def test_nothing_is_dated_in_a_month_after_its_close_while_many_pay(book: DayBook) -> None:
    """Payments and voids of October without a pause, from several connections, and a close amid them."""
    gateway = book.gateway

    def pay(place: int, stop: threading.Event) -> None:
        own, count = postings_of(gateway.database), 0
        try:
            while not stop.is_set():
                count += 1
                posts = [
                    Post(f"{place}-{count}-{one}", str(1001 + one), 700 + one, network_time=IN_OCTOBER)
                    for one in range(1 + count % 3)
                ]
                demands = [(book.agreement, post) for post in posts]
                first = own.run(partial(post_batch, demands=demands, now=gateway.clock.now()))[0]
                assert isinstance(first, Posted)
                if count % 3 == 0:
                    book.void(first.receipt)
        finally:
            own.close()

    done = paid_and_closed(book, pay)
    rows = gateway.rows("transactions", book.biller_id)
    before = [row for row in rows if int(row["transaction_id"]) < done.journal_id]
    after = [row for row in rows if int(row["transaction_id"]) > done.journal_id]
    assert {row["accounting_date"] for row in before if row["kind"] == "payment"} == {"2026-10-31"}
    assert {row["accounting_date"] for row in after if row["kind"] == "payment"} == {"2026-11-01"}
    assert all(str(row["accounting_date"]) > "2026-10-31" for row in after)
    assert gateway.findings(book.biller_id) == []
