"""Rule 19 and the chain: whatever is changed, swapped, left out or put in shows."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kvit.domain.journal import (
    GENESIS,
    adjustment_digest,
    chained,
    charges_digest,
    digest_of,
    hold_digest,
    note_digest,
    payment_digest,
)
from kvit.domain.model import AdjustmentRow, ChargeRow, HoldRow, JournalRow, NoteRow, PaymentRow

parts = st.lists(st.text("01:,а", max_size=4) | st.integers(-5, 99), max_size=4)

PAYMENT = PaymentRow(
    "water", "qiwi", "700001", 10045, 17, 45_000, "RUB", "", "posted", 1, 0, 0, 540, "20261123120000", 5, 6,
    "2026-11-23", "",
)  # fmt: skip
#: What may change later (and so is no part of the digest), or is not money's business.
UNSEALED = {"biller_id", "account_id", "state", "attempts", "advance_minor", "network_at_us", "fields"}


@given(parts, parts)
def test_no_two_lists_of_parts_read_the_same(one: list[str | int], other: list[str | int]) -> None:
    assume([str(part) for part in one] != [str(part) for part in other])
    assert digest_of(*one) != digest_of(*other)


def other(row: tuple[Any, ...], name: str) -> dict[str, Any]:
    """Another value for the field ``name``."""
    value = getattr(row, name)
    return {name: value + 1 if isinstance(value, int) else (value or "") + "x"}


@pytest.mark.parametrize("name", sorted(set(PaymentRow._fields) - UNSEALED))
def test_a_payment_s_digest_seals(name: str) -> None:
    changed = PAYMENT._replace(**other(PAYMENT, name))
    assert payment_digest(changed, "0042017") != payment_digest(PAYMENT, "0042017")


@pytest.mark.parametrize("name", sorted(UNSEALED))
def test_a_payment_s_digest_lets_change(name: str) -> None:
    changed = PAYMENT._replace(**other(PAYMENT, name))
    assert payment_digest(changed, "0042017") == payment_digest(PAYMENT, "0042017")


def test_a_payment_s_digest_seals_whose_it_is() -> None:
    assert payment_digest(PAYMENT, "0042018") != payment_digest(PAYMENT, "0042017")


CHARGES = [
    ChargeRow(
        "water", charge_id, 17, "water", "2026-10", "", charge_id, 5_000 + charge_id, 5_000, "2026-10-31", 9
    )
    for charge_id in (1, 2)
]


@pytest.mark.parametrize(
    "name", ["charge_id", "service", "period", "document", "occurrence", "amount_minor", "due_on"]
)
def test_a_charge_s_digest_seals(name: str) -> None:
    changed = [CHARGES[0]._replace(**other(CHARGES[0], name)), CHARGES[1]]
    assert charges_digest(changed, {17: "0042017"}) != charges_digest(CHARGES, {17: "0042017"})


def test_a_digest_of_charges_is_that_of_their_parts_one_after_another() -> None:
    charges = [*CHARGES, CHARGES[0]._replace(charge_id=CHARGES[0].charge_id + 1_000, document="Ж-1")]
    parts = [
        (
            each.charge_id, "0042017", each.service, each.period, each.document, each.occurrence,
            each.amount_minor, each.due_on,
        )
        for each in charges
    ]  # fmt: skip
    whole = digest_of("charges", *(part for line in sorted(parts) for part in line))
    assert charges_digest(charges, {17: "0042017"}) == whole
    assert charges_digest((), {}) == digest_of("charges")


def test_a_digest_of_charges_seals_whose_and_how_many_they_are_but_not_their_order() -> None:
    whole = charges_digest(CHARGES, {17: "0042017"})
    assert charges_digest(reversed(CHARGES), {17: "0042017"}) == whole
    assert charges_digest(CHARGES[:1], {17: "0042017"}) != whole
    assert charges_digest(CHARGES, {17: "0042018"}) != whole


ADJUSTMENT = AdjustmentRow("water", 5, 17, 2, -900, 0, "", "recount", "cli:anna")


@pytest.mark.parametrize("name", ["adjustment_id", "charge_id", "amount_minor", "as_of", "reason", "author"])
def test_an_adjustment_s_digest_seals(name: str) -> None:
    changed = ADJUSTMENT._replace(**other(ADJUSTMENT, name))
    whole = adjustment_digest(ADJUSTMENT, "0042017", "2026-11-23")
    assert adjustment_digest(changed, "0042017", "2026-11-23") != whole
    assert adjustment_digest(ADJUSTMENT, "0042017", "2026-11-24") != whole
    assert adjustment_digest(ADJUSTMENT, "0042018", "2026-11-23") != whole


def record(journal_id: int, detail: str = "") -> JournalRow:
    digest = digest_of(journal_id)
    return JournalRow(
        "water", journal_id, 1_000 + journal_id, "agent:qiwi", "payment.posted", "7", digest, detail
    )


def chain_of(records: list[JournalRow]) -> bytes:
    head = GENESIS
    for position, row in enumerate(records, 1):
        head = chained(head, position, row)
    return head


@given(st.permutations(range(1, 6)))
def test_the_chain_s_head_holds_the_order(order: list[int]) -> None:
    same = chain_of([record(each) for each in order]) == chain_of([record(each) for each in range(1, 6)])
    assert same == (order == sorted(order))


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize(
    "changes",
    [{"journal_id": 99}, {"at_us": 1}, {"actor": "cli:eve"}, {"verb": "payment.voided"}, {"subject": "8"},
     {"digest": digest_of("forged")}],
)  # fmt: skip
def test_any_changed_record_changes_the_head(place: int, changes: dict[str, Any]) -> None:
    records = [record(each) for each in range(1, 6)]
    head = chain_of(records)
    records[place] = records[place]._replace(**changes)
    assert chain_of(records) != head


@pytest.mark.parametrize("place", range(5))
def test_a_record_left_out_or_put_in_changes_the_head(place: int) -> None:
    records = [record(each) for each in range(1, 6)]
    head = chain_of(records)
    assert chain_of(records[:place] + records[place + 1 :]) != head
    assert chain_of([*records[:place], record(50), *records[place:]]) != head


def test_details_may_be_erased() -> None:
    """They may hold a person's data; what they say is in the digest where it matters."""
    assert chained(GENESIS, 1, record(1, detail="Ахметова")) == chained(GENESIS, 1, record(1))


