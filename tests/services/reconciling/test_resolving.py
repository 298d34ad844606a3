"""Findings and what a person decides about them: remedies, reasons, the record. On both engines."""

from __future__ import annotations

from functools import partial

import pytest

from kvit.domain.errors import NotAllowed, NotFound, SettingsError
from kvit.domain.file_rows import ResolutionRow
from kvit.services.reconciling.findings import NOTE, OPEN, REMEDIES, REMEDIES_OF, RESOLVED
from kvit.services.reconciling.resolving import Decision, find, resolve
from kvit.storage.resolutions import SqlResolutions
from tests.daybooks import DAY, DayBook, day_after, daybook, only
from tests.gateway import Gateway


@pytest.fixture
def book(gateway: Gateway) -> DayBook:
    made = daybook(gateway)
    made.confirm(made.pay("t0", 10_000, "1009"), "t0", 10_000, "1009")
    made.came(1)
    return made


def decide(book: DayBook, remedy: str, reason: str = "as the agent says", key: str = "") -> ResolutionRow:
    finding = find(book.report(), key) if key else only(book.report().findings)
    work = partial(
        resolve, biller_id=book.biller_id, finding=finding, decision=Decision(remedy, reason, "cli:anna"),
        now=book.gateway.clock.now(),
    )  # fmt: skip
    return SqlResolutions(book.gateway.database).run(work)


def test_every_kind_has_remedies_that_exist() -> None:
    assert all(set(remedies) <= set(REMEDIES) and remedies for remedies in REMEDIES_OF.values())


def test_accepted_with_a_reason(book: DayBook) -> None:
    book.row("t1", 20_000)
    assert not book.report().is_ok
    row = decide(book, "accept")
    report = book.report()
    finding = only(report.findings)
    assert (report.is_ok, finding.state) == (True, RESOLVED)
    assert finding.resolution is not None
    assert (finding.resolution.reason, finding.resolution.author) == ("as the agent says", "cli:anna")
    record = only(
        one for one in book.gateway.rows("journal", book.biller_id) if one["verb"] == "finding.resolved"
    )
    assert (record["journal_id"], record["subject"]) == (row.resolution_id, finding.key)
    with pytest.raises(NotAllowed, match="resolved before"):
        decide(book, "accept")


def test_another_difference_is_not_accepted_with_it(book: DayBook) -> None:
    """What was accepted was one sum; the payment behind the same id now differs by another."""
    book.pay("t1", 20_000)
    decide(book, "accept")
    book.row("t1", 25_000)
    report = book.report()
    finding = only(report.findings)
    assert (finding.kind, finding.state) == ("differs", OPEN)
    assert only(report.settled).finding.split("/")[2] == "missing-there"


def test_asked_is_not_resolved(book: DayBook) -> None:
    book.pay("t1", 20_000)
    decide(book, "ask", "letter of today")
    finding = only(book.report().findings)
    assert finding.state == OPEN
    assert finding.asked is not None
    assert finding.asked.reason == "letter of today"
    decide(book, "accept", "they answered")
    assert book.report().is_ok


def test_the_surplus_payment_is_taken_back(book: DayBook) -> None:
    receipt = book.pay("t1", 20_000)
    decide(book, "void", "the terminal gave the money back")
    payment = only(row for row in book.gateway.rows("payments", book.biller_id) if row["receipt"] == receipt)
    void = only(book.gateway.rows("voids", book.biller_id))
    assert (payment["state"], void["reason"], void["author"]) == (
        "voided", "the terminal gave the money back", "cli:anna",
    )  # fmt: skip
    report = book.report()
    assert (report.is_ok, report.findings) == (True, [])
    assert only(report.settled).remedy == "void"


def test_of_twins_the_one_that_the_register_lacks_is_taken_back(book: DayBook) -> None:
    online = book.pay("t1", 20_000)
    book.book_row("x9", 20_000)
    decide(book, "void", "one payment under two ids")
    assert only(book.gateway.rows("voids", book.biller_id))["receipt"] == online
    report = book.report()
    assert [(finding.kind, finding.state) for finding in report.findings] == [("missing-here", NOTE)]
    assert report.is_ok


def test_a_note_can_be_settled_too(book: DayBook) -> None:
    book.confirm(book.pay("t1"), "t1", day=day_after(DAY))
    book.came(1, day_after(DAY))
    decide(book, "move-day", "paid at 23:50")
    assert only(book.report().findings).state == RESOLVED


def test_what_cannot_be(book: DayBook) -> None:
    book.row("t1", 20_000)
    with pytest.raises(NotAllowed, match="needs a reason"):
        decide(book, "accept", " ")
    with pytest.raises(SettingsError, match="known: accept"):
        decide(book, "forget")
    with pytest.raises(NotAllowed, match="possible: accept, ask"):
        decide(book, "void")
    with pytest.raises(NotFound, match="kvit reconcile"):
        decide(book, "accept", key="nothing/of/the/kind")
    assert book.gateway.rows("resolutions", book.biller_id) == []


def test_a_payment_that_was_taken_back_meanwhile_changes_nothing(book: DayBook) -> None:
    receipt = book.pay("t1", 20_000)
    finding = only(book.report().findings)
    book.void(receipt)
    work = partial(
        resolve, biller_id=book.biller_id, finding=finding, decision=Decision("void", "x", "cli:anna"),
        now=book.gateway.clock.now(),
    )  # fmt: skip
    with pytest.raises(NotAllowed, match="voided before"):
        SqlResolutions(book.gateway.database).run(work)
    assert book.gateway.rows("resolutions", book.biller_id) == []
