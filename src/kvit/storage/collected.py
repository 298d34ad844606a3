"""What an agent collected by day, summed up by the database: by the register's day, else by our own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, FromClause, Select, Table, and_, func, select, true

from kvit.domain.lines import REGISTER
from kvit.domain.model import POSTED, Agreement
from kvit.services.reconciling.facts import BOOKED_LINES
from kvit.services.settling.facts import Collected, Span
from kvit.services.settling.fees import exact_fee
from kvit.storage.bulk import is_postgres
from kvit.storage.schema import payments
from kvit.storage.schema_files import money_lines

_STATES = sorted(BOOKED_LINES)


def collected(connection: Connection, agreement: Agreement, span: Span) -> dict[str, Collected]:
    """Grouped by equal sums: so that each payment's exact fee can be worked out here, without a float."""
    groups: dict[str, list[Sequence[Any]]] = defaultdict(list)
    for query in (_by_rows(connection, agreement, span), _without_row(connection, agreement, span)):
        for day, *group in connection.execute(query):
            groups[day].append(group)
    return {day: _summed(agreement, day, rows) for day, rows in sorted(groups.items())}


def _summed(agreement: Agreement, day: str, groups: Sequence[Sequence[Any]]) -> Collected:
    count = gross = fee = exact = told_fee = told_count = 0
    for amount_minor, rows, fee_minor, told_minor, told_rows in groups:
        count += rows
        gross += rows * amount_minor
        fee += int(fee_minor)
        exact += rows * exact_fee(agreement.fee, amount_minor)
        told_fee += int(told_minor or 0)
        told_count += told_rows
    return Collected(day, count, gross, fee, exact, told_fee if told_count == count else None)


def _by_rows(connection: Connection, agreement: Agreement, span: Span) -> Select[Any]:
    """Standing payments that a register of these days made or confirms."""
    line = money_lines.c
    paid, joined = _beside(connection, money_lines, payments)
    return _grouped(line.day, paid, money_lines, joined).where(
        line.biller_id == agreement.biller_id, line.source == agreement.agreement_id, line.kind == REGISTER,
        line.day.between(*span), line.state.in_(_STATES), paid.c.agreement_id == agreement.agreement_id,
        paid.c.state == POSTED,
    )  # fmt: skip


def _without_row(connection: Connection, agreement: Agreement, span: Span) -> Select[Any]:
    """Standing payments of these days that no register has told of."""
    paid = payments.c
    row, joined = _beside(connection, payments, money_lines)
    return _grouped(paid.accounting_date, payments, row, joined).where(
        paid.biller_id == agreement.biller_id, paid.agreement_id == agreement.agreement_id,
        paid.accounting_date.between(*span), paid.state == POSTED, row.c.line_key.is_(None),
    )  # fmt: skip


def _grouped(day: Any, paid: FromClause, row: FromClause, joined: FromClause) -> Select[Any]:  # noqa: ANN401
    ours, theirs = paid.c.biller_fee_minor, row.c.fee_minor
    sums = (func.count(), func.sum(ours), func.sum(theirs), func.count(theirs))
    return select(day, paid.c.amount_minor, *sums).select_from(joined).group_by(day, paid.c.amount_minor)


def _beside(connection: Connection, one: Table, other: Table) -> tuple[FromClause, FromClause]:
    """``one`` with the row of ``other`` that is of the same payment, if there is any.

    As a probe of its own on PostgreSQL, which would otherwise walk all rows for each one while it has no
    statistics of a table that was just filled.
    """
    same = [one.c.biller_id == other.c.biller_id, one.c.receipt == other.c.receipt]
    if other is money_lines:
        same += [other.c.kind == REGISTER, other.c.state.in_(_STATES)]
    if not is_postgres(connection):
        return other, one.outerjoin(other, and_(*same))
    probe = select(other).where(*same).correlate(one).limit(1).lateral()
    return probe, one.outerjoin(probe, true())
