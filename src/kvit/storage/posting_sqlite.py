"""The hot paths on SQLite: driver-level statements of many rows, one write transaction a batch."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, TypeVar

from kvit.domain.allocation import by_age
from kvit.domain.errors import ClaimLost, DatabaseUnavailable
from kvit.domain.model import (
    VOIDED,
    AccountKey,
    AccountState,
    OpenItem,
    PaymentKey,
    StoredHold,
    StoredPayment,
    VoidRow,
)
from kvit.services.ports import (
    AccountView,
    InvoiceView,
    LookupBook,
    PostingBook,
    PostingPlan,
    Situation,
    Wanted,
)
from kvit.storage import sqlite
from kvit.storage.announced import (
    HOLD_COLUMNS,
    INVOICE_VIEW,
    gathered_invoices,
    gathered_reservations,
    viewed_invoices,
)
from kvit.storage.rows import insert_rows

T = TypeVar("T")

#: How many rows one statement takes: few sizes, so that each text stays prepared. SQLite works on a whole
#: statement without Python, so a batch in few statements leaves the event loop its time.
_SIZES = (64, 16, 4, 1)

_FOUND = """
p.receipt, p.account_id, coalesce(a.number, ''), p.amount_minor, p.currency, p.service, p.state,
p.received_at_us, p.network_at_us, p.attempts, p.typed, p.service_code
"""
_KEY = "(VALUES {rows}) AS q CROSS JOIN"
_FIND = f"""
SELECT q.column1, q.column2, q.column3, {_FOUND}
FROM {_KEY} payments AS p ON p.biller_id = q.column1 AND p.agreement_id = q.column2 AND p.txn = q.column3
LEFT JOIN accounts AS a ON a.biller_id = p.biller_id AND a.account_id = p.account_id
"""
_HOLDS = f"""
SELECT q.column1, q.column2, q.column3, {HOLD_COLUMNS}
FROM {_KEY} holds AS h ON h.biller_id = q.column1 AND h.agreement_id = q.column2 AND h.txn = q.column3
LEFT JOIN accounts AS a ON a.biller_id = h.biller_id AND a.account_id = h.account_id
"""
_INVOICES = f"""
SELECT q.column1, q.column2, c.charge_id, c.account_id, a.number
FROM {_KEY} charges AS c INDEXED BY charges_document
ON c.biller_id = q.column1 AND c.document = q.column2 AND c.document <> ''
JOIN accounts AS a ON a.biller_id = c.biller_id AND a.account_id = c.account_id
"""
_RESERVED = f"""
SELECT h.biller_id, h.typed, h.agreement_id, h.txn, h.expires_at_us
FROM {_KEY} holds AS h INDEXED BY holds_standing
ON h.biller_id = q.column1 AND h.typed = q.column2 AND h.state = 'held'
"""
_VOID = "SELECT * FROM voids WHERE biller_id = ? AND receipt = ?"
# One row with all of them: each row that is fetched would be a turn of its own.
_ACCOUNTS = f"""
SELECT json_group_array(json_array(a.biller_id, a.account_id, a.number, a.status, a.balance_minor))
FROM {_KEY} accounts AS a ON a.biller_id = q.column1 AND a.number = q.column2
"""
# Named, since without statistics the planner would walk all charges of the biller.
_CHARGES = f"""
SELECT json_group_array(json_array(c.biller_id, c.account_id, c.charge_id, c.open_minor, c.due_on, c.service))
FROM {_KEY} charges AS c INDEXED BY charges_open
ON c.biller_id = q.column1 AND c.account_id = q.column2 AND c.open_minor > 0
"""
_CLOSED = "SELECT closed_through FROM billers WHERE biller_id = ?"
_IDS = "UPDATE ids SET next_id = next_id + ? WHERE series = 'books' RETURNING next_id"
_ATTEMPTS = """
UPDATE payments SET attempts = attempts + q.column4 FROM (VALUES {rows}) AS q
WHERE biller_id = q.column1 AND agreement_id = q.column2 AND txn = q.column3
"""
_BALANCES = """
UPDATE accounts SET balance_minor = balance_minor + q.column3 FROM (VALUES {rows}) AS q
WHERE biller_id = q.column1 AND account_id = q.column2
"""
_OPEN_SUMS = """
UPDATE charges SET open_minor = open_minor + q.column3 FROM (VALUES {rows}) AS q
WHERE biller_id = q.column1 AND charge_id = q.column2
"""
_INVOICE_VIEW = INVOICE_VIEW.format(mark="?")
_VIEW = "SELECT status, balance_minor, name FROM accounts WHERE biller_id = ? AND number = ?"
_INSERTS = {
    name: insert_rows(name)
    for name in ("holds", "payments", "transactions", "entries", "allocations", "outbox", "journal")
}
_HOLD_ATTEMPTS = _ATTEMPTS.replace("payments", "holds")
_HOLD_ENDS = """
UPDATE holds SET state = q.column1, ended_at_us = q.column2, reason = q.column3, void_txn = q.column4,
    end_act_id = q.column5
