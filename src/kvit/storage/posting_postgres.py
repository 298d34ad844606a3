"""The hot paths on PostgreSQL: fixed statement texts that stay prepared, arrays, pipelined, two waits.

A batch sends everything it must know in one go (find payments, lock accounts, read open charges: each a
statement of its own, so each sees what was committed when it began) and everything it writes, with the
commit, in a second one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

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

#: Kept plans are made anew as rows are asked about: at the first number, then at four times as many each
#: time, at last every so many. A plan made while a table was nearly empty takes any index.
_REPLAN_FIRST = 16
_REPLAN_EVERY = 65_536


class _Statement(NamedTuple):
    """One statement in two forms: for a lone row with plain parameters, for many with an array a column."""

    one: str
    many: str


# LATERAL with a limit: one index probe a key, whatever the statistics said when the plan was made.
_FOUND = """
p.receipt, p.account_id, a.number, p.amount_minor, p.currency, p.service, p.state, p.received_at_us,
p.network_at_us, p.attempts
"""
_FIND = _Statement(
    f"""
SELECT p.biller_id, p.agreement_id, p.txn, {_FOUND}
FROM payments p JOIN accounts a ON a.biller_id = p.biller_id AND a.account_id = p.account_id
WHERE p.biller_id = %s AND p.agreement_id = %s AND p.txn = %s
""",
    f"""
SELECT q.biller_id, q.agreement_id, q.txn, {_FOUND}
FROM unnest(%s::text[], %s::text[], %s::text[]) AS q (biller_id, agreement_id, txn)
CROSS JOIN LATERAL (
    SELECT * FROM payments WHERE biller_id = q.biller_id AND agreement_id = q.agreement_id AND txn = q.txn
    LIMIT 1
) p
CROSS JOIN LATERAL (
    SELECT number FROM accounts WHERE biller_id = p.biller_id AND account_id = p.account_id LIMIT 1
) a
""",
)
_VOIDS = _Statement(
    "SELECT * FROM voids WHERE biller_id = %s AND receipt = %s",
    """
SELECT v.* FROM unnest(%s::text[], %s::bigint[]) AS q (biller_id, receipt)
CROSS JOIN LATERAL (SELECT * FROM voids WHERE biller_id = q.biller_id AND receipt = q.receipt LIMIT 1) v
""",
)
_LOCK = _Statement(
    """
SELECT biller_id, account_id, number, status, balance_minor FROM accounts
WHERE biller_id = %s AND number = %s FOR NO KEY UPDATE
""",
    """
SELECT a.biller_id, a.account_id, a.number, a.status, a.balance_minor
FROM unnest(%s::text[], %s::text[]) AS q (biller_id, number)
JOIN accounts a ON a.biller_id = q.biller_id AND a.number = q.number
ORDER BY a.biller_id, a.account_id FOR NO KEY UPDATE OF a
""",
)
_OPEN = "c.biller_id, c.account_id, c.charge_id, c.open_minor, c.due_on, c.service"
_CHARGES = _Statement(
    f"""
SELECT {_OPEN} FROM accounts a
JOIN charges c ON c.biller_id = a.biller_id AND c.account_id = a.account_id AND c.open_minor > 0
WHERE a.biller_id = %s AND a.number = %s
""",
    f"""
SELECT {_OPEN} FROM unnest(%s::text[], %s::text[]) AS q (biller_id, number)
JOIN accounts a ON a.biller_id = q.biller_id AND a.number = q.number
JOIN charges c ON c.biller_id = a.biller_id AND c.account_id = a.account_id AND c.open_minor > 0
""",
)
_CLOSED = "SELECT biller_id, closed_through FROM billers WHERE biller_id = ANY(%s::text[])"
_IDS = "SELECT nextval('book_ids') FROM generate_series(1, %s)"


def _update(table: str, column: str, key: tuple[tuple[str, str], ...], value: str) -> _Statement:
    """Add to ``column`` of the rows with these keys; the parameters are the key's values, then the sum."""
    names = [name for name, _ in key]
    arrays = ", ".join(f"%s::{kind}[]" for _, kind in (*key, ("", value)))
    # The sum is the last parameter in both forms: a row of values feeds the lone form as it stands.
    lone_key = " AND ".join(f"t.{name} = q.{name}" for name in names)
    marks = ", ".join(f"%s::{kind}" for _, kind in (*key, ("", value)))
    listed = ", ".join((*names, "delta"))
    change = f"UPDATE {table} t SET {column} = t.{column} + q.delta FROM"
    return _Statement(
        f"{change} (VALUES ({marks})) AS q ({listed}) WHERE {lone_key}",
        f"{change} unnest({arrays}) AS q ({listed}) WHERE {lone_key}",
    )


