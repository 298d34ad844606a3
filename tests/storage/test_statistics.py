"""SQLite's planner knows the shape of the books: every index has statistics, every hot question its index."""

from __future__ import annotations

import pytest

from kvit.storage import posting_sqlite, sqlite
from kvit.storage.engine import open_database

_PLANS = {
    "a known payment": (posting_sqlite._FIND, 3, "SEARCH p USING PRIMARY KEY"),
    "an account by its number": (
        posting_sqlite._ACCOUNTS,
        2,
        "SEARCH a USING INDEX sqlite_autoindex_accounts_2",
    ),
    "its open charges": (posting_sqlite._CHARGES, 2, "SEARCH c USING INDEX charges_open"),
    "what a repeat counts": (posting_sqlite._ATTEMPTS, 4, "SEARCH payments USING PRIMARY KEY"),
    "a balance": (posting_sqlite._BALANCES, 3, "SEARCH accounts USING PRIMARY KEY"),
    "an open sum": (posting_sqlite._OPEN_SUMS, 3, "SEARCH charges USING PRIMARY KEY"),
    "a client's entries": (
        "SELECT sum(amount_minor) FROM entries WHERE biller_id = ? AND ledger_account = ?",
        2,
        "entries USING COVERING INDEX entries_ledger_account|entries USING INDEX entries_ledger_account",
    ),
    "a client's payments": (
        "SELECT txn FROM payments WHERE biller_id = ? AND account_id = ?",
        2,
        "INDEX payments_account",
    ),
    "a day's payments": (
        (
            "SELECT txn FROM payments WHERE biller_id = ? AND agreement_id = ? "
            "AND accounting_date BETWEEN ? AND ?"
        ),
        4,
        "INDEX payments_day",
    ),
    "a payment by its receipt": (
        "SELECT txn FROM payments WHERE biller_id = ? AND receipt = ?",
        2,
        "sqlite_autoindex_payments_2",
    ),
}


def test_every_index_has_statistics(sqlite_books_url: str) -> None:
    connection = sqlite.connect(open_database(sqlite_books_url).path)
    try:
        known = {row[0] for row in connection.execute("SELECT idx FROM sqlite_stat1")}
        indexes = {
            row[0]
            for row in connection.execute(
                "SELECT i.name FROM sqlite_master t JOIN pragma_index_list(t.name) i WHERE t.type = 'table' "
                "AND t.name NOT LIKE 'sqlite%' AND t.name NOT IN ('alembic_version', 'ids')"
            )
        }
        # A table's own key goes by the table's name in the statistics.
        keys = {name for name in indexes if name.endswith("_1") and name.startswith("sqlite_autoindex")}
        tables = {name.removeprefix("sqlite_autoindex_").removesuffix("_1") for name in keys}
        assert indexes, "the test must see indexes"
        assert (indexes - keys) | tables == known
    finally:
        connection.close()


@pytest.mark.parametrize("question", _PLANS)
def test_a_hot_question_finds_its_rows_by_the_right_index(question: str, sqlite_books_url: str) -> None:
    statement, parameters, expected = _PLANS[question]
    connection = sqlite.connect(open_database(sqlite_books_url).path)
    try:
        for rows in (1, 64) if "{rows}" in statement else (1,):
            sized = posting_sqlite._sized(statement, rows, parameters)
            values = ["x"] * (parameters * rows)
            plan = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + sized, values)]
            assert any(each in step for each in expected.split("|") for step in plan), plan
    finally:
        connection.close()
