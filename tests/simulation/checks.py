"""When a history is over: the books by themselves, the books against what was said, and the chain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from kvit.domain import days
from kvit.domain.journal import GENESIS, chained
from kvit.domain.model import JournalRow, PaymentRow
from kvit.storage import sqlite
from kvit.storage.rows import ROWS, columns_of
from kvit.storage.sealing import seal_all
from tests.books_check import Books, findings
from tests.simulation.batches import Content, Key
from tests.simulation.plan import Plan
from tests.simulation.replay import replay_findings
from tests.simulation.verdicts import is_over
from tests.simulation.witness import Record, Witness
from tests.simulation.world import World

_SEAL_MAX = 2_000


def final_findings(world: World, witness: Witness) -> Iterator[str]:
    """One line for each thing that does not hold."""
    seal_all(world.store.database, _SEAL_MAX)
    left = dict(witness.records)
    for biller in world.plan.billers:
        books = read_books(world.observer, biller.biller_id)
        yield from findings(books)
        yield from replay_findings(books, biller.closed_through)
        yield from _chain_findings(world.observer, biller.biller_id)
        alarms = _alarms(books)
        for payment in books.payments.values():
            key = (payment.agreement_id, payment.txn)
            number = books.accounts[payment.account_id].number
            record = left.pop(key, Record())
            yield from _payment_findings(world.plan, payment, number, record)
            if alarms[key] < len(record.conflicts):
                yield f"{key} met {len(record.conflicts)} conflicts, and {alarms[key]} alarms"
    for key, record in left.items():
        if record.receipts or record.conflicts or record.voids:
            yield f"{key} was told {record}, and is not in the books"


def read_books(connection: sqlite.Connection, biller_id: str) -> Books:
    """One biller's rows, without SQLAlchemy: this is done a million times."""

    def rows(table: str) -> list[Any]:
        query = f"SELECT {', '.join(columns_of(table))} FROM {table} WHERE biller_id = ?"  # noqa: S608
        return [ROWS[table](*row) for row in connection.execute(query, (biller_id,))]

    entries = defaultdict(list)
    for entry in rows("entries"):
        entries[entry.transaction_id].append(entry)
    return Books(
        accounts={row.account_id: row for row in rows("accounts")},
        charges={row.charge_id: row for row in rows("charges")},
        adjustments={row.adjustment_id: row for row in rows("adjustments")},
        holds={row.receipt: row for row in rows("holds")},
        payments={row.receipt: row for row in rows("payments")},
        voids={row.receipt: row for row in rows("voids")},
        allocations=rows("allocations"),
        transactions={row.transaction_id: row for row in rows("transactions")},
        entries=entries,
        outbox=rows("outbox"),
        journal={row.journal_id: row for row in rows("journal")},
    )


def _payment_findings(plan: Plan, payment: PaymentRow, number: str, record: Record) -> Iterator[str]:
    key: Key = (payment.agreement_id, payment.txn)
    content = Content(number, payment.amount_minor, payment.service)
    if record.receipts - {payment.receipt}:
        yield f"{key} has receipt {payment.receipt}, and was told {record.receipts}"
    if payment.attempts < record.tellings + max(record.voids - 1, 0):
        yield f"{key} was told {record.tellings} times, and was written {payment.attempts} times"
    first = record.asked_first.get(content)
    if first is None:
        yield f"{key} is stored as {content}, which nobody asked for"
        return
    for order, other in record.conflicts:
        if other == content or (order < first and not record.ran_again):
            yield f"{key}: {other} came as number {order} and was a conflict; {content} came as {first}"
    agreement = plan.agreements[payment.agreement_id]
    if is_over(agreement, days.from_us(payment.received_at_us)):
        yield f"{key} was booked when its agreement had ended"
    day = _accounting_day(plan, payment)
    if payment.accounting_date != day:
        yield f"{key} is booked on {payment.accounting_date} instead of {day}"


def _accounting_day(plan: Plan, payment: PaymentRow) -> str:
    """The network's day if it can be right, else ours; after a closed period."""
    agreement = plan.agreements[payment.agreement_id]
    today = days.from_us(payment.received_at_us, agreement.timezone).date()
    assert payment.network_at_us is not None
    theirs = days.from_us(payment.network_at_us, agreement.timezone).date()
    day = theirs if timedelta(-1) <= today - theirs <= timedelta(31) else today
    closed = next(one.closed_through for one in plan.billers if one.biller_id == payment.biller_id)
    if day.isoformat() <= closed:
        day = day.fromisoformat(closed) + timedelta(1)
    return day.isoformat()


def _alarms(books: Books) -> dict[Key, int]:
    alarms: dict[Key, int] = defaultdict(int)
    for record in books.journal.values():
        if record.verb == "payment.conflict":
            alarms[record.actor.removeprefix("agent:"), record.subject] += 1
    return alarms


def _chain_findings(connection: sqlite.Connection, biller_id: str) -> Iterator[str]:
    columns = columns_of("journal")
    query = (
        f"SELECT {', '.join(columns)}, position, chain FROM journal WHERE biller_id = ? "  # noqa: S608
        "ORDER BY position IS NULL, position"
    )
    chain = GENESIS
    for place, row in enumerate(connection.execute(query, (biller_id,)), 1):
        record = JournalRow(*row[: len(columns)])
        chain = chained(chain, place, record)
        if row[len(columns) :] != (place, chain):
            yield f"the chain of {biller_id} breaks at {place}: record {record.journal_id}"
            return
