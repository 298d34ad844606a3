"""Lump sums: which days they are for, what is booked, and taking it back. On both engines."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.file_rows import LineRow, SettlementRow
from kvit.domain.file_terms import FileTerms, RegisterTerms, SettlementTerms
from kvit.domain.model import Fee
from kvit.services.settling.facts import Lump, Span
from kvit.services.settling.making import By, Wish, settle, undo
from kvit.services.settling.proposing import Proposal
from kvit.services.settling.waiting import proposals, settle_certain
from kvit.storage.settlements import SqlSettlements
from tests.daybooks import DAY, OWN_ACCOUNT, PAID_OUT, DayBook, day_after, daybook, only
from tests.gateway import Gateway

BANK = f"bank:{OWN_ACCOUNT}"
DAYS = [day_after(DAY, step) for step in range(-3, 1)]


@pytest.fixture
def book(gateway: Gateway) -> DayBook:
    """Four days of payments online, 1.2 % fee, each day's sum unlike the others': 100, 200, 300, 400."""
    made = daybook(gateway, files=PAID_OUT)
    for place, day in enumerate(DAYS, 1):
        made.pay(f"t{place}", place * 10_000, at=f"{day}T12:00:00")
    return made


def store_of(book: DayBook) -> SqlSettlements:
    return SqlSettlements(book.gateway.database, book.biller_id, [book.agreement])


def by(book: DayBook) -> By:
    return By("cli:anna", book.gateway.clock.now())


def proposed(book: DayBook) -> Proposal:
    said: Proposal = only(store_of(book).read(proposals)).proposal
    return said


def make(
    book: DayBook,
    lump: LineRow,
    span: tuple[str, str] | None = None,
    fee_minor: int | None = None,
    reason: str = "",
) -> SettlementRow:
    wish = Wish(lump.source, lump.line_key, Span(*span) if span else None, fee_minor, reason)
    row = store_of(book).run(lambda open_book: settle(open_book, wish, by(book)))
    assert row is not None
    return row


def ledger_of(book: DayBook) -> dict[str, int]:
    sums: dict[str, int] = {}
    for row in book.gateway.rows("entries", book.biller_id):
        name = str(row["ledger_account"])
        if not name.startswith("client:"):
            sums[name] = sums.get(name, 0) + int(row["amount_minor"])
    return sums


def line_of(book: DayBook, lump: LineRow) -> dict[str, object]:
    return dict(
        only(
            row
            for row in book.gateway.rows("money_lines", book.biller_id)
            if row["line_key"] == lump.line_key
        )
    )


@pytest.mark.parametrize(
    ("amount_minor", "first", "last"),
    [
        (9_880, 0, 0),  # 100.00 less 1.20
        (39_520, 3, 3),  # the single day 400.00 less 4.80
        (29_640, 0, 1),  # 300.00 less 3.60 in two days; and so is the third day alone
        (98_800, 0, 3),  # all of it
        (49_400, 1, 2),  # from the middle
    ],
)
def test_an_exact_hit_is_certain(book: DayBook, amount_minor: int, first: int, last: int) -> None:
    book.lump("l1", amount_minor)
    said = proposed(book)
    assert (said.first_day, said.last_day, said.is_certain) == (DAYS[first], DAYS[last], True)
    assert said.gross_minor - said.fee_minor == amount_minor
    assert said.difference_minor == 0


def test_of_two_exact_hits_the_one_in_the_text(book: DayBook) -> None:
    book.lump("l1", 29_640, text=f"реестр за {DAYS[2][8:]}.{DAYS[2][5:7]}.{DAYS[2][:4]} QIWI")
    said = proposed(book)
    assert (said.first_day, said.last_day, said.is_certain) == (DAYS[2], DAYS[2], True)


def test_the_nearest_with_the_difference_named(book: DayBook) -> None:
    book.lump("l1", 9_870)
    said = proposed(book)
    assert (said.first_day, said.last_day) == (DAYS[0], DAYS[0])
    assert (said.difference_minor, said.is_certain) == (-10, False)
    assert "0.10 less" in said.why


def test_a_fee_that_was_not_withheld_is_named(book: DayBook) -> None:
    book.lump("l1", 100_000)
    said = proposed(book)
    assert (said.first_day, said.last_day, said.difference_minor) == (DAYS[0], DAYS[3], 1_200)
    assert "not withheld" in said.why


def test_nothing_waits_to_be_paid_out(gateway: Gateway) -> None:
    book = daybook(gateway, files=PAID_OUT)
    lump = book.lump("l1", 1_000)
    assert proposed(book).first_day == ""
    with pytest.raises(NotAllowed, match="nothing waits"):
        make(book, lump, reason="whatever")


def test_what_a_settlement_books(book: DayBook) -> None:
    lump = book.lump("l1", 29_640)
    row = make(book, lump)
    assert (row.gross_minor, row.fee_minor, row.net_minor, row.difference_minor) == (30_000, 360, 29_640, 0)
    agreement_id = book.agreement.agreement_id
    assert ledger_of(book) == {
        f"clearing:{agreement_id}": 70_000,
        f"fees:{agreement_id}": 360,
        BANK: 29_640,
    }
    transaction = only(
        one for one in book.gateway.rows("transactions", book.biller_id) if one["kind"] == "settlement"
    )
    assert (transaction["transaction_id"], transaction["accounting_date"], transaction["author"]) == (
        row.settlement_id, lump.day, "cli:anna",
    )  # fmt: skip
    assert line_of(book, lump)["state"] == "settled"
    act = only(book.gateway.rows("line_acts", book.biller_id))
    assert (act["verb"], act["state"], act["line_key"]) == ("settle", "settled", "l1")
    with pytest.raises(NotAllowed, match="settled"):
        make(book, lump)


def test_a_difference_stays_in_clearing_and_needs_a_reason(book: DayBook) -> None:
    lump = book.lump("l1", 9_870)
    with pytest.raises(NotAllowed, match="--reason"):
        make(book, lump)
    row = make(book, lump, reason="rounded by the bank")
    assert (row.difference_minor, row.reason) == (-10, "rounded by the bank")
    agreement_id = book.agreement.agreement_id
    assert ledger_of(book)[f"clearing:{agreement_id}"] == 90_000 + 10


def test_another_fee(book: DayBook) -> None:
    lump = book.lump("l1", 9_800)
    row = make(book, lump, (DAYS[0], DAYS[0]), 200)
    assert (row.fee_minor, row.difference_minor) == (200, 0)
    book.today = day_after(DAY)
    assert book.kinds(DAYS[0]) == ["fee-differs", "register-missing"]


def test_undone_and_made_again(book: DayBook) -> None:
    lump = book.lump("l1", 29_640)
    before = ledger_of(book)
    row = make(book, lump)
    store_of(book).run(lambda open_book: undo(open_book, row.settlement_id, "wrong days", by(book)))
    assert {name: amount for name, amount in ledger_of(book).items() if amount} == before
    assert line_of(book, lump)["state"] == "lump"
    with pytest.raises(NotAllowed, match="undone before"):
        store_of(book).run(lambda open_book: undo(open_book, row.settlement_id, "again", by(book)))
    assert settle_certain(store_of(book), by(book)) == [], "what a person has undone is not done by itself"
    again = make(book, lump, (DAYS[2], DAYS[2]))
    assert (again.first_day, again.settlement_id > row.settlement_id) == (DAYS[2], True)


def test_undoing_needs_a_reason_and_a_settlement(book: DayBook) -> None:
    row = make(book, book.lump("l1", 9_880))
    with pytest.raises(NotAllowed, match="reason"):
        store_of(book).run(lambda open_book: undo(open_book, row.settlement_id, " ", by(book)))
    with pytest.raises(NotFound):
        store_of(book).run(lambda open_book: undo(open_book, row.settlement_id + 1, "x", by(book)))


def test_days_that_are_settled_are_not_proposed_again(book: DayBook) -> None:
    make(book, book.lump("l1", 9_880))
    book.lump("l2", 9_880)
    assert proposed(book).first_day == DAYS[1]


def test_one_day_in_two_lump_sums(gateway: Gateway) -> None:
    book = daybook(gateway, files=PAID_OUT)
    book.pay("t1", 100_000)
    book.lump("l1", 40_000)
    book.lump("l2", 58_800)
    first, second = (one.proposal for one in store_of(book).read(proposals))
    assert (first.is_certain, first.together, second.together) == (True, ("l2",), ("l1",))
    assert first.fee_minor + second.fee_minor == 1_200
    made = settle_certain(store_of(book), by(book))
    assert [row.difference_minor for row in made] == [0, 0]
    assert ledger_of(book)[f"clearing:{book.agreement.agreement_id}"] == 0
    assert book.kinds() == ["register-missing"]


def test_the_rest_of_a_day_comes_later(book: DayBook) -> None:
    make(book, book.lump("l1", 9_000), (DAYS[0], DAYS[0]), reason="the rest tomorrow")
    assert "settlement-short" in book.kinds(DAYS[0])
    book.lump("l2", 880)
    said = proposed(book)
    assert (said.first_day, said.last_day, said.is_certain, said.fee_minor) == (DAYS[0], DAYS[0], True, 0)
    settle_certain(store_of(book), by(book))
    assert "settlement-short" not in book.kinds(DAYS[0])


def test_only_what_is_certain_settles_by_itself(book: DayBook) -> None:
    book.lump("l1", 9_880)
    book.lump("l2", 12_345)
    made = settle_certain(store_of(book), by(book))
    assert [row.line_key for row in made] == ["l1"]
    assert only(store_of(book).read(proposals)).lump.line_key == "l2"


def test_the_fee_is_rounded_once_on_the_total(gateway: Gateway) -> None:
    """Three payments of 10.40 at 1.2 %: 0.12 each (0.36), and 0.37 on 31.20."""
    by_row = daybook(gateway, files=PAID_OUT)
    terms = FileTerms(register=RegisterTerms(), settlement=SettlementTerms(words=("q",), rounding="total"))
    on_total = daybook(gateway, files=terms)
    for book, fee_minor in ((by_row, 36), (on_total, 37)):
        for place in range(3):
            book.pay(f"t{place}", 1_040)
        book.lump("l1", 3_120 - fee_minor)
        assert (proposed(book).fee_minor, proposed(book).is_certain) == (fee_minor, True)


def test_a_fixed_fee_with_bounds_on_the_total(gateway: Gateway) -> None:
    """2 % and 1.00, at least 5.00 and at most 20.00 a payment: 5.00, 11.00 and 20.00."""
    fee = Fee(percent_millionths=20_000, fixed_minor=100, min_minor=500, max_minor=2_000)
    terms = FileTerms(settlement=SettlementTerms(words=("q",), rounding="total"))
    book = daybook(gateway, files=terms, fee=fee)
    for place, amount_minor in enumerate((10_000, 50_000, 500_000)):
        book.pay(f"t{place}", amount_minor)
    book.lump("l1", 560_000 - 500 - 1_100 - 2_000)
    assert (proposed(book).fee_minor, proposed(book).is_certain) == (3_600, True)


def test_a_fee_that_is_billed_apart(gateway: Gateway) -> None:
    terms = FileTerms(settlement=SettlementTerms(words=("q",), withheld=False))
    book = daybook(gateway, files=terms)
    book.pay("t1", 100_000)
    lump = book.lump("l1", 100_000)
    assert (proposed(book).fee_minor, proposed(book).is_certain) == (0, True)
    make(book, lump)
    assert f"fees:{book.agreement.agreement_id}" not in ledger_of(book)
    assert book.kinds() == []


def test_the_fee_that_the_register_names(gateway: Gateway) -> None:
    """It came to what the register says: booked so, and reconciliation says that the agreement differs."""
    book = daybook(gateway, files=PAID_OUT)
    book.confirm(book.pay("t1", 100_000), "t1", 100_000, fee_minor=1_500)
    lump = book.lump("l1", 98_500)
    said = proposed(book)
    assert (said.fee_minor, said.is_certain) == (1_500, True)
    make(book, lump)
    assert book.kinds() == ["fee-differs", "fee-differs"]


def test_what_is_paid_is_what_the_register_has_of_its_day(gateway: Gateway) -> None:
    """A payment of the evening is in tomorrow's register, and in tomorrow's lump sum."""
    book = daybook(gateway, files=PAID_OUT)
    tomorrow = day_after(DAY)
    book.confirm(book.pay("t1", 100_000), "t1", 100_000)
    book.confirm(book.pay("t2", 50_000, at=f"{DAY}T23:50:00"), "t2", 50_000, day=tomorrow)
    book.confirm(book.pay("t3", 10_000, at=f"{tomorrow}T09:00:00"), "t3", 10_000, day=tomorrow)
    book.lump("l1", 98_800)
    book.lump("l2", 59_280, day=day_after(DAY, 2))
    made = settle_certain(store_of(book), by(book))
    assert [(row.first_day, row.gross_minor) for row in made] == [(DAY, 100_000), (tomorrow, 60_000)]
    assert book.kinds(DAY, tomorrow) == ["day-shifted"]


def test_a_payment_that_was_taken_back_after_it_was_paid_out(gateway: Gateway) -> None:
    """The next lump sum is so much less, and comes to the last unit."""
    book = daybook(gateway, files=PAID_OUT, fee=Fee())
    receipt = book.pay("t1", 30_000)
    book.pay("t2", 70_000)
    make(book, book.lump("l1", 100_000))
    book.void(receipt)
    assert book.kinds() == ["register-missing", "settlement-over"]
    book.pay("t3", 90_000, at=f"{day_after(DAY)}T12:00:00")
    book.lump("l2", 60_000, day=day_after(DAY, 2))
    said = proposed(book)
    assert (said.first_day, said.last_day, said.is_certain) == (DAY, day_after(DAY), True)


def test_a_day_between_that_nobody_paid_out(book: DayBook) -> None:
    make(book, book.lump("l1", 9_880))
    make(book, book.lump("l2", 29_640), (DAYS[2], DAYS[2]))
    report = book.report(DAYS[0], DAYS[3])
    missing = [finding for finding in report.findings if finding.kind == "settlement-missing"]
    assert [finding.day for finding in missing] == [DAYS[1]]
    assert "200.00" in missing[0].text


def test_money_that_no_statement_has(book: DayBook) -> None:
    """Nobody knows while there are no statements; then so long as an agent may take to pay out."""
    assert "settlement-missing" not in book.kinds(DAYS[0])
    book.came(1, DAYS[0], day_after(DAYS[0], 10), kind="statement")
    assert "settlement-missing" not in book.kinds(DAYS[0])
    book.came(1, DAYS[0], day_after(DAYS[0], 11), kind="statement")
    assert "settlement-missing" in book.kinds(DAYS[0])
    assert "settlement-missing" not in book.kinds(DAYS[1])


def test_a_payment_order_that_the_register_names(gateway: Gateway) -> None:
    from kvit.services.settling.facts import Collected, Order, SettlingFacts
    from kvit.services.settling.proposing import propose

    book = daybook(gateway, files=PAID_OUT, fee=Fee())
    collected = {day: Collected(day, 1, 10_000, 0, 0) for day in DAYS}
    lump = Lump(BANK, "l1", day_after(DAY), 10_000, "Оплата згідно реєстру № @4711 від 21.11.2026", "", "")
    facts = SettlingFacts(book.agreement, collected, (), [lump], [Order("4711", DAYS[2], DAYS[2])])
    assert propose(lump, facts).first_day == DAYS[2]
    plain = propose(lump._replace(text=""), facts)
    assert (plain.first_day, plain.is_certain) == (DAYS[0], True)


def test_two_lump_sums_at_the_same_moment_are_not_for_the_same_days(book: DayBook) -> None:
    """Equal sums, settled from two sides at once: the second one finds the days of the first settled."""
    lumps = [book.lump(f"l{place}", 9_880) for place in range(2)]
    gate, rows = threading.Barrier(2), list[SettlementRow | None]()

    def run(lump: LineRow) -> None:
        gate.wait(20)
        wish = Wish(lump.source, lump.line_key, only_certain=True)
        rows.append(store_of(book).run(lambda open_book: settle(open_book, wish, by(book))))

    threads = [threading.Thread(target=run, args=(lump,)) for lump in lumps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [row.first_day for row in rows if row is not None] == [DAYS[0]]
    assert len(rows) == 2


def test_an_agreement_that_is_gone(book: DayBook) -> None:
    lump = book.lump("l1", 9_880)
    other = replace(book.agreement, agreement_id="other")
    store = SqlSettlements(book.gateway.database, book.biller_id, [other])
    with pytest.raises(NotFound, match="does not exist"):
        store.run(lambda open_book: settle(open_book, Wish(lump.source, lump.line_key), by(book)))
