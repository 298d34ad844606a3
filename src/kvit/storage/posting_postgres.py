"""The hot paths on PostgreSQL: fixed statement texts that stay prepared, arrays, pipelined, two waits.

A batch sends everything it must know in one go (find payments, lock accounts, read open charges: each a
statement of its own, so each sees what was committed when it began) and everything it writes, with the
commit, in a second one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import errors

from kvit.domain.errors import ClaimLost, DatabaseUnavailable, OutcomeUnknown
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
from kvit.storage.rows import single_insert, unnest_insert

T = TypeVar("T")
Row = tuple[Any, ...]

RETRIES = 5

#: Every statement here finds a few rows by a key. A plan made while the tables were still empty must not
#: walk them once they are full, so the other ways of finding rows are off; plans are made once and kept.
_SESSION = " ".join(
    f"-c {setting}"
    for setting in (
        "jit=off", "plan_cache_mode=force_generic_plan", "enable_seqscan=off", "enable_hashjoin=off",
        "enable_mergejoin=off", "enable_bitmapscan=off", "lock_timeout=10s",
        "statement_timeout=15s",
    )
)  # fmt: skip

#: Kept plans are made anew after so many batches: a plan made while a table was empty takes any index.
_REPLAN_AT = frozenset((16, 64, 256, 1024))
_REPLAN_EVERY = 4096

# LATERAL with a limit: one index probe a key, whatever the statistics said when the plan was made.
_FIND = """
SELECT q.biller_id, q.agreement_id, q.txn, p.receipt, p.account_id, a.number, p.amount_minor, p.currency,
       p.service, p.state, p.received_at_us, p.network_at_us, p.attempts
