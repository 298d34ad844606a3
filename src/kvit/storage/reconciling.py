"""What a reconciliation reads, on both engines: each side in one pass along an index."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import date, timedelta
from typing import Any, TypeVar

from sqlalchemy import ARRAY, Connection, Select, and_, any_, bindparam, case, func, or_, select, text

from kvit.domain import days
from kvit.domain.file_rows import QUARANTINE, ResolutionRow
from kvit.domain.lines import OUT, REGISTER, STATEMENT
from kvit.domain.model import POSTED, VOIDED, Agreement
from kvit.services.reconciling.facts import (
    BOOKED_LINES,
    UNBOOKED_LINES,
    Came,
    Expected,
    Paid,
    Told,
)
from kvit.services.settling.facts import Collected, Payout, Span
from kvit.storage.bulk import each_of, is_postgres
from kvit.storage.collected import collected
from kvit.storage.rows import columns_of
from kvit.storage.schema import accounts, imports, payments
from kvit.storage.schema_files import due_runs, money_lines, resolutions, settlements

#: Every query walks the rows of some days by an index, and finds what belongs to each by a unique key. Of
#: tables that have just been filled PostgreSQL knows nothing, and would look through all rows for each.
_PLANNING = (
    "SET LOCAL jit = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; "
    "SET LOCAL enable_mergejoin = off"
)
#: Keys in one query.
CHUNK = 10_000
_SEEN = tuple(sorted(BOOKED_LINES | UNBOOKED_LINES))
_STANDS = POSTED

_PAID = (
    payments.c.receipt, payments.c.txn, func.coalesce(accounts.c.number, ""), payments.c.typed,
    payments.c.amount_minor, payments.c.state == VOIDED, payments.c.accounting_date,
    func.coalesce(payments.c.network_at_us, payments.c.received_at_us), payments.c.biller_fee_minor,
)  # fmt: skip

T = TypeVar("T", int, str)


class SqlReconcilingBook:
    """One snapshot of one agreement's books."""

    def __init__(self, connection: Connection, agreement: Agreement, today: str) -> None:
        self._connection = connection
        self._agreement = agreement
        self._today = today
        if is_postgres(connection):
            connection.execute(text(_PLANNING))
        register = agreement.files.register
        line = money_lines.c
        is_net = register is not None and register.amount == "net"
        amount = func.coalesce(line.net_minor, line.amount_minor) if is_net else line.amount_minor
        self._told = (
            line.line_key, line.import_id, line.line, line.day, line.at, line.direction == OUT, amount,
            line.amount_minor, line.file_number, line.number, line.fee_minor, line.state, line.reason,
            line.receipt, line.rule,
        )  # fmt: skip

    def paid(self, span: Span) -> list[Paid]:
        query = self._payments().where(payments.c.accounting_date.between(*span))
        return self._rows_of_paid(query.order_by(payments.c.receipt))

    def paid_by_receipts(self, receipts: Collection[int]) -> list[Paid]:
        return [
            paid
            for chunk in _chunks(receipts)
            for paid in self._rows_of_paid(self._payments().where(self._is_one_of(payments.c.receipt, chunk)))
        ]

    def paid_by_txns(self, txns: Collection[str]) -> list[Paid]:
        return [
            paid
            for chunk in _chunks(txns)
            for paid in self._rows_of_paid(self._payments().where(self._is_one_of(payments.c.txn, chunk)))
        ]

    def told(self, span: Span) -> list[Told]:
        query = self._lines().where(money_lines.c.day.between(*span), money_lines.c.state.in_(_SEEN))
        found = self._rows_of_told(query.order_by(money_lines.c.day, money_lines.c.line_key))
        return found + self._without_day(span)

    def told_by_ids(self, txns: Collection[str]) -> list[Told]:
        found: list[Told] = []
        for chunk in _chunks(txns):
            key = money_lines.c.line_key
            found += self._rows_of_told(self._lines().where(self._is_one_of(key, chunk)))
        contradicting = self._lines().where(
            money_lines.c.state == QUARANTINE, money_lines.c.line_key.like("%~%")
        )
        wanted = set(txns)
        return found + [row for row in self._rows_of_told(contradicting) if row.id_there in wanted]

    def told_by_receipts(self, receipts: Collection[int]) -> list[Told]:
        column = money_lines.c.receipt
        return [
            row
            for chunk in _chunks(receipts)
            for row in self._rows_of_told(
                self._lines().where(self._is_one_of(column, chunk), money_lines.c.state.in_(_SEEN))
            )
        ]

    def came(self) -> list[Came]:
        of = imports.c
        rows = self._connection.execute(
            select(of.import_id, of.summary, of.started_at_us)
            .where(of.biller_id == self._agreement.biller_id, of.agreement_id == self._agreement.agreement_id)
            .where(of.kind == REGISTER, of.state == "finished")
            .order_by(of.import_id)
        )
        found = []
        for import_id, summary, at_us in rows:
            said = json.loads(summary or "{}")
            first, last = str(said.get("first_day", "")), str(said.get("last_day", ""))
            found.append(Came(import_id, first, last, int(said.get("rows", 0)), at_us))
        return found

    def expected(self) -> list[Expected]:
        of = due_runs.c
        rows = self._connection.execute(
            select(of.due_at_us, of.detail)
            .where(of.biller_id == self._agreement.biller_id, of.agreement_id == self._agreement.agreement_id)
            .where(of.job == "expect", of.state == "missing")
            .order_by(of.due_at_us)
        )
        return [Expected(self._expected_day(due_at_us, detail), due_at_us) for due_at_us, detail in rows]

    def payouts(self, span: Span) -> list[Payout]:
        of = settlements.c
        query = select(*(of[name] for name in Payout._fields)).where(
            *self._standing(), of.last_day >= span.first, of.first_day <= span.last
        )
        rows = self._connection.execute(query.order_by(of.settlement_id))
        return [Payout(*row) for row in rows]

    def paid_through(self) -> str:
        query = select(func.max(settlements.c.last_day)).where(*self._standing())
        return self._connection.execute(query).scalar_one() or ""

    def statements_through(self) -> str:
        of = imports.c
        rows = self._connection.execute(
            select(of.summary).where(
                of.biller_id == self._agreement.biller_id, of.kind == STATEMENT, of.state == "finished"
            )
        )
        return max((str(json.loads(summary or "{}").get("last_day", "")) for (summary,) in rows), default="")

    def collected(self, span: Span) -> dict[str, Collected]:
        return collected(self._connection, self._agreement, span)

    def resolutions(self, span: Span) -> list[ResolutionRow]:
        of = resolutions.c
        rows = self._connection.execute(
            select(*(of[name] for name in columns_of("resolutions")))
            .where(of.biller_id == self._agreement.biller_id, of.agreement_id == self._agreement.agreement_id)
            .where(of.day.between(*span))
            .order_by(of.resolution_id)
        )
        return [ResolutionRow(*row) for row in rows]

    # --- parts of queries ------------------------------------------------------------------------

    def _payments(self) -> Select[Any]:
        owner = and_(
            accounts.c.biller_id == payments.c.biller_id, accounts.c.account_id == payments.c.account_id
        )
        return (
            select(*_PAID)
            .select_from(payments.outerjoin(accounts, owner))
            .where(
                payments.c.biller_id == self._agreement.biller_id,
                payments.c.agreement_id == self._agreement.agreement_id,
            )
        )

    def _lines(self) -> Select[Any]:
        return select(*self._told).where(*self._is_line())

    def _is_line(self) -> tuple[Any, ...]:
        line = money_lines.c
        return (
            line.biller_id == self._agreement.biller_id,
            line.source == self._agreement.agreement_id,
            line.kind == REGISTER,
        )

    def _standing(self) -> tuple[Any, ...]:
        of = settlements.c
        return (
            of.biller_id == self._agreement.biller_id,
            of.agreement_id == self._agreement.agreement_id,
            of.state == _STANDS,
        )

    def _rows_of_paid(self, query: Select[Any]) -> list[Paid]:
        return [Paid._make(row) for row in self._connection.execute(query).all()]

    def _rows_of_told(self, query: Select[Any]) -> list[Told]:
        return [Told._make(row) for row in self._connection.execute(query).all()]

    def _is_one_of(self, column: Any, values: Collection[Any]) -> Any:  # noqa: ANN401 - any column's values
        """As one parameter, and such that an index on the column is used."""
        if is_postgres(self._connection):
            return column == any_(bindparam(None, list(values), type_=ARRAY(column.type)))
        return column.in_(select(each_of(self._connection, column, values).c.value))

    def _without_day(self, span: Span) -> list[Told]:
        """Rows that cannot be read, or name a day to come: they belong to the last day of their file."""
        line = money_lines.c
        rows = self._rows_of_told(
            self._lines().where(
                line.state.in_(sorted(UNBOOKED_LINES)), or_(line.day < "0", line.day > self._today)
            )
        )
        if not rows:
            return []
        ids = {row.import_id for row in rows}
        newest = self._connection.execute(
            select(line.import_id, func.max(case((line.day <= self._today, line.day), else_="")))
            .where(line.biller_id == self._agreement.biller_id)
            .where(self._is_one_of(line.import_id, ids))
            .group_by(line.import_id)
        )
        last = {import_id: str(day) for import_id, day in newest}
        came = {one.import_id: self._day_before(one.at_us) for one in self.came()}
        dated = [
            row._replace(day=last.get(row.import_id) or came.get(row.import_id, self._today)) for row in rows
        ]
        return [row for row in dated if span.has(row.day)]

    def _expected_day(self, due_at_us: int, detail: str) -> str:
        """The schedule begins its detail with the day; else it is the day before."""
        try:
            return date.fromisoformat(detail[:10]).isoformat()
        except ValueError:
            return self._day_before(due_at_us)

    def _day_before(self, at_us: int) -> str:
        there = days.from_us(at_us, self._agreement.timezone).date()
        return (there - timedelta(days=1)).isoformat()


def _chunks(values: Collection[T]) -> Iterator[list[T]]:
    ordered = sorted(values)
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]
