"""Receivables on both engines: slices of imports as one write transaction each, and what they read."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from sqlalchemy import Column, Connection, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from kvit.domain.errors import ClaimLost, DatabaseUnavailable, NotFound
from kvit.domain.model import Biller
from kvit.services.receivables.ports import FINISHED, RUNNING, ImportRow, ReceivablesBook, ReceivablesPlan
from kvit.storage import billers, sqlite
from kvit.storage.bulk import add_to_sums, insert_rows, is_postgres, set_columns
from kvit.storage.engine import RETRIES, Database, is_retryable
from kvit.storage.periods import hold_open
from kvit.storage.receivables_reads import Reads
from kvit.storage.schema import accounts, ids, imports

T = TypeVar("T")

#: How long an SQLite database is left to others, by how long they were kept out. Its waiting writers look
#: after 1, 2, 5, 10, 15 and 20 ms, every 25 ms until they have waited for 128 ms, every 50 ms until 228 ms,
#: then every 100 ms: so whoever has waited looks at least once in a rest, and gets in.
RESTS_S = ((0.008, 0.018), (0.033, 0.028), (0.120, 0.035), (0.220, 0.060), (math.inf, 0.110))

#: Every statement here finds its rows by keys. A plan made while a table was small must not be kept.
_PLANNING = (
    "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL jit = off; SET LOCAL enable_seqscan = off; "
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
)
_PLANNED = (
    "accounts", "charges", "adjustments", "payments", "allocations", "transactions", "entries",
)  # fmt: skip
#: Without statistics the planner thinks that a biller has a few rows, and may walk them all for one key.
#: Autovacuum would look at a new table after a minute; an import has filled it by then.
_GROWN = text(
    "SELECT relname FROM pg_class "
    "WHERE relname = ANY(:tables) AND relnamespace = current_schema()::regnamespace "
    "AND pg_relation_size(oid) / current_setting('block_size')::bigint > 2 * relpages + :pages"
)
_GROWN_PAGES = 4

_ACCOUNT_KEY = ("biller_id", "account_id")
_ACCOUNT_COLUMNS = ("status", "name", "address", "phone", "email", "attributes")


class SqlReceivablesBook(Reads):
    """One open transaction on one biller's books."""

    def biller(self) -> Biller:
        found = billers.find_biller(self._connection, self._biller_id)
        if found is None:
            raise NotFound(f"there is no biller {self._biller_id}")
        return found

    def lock_accounts(self, account_ids: Collection[int]) -> None:
        self._lock(accounts.c.account_id, account_ids)

    def lock_numbers(self, numbers: Collection[str]) -> None:
        self._lock(accounts.c.number, numbers)

    def _lock(self, column: Column[Any], values: Collection[int] | Collection[str]) -> None:
        # SQLite has one writer, and that is this one.
        if values and is_postgres(self._connection):
            self._connection.execute(
                select(accounts.c.account_id)
                .select_from(self._from(column, values))
                .order_by(accounts.c.account_id)
                .with_for_update(key_share=True, of=accounts)
            ).all()

    def take_ids(self, count: int) -> list[int]:
        return billers.take_ids(self._connection, count)

    def write(self, plan: ReceivablesPlan) -> None:
        connection = self._connection
        insert_rows(connection, "accounts", plan.accounts)
        changed = [
            (row.biller_id, row.account_id, *(getattr(row, name) for name in _ACCOUNT_COLUMNS))
            for row in plan.account_changes
        ]
        set_columns(connection, "accounts", _ACCOUNT_KEY, _ACCOUNT_COLUMNS, changed)
        add_to_sums(connection, "accounts", "balance_minor", "account_id", plan.balances)
        insert_rows(connection, "charges", plan.charges)
        add_to_sums(connection, "charges", "open_minor", "charge_id", plan.open_sums)
        add_to_sums(connection, "payments", "advance_minor", "receipt", plan.payment_advances)
        insert_rows(connection, "transactions", plan.transactions)
        insert_rows(connection, "entries", plan.entries)
        add_to_sums(connection, "adjustments", "advance_minor", "adjustment_id", plan.credit_advances)
        insert_rows(connection, "adjustments", plan.adjustments)
        insert_rows(connection, "allocations", plan.allocations)
        insert_rows(connection, "journal", plan.journal)

    def add_import(self, row: ImportRow) -> None:
        self._connection.execute(insert(imports), row._asdict())

    def finish_import(self, import_id: int, summary: str, finished_at_us: int) -> None:
        self._connection.execute(
            update(imports)
            .where(imports.c.biller_id == self._biller_id, imports.c.import_id == import_id)
            .values(state=FINISHED, summary=summary, finished_at_us=finished_at_us)
        )

    def unfinished_imports(self) -> list[ImportRow]:
        query = (
            select(*(imports.c[name] for name in ImportRow._fields))
            .where(imports.c.biller_id == self._biller_id, imports.c.state == RUNNING)
            .order_by(imports.c.import_id)
        )
        return [ImportRow(*row) for row in self._connection.execute(query)]

    def handed_out_through(self, length: int) -> int:
        query = select(ids.c.next_id).where(ids.c.series == self._series(length)).with_for_update()
        next_payload = self._connection.execute(query).scalar_one_or_none()
        return 0 if next_payload is None else next_payload - 1

    def set_handed_out(self, length: int, through: int) -> None:
        changed = self._connection.execute(
            update(ids).where(ids.c.series == self._series(length)).values(next_id=through + 1)
        )
        if changed.rowcount == 0:
            self._connection.execute(insert(ids), {"series": self._series(length), "next_id": through + 1})

    def _series(self, length: int) -> str:
        return f"numbers/{self._biller_id}/{length}"


