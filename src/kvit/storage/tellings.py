"""What is stored of payments and holds, found and told: part of a correction's open transaction."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, func, insert, or_, select, update

from kvit.domain.days import NETWORK_AHEAD_DAYS_MAX
from kvit.domain.model import (
    POSTED,
    Agreement,
    JournalRow,
    NoteRow,
    PaymentKey,
    StoredHold,
    StoredPayment,
    VoidRow,
)
from kvit.services.corrections_ports import Announced, Span
from kvit.services.ports import HoldEnd
from kvit.storage import billers
from kvit.storage.rows import columns_of
from kvit.storage.schema import accounts, holds, notes, payments, voids

STORED = (
    payments.c.receipt, payments.c.account_id, func.coalesce(accounts.c.number, ""), payments.c.amount_minor,
    payments.c.currency, payments.c.service, payments.c.state, payments.c.received_at_us,
    payments.c.network_at_us, payments.c.attempts, payments.c.typed, payments.c.service_code,
)  # fmt: skip
_HELD = (
    holds.c.receipt, holds.c.account_id, func.coalesce(accounts.c.number, ""), holds.c.amount_minor,
    holds.c.currency, holds.c.service, holds.c.state, holds.c.held_at_us, holds.c.expires_at_us,
    holds.c.ended_at_us, holds.c.network_at_us, holds.c.network_time, holds.c.reason, holds.c.void_txn,
    holds.c.targets, holds.c.fields, holds.c.typed, holds.c.service_code,
)  # fmt: skip
_VOID = [voids.c[name] for name in columns_of("voids")]


class SqlTellingBook:
    """One open write transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(
        self, biller_id: str, *, receipt: int = 0, agreement_id: str = "", txn: str = ""
    ) -> PaymentKey | None:
        return self._find(payments, biller_id, receipt, agreement_id, txn)

    def find_hold(
        self, biller_id: str, *, receipt: int = 0, agreement_id: str = "", txn: str = ""
    ) -> PaymentKey | None:
        return self._find(holds, biller_id, receipt, agreement_id, txn)

    def _find(
        self, table: Table, biller_id: str, receipt: int, agreement_id: str, txn: str
    ) -> PaymentKey | None:
        of = table.c
        query = select(of.biller_id, of.agreement_id, of.txn).where(of.biller_id == biller_id)
        if receipt:
            query = query.where(of.receipt == receipt)
        else:
            query = query.where(of.agreement_id == agreement_id, of.txn == txn)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else PaymentKey(*row)

    def hold(self, key: PaymentKey, *, lock: bool = False) -> StoredHold | None:
        if lock:
            whose = select(holds.c.account_id).where(*_is_hold(key)).scalar_subquery()
            self._connection.execute(
                select(accounts.c.account_id)
                .where(accounts.c.biller_id == key.biller_id, accounts.c.account_id == whose)
                .with_for_update(key_share=True)
            )
        query = select(*_HELD).select_from(holds).outerjoin(accounts, _owner_of(holds))
        row = self._connection.execute(query.where(*_is_hold(key))).one_or_none()
        return None if row is None else StoredHold(*tuple(row))

    def end_hold(self, end: HoldEnd) -> None:
        key = PaymentKey(end.biller_id, end.agreement_id, end.txn)
        values = dict(zip(HoldEnd._fields[:5], end[:5], strict=True))
        self._connection.execute(update(holds).where(*_is_hold(key)).values(values))

    def tell(self, key: PaymentKey) -> tuple[StoredPayment, VoidRow | None]:
        self._connection.execute(
            update(payments).where(*is_payment(key)).values(attempts=payments.c.attempts + 1)
        )
        payment = self._payment(key)
        return payment, self._void(key.biller_id, payment.receipt)

    def tell_hold(self, key: PaymentKey) -> None:
        self._connection.execute(update(holds).where(*_is_hold(key)).values(attempts=holds.c.attempts + 1))

    def posted_on(self, agreement: Agreement, span: Span, most: int) -> list[tuple[str, StoredPayment]]:
        return self._listed(agreement, payments.c.accounting_date.between(span.since, span.until), most)

    def posted_at(self, agreement: Agreement, span: Span, most: int) -> list[tuple[str, StoredPayment]]:
        """Found by the accounting day, which is that of the network's time, or one when we knew of it: that
        is at most a day before the network's own, or later when the period was closed."""
        moment = func.coalesce(payments.c.network_at_us, payments.c.received_at_us)
        earliest = (date.fromisoformat(span.since) - timedelta(days=NETWORK_AHEAD_DAYS_MAX)).isoformat()
        when = and_(payments.c.accounting_date >= earliest, moment.between(span.since_us, span.until_us))
        return self._listed(agreement, when, most)

    def announced(self, agreement: Agreement, span: Span, most: int) -> list[Announced]:
        moment = func.coalesce(holds.c.network_at_us, holds.c.held_at_us)
        when = or_(
            holds.c.network_at_us.between(span.since_us, span.until_us),
            and_(holds.c.network_at_us.is_(None), holds.c.held_at_us.between(span.since_us, span.until_us)),
        )
        rows = self._connection.execute(
            select(holds.c.txn, *_HELD, *STORED, *_VOID)
            .select_from(holds)
            .outerjoin(accounts, _owner_of(holds))
            .outerjoin(payments, _same_payment())
            .outerjoin(
                voids, and_(voids.c.biller_id == payments.c.biller_id, voids.c.receipt == payments.c.receipt)
            )
            .where(holds.c.biller_id == agreement.biller_id, holds.c.agreement_id == agreement.agreement_id)
            .where(when)
            .order_by(moment, holds.c.receipt)
            .limit(most)
        )
        return [_announced(tuple(row)) for row in rows]

    def last_note(self, biller_id: str, receipt: int, kind: str) -> str | None:
        return self._connection.execute(
            select(notes.c.fields)
            .where(notes.c.biller_id == biller_id, notes.c.receipt == receipt, notes.c.kind == kind)
            .order_by(notes.c.note_id.desc())
            .limit(1)
        ).scalar_one_or_none()

    def write_note(self, note: NoteRow) -> None:
        self._connection.execute(insert(notes), note._asdict())

    def take_id(self) -> int:
        return billers.take_ids(self._connection, 1)[0]

    def write_journal(self, record: JournalRow) -> None:
        billers.write_journal(self._connection, [record])

    def _listed(
        self, agreement: Agreement, when: ColumnElement[bool], most: int
    ) -> list[tuple[str, StoredPayment]]:
        rows = self._connection.execute(
            _stored(select(payments.c.txn, *STORED))
            .where(
                payments.c.biller_id == agreement.biller_id,
                payments.c.agreement_id == agreement.agreement_id,
                payments.c.state == POSTED,
            )
            .where(when)
            .order_by(payments.c.receipt)
            .limit(most)
        )
        return [(row[0], StoredPayment(*row[1:])) for row in rows]

    def _payment(self, key: PaymentKey) -> StoredPayment:
        return StoredPayment(
            *self._connection.execute(_stored(select(*STORED)).where(*is_payment(key))).one()
        )

    def _void(self, biller_id: str, receipt: int) -> VoidRow | None:
        row = self._connection.execute(
            select(voids).where(voids.c.biller_id == biller_id, voids.c.receipt == receipt)
        ).one_or_none()
        return None if row is None else VoidRow(*row)