FROM (VALUES {rows}) AS q
WHERE biller_id = q.column6 AND agreement_id = q.column7 AND txn = q.column8
"""


@cache
def _sized(statement: str, size: int, width: int) -> str:
    """``statement`` for ``size`` rows of ``width`` values."""
    row = "(" + ", ".join("?" * width) + ")"
    return statement.replace("{rows}", ", ".join([row] * size))


class SqlitePostingBook:
    """One open write transaction."""

    def __init__(self, connection: sqlite.Connection) -> None:
        self._connection = connection

    def situation(self, wanted: Wanted) -> Situation:
        execute, ids_count = self._connection.execute, wanted.ids_count
        situation = Situation({}, {}, {}, {}, [])
        for row in self._rows(_FIND, wanted.payments):
            self._found(situation, PaymentKey(*row[:3]), StoredPayment(*row[3:]))
        accounts = wanted.accounts
        if wanted.held or wanted.invoices:
            accounts = self._announced(situation, wanted)
        for biller_id, *account in self._listed(_ACCOUNTS, accounts):
            state = AccountState(*account)
            situation.accounts[AccountKey(biller_id, state.number)] = state
            situation.charges[biller_id, state.account_id] = []
        for biller_id, account_id, *charge in self._listed(_CHARGES, list(situation.charges)):
            situation.charges[biller_id, account_id].append(OpenItem(*charge))
        for items in situation.charges.values():
            items.sort(key=by_age)
        for biller_id in {key.biller_id for key in wanted.payments}:
            row = execute(_CLOSED, (biller_id,)).fetchone()
            situation.closed_through[biller_id] = row[0] if row else ""
        next_id = execute(_IDS, (ids_count,)).fetchone()[0]
        situation.ids = list(range(next_id - ids_count, next_id))
        return situation

    def _announced(self, situation: Situation, wanted: Wanted) -> list[AccountKey]:
        """Read holds and invoices; all accounts that the batch is about, by number."""
        accounts = set(wanted.accounts)
        for row in self._rows(_HOLDS, wanted.held):
            hold = situation.holds[PaymentKey(*row[:3])] = StoredHold(*row[3:])
            accounts.add(AccountKey(row[0], hold.number))
        invoices = gathered_invoices(self._rows(_INVOICES, wanted.invoices))
        situation.invoices = invoices
        accounts.update(AccountKey(key.biller_id, invoice.number) for key, invoice in invoices.items())
        situation.reserved = gathered_reservations(self._rows(_RESERVED, wanted.invoices))
        return sorted(accounts)

    def write(self, plan: PostingPlan) -> None:
        self._send(_ATTEMPTS, plan.attempts)
        self._send(_HOLD_ATTEMPTS, plan.hold_attempts)
        self._send(_HOLD_ENDS, plan.hold_ends)
        try:
            self._send(_INSERTS["holds"], plan.holds)
            self._send(_INSERTS["payments"], plan.payments)
        except sqlite.IntegrityError as error:
            raise ClaimLost from error
        self._send(_INSERTS["transactions"], plan.transactions)
        self._send(_INSERTS["entries"], plan.entries)
        self._send(_INSERTS["allocations"], plan.allocations)
        self._send(_BALANCES, plan.balances)
        self._send(_OPEN_SUMS, plan.open_sums)
        self._send(_INSERTS["outbox"], plan.outbox)
        self._send(_INSERTS["journal"], plan.journal)

    def _found(self, situation: Situation, key: PaymentKey, payment: StoredPayment) -> None:
        situation.payments[key] = payment
        if payment.state == VOIDED:
            void = self._connection.execute(_VOID, (key.biller_id, payment.receipt)).fetchone()
            situation.voids[key] = VoidRow(*void)

    def _each(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
        """The cursors of ``statement`` for all ``rows``, as many at a time as there is a size for."""
        place, left = 0, len(rows)
        for size in _SIZES:
            while left >= size:
                some = rows[place : place + size]
                text = _sized(statement, size, len(some[0]))
                yield self._connection.execute(text, [value for row in some for value in row])
                place, left = place + size, left - size

    def _rows(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        for cursor in self._each(statement, rows):
            yield from cursor.fetchall()

    def _listed(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> Iterator[list[Any]]:
        """The rows that ``statement`` gives as one JSON text."""
        for cursor in self._each(statement, rows):
            yield from json.loads(cursor.fetchone()[0])

    def _send(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        for _ in self._each(statement, rows):
            pass


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

    def invoices(self, keys: Sequence[AccountKey]) -> dict[AccountKey, InvoiceView]:
        execute = self._connection.execute
        return viewed_invoices((key, execute(_INVOICE_VIEW, (*key, *key)).fetchall()) for key in keys)


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