HOLD = HoldRow(
    "water", "qiwi", "700001", 10045, 17, 45_000, "RUB", "water", "held", 1, "20261123120000", 5, 6, 7, None,
    "", "", "1,2", "", "", "", 9, None,
)  # fmt: skip
NOTE = NoteRow("water", 10045, 3, "fiscal", 5, "{}")


def test_digests_are_those_of_their_parts_in_this_order() -> None:
    """What was sealed years ago must be computed the same: the very parts, not only that they matter."""
    hold = ("hold", "qiwi", "700001", 10045, "0042017", 45_000, "RUB", "water", "20261123120000", 6, 7, "1,2")
    assert hold_digest(HOLD, "0042017") == digest_of(*hold)
    named = HOLD._replace(typed="INV-7", service_code="8", expires_at_us=None)
    assert hold_digest(named, "0042017") == digest_of(*hold[:-2], 0, "1,2", "INV-7", "8")
    note = ("note", "qiwi", "700001", 10045, 3, "fiscal", 5, "{}")
    assert note_digest(NOTE, "qiwi", "700001") == digest_of(*note)
    payment = (
        "payment", "qiwi", "700001", 10045, "0042017", 45_000, "RUB", "", 0, 540, "20261123120000",
        "2026-11-23", 6,
    )  # fmt: skip
    assert payment_digest(PAYMENT, "0042017") == digest_of(*payment)
    assert digest_of("ab", 1).hex() == sha256(b"2:ab1:1").hexdigest()
