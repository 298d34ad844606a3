"""The database goes away in the middle of a slice: nothing is booked, and nothing is said about the lines."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from kvit.domain.errors import DatabaseUnavailable
from kvit.domain.messages import Post
from kvit.services.payments import wanted_of
from kvit.storage import sqlite
from kvit.storage.intake import SqlIntakeBook
from tests.gateway import Gateway
from tests.intake import Counter, line
from tests.seeding import Client, agreement_of, seed


@pytest.mark.parametrize("how", ["gone", "slow"])
def test_what_the_driver_itself_says_is_that_the_database_is_away(gateway: Gateway, how: str) -> None:
    """The posting core speaks to the driver, so that nobody in between has put its words into ours."""
    counter = Counter(gateway, seed(gateway.database, [Client("a")]).biller_id)
    agreement = agreement_of(counter.biller_id)
    lost: list[int] = []

    def work(book: SqlIntakeBook) -> None:
        lost.append(1)
        connection = book._connection
        if gateway.database.is_postgres and how == "slow":
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("SET LOCAL statement_timeout = 20")
            driver.execute("SELECT pg_sleep(1)")
        if gateway.database.is_postgres:
            own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            with gateway.database.read() as other:
                other.execute(text("SELECT pg_terminate_backend(:own)"), {"own": own})
            book.situation(wanted_of([(agreement, Post("1", "a", 5, taken=True))]))
        raise sqlite.OperationalError("disk I/O error")

    with pytest.raises(DatabaseUnavailable):
        counter.store.write(work)
    assert lost == [1]
    assert counter.register(agreement, line("a", 5, key="1")).counts == {"new": 1}, "it is there again"
    assert gateway.findings(counter.biller_id) == []
