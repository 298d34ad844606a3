"""A lookup on the spot: the lane's answers, and the lane itself where there would be a wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvit.domain.errors import DatabaseUnavailable
from kvit.domain.messages import Found, Lookup, NoSuchAccount
from kvit.lanes.desk import QuickReads
from kvit.services.ports import AccountView
from kvit.storage import sqlite
from kvit.storage.posting_sqlite import QuickSqliteLookups
from tests.gateway import NOON, opened
from tests.seeding import Client, Due, agreement_of, seed

AGREEMENT = agreement_of("water")


class Books:
    """Books that answer after ``took_s`` of a clock of the test's own, or not at all."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.took_s = 0.0
        self.fault: Exception | None = None
        self.asked = 0

    def account(self, biller_id: str, number: str) -> AccountView | None:
        self.asked += 1
        self.now_s += self.took_s
        if self.fault:
            raise self.fault
        return AccountView("active", 500, "Ким") if number == "1" else None


def look_up(quick: QuickReads, number: str = "1") -> object:
    return quick(AGREEMENT, Lookup("7", number), NOON)


def test_it_answers_as_the_lane_would() -> None:
    quick = QuickReads(Books(), lambda: 0.0)
    assert look_up(quick) == Found("1", 500, 0, "RUB", "К***")
    assert look_up(quick, "2") == NoSuchAccount("2")


@pytest.mark.parametrize("fault", [DatabaseUnavailable("locked"), ValueError("odd")])
def test_what_fails_goes_to_the_lane_for_a_while(fault: Exception) -> None:
    books = Books()
    quick = QuickReads(books, lambda: books.now_s)
    books.fault = fault
    assert look_up(quick) is None
    books.fault = None
    assert look_up(quick) is None
    assert books.asked == 1, "it was asked again at once"
    books.now_s += QuickReads.WHILE_S
    assert isinstance(look_up(quick), Found)


def test_a_slow_answer_is_given_and_the_next_ones_go_to_the_lane() -> None:
    books = Books()
    quick = QuickReads(books, lambda: books.now_s)
    books.took_s = QuickReads.SLOW_S * 1.5
    assert isinstance(look_up(quick), Found)
    assert look_up(quick) is None
    books.now_s += QuickReads.WHILE_S
    books.took_s = QuickReads.SLOW_S / 2
    assert isinstance(look_up(quick), Found)
    assert isinstance(look_up(quick), Found)


def test_real_books_are_seen_as_they_are_now(sqlite_books_url: str) -> None:
    with opened(sqlite_books_url) as gateway:
        town = seed(gateway.database, [Client("0042017", [Due(45_000)])])
        lookups = QuickSqliteLookups(gateway.database.path)
        try:
            first = lookups.account(town.biller_id, "0042017")
            assert isinstance(first, AccountView)
            assert (first.status, first.balance_minor) == ("active", 45_000)
            assert lookups.account(town.biller_id, "0042018") is None
            with gateway.database.write() as connection:
                connection.exec_driver_sql("UPDATE accounts SET balance_minor = 1")
            again = lookups.account(town.biller_id, "0042017")
            assert again is not None
            assert again.balance_minor == 1
        finally:
            lookups.close()


def test_a_lock_is_not_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "kvit.sqlite")
    owner = sqlite.connect(path)
    owner.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
    owner.execute("CREATE TABLE accounts (biller_id, number, status, balance_minor, name)")
    owner.execute("BEGIN EXCLUSIVE")
    lookups = QuickSqliteLookups(path)
    with pytest.raises(DatabaseUnavailable):
        lookups.account("water", "1")
    owner.execute("ROLLBACK")
    owner.close()
    assert lookups.account("water", "1") is None
    lookups.close()