def _announced(row: tuple[Any, ...]) -> Announced:
    """One row of ``announced``: the id, the hold, and null or the payment and its void."""
    txn, rest = row[0], row[1:]
    hold, rest = StoredHold(*rest[: len(_HELD)]), rest[len(_HELD) :]
    paid, void = rest[: len(STORED)], rest[len(STORED) :]
    return Announced(
        txn,
        hold,
        None if paid[0] is None else StoredPayment(*paid),
        None if void[0] is None else VoidRow(*void),
    )


def owner_of_payment() -> ColumnElement[bool]:
    """A payment's account, for a join; there is none for money in suspense."""
    return _owner_of(payments)


def _owner_of(table: Table) -> ColumnElement[bool]:
    return and_(accounts.c.biller_id == table.c.biller_id, accounts.c.account_id == table.c.account_id)


def _same_payment() -> ColumnElement[bool]:
    names = ("biller_id", "agreement_id", "txn")
    return and_(*(payments.c[name] == holds.c[name] for name in names))


def _is_hold(key: PaymentKey) -> tuple[ColumnElement[bool], ...]:
    return (
        holds.c.biller_id == key.biller_id,
        holds.c.agreement_id == key.agreement_id,
        holds.c.txn == key.txn,
    )


def _stored(query: Select[Any]) -> Select[Any]:
    return query.select_from(payments).outerjoin(accounts, _owner_of(payments))


def is_payment(key: PaymentKey) -> tuple[ColumnElement[bool], ...]:
    return (
        payments.c.biller_id == key.biller_id,
        payments.c.agreement_id == key.agreement_id,
        payments.c.txn == key.txn,
    )
