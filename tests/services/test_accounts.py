"""Clients: from files, one by one, and new numbers for them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.messages import Refused
from kvit.domain.numbers import is_valid
from kvit.services.receivables.office import accounts_job, hand_out, set_status
from kvit.storage import schema
from tests.bureau import BILLER, Bureau, Client, bureau_at


@pytest.fixture
def bureau(books_url: str) -> Iterator[Bureau]:
    with bureau_at(books_url) as bureau:
        yield bureau


def stored(bureau: Bureau, number: str) -> dict[str, object]:
    """What the books hold about a client."""
    names = ("status", "name", "address", "phone", "email", "attributes")
    query = select(*(schema.accounts.c[name] for name in names)).where(schema.accounts.c.number == number)
    with bureau.database.read() as connection:
        row = connection.execute(query).one()
    return {**row._asdict(), "attributes": json.loads(row.attributes or "{}")}


def test_new_clients_are_added_with_leading_zeros(bureau: Bureau) -> None:
    rows = [
        Client(2, "00017", "Ильина", "ул. Мира, 5", "+7999", "i@x.kz", (("Район", "Центр"), ("Этаж", "")))
    ]
    tally = bureau.accounts(rows).tally
    assert (tally.new, tally.changed, tally.unchanged) == (1, 0, 0)
    assert stored(bureau, "00017") == {
        "status": "active", "name": "Ильина", "address": "ул. Мира, 5", "phone": "+7999", "email": "i@x.kz",
        "attributes": {"Район": "Центр"},
    }  # fmt: skip
    assert bureau.accounts(rows).tally.unchanged == 1


def test_a_column_that_the_file_lacks_stays(bureau: Bureau) -> None:
    bureau.accounts(
        [Client(2, "17", "Ильина", "ул. Мира, 5", "+7999", "", (("Район", "Центр"), ("Код", "8")))]
    )
    tally = bureau.accounts(
        [Client(2, "17", name="Ильина-Ким", phone="", attributes=(("Район", "Восток"),))]
    ).tally
    assert (tally.new, tally.changed) == (0, 1)
    assert stored(bureau, "17") == {
        "status": "active", "name": "Ильина-Ким", "address": "ул. Мира, 5", "phone": "", "email": "",
        "attributes": {"Район": "Восток", "Код": "8"},
    }  # fmt: skip
    bureau.accounts([Client(2, "17", attributes=(("Код", ""),))])
    assert stored(bureau, "17")["attributes"] == {"Район": "Восток"}


def test_a_number_twice_is_an_error_unless_the_rows_are_equal(bureau: Bureau) -> None:
    job = accounts_job(
        bureau.store, BILLER, [Client(2, "17", "A"), Client(5, "17", "B"), Client(6, "18", "C")]
    )
    assert [(error.line, error.column, error.value) for error in job.errors] == [(5, "number", "17")]
    assert "line 2" in job.errors[0].reason
    job = accounts_job(bureau.store, BILLER, [Client(2, "17", "A"), Client(5, "17", "A")])
    assert (job.errors, job.repeated, len(job.sizes)) == ([], 1, 1)


def test_check_digits_are_verified(bureau: Bureau) -> None:
    biller = BILLER._replace(number_scheme="luhn")
    job = accounts_job(bureau.store, biller, [Client(2, "1002344"), Client(3, "1002345")])
    assert [error.line for error in job.errors] == [3]


def test_an_import_leaves_a_record(bureau: Bureau) -> None:
    bureau.clients("1001", "1002")
    bureau.accounts([Client(2, "1001", "Другая"), Client(3, "1003")])
    with bureau.database.read() as connection:
        rows = connection.execute(
            select(schema.journal.c.actor, schema.journal.c.detail)
            .where(schema.journal.c.verb == "accounts.imported")
            .order_by(schema.journal.c.journal_id)
        ).all()
    assert [(row.actor, json.loads(row.detail)) for row in rows] == [
        ("cli:anna", {"new": 2, "changed": 0}),
        ("cli:anna", {"new": 1, "changed": 1}),
    ]


def test_a_closed_account_takes_no_payments_until_it_is_opened(bureau: Bureau) -> None:
    bureau.clients("1001")
    now = bureau.clock.now()
    assert bureau.store.write(lambda book: set_status(book, "1001", "closed", "cli:anna", now))
    assert not bureau.store.write(lambda book: set_status(book, "1001", "closed", "cli:anna", now))
    assert bureau.pay("1001", 100) == Refused("account-closed")
    bureau.accounts([Client(2, "1001", "Новое имя")])
    assert stored(bureau, "1001")["status"] == "closed"
    assert bureau.store.write(lambda book: set_status(book, "1001", "active", "cli:anna", now))
    bureau.paid("1001", 100)


def test_a_number_nobody_has_is_not_found(bureau: Bureau) -> None:
    with pytest.raises(NotFound, match="9999"):
        bureau.store.write(lambda book: set_status(book, "9999", "closed", "cli:anna", bureau.clock.now()))
    with pytest.raises(NotFound, match="9999"):
        bureau.page("9999")


@pytest.mark.parametrize("scheme", ["none", "luhn", "mod97"])
def test_new_numbers_are_never_given_twice(books_url: str, scheme: str) -> None:
    with bureau_at(books_url, BILLER._replace(number_scheme=scheme)) as bureau:
        first = numbers(bureau, 3, 8)
        second = numbers(bureau, 2, 8)
        assert len(set(first + second)) == 5
        assert all(len(number) == 8 and is_valid(number, scheme) for number in first + second)
        bureau.accounts([Client(2, second[0])])
        assert not set(numbers(bureau, 4, 0)) & set(first + second)


def test_new_numbers_come_after_the_largest_there_is(bureau: Bureau) -> None:
    bureau.clients("AB-1", "0005", "4711", "123456")
    assert numbers(bureau, 2, 4) == ["4712", "4713"]
    assert numbers(bureau, 1, 0) == ["4714"]


def test_a_width_that_is_used_up_is_said(bureau: Bureau) -> None:
    bureau.clients("98")
    with pytest.raises(NotAllowed, match="only 1 numbers of 2 digits"):
        numbers(bureau, 2, 2)
    assert numbers(bureau, 1, 2) == ["99"]
    with pytest.raises(NotAllowed, match="another --width"):
        numbers(bureau, 1, 30)


def numbers(bureau: Bureau, count: int, width: int) -> list[str]:
    now = bureau.clock.now()
    return bureau.store.write(lambda book: hand_out(book, count, width, "cli:anna", now))