FROM unnest(%s::text[], %s::text[], %s::text[]) AS q (biller_id, agreement_id, txn)
CROSS JOIN LATERAL (
    SELECT * FROM payments WHERE biller_id = q.biller_id AND agreement_id = q.agreement_id AND txn = q.txn
    LIMIT 1
) p
CROSS JOIN LATERAL (
    SELECT number FROM accounts WHERE biller_id = p.biller_id AND account_id = p.account_id LIMIT 1
) a
"""
_VOIDS = """
SELECT v.* FROM unnest(%s::text[], %s::bigint[]) AS q (biller_id, receipt)
CROSS JOIN LATERAL (SELECT * FROM voids WHERE biller_id = q.biller_id AND receipt = q.receipt LIMIT 1) v
"""
_LOCK = """
SELECT a.biller_id, a.account_id, a.number, a.status, a.balance_minor
FROM unnest(%s::text[], %s::text[]) AS q (biller_id, number)
JOIN accounts a ON a.biller_id = q.biller_id AND a.number = q.number
ORDER BY a.biller_id, a.account_id FOR NO KEY UPDATE OF a
"""
_CHARGES = """
SELECT c.biller_id, c.account_id, c.charge_id, c.open_minor, c.due_on, c.service
FROM unnest(%s::text[], %s::text[]) AS q (biller_id, number)
JOIN accounts a ON a.biller_id = q.biller_id AND a.number = q.number
JOIN charges c ON c.biller_id = a.biller_id AND c.account_id = a.account_id AND c.open_minor > 0
"""
_CLOSED = "SELECT biller_id, closed_through FROM billers WHERE biller_id = ANY(%s::text[])"
_IDS = "SELECT nextval('book_ids') FROM generate_series(1, %s)"
_ATTEMPTS = """
UPDATE payments p SET attempts = p.attempts + q.more
FROM unnest(%s::text[], %s::text[], %s::text[], %s::integer[]) AS q (biller_id, agreement_id, txn, more)
WHERE p.biller_id = q.biller_id AND p.agreement_id = q.agreement_id AND p.txn = q.txn
"""
_BALANCES = """
UPDATE accounts a SET balance_minor = a.balance_minor + q.delta
FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS q (biller_id, account_id, delta)
WHERE a.biller_id = q.biller_id AND a.account_id = q.account_id
"""
_OPEN_SUMS = """
UPDATE charges c SET open_minor = c.open_minor + q.delta
FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS q (biller_id, charge_id, delta)
WHERE c.biller_id = q.biller_id AND c.charge_id = q.charge_id
"""
_VIEW = """
SELECT a.biller_id, a.number, a.status, a.balance_minor, a.name
FROM unnest(%s::text[], %s::text[]) AS q (biller_id, number)
JOIN accounts a ON a.biller_id = q.biller_id AND a.number = q.number
"""
_VIEW_ONE = "SELECT status, balance_minor, name FROM accounts WHERE biller_id = %s AND number = %s"
_TABLES = ("payments", "transactions", "entries", "allocations", "outbox", "journal")
_MANY = {name: unnest_insert(name) for name in _TABLES}
_ONE = {name: single_insert(name) for name in _TABLES}


def _arrays(rows: Sequence[Row]) -> list[list[Any]]:
    """Rows -> one list a column."""
    return [list(column) for column in zip(*rows, strict=True)]


class PostgresPostingBook:
    """One open transaction; its statements run in the connection's pipeline."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def situation(
        self, keys: Sequence[PaymentKey], accounts: Sequence[AccountKey], ids_count: int
    ) -> Situation:
        execute = self._connection.execute
        account_arrays = _arrays(accounts)
        found = execute(_FIND, _arrays(keys))
        locked = execute(_LOCK, account_arrays)
        charges = execute(_CHARGES, account_arrays)
        closed = execute(_CLOSED, [sorted({key.biller_id for key in keys})])
        fresh = execute(_IDS, [ids_count])
        situation = Situation({}, {}, {}, {}, [])
        for row in found:
            situation.payments[PaymentKey(*row[:3])] = StoredPayment(*row[3:])
        self._read_voids(situation)
        for biller_id, *account in locked:
            state = AccountState(*account)
            situation.accounts[AccountKey(biller_id, state.number)] = state
        for biller_id, account_id, *charge in charges:
            situation.charges.setdefault((biller_id, account_id), []).append(OpenItem(*charge))
        for items in situation.charges.values():
            items.sort(key=lambda item: (item.due_on, item.item_id))
        situation.closed_through = dict(closed.fetchall())
        situation.ids = [row[0] for row in fresh]
        return situation

    def _read_voids(self, situation: Situation) -> None:
        """Hardly ever anything to do: an agent asks again for a payment that was taken back."""
        keys = {
            (key.biller_id, payment.receipt): key
            for key, payment in situation.payments.items()
            if payment.state == VOIDED
        }
        if keys:
            for row in self._connection.execute(_VOIDS, _arrays(list(keys))):
                void = VoidRow(*row)
                situation.voids[keys[void.biller_id, void.receipt]] = void

    def write(self, plan: PostingPlan) -> None:
        """Only sends: a claim that another writer holds shows when the commit is waited for."""
        self._change(_ATTEMPTS, plan.attempts)
        self._insert("payments", plan.payments)
        self._insert("transactions", plan.transactions)
        self._insert("entries", plan.entries)
        self._insert("allocations", plan.allocations)
        self._change(_BALANCES, plan.balances)
        self._change(_OPEN_SUMS, plan.open_sums)
        self._insert("outbox", plan.outbox)
        self._insert("journal", plan.journal)

    def _insert(self, table: str, rows: Sequence[Row]) -> None:
        if len(rows) == 1:
            self._connection.execute(_ONE[table], rows[0])
        elif rows:
            self._connection.execute(_MANY[table], _arrays(rows))

    def _change(self, statement: str, rows: Sequence[Row]) -> None:
        if rows:
            self._connection.execute(statement, _arrays(rows))


