"""Rules 7 and 8: every transaction sums to zero per currency, and is taken back by its mirror image."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kvit.domain import ledger
from kvit.domain.model import EntryRow

amounts = st.integers(-(10**16), 10**16)
names = st.sampled_from(
    [ledger.client("0042017"), ledger.income("water"), ledger.clearing("qiwi"), ledger.SUSPENSE]
)
entries = st.lists(
    st.builds(EntryRow, st.just("water"), st.just(7), names, amounts, st.sampled_from(["RUB", "KZT"])),
    max_size=8,
)


@given(names, names, amounts, st.sampled_from(["RUB", "JPY"]))
def test_two_sides_balance_whatever_the_sum(
    debit: str, credit: str, amount_minor: int, currency: str
) -> None:
    sides = ledger.two_sided("water", 7, debit, credit, amount_minor, currency)
    assert ledger.sums_to_zero(sides)
    assert [(side.ledger_account, side.amount_minor) for side in sides] == [
        (debit, amount_minor),
        (credit, -amount_minor),
    ]


@given(entries)
def test_zero_is_counted_by_currency(rows: list[EntryRow]) -> None:
    by_hand = {
        currency: sum(r.amount_minor for r in rows if r.currency == currency) for currency in ("RUB", "KZT")
    }
    assert ledger.sums_to_zero(rows) == (by_hand == {"RUB": 0, "KZT": 0})


def test_roubles_do_not_balance_tenge() -> None:
    rows = [EntryRow("water", 7, "client:1", 100, "RUB"), EntryRow("water", 7, "clearing:qiwi", -100, "KZT")]
    assert not ledger.sums_to_zero(rows)


@given(entries)
def test_a_reversal_takes_back_exactly_what_was_booked(rows: list[EntryRow]) -> None:
    back = ledger.reversal(rows, 8)
    assert ledger.reversal(back, 7) == rows
    assert {row.transaction_id for row in back} <= {8}
    sums: dict[tuple[str, str], int] = {}
    for row in [*rows, *back]:
        key = (row.ledger_account, row.currency)
        sums[key] = sums.get(key, 0) + row.amount_minor
    assert not any(sums.values())


def test_the_chart_of_accounts() -> None:
    assert ledger.client("0042017") == "client:0042017"
    assert ledger.income("water") == "income:water"
    assert ledger.clearing("qiwi") == "clearing:qiwi"
