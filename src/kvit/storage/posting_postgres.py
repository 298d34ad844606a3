"""The hot paths on PostgreSQL: fixed statement texts that stay prepared, arrays, pipelined, two waits.

A batch sends everything it must know in one go (find payments, lock accounts, read open charges: each a
statement of its own, so each sees what was committed when it began) and everything it writes, with the
commit, in a second one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import psycopg
from psycopg import errors

from kvit.domain.allocation import by_age
from kvit.domain.errors import ClaimLost, DatabaseUnavailable, OutcomeUnknown
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
from kvit.storage import announced, bounded
from kvit.storage import postgres_hot as hot
from kvit.storage.periods import HOLD_MANY, HOLD_ONE, lock_key
from kvit.storage.postgres_hot import Row

T = TypeVar("T")

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


_INVOICE_VIEW = announced.INVOICE_VIEW.format(mark="%s")


class PostgresPostingBook:
    """One open transaction; its statements run in the connection's pipeline."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.keys_asked = 0

    def situation(self, wanted: Wanted) -> Situation:
        keys, accounts = wanted.payments, wanted.accounts
        self.keys_asked += len(keys)
        self._hold_open({key.biller_id for key in keys})
        situation = Situation({}, {}, {}, {}, [])
        if wanted.held or wanted.invoices:
            self._read_announced(situation, wanted)
            return situation
        if len(keys) == len(accounts) == wanted.ids_count == 1:
            return self._situation_of_one(keys[0], accounts[0])
        found = self._each(hot.FIND, keys)
        if not accounts:  # all of it is for nobody
            self._read_rest(situation, wanted, found)
            self._read_voids(situation)
            return situation
        locked = self._each(hot.LOCK, accounts)
        charges = self._each(hot.CHARGES, accounts)
        self._read_rest(situation, wanted, found)
        self._read_accounts(situation, locked, charges)
        return situation

    def _hold_open(self, biller_ids: set[str]) -> None:
        """Until the commit no period is closed: a later statement reads which are open."""
        numbers = sorted(map(lock_key, biller_ids))
        if len(numbers) == 1:
            self._connection.execute(HOLD_ONE, numbers)
        elif numbers:
            self._connection.execute(HOLD_MANY, [hot.array(numbers)])

    def _read_rest(self, situation: Situation, wanted: Wanted, found: psycopg.Cursor[Row]) -> None:
        execute = self._connection.execute
        closed = execute(hot.CLOSED, [sorted({key.biller_id for key in wanted.payments})])
        fresh = execute(hot.IDS, [wanted.ids_count])
        for row in found:
            situation.payments[PaymentKey(*row[:3])] = StoredPayment(*row[3:])
        situation.closed_through = dict(closed.fetchall())
        situation.ids = [row[0] for row in fresh]

    def _read_announced(self, situation: Situation, wanted: Wanted) -> None:
        """The same where payments may be held, or payers type numbers of invoices.

        Whose account a hold or an invoice means is only known from its row, so both are read once to lock
        the accounts, and again behind the locks. What came to be in between is not decided on: once more.
        """
        execute = self._connection.execute
        invoices, held = hot.columns(wanted.invoices, 2), hot.columns(wanted.held, 3)
        places = [*hot.columns(wanted.accounts, 2), *invoices, *held]
        locked = execute(announced.LOCK_PLACES, places)
        found = self._each(hot.FIND, wanted.payments)  # behind the locks: a hold may just have been posted
        holds = execute(announced.HOLDS, held)
        documents = execute(announced.INVOICES, invoices)
        reserved = execute(announced.RESERVED, invoices)
        charges = execute(announced.CHARGES_OF_PLACES, places)
        self._read_rest(situation, wanted, found)
        self._read_accounts(situation, locked, charges)
        situation.holds = {PaymentKey(*row[:3]): StoredHold(*row[3:]) for row in holds}
        situation.invoices = announced.gathered_invoices(documents)
        situation.reserved = announced.gathered_reservations(reserved)
        owners = [(key.biller_id, hold.number) for key, hold in situation.holds.items()]
        owners += [(key.biller_id, invoice.number) for key, invoice in situation.invoices.items()]
        if any(AccountKey(*owner) not in situation.accounts for owner in owners):
            raise ClaimLost

    def _situation_of_one(self, key: PaymentKey, account: AccountKey) -> Situation:
        started = self._connection.execute(hot.START, key._asdict())
        locked = self._connection.execute(hot.LOCK.one, account)
        charges = self._connection.execute(hot.CHARGES.one, account)
        row = started.fetchone()
        assert row is not None
        receipt, closed_through, *payment = row
        situation = Situation({}, {}, {}, {key.biller_id: closed_through or ""}, [receipt])
        if payment[0] is not None:
            situation.payments[key] = StoredPayment(*payment)
        self._read_accounts(situation, locked, charges)
        return situation

    def _read_accounts(
        self, situation: Situation, locked: psycopg.Cursor[Row], charges: psycopg.Cursor[Row]
    ) -> None:
        self._read_voids(situation)
        for biller_id, *account in locked:
            state = AccountState(*account)
            situation.accounts[AccountKey(biller_id, state.number)] = state
        for biller_id, account_id, *charge in charges:
            situation.charges.setdefault((biller_id, account_id), []).append(OpenItem(*charge))
        for items in situation.charges.values():
            items.sort(key=by_age)

    def _read_voids(self, situation: Situation) -> None:
        """Hardly ever anything to do: an agent asks again for a payment that was taken back."""
        keys = {
            (key.biller_id, payment.receipt): key
            for key, payment in situation.payments.items()
            if payment.state == VOIDED
        }
        if keys:
            for row in self._each(hot.VOIDS, list(keys)):
                void = VoidRow(*row)
                situation.voids[keys[void.biller_id, void.receipt]] = void

    def write(self, plan: PostingPlan) -> None:
        """Only sends: a claim that another writer holds shows when the commit is waited for."""
        if hot.is_lone(plan):
            cursor = psycopg.RawCursor(self._connection)
            cursor.execute(hot.WRITE_ONE, hot.write_one_parameters(plan))
            return
        self._send(hot.ATTEMPTS, plan.attempts)
        self._send(hot.HOLD_ATTEMPTS, plan.hold_attempts)
        if plan.hold_ends:
            self._connection.execute(announced.HOLD_ENDS, hot.columns(plan.hold_ends, 8))
        self._send(hot.INSERTS["holds"], plan.holds)
        self._send(hot.INSERTS["payments"], plan.payments)
        self._send(hot.INSERTS["transactions"], plan.transactions)
        self._send(hot.INSERTS["entries"], plan.entries)
        self._send(hot.INSERTS["allocations"], plan.allocations)
        self._send(hot.BALANCES, plan.balances)
        self._send(hot.OPEN_SUMS, plan.open_sums)
        self._send(hot.INSERTS["outbox"], plan.outbox)
        self._send(hot.INSERTS["journal"], plan.journal)

    def _each(self, statement: hot.Statement, rows: Sequence[Row]) -> psycopg.Cursor[Row]:
        if len(rows) == 1:
            return self._connection.execute(statement.one, rows[0])
        return self._connection.execute(statement.many, statement.parameters(rows))

    def _send(self, statement: hot.Statement, rows: Sequence[Row]) -> None:
        if rows:
            self._each(statement, rows)


