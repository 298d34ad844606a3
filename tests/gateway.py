"""The services on a real database without web and lanes, and the books as plain values to compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from kvit.domain.messages import (
    Command,
    Held,
    Hold,
    ListPosted,
    Lookup,
    Note,
    Post,
    Posted,
    Result,
    Status,
    Void,
    Voided,
)
from kvit.domain.model import Agreement
from kvit.lanes.desk import Lookups, Postings
from kvit.services.corrections import void_for_agent
from kvit.services.lookups import lookup_batch
from kvit.services.payments import post_batch
from kvit.services.tellings import keep_note, tell_posted, tell_status
from kvit.storage import schema
from kvit.storage.corrections import SqlCorrections
from kvit.storage.engine import Database, open_database
from kvit.storage.posting_postgres import PostgresLookups, PostgresPostings
from kvit.storage.posting_sqlite import SqliteLookups, SqlitePostings
from tests.books_check import _read, findings

NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class HandClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.instant = now

    def now(self) -> datetime:
        return self.instant

    def forward(self, **parts: float) -> None:
        self.instant += timedelta(**parts)


def conninfo_of(database: Database) -> str:
    """A PostgreSQL database's address as its driver wants it."""
    return database.url.set(drivername="postgresql").render_as_string(hide_password=False)


def postings_of(database: Database) -> Postings:
    return PostgresPostings(conninfo_of(database)) if database.is_postgres else SqlitePostings(database.path)


def lookups_of(database: Database) -> Lookups:
    return PostgresLookups(conninfo_of(database)) if database.is_postgres else SqliteLookups(database.path)


@dataclass
class Gateway:
    """One caller after another: each command is a batch of its own, unless it is said otherwise."""

    database: Database
    postings: Postings
    lookups: Lookups
    corrections: SqlCorrections
    clock: HandClock

    def ask(self, agreement: Agreement, command: Command) -> Result:
        now = self.clock.now()
        if isinstance(command, Post | Hold):
            return self.post([(agreement, command)])[0]
        if isinstance(command, Lookup):
            return self.lookups.run(lambda book: lookup_batch(book, [(agreement, command)], now))[0]
        if isinstance(command, Void):
            return self.corrections.run(lambda book: void_for_agent(book, agreement, command, now))
        if isinstance(command, Status):
            return self.corrections.run(lambda book: tell_status(book, agreement, command, now))
        if isinstance(command, Note):
            return self.corrections.run(lambda book: keep_note(book, agreement, command, now))
        assert isinstance(command, ListPosted)
        return self.corrections.run(lambda book: tell_posted(book, agreement, command, now))

    def post(self, demands: Sequence[tuple[Agreement, Post | Hold]]) -> list[Result]:
        """All of them in one batch."""
        now = self.clock.now()
        return self.postings.run(lambda book: post_batch(book, demands, now))

    def rows(self, table: str, biller_id: str) -> list[Mapping[str, Any]]:
        """A biller's rows of one table, by key."""
        source = schema.metadata.tables[table]
        query = select(source).where(source.c.biller_id == biller_id).order_by(*source.primary_key.columns)
        with self.database.read() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def payment(self, agreement: Agreement, txn: str) -> Mapping[str, Any] | None:
        found = [
            row
            for row in self.rows("payments", agreement.biller_id)
            if (row["agreement_id"], row["txn"]) == (agreement.agreement_id, txn)
        ]
        return found[0] if found else None

    def findings(self, biller_id: str) -> list[str]:
        """What the books check says about one biller; nothing is what it should say."""
        with self.database.read() as connection:
            return list(findings(_read(connection, biller_id)))

    def balance(self, biller_id: str, number: str) -> int:
        (balance_minor,) = (
            row["balance_minor"] for row in self.rows("accounts", biller_id) if row["number"] == number
        )
        assert isinstance(balance_minor, int)
        return balance_minor


@contextmanager
def opened(url: str) -> Iterator[Gateway]:
    """A gateway on the books at ``url``."""
    database = open_database(url)
    postings, lookups = postings_of(database), lookups_of(database)
    try:
        yield Gateway(database, postings, lookups, SqlCorrections(database), HandClock())
    finally:
        postings.close()
        lookups.close()
        database.close()


# --- the same books under other ids ----------------------------------------------------------------

TABLES = (
    "accounts", "charges", "holds", "payments", "voids", "allocations", "transactions", "entries", "outbox",
    "journal",
)  # fmt: skip
_IDS = frozenset(
    ("account_id", "charge_id", "act_id", "end_act_id", "receipt", "source_id", "transaction_id",
     "reverses", "outbox_id", "journal_id")
)  # fmt: skip
#: A digest holds ids, so it is another one in another set of books; the books check computes it anew.
_LEFT_OUT = frozenset(("biller_id", "digest", "position", "chain"))


class Renaming:
    """Ids -> their places in order, so that two sets of books can be compared that drew other ids."""

    def __init__(self, gateway: Gateway, biller_id: str) -> None:
        self._gateway, self._biller_id = gateway, biller_id
        self._tables = {name: gateway.rows(name, biller_id) for name in TABLES}
        found = {
            row[name]
            for rows in self._tables.values()
            for row in rows
            for name in _IDS & row.keys()
            if row[name] is not None
        }
        self._places = {each: place for place, each in enumerate(sorted(found))}

    def books(self) -> dict[str, list[dict[str, Any]]]:
        """Every row, ids renamed."""
        return {
            name: [
                {
                    column: self._value(column, value)
                    for column, value in row.items()
                    if column not in _LEFT_OUT
                }
                for row in rows
            ]
            for name, rows in self._tables.items()
        }

    def result(self, result: Result) -> Result:
        if isinstance(result, Voided):
            first = result.posted and self.result(result.posted)
            held = result.held and self.result(result.held)
            assert first is None or isinstance(first, Posted)
            assert held is None or isinstance(held, Held)
            return replace(result, receipt=self._places[result.receipt], posted=first, held=held)
        if isinstance(result, Posted | Held):
            return replace(result, receipt=self._places[result.receipt])
        return result

    def _value(self, column: str, value: str | int | None) -> str | int | None:
        if column in _IDS:
            return self._places[value] if isinstance(value, int) else None
        if isinstance(value, str):
            value = value.replace(self._biller_id, "BILLER")
            if column == "subject" and value.isdigit():
                return self._places.get(int(value), value)
            if column == "targets":
                return ",".join(str(self._places[int(charge)]) for charge in value.split(",") if charge)
        return value