class SqlReceivables:
    """Runs work on one biller's books, one transaction a call."""

    def __init__(self, database: Database, biller_id: str) -> None:
        self._database = database
        self._biller_id = biller_id
        self._held_s = 0.0
        self._spare: sqlite.Connection | None = None

    @contextmanager
    def at_work(self) -> Iterator[Self]:
        """For many calls: on SQLite a spare connection keeps the log, and writes it back in the rests."""
        if not self._database.is_postgres:
            self._spare = sqlite.connect(self._database.path)
        try:
            yield self
        finally:
            spare, self._spare = self._spare, None
            if spare is not None:
                spare.close()

    @property
    def held_s(self) -> float:
        return self._held_s

    def read(self, work: Callable[[ReceivablesBook], T]) -> T:
        with self._database.read() as connection:
            return work(SqlReceivablesBook(connection, self._biller_id))

    def write(self, work: Callable[[ReceivablesBook], T]) -> T:
        """Raises ``DatabaseUnavailable``; any other exception of ``work`` as it is. Nothing is half done."""
        fault: Exception = DatabaseUnavailable("the database kept breaking the transaction off; try again")
        for _ in range(RETRIES):
            try:
                return self._once(work)
            except (IntegrityError, ClaimLost) as error:
                # A neighbour may just have added the same number or line: it will be seen the next time.
                fault = error
            except Exception as error:
                if not is_retryable(error):
                    raise
        raise fault

    def rest(self) -> None:
        """SQLite has one writer, so others are let in; PostgreSQL looks again at tables that have grown."""
        if not self._database.is_postgres:
            began = time.monotonic()
            if self._spare is not None:
                self._spare.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            rest_s = next(rest_s for held_s, rest_s in RESTS_S if self._held_s <= held_s)
            time.sleep(max(0.0, rest_s - (time.monotonic() - began)))
            return
        with self._database.read() as connection:
            grown = (
                connection.execute(_GROWN, {"tables": list(_PLANNED), "pages": _GROWN_PAGES}).scalars().all()
            )
        self.renew_statistics(grown)

    def renew_statistics(self, tables: Sequence[str] = _PLANNED) -> None:
        """On PostgreSQL only: SQLite's queries here name their indexes, and it would stop its writers."""
        if not self._database.is_postgres:
            return
        for table in tables:
            with self._database.write() as connection:
                connection.execute(text(f"ANALYZE {table}"))

    def _once(self, work: Callable[[ReceivablesBook], T]) -> T:
        began = time.monotonic()
        try:
            with self._database.write() as connection:
                began = time.monotonic()
                if self._database.is_postgres:
                    connection.execute(text(_PLANNING))
                    hold_open(connection, self._biller_id)
                elif self._spare is not None:
                    # The log is written back in the rests, not by a commit that others wait for.
                    connection.execute(text("PRAGMA wal_autocheckpoint = 0"))
                return work(self._book(connection))
        finally:
            self._held_s = time.monotonic() - began

    def _book(self, connection: Connection) -> SqlReceivablesBook:
        return SqlReceivablesBook(connection, self._biller_id)
