"""Settlements on both engines: an agent's lump sum, what it is for, and what is written of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, insert, select, update

from kvit.domain.errors import DatabaseUnavailable, NotFound
from kvit.domain.file_rows import LUMP, LineActRow, SettlementRow
from kvit.domain.lines import REGISTER
from kvit.domain.model import Agreement, EntryRow, JournalRow, TransactionRow
from kvit.services.settling.facts import Lump, Order, SettlingFacts, Span
from kvit.services.settling.making import UNDONE
from kvit.services.settling.proposing import LOOK_BACK_DAYS, REST_DAYS
from kvit.storage import billers
from kvit.storage.engine import RETRIES, Database, is_retryable
from kvit.storage.periods import hold_open, one_at_a_time
from kvit.storage.reconciling import SqlReconcilingBook
from kvit.storage.rows import columns_of
from kvit.storage.schema import entries, imports, journal, transactions
from kvit.storage.schema_files import line_acts, money_lines, settlements

T = TypeVar("T")

_line = money_lines.c
_LUMP = (
    _line.source, _line.line_key, _line.day, _line.amount_minor, _line.text, _line.document, _line.payer,
)  # fmt: skip


class SqlSettlingBook:
    """One open transaction on one biller's books; ``agreements`` by id."""

    def __init__(self, connection: Connection, biller_id: str, agreements: Mapping[str, Agreement]) -> None:
        self._connection = connection
        self._biller_id = biller_id
        self._agreements = agreements

    def closed_through(self) -> str:
        hold_open(self._connection, self._biller_id)
        biller = billers.find_biller(self._connection, self._biller_id)
        return biller.closed_through if biller else ""

    def lumps(self, agreement_id: str = "") -> list[tuple[str, Lump]]:
        """(agreement, lump sum) of all that wait, oldest first."""
        query = (
            select(_line.number, *_LUMP)
            .where(_line.biller_id == self._biller_id, _line.state == LUMP)
            .order_by(_line.day, _line.source, _line.line_key)
        )
        if agreement_id:
            query = query.where(_line.number == agreement_id)
        return [(row[0], Lump(*row[1:])) for row in self._connection.execute(query)]

    def undone(self) -> set[tuple[str, str]]:
        of = settlements.c
        query = select(of.source, of.line_key).where(of.biller_id == self._biller_id, of.state == UNDONE)
        return {(source, line_key) for source, line_key in self._connection.execute(query)}

    def settlements(self, agreement_id: str = "", most: int | None = None) -> list[SettlementRow]:
        """The newest, oldest of them first."""
        of = settlements.c
        query = select(*(of[name] for name in columns_of("settlements"))).where(
            of.biller_id == self._biller_id
        )
        if agreement_id:
            query = query.where(of.agreement_id == agreement_id)
        rows = self._connection.execute(query.order_by(of.settlement_id.desc()).limit(most)).all()
        return [SettlementRow(*row) for row in reversed(rows)]

    def lump(self, source: str, line_key: str) -> tuple[Lump, str, str] | None:
        row = self._connection.execute(
            select(_line.number, _line.state, *_LUMP)
            .where(_line.biller_id == self._biller_id, _line.source == source, _line.line_key == line_key)
            .with_for_update()
        ).one_or_none()
        if row is None:
            return None
        # Two lump sums of one agent at the same moment must not both be for the same days.
        one_at_a_time(self._connection, f"settlement:{self._biller_id}:{row[0]}")
        return Lump(*row[2:]), row[0], row[1]

    def facts(self, lump: Lump, span: Span | None = None) -> SettlingFacts:
        number = self._connection.execute(
            select(_line.number).where(
                _line.biller_id == self._biller_id,
                _line.source == lump.source,
                _line.line_key == lump.line_key,
            )
        ).scalar_one()
        agreement = self._agreements.get(number)
        if agreement is None:
            raise NotFound(f"line {lump.line_key} is of agreement {number}, which does not exist")
        book = SqlReconcilingBook(self._connection, agreement, lump.day)
        span = span or _looked_at(lump.day, book.paid_through())
        payouts = book.payouts(span)
        first = min([span.first, *(payout.first_day for payout in payouts)])
        last = max([span.last, *(payout.last_day for payout in payouts)])
        collected = book.collected(Span(first, last))
        waiting = [one for _, one in self.lumps(number)]
        return SettlingFacts(agreement, collected, payouts, waiting, self._orders(agreement))

    def _orders(self, agreement: Agreement) -> list[Order]:
        of = imports.c
        rows = self._connection.execute(
            select(of.summary)
            .where(of.biller_id == self._biller_id, of.agreement_id == agreement.agreement_id)
            .where(of.kind == REGISTER, of.state == "finished")
            .order_by(of.import_id.desc())
            .limit(LOOK_BACK_DAYS * 4)
        )
        found = []
        for (summary,) in rows:
            said = json.loads(summary or "{}")
            number, first = str(said.get("order_number", "")), str(said.get("first_day", ""))
            if number and first:
                found.append(Order(number, first, str(said.get("last_day", "")) or first))
        return found

    def settlement(self, settlement_id: int) -> SettlementRow | None:
        of = settlements.c
        row = self._connection.execute(
            select(*(of[name] for name in columns_of("settlements")))
            .where(of.biller_id == self._biller_id, of.settlement_id == settlement_id)
            .with_for_update()
        ).one_or_none()
        return None if row is None else SettlementRow(*row)

    def entries(self, transaction_id: int) -> list[EntryRow]:
        rows = self._connection.execute(
            select(*(entries.c[name] for name in columns_of("entries"))).where(
                entries.c.biller_id == self._biller_id, entries.c.transaction_id == transaction_id
            )
        )
        return [EntryRow(*row) for row in rows]

    def take_id(self) -> int:
        return billers.take_ids(self._connection, 1)[0]

    def write(
        self, transaction: TransactionRow, entries_: Sequence[EntryRow], record: JournalRow, act: LineActRow
    ) -> None:
        execute = self._connection.execute
        execute(insert(transactions), transaction._asdict())
        execute(insert(entries), [entry._asdict() for entry in entries_])
        execute(insert(journal), record._asdict())
        execute(insert(line_acts), act._asdict())
        execute(
            update(money_lines)
            .where(*_is_line(act))
            .values(state=act.state, reason=act.reason if act.state != LUMP else "")
        )

    def add_settlement(self, row: SettlementRow) -> None:
        self._connection.execute(insert(settlements), row._asdict())

    def undo_settlement(self, settlement_id: int) -> None:
        of = settlements.c
        self._connection.execute(
            update(settlements)
            .where(of.biller_id == self._biller_id, of.settlement_id == settlement_id)
            .values(state=UNDONE)
        )