class _OwnConnection:
    """One connection, opened when needed and again after a failure."""

    def __init__(self, conninfo: str, answer_timeout_s: float) -> None:
        self._conninfo = conninfo
        self._answer_timeout_s = answer_timeout_s
        self._connection: psycopg.Connection | None = None
        self.guard = threading.Lock()
        self.standby_was_given_up = False
        self._asked, self._replan_at = 0, _REPLAN_FIRST

    def asked(self, rows: int) -> None:
        """So many rows were asked about on this connection."""
        self._asked += rows

    def get(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = bounded.connect(
                self._conninfo,
                self._answer_timeout_s,
                autocommit=True,
                prepare_threshold=0,
                options=_SESSION,
                **bounded.LINE,
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

    def __init__(self, conninfo: str, answer_timeout_s: float = bounded.ANSWER_TIMEOUT_S) -> None:
        self._own = _OwnConnection(conninfo, answer_timeout_s)

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
            if error.diag.table_name not in ("payments", "holds"):
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
            row = self._connection.execute(hot.VIEW_ONE, keys[0]).fetchone()
            return {} if row is None else {keys[0]: AccountView(*row)}
        columns = [hot.array(column) for column in zip(*keys, strict=True)]
        rows = self._connection.execute(hot.VIEW, columns)
        return {AccountKey(*row[:2]): AccountView(*row[2:]) for row in rows}

    def invoices(self, keys: Sequence[AccountKey]) -> dict[AccountKey, InvoiceView]:
        execute = self._connection.execute
        return announced.viewed_invoices(
            (key, execute(_INVOICE_VIEW, (*key, *key)).fetchall()) for key in keys
        )


class PostgresLookups:
    """Runs a batch's lookups on a connection of its own."""

    def __init__(self, conninfo: str, answer_timeout_s: float = bounded.ANSWER_TIMEOUT_S) -> None:
        self._own = _OwnConnection(conninfo, answer_timeout_s)

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