_ATTEMPTS = _update(
    "payments", "attempts", (("biller_id", "text"), ("agreement_id", "text"), ("txn", "text")), "integer"
)
_BALANCES = _update("accounts", "balance_minor", (("biller_id", "text"), ("account_id", "bigint")), "bigint")
_OPEN_SUMS = _update("charges", "open_minor", (("biller_id", "text"), ("charge_id", "bigint")), "bigint")
_VIEW_ONE = "SELECT status, balance_minor, name FROM accounts WHERE biller_id = %s AND number = %s"
_VIEW = """
SELECT a.biller_id, a.number, a.status, a.balance_minor, a.name
FROM unnest(%s::text[], %s::text[]) AS q (biller_id, number)
JOIN accounts a ON a.biller_id = q.biller_id AND a.number = q.number
"""
_INSERTS = {
    name: _Statement(single_insert(name), unnest_insert(name))
    for name in ("payments", "transactions", "entries", "allocations", "outbox", "journal")
}


def _arrays(rows: Sequence[Row]) -> list[list[Any]]:
    """Rows -> one list a column."""
    return [list(column) for column in zip(*rows, strict=True)]


class PostgresPostingBook:
    """One open transaction; its statements run in the connection's pipeline."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.keys_asked = 0

    def situation(
        self, keys: Sequence[PaymentKey], accounts: Sequence[AccountKey], ids_count: int
    ) -> Situation:
        execute = self._connection.execute
        self.keys_asked += len(keys)
        found = self._each(_FIND, keys)
        locked = self._each(_LOCK, accounts)
        charges = self._each(_CHARGES, accounts)
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
            for row in self._each(_VOIDS, list(keys)):
                void = VoidRow(*row)
                situation.voids[keys[void.biller_id, void.receipt]] = void

    def write(self, plan: PostingPlan) -> None:
        """Only sends: a claim that another writer holds shows when the commit is waited for."""
        self._send(_ATTEMPTS, plan.attempts)
        self._send(_INSERTS["payments"], plan.payments)
        self._send(_INSERTS["transactions"], plan.transactions)
        self._send(_INSERTS["entries"], plan.entries)
        self._send(_INSERTS["allocations"], plan.allocations)
        self._send(_BALANCES, plan.balances)
        self._send(_OPEN_SUMS, plan.open_sums)
        self._send(_INSERTS["outbox"], plan.outbox)
        self._send(_INSERTS["journal"], plan.journal)

    def _each(self, statement: _Statement, rows: Sequence[Row]) -> psycopg.Cursor[Row]:
        if len(rows) == 1:
            return self._connection.execute(statement.one, rows[0])
        return self._connection.execute(statement.many, _arrays(rows))

    def _send(self, statement: _Statement, rows: Sequence[Row]) -> None:
        if rows:
            self._each(statement, rows)


class _OwnConnection:
    """One connection, opened when needed and again after a failure."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.Connection | None = None
        self.guard = threading.Lock()
        self.standby_was_given_up = False
        self._asked, self._replan_at = 0, _REPLAN_FIRST

    def asked(self, rows: int) -> None:
        """So many rows were asked about on this connection."""
        self._asked += rows

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
            self._asked, self._replan_at = 0, _REPLAN_FIRST
        if self._asked >= self._replan_at:
            self._replan_at = min(self._asked * 4, self._asked + _REPLAN_EVERY)
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
                book = PostgresPostingBook(connection)
                result = work(book)
                connection.execute("COMMIT")
                commit_sent = True
            self._own.asked(book.keys_asked)
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