def _looked_at(day: str, paid_through: str) -> Span:
    """The days that a lump sum may be for: some before the last that was settled, which may have a rest."""
    first = date.fromisoformat(day) - timedelta(days=LOOK_BACK_DAYS)
    if paid_through:
        first = max(first, date.fromisoformat(paid_through) - timedelta(days=REST_DAYS))
    return Span(min(first.isoformat(), day), day)


def _is_line(act: LineActRow) -> tuple[Any, ...]:
    return (_line.biller_id == act.biller_id, _line.source == act.source, _line.line_key == act.line_key)


class SqlSettlements:
    """Runs work on one biller's settlements in one transaction; again when neighbours broke it off."""

    def __init__(self, database: Database, biller_id: str, agreements: Sequence[Agreement]) -> None:
        self._database = database
        self._biller_id = biller_id
        self._agreements = {one.agreement_id: one for one in agreements if one.biller_id == biller_id}

    def run(self, work: Callable[[SqlSettlingBook], T]) -> T:
        """The result of ``work`` once it is committed. Raises ``DatabaseUnavailable``."""
        for _ in range(RETRIES):
            try:
                with self._database.write() as connection:
                    return work(SqlSettlingBook(connection, self._biller_id, self._agreements))
            except Exception as error:
                if not is_retryable(error):
                    raise
        raise DatabaseUnavailable("the database kept breaking the transaction off; try again")

    def read(self, work: Callable[[SqlSettlingBook], T]) -> T:
        """On one snapshot."""
        with self._database.read() as connection:
            return work(SqlSettlingBook(connection, self._biller_id, self._agreements))
