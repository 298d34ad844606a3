"""The hot paths on SQLite: driver-level statements with tuples, one write transaction a batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from kvit.domain.errors import ClaimLost, DatabaseUnavailable
from kvit.domain.model import (
    VOIDED,
    AccountKey,
    AccountState,
    OpenItem,
    PaymentKey,
    StoredPayment,
    VoidRow,
)
from kvit.services.ports import AccountView, LookupBook, PostingBook, PostingPlan, Situation
from kvit.storage import sqlite
from kvit.storage.rows import insert_statement

T = TypeVar("T")

_FIND = """
SELECT p.receipt, p.account_id, a.number, p.amount_minor, p.currency, p.service, p.state,
       p.received_at_us, p.network_at_us, p.attempts
FROM payments p JOIN accounts a ON a.biller_id = p.biller_id AND a.account_id = p.account_id
WHERE p.biller_id = ? AND p.agreement_id = ? AND p.txn = ?
"""
_VOID = "SELECT * FROM voids WHERE biller_id = ? AND receipt = ?"
_ACCOUNT = """
SELECT account_id, number, status, balance_minor FROM accounts WHERE biller_id = ? AND number = ?
"""
# Named, since without statistics the planner would walk all charges of the biller.
_CHARGES = """
SELECT charge_id, open_minor, due_on, service FROM charges INDEXED BY charges_open
WHERE biller_id = ? AND account_id = ? AND open_minor > 0 ORDER BY due_on, charge_id
"""
_CLOSED = "SELECT closed_through FROM billers WHERE biller_id = ?"
_IDS = "UPDATE ids SET next_id = next_id + ? WHERE series = 'books' RETURNING next_id"
_ATTEMPT = """
UPDATE payments SET attempts = attempts + ? WHERE biller_id = ? AND agreement_id = ? AND txn = ?
"""
_BALANCE = "UPDATE accounts SET balance_minor = balance_minor + ? WHERE biller_id = ? AND account_id = ?"
_OPEN_SUM = "UPDATE charges SET open_minor = open_minor + ? WHERE biller_id = ? AND charge_id = ?"
_VIEW = "SELECT status, balance_minor, name FROM accounts WHERE biller_id = ? AND number = ?"
_INSERTS = {
    name: insert_statement(name)
    for name in ("payments", "transactions", "entries", "allocations", "outbox", "journal")
}


class SqlitePostingBook:
    """One open write transaction."""

    def __init__(self, connection: sqlite.Connection) -> None:
        self._connection = connection

    def situation(
        self, keys: Sequence[PaymentKey], accounts: Sequence[AccountKey], ids_count: int
    ) -> Situation:
        execute = self._connection.execute
        situation = Situation({}, {}, {}, {}, [])
        for key in keys:
            row = execute(_FIND, key).fetchone()
            if row is None:
                continue
            situation.payments[key] = payment = StoredPayment(*row)
            if payment.state == VOIDED:
                void = execute(_VOID, (key.biller_id, payment.receipt)).fetchone()
                situation.voids[key] = VoidRow(*void)
        for account in accounts:
            row = execute(_ACCOUNT, account).fetchone()
            if row is None:
                continue
            situation.accounts[account] = AccountState(*row)
            place = (account.biller_id, row[0])
            situation.charges[place] = [OpenItem(*charge) for charge in execute(_CHARGES, place)]
        for biller_id in {key.biller_id for key in keys}:
            row = execute(_CLOSED, (biller_id,)).fetchone()
            situation.closed_through[biller_id] = row[0] if row else ""
        next_id = execute(_IDS, (ids_count,)).fetchone()[0]
        situation.ids = list(range(next_id - ids_count, next_id))
        return situation

    def write(self, plan: PostingPlan) -> None:
        many = self._connection.executemany
        many(_ATTEMPT, [(row.more, *row[:3]) for row in plan.attempts])
        try:
            many(_INSERTS["payments"], plan.payments)
        except sqlite.IntegrityError as error:
            raise ClaimLost from error
        many(_INSERTS["transactions"], plan.transactions)
        many(_INSERTS["entries"], plan.entries)
        many(_INSERTS["allocations"], plan.allocations)
        many(_BALANCE, [(row.delta_minor, row.biller_id, row.row_id) for row in plan.balances])
        many(_OPEN_SUM, [(row.delta_minor, row.biller_id, row.row_id) for row in plan.open_sums])
        many(_INSERTS["outbox"], plan.outbox)
        many(_INSERTS["journal"], plan.journal)


class _OwnConnection:
    """One connection, opened when needed and again after a failure; one thread at a time."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite.Connection | None = None
        self._guard = threading.Lock()

    def transact(self, begin: str, work: Callable[[sqlite.Connection], T]) -> T:
        """The result of ``work`` once its transaction is committed.

        Raises ``DatabaseUnavailable`` when the database is; any other exception of ``work`` as it is. In
        both cases nothing was committed, unless the commit itself failed: then the outcome is unknown.
        """
        with self._guard:
            try:
                if self._connection is None:
                    self._connection = sqlite.connect(self._path)
                self._connection.execute(begin)
                result = work(self._connection)
                self._connection.execute("COMMIT")
            except sqlite.OperationalError as error:
                self.close()
                raise DatabaseUnavailable(f"the database is not available: {error}") from error
            except BaseException:
                sqlite.roll_back(self._connection)
                raise
            return result

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            sqlite.roll_back(connection)
            connection.close()


class SqlitePostings:
    """Runs a batch's work in one immediate transaction on a connection of its own."""

    def __init__(self, path: str) -> None:
        self._own = _OwnConnection(path)

    def run(self, work: Callable[[PostingBook], T]) -> T:
        """The result of ``work`` once it is committed; raises as ``_OwnConnection.transact`` does."""
        return self._own.transact("BEGIN IMMEDIATE", lambda connection: work(SqlitePostingBook(connection)))

    def close(self) -> None:
        self._own.close()


class SqliteLookupBook:
    """One open read transaction."""

    def __init__(self, connection: sqlite.Connection) -> None:
        self._connection = connection

    def accounts(self, keys: Sequence[AccountKey]) -> dict[AccountKey, AccountView]:
        execute = self._connection.execute
        found = ((key, execute(_VIEW, key).fetchone()) for key in keys)
        return {key: AccountView(*row) for key, row in found if row is not None}


class QuickSqliteLookups:
    """One statement at a time on a connection of its own, which waits for nobody."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite.Connection | None = None

    def account(self, biller_id: str, number: str) -> AccountView | None:
        """Raises ``DatabaseUnavailable`` where it would have to wait."""
        try:
            if self._connection is None:
                self._connection = sqlite.connect(self._path, busy_timeout_s=0)
            row = self._connection.execute(_VIEW, (biller_id, number)).fetchone()
        except sqlite.OperationalError as error:
            self.close()
            raise DatabaseUnavailable(f"the database is not available: {error}") from error
        return None if row is None else tuple.__new__(AccountView, row)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class SqliteLookups:
    """Runs a batch's lookups on one short snapshot, on a connection of its own."""

    def __init__(self, path: str) -> None:
        self._own = _OwnConnection(path)

    def run(self, work: Callable[[LookupBook], T]) -> T:
        """Raises ``DatabaseUnavailable`` when the database is."""
        return self._own.transact("BEGIN", lambda connection: work(SqliteLookupBook(connection)))

    def close(self) -> None:
        self._own.close()
