"""One day of one agreement: each kind of difference alone is one finding, and no difference is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kvit.domain.file_rows import DROPPED, IGNORED, IN_SUSPENSE, MENDED, UNDONE
from kvit.domain.file_terms import NO_FILES, FileTerms, RegisterTerms, ScheduleTerms
from kvit.domain.model import FILES_ONLY, Fee
from kvit.services.reconciling.findings import NOTE, OPEN
from kvit.services.reconciling.run import Column
from tests.daybooks import DAY, DayBook, day_after, daybook, only
from tests.gateway import Gateway


@pytest.fixture
def book(gateway: Gateway) -> DayBook:
    """A day with one payment that came online and is in the register."""
    made = daybook(gateway)
    made.confirm(made.pay("t0", 10_000, "1009"), "t0", 10_000, "1009")
    made.came(1)
    return made


def test_a_day_without_differences(book: DayBook) -> None:
    report = book.report()
    (day,) = report.days
    assert (report.is_ok, report.findings) == (True, [])
    assert (day.online, day.register, day.booked) == (Column(1, 10_000), Column(1, 10_000), Column(1, 10_000))


def test_a_row_that_waits_is_missing_here(book: DayBook) -> None:
    book.row("t1", 20_000, reason="nobody has it")
    finding = only(book.report().findings)
    assert (finding.kind, finding.state, finding.here_minor, finding.there_minor) == (
        "missing-here",
        OPEN,
        None,
        20_000,
    )
    assert "200.00 for 1001" in finding.text
    assert "nobody has it" in finding.text
    assert not book.report().is_ok


def test_a_dropped_row_is_missing_here_for_a_reason(book: DayBook) -> None:
    book.row("t1", state=DROPPED, reason="a test of the bank's")
    finding = only(book.report().findings)
    assert (finding.kind, finding.state) == ("missing-here", NOTE)
    assert "a test of the bank's" in finding.text


def test_a_row_that_a_person_confirmed_although_it_differs(book: DayBook) -> None:
    receipt = book.pay("t1", 20_000)
    book.confirm(receipt, "t1", 25_000, rule="by hand", reason="the bank's letter 7")
    finding = only(book.report().findings)
    assert (finding.kind, finding.state, finding.there_minor) == ("differs", NOTE, 25_000)
    assert "letter 7" in finding.text


@pytest.mark.parametrize("state", [IGNORED, MENDED, UNDONE])
def test_rows_that_are_no_money_of_theirs_are_not_counted(book: DayBook, state: str) -> None:
    book.row("t1", state=state)
    assert book.kinds() == []
    assert only(book.report().days).register == Column(1, 10_000)


def test_a_payment_without_a_row_is_missing_there(book: DayBook) -> None:
    receipt = book.pay("t1", 20_000)
    finding = only(book.report().findings)
    assert (finding.kind, finding.here_minor, finding.there_minor) == ("missing-there", 20_000, None)
    assert (finding.txn, finding.number, finding.receipts) == ("t1", "1001", (receipt,))


def test_a_payment_that_was_taken_back_is_not_missed(book: DayBook) -> None:
    book.void(book.pay("t1"))
    assert book.kinds() == []


def test_a_payment_that_was_taken_back_and_is_in_the_register(book: DayBook) -> None:
    receipt = book.pay("t1")
    book.confirm(receipt, "t1")
    book.void(receipt)
    other = book.pay("t2", 60_000)
    book.void(other)
    book.row("t2", 60_000, reason="taken back here")
    assert book.kinds() == ["missing-here", "missing-here"]
    assert all("taken back here" in finding.text for finding in book.report().findings)


def test_another_sum_with_the_same_id(book: DayBook) -> None:
    book.pay("t1", 20_000)
    book.row("t1", 25_000)
    finding = only(book.report().findings)
    assert (finding.kind, finding.here_minor, finding.there_minor) == ("differs", 20_000, 25_000)


def test_another_account_with_the_same_id(book: DayBook) -> None:
    book.pay("t1", 20_000, "1001")
    book.row("t1", 20_000, "1002")
    finding = only(book.report().findings)
    assert finding.kind == "differs"
    assert "1001" in finding.text
    assert "1002" in finding.text


def test_a_row_that_contradicts_the_one_that_confirmed(book: DayBook) -> None:
    """A corrected register: the second row is kept under its id and a mark of what it says."""
    book.confirm(book.pay("t1", 20_000), "t1", 20_000)
    book.row("t1~0123456789ab", 25_000)
    finding = only(book.report().findings)
    assert (finding.kind, finding.here_minor, finding.there_minor) == ("differs", 20_000, 25_000)


def test_the_same_id_in_a_neighbouring_register_with_another_sum(book: DayBook) -> None:
    """It differs in the register that says so; on its own day the payment is not missed besides."""
    book.pay("t1", 20_000)
    book.row("t1", 25_000, day=day_after(DAY))
    book.came(1, day_after(DAY))
    assert book.kinds() == []
    assert book.kinds(day_after(DAY)) == ["differs"]
    assert book.kinds(DAY, day_after(DAY)) == ["differs"]


@pytest.mark.parametrize("later", [1, 40])
def test_a_payment_in_the_register_of_another_day_is_one_note(book: DayBook, later: int) -> None:
    book.today = day_after(DAY, 60)
    moved = day_after(DAY, later)
    book.confirm(book.pay("t1"), "t1", day=moved)
    book.came(1, moved)
    finding = only(book.report().findings)
    assert (finding.kind, finding.state) == ("day-shifted", NOTE)
    assert book.report().is_ok
    assert book.kinds(moved) == []


def test_a_row_that_booked_itself_where_payments_come_online(book: DayBook) -> None:
    receipt = book.book_row("t1", 20_000)
    finding = only(book.report().findings)
    assert (finding.kind, finding.state, finding.receipts) == ("missing-here", NOTE, (receipt,))
    assert only(book.report().days).online == Column(1, 10_000)
    assert only(book.report().days).booked == Column(2, 30_000)


def test_rows_that_book_themselves_are_no_difference_where_they_are_the_rule(gateway: Gateway) -> None:
    files_only = daybook(gateway, protocol=FILES_ONLY)
    mixed = daybook(gateway)
    for book in (files_only, mixed):
        for place in range(3):
            book.book_row(f"t{place}", 10_000 + place)
        book.came(3)
        assert book.kinds() == []


def test_money_in_suspense_is_in_the_books(book: DayBook) -> None:
    receipt = book.book_row("t1", 20_000, "7777", state=IN_SUSPENSE, number="")
    finding = only(book.report().findings)
    assert (finding.kind, finding.state, finding.receipts) == ("missing-here", NOTE, (receipt,))


# --- twins -----------------------------------------------------------------------------------------


def test_one_payment_booked_twice_is_one_finding(book: DayBook) -> None:
    """It came online under one id and in the register under another, and both are booked."""
    online = book.pay("t1", 20_000)
    made = book.book_row("x9", 20_000)
    finding = only(book.report().findings)
    assert (finding.kind, finding.state) == ("twin", OPEN)
    assert finding.receipts == (online, made), "the surplus one first: the register has the other"


def test_one_payment_with_two_ids_of_which_one_waits_is_one_finding(book: DayBook) -> None:
    book.pay("t1", 20_000)
    book.row("x9", 20_000)
    finding = only(book.report().findings)
    assert finding.kind == "differs"
    assert "t1" in finding.text
    assert "x9" in finding.text


def test_two_payments_within_two_minutes_of_which_the_register_has_one(book: DayBook) -> None:
    book.confirm(book.pay("t1", 20_000), "t1", 20_000)
    second = book.pay("t2", 20_000, at=f"{DAY}T12:01:30")
    finding = only(book.report().findings)
    assert (finding.kind, finding.receipts[0]) == ("twin", second)


def test_two_payments_within_two_minutes_that_the_register_has_both(book: DayBook) -> None:
    book.confirm(book.pay("t1", 20_000), "t1", 20_000)
    book.confirm(book.pay("t2", 20_000, at=f"{DAY}T12:00:38"), "t2", 20_000, at=f"{DAY}T12:00:38")
    assert book.kinds() == []


def test_equal_payments_far_apart_are_no_twins(book: DayBook) -> None:
    book.confirm(book.pay("t1", 20_000), "t1", 20_000)
    book.pay("t2", 20_000, at=f"{DAY}T12:02:01")
    assert book.kinds() == ["missing-there"]


def test_two_equal_rows_that_both_became_payments(gateway: Gateway) -> None:
    book = daybook(gateway, protocol=FILES_ONLY)
    book.book_row("t1", 20_000)
    book.book_row("t2", 20_000)
    book.book_row("t3", 20_000, at=f"{DAY}T12:00:01")
    book.book_row("f:00ff:1", 30_000, at="")
    book.book_row("f:00ff:2", 30_000, at="")
    book.book_row("f:00aa:1", 30_000, at="")
    assert book.kinds() == ["twin", "twin"]


# --- the register as a whole -------------------------------------------------------------------------


def test_no_register(gateway: Gateway) -> None:
    book = daybook(gateway)
    book.pay("t1")
    book.pay("t2", 60_000)
    finding = only(book.report().findings)
    assert (finding.kind, finding.state) == ("register-missing", OPEN)
    assert "2 payments" in finding.text


def test_no_register_yet(gateway: Gateway) -> None:
    book = daybook(gateway)
    book.today = DAY
    book.pay("t1")
    assert book.kinds() == []


def test_no_register_where_none_is_agreed(gateway: Gateway) -> None:
    book = daybook(gateway, files=NO_FILES)
    book.pay("t1")
    assert book.kinds() == []


def test_an_empty_register_closes_a_day_without_payments(gateway: Gateway) -> None:
    book = daybook(gateway)
    book.came(0)
    report = book.report()
    assert (report.is_ok, only(report.days).has_register) == (True, True)


def test_an_empty_register_that_names_no_day_is_of_the_day_before(gateway: Gateway) -> None:
    book = daybook(gateway)
    book.came(0, "")
    assert only(book.report().days).has_register


def test_an_empty_register_against_payments_is_one_finding(gateway: Gateway) -> None:
    book = daybook(gateway)
    book.pay("t1")
    book.pay("t2", 60_000)
    book.came(0)
    assert book.kinds() == ["register-empty"]


def test_a_register_of_several_days_of_which_one_has_no_rows(gateway: Gateway) -> None:
    """It is here for that day too, so a payment that it lacks is missing there."""
    book, before = daybook(gateway), day_after(DAY, -1)
    book.confirm(book.pay("t1", at=f"{before}T12:00:00"), "t1", day=before)
    book.pay("t2", 60_000)
    book.came(1, day_after(DAY, -2), day_after(DAY))
    assert book.kinds() == ["missing-there"]
    assert book.kinds(day_after(DAY, -2)) == []


def test_a_day_without_register_and_payments_is_a_note_where_registers_come(gateway: Gateway) -> None:
    book = daybook(gateway, protocol=FILES_ONLY)
    assert book.kinds() == [], "none has come yet"
    book.came(1, day_after(DAY, -1))
    finding = only(book.report().findings)
    assert (finding.kind, finding.state) == ("register-missing", NOTE)
    assert book.kinds(book.today) == []
    schedule = ScheduleTerms(expect="0 10 * * *")
    book.agreement = replace(book.agreement, files=FileTerms(register=RegisterTerms(), schedule=schedule))
    assert book.kinds() == [], "the schedule says so itself"


def test_a_register_that_the_schedule_missed(gateway: Gateway) -> None:
    book = daybook(gateway)
    book.missed(DAY)
    assert book.kinds() == ["register-missing"]
    book.confirm(book.pay("t1"), "t1")
    finding = only(book.report().findings)
    assert (finding.kind, finding.state) == ("register-late", NOTE)


def test_a_row_that_cannot_be_read_belongs_to_the_day_of_its_file(book: DayBook) -> None:
    import_id = book.came(2)
    book.confirm(book.pay("t1"), "t1", import_id=import_id)
    book.row("bad:1", 0, "", import_id=import_id, day="", reason="no sum")
    assert book.kinds() == ["missing-here"]
    assert book.kinds(day_after(DAY)) == ["register-missing"]


# --- fees ------------------------------------------------------------------------------------------


def test_a_fee_of_one_row_differs(book: DayBook) -> None:
    book.confirm(book.pay("t1", 20_000), "t1", 20_000, fee_minor=240)
    assert book.kinds() == []
    book.confirm(book.pay("t2", 30_000), "t2", 30_000, fee_minor=450)
    finding = only(book.report().findings)
    assert (finding.kind, finding.here_minor, finding.there_minor) == ("fee-differs", 360, 450)


def test_another_tariff_is_one_finding(book: DayBook) -> None:
    for place in range(21):
        amount_minor = 20_000 + place * 100
        book.confirm(book.pay(f"x{place}", amount_minor), f"x{place}", amount_minor, fee_minor=1)
    assert book.kinds() == ["fee-differs"]


def test_no_fee_is_agreed(gateway: Gateway) -> None:
    book = daybook(gateway, fee=Fee())
    book.confirm(book.pay("t1"), "t1", fee_minor=100)
    assert book.kinds() == []


def test_what_is_credited_is_what_is_paid_out(gateway: Gateway) -> None:
    book = daybook(gateway, files=FileTerms(register=RegisterTerms(amount="net")), fee=Fee())
    book.confirm(book.pay("t1", 9_880), "t1", 10_000, net_minor=9_880)
    assert book.kinds() == []


# --- keys ------------------------------------------------------------------------------------------


def test_keys_name_the_very_difference(book: DayBook) -> None:
    book.pay("t1", 20_000)
    first = only(book.report().findings).key
    assert only(book.report().findings).key == first
    assert only(book.report(day_after(DAY, -1), DAY).findings).key == first
    book.row("t1", 25_000)
    second = only(book.report().findings).key
    assert first != second
    assert second.startswith(f"{book.agreement.agreement_id}/{DAY}/differs/")


def test_only_this_agreement_is_looked_at(book: DayBook) -> None:
    other = replace(book, agreement=replace(book.agreement, agreement_id=f"other-{book.biller_id}"))
    other.pay("t1", 77_700)
    other.row("z1")
    assert book.kinds() == []