class _OwnConnection:
    """One connection, opened when needed and again after a failure."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.Connection | None = None
        self.guard = threading.Lock()
        self.standby_was_given_up = False
        self._uses = 0

    def get(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._conninfo,
                autocommit=True,
                prepare_threshold=0,
                connect_timeout=5,
                # A peer that vanished is noticed well before an agent's own time limit.
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                tcp_user_timeout=15_000,
                options=_SESSION,
            )
            self._connection.add_notice_handler(self._notice)
            self._uses = 0
        self._uses += 1
        if self._uses in _REPLAN_AT or self._uses % _REPLAN_EVERY == 0:
            self._connection.execute("DISCARD PLANS")
        return self._connection

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        # 01000 at a commit: the wait for the standby was cancelled, so the commit is not safe yet.
        if diagnostic.sqlstate == "01000":
            self.standby_was_given_up = True


class PostgresPostings:
    """Runs a batch's work in one transaction on a connection of its own."""

    def __init__(self, conninfo: str) -> None:
        self._own = _OwnConnection(conninfo)

    def run(self, work: Callable[[PostingBook], T]) -> T:
        """The result of ``work`` once it is committed. Deadlocks and lost claims are run again by ``work``.

        Raises ``DatabaseUnavailable`` when the database is, ``OutcomeUnknown`` when the commit was sent
        and no clear word came back, ``ClaimLost`` when others were first with some payment of the batch
        each time (a smaller batch will fare better), and any other exception of ``work`` as it is.
        """
        lost: ClaimLost | None = None
        with self._own.guard:
            for _ in range(RETRIES):
                try:
                    return self._once(work)
                except ClaimLost as error:
                    lost = error
                except (errors.DeadlockDetected, errors.SerializationFailure):
                    lost = None
            raise lost or DatabaseUnavailable("the database kept breaking the transaction off; try again")

    def close(self) -> None:
        self._own.close()

    def _once(self, work: Callable[[PostingBook], T]) -> T:
        commit_sent = False
        try:
            connection = self._own.get()
            self._own.standby_was_given_up = False
            with connection.pipeline():
                connection.execute("BEGIN")
                result = work(PostgresPostingBook(connection))
                connection.execute("COMMIT")
                commit_sent = True
        except errors.UniqueViolation as error:
            self._roll_back()
            if error.diag.table_name != "payments":
                raise
            raise ClaimLost from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if isinstance(error, errors.DeadlockDetected | errors.SerializationFailure):
                self._roll_back()
                raise
            self._own.close()
            unknown = OutcomeUnknown if commit_sent else DatabaseUnavailable
            raise unknown(f"the database is not available: {type(error).__name__}") from error
        except BaseException:
            self._roll_back()
            raise
        if self._own.standby_was_given_up:
            raise OutcomeUnknown("the commit did not reach a standby")
        return result

    def _roll_back(self) -> None:
        """Nothing that goes wrong here may hide why it was needed."""
        try:
            self._own.get().execute("ROLLBACK")
        except psycopg.Error:
            self._own.close()


class PostgresLookupBook:
    """Each call is one statement, so one short transaction with the newest snapshot."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def accounts(self, keys: Sequence[AccountKey]) -> dict[AccountKey, AccountView]:
        if len(keys) == 1:
            row = self._connection.execute(_VIEW_ONE, keys[0]).fetchone()
            return {} if row is None else {keys[0]: AccountView(*row)}
        rows = self._connection.execute(_VIEW, _arrays(keys))
        return {AccountKey(*row[:2]): AccountView(*row[2:]) for row in rows}


class PostgresLookups:
    """Runs a batch's lookups on a connection of its own."""

    def __init__(self, conninfo: str) -> None:
        self._own = _OwnConnection(conninfo)

    def run(self, work: Callable[[LookupBook], T]) -> T:
        """Raises ``DatabaseUnavailable`` when the database is."""
        with self._own.guard:
            try:
                return work(PostgresLookupBook(self._own.get()))
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                self._own.close()
                raise DatabaseUnavailable(f"the database is not available: {type(error).__name__}") from error

    def close(self) -> None:
        self._own.close()
