"""What the auditor reads, as ordered streams over one snapshot; an index gives each order, nothing is sorted.

(Exceptions: charges by the act that made them sort pairs of integers, and holds, which are few, their acts.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    exists,
    func,
    select,
    text,
    union_all,
)

from kvit.domain.model import (
    AdjustmentRow,
    ChargeRow,
    HoldRow,
    JournalRow,
    NoteRow,
    OutboxRow,
    PaymentRow,
    VoidRow,
)
from kvit.domain.relay_terms import RELAY_RECEIPTS_FROM
from kvit.services.audit.facts import (
    AccountFact,
    AdjustmentFact,
    AllocationFact,
    ChangeFact,
    ChargeFact,
    EntryFact,
    HoldFact,
    JournalFact,
    LinkFact,
    NoteFact,
    OpenChargeFact,
    OutboxFact,
    PaymentFact,
    ShareFact,
    SliceFact,
    TransactionFact,
    VoidFact,
)
from kvit.storage.audit_settlements import SettlementStreams
from kvit.storage.audit_streams import FETCH, Fields
from kvit.storage.rows import columns_of
from kvit.storage.schema import (
    accounts,
    adjustments,
    allocations,
    billers,
    charges,
    entries,
    holds,
    imports,
    journal,
    metadata,
    notes,
    outbox,
    payments,
    transactions,
    voids,
)
from kvit.storage.schema_files import line_acts
from kvit.storage.sealing import unsealed_journal

#: Charges looked up at once by id.
_LOOKUP = 500
#: Unnamed acts that are worth listing.
_UNNAMED_MAX = 1000
#: Sums are taken in two parts, so that no forged amount can make the database's own sum overflow.
_PART = 1_000_000

_PAYMENT = [payments.c[name] for name in columns_of("payments")]
_HOLD = [holds.c[name] for name in columns_of("holds")]
_NOTE = [notes.c[name] for name in columns_of("notes")]
_CHARGE = [charges.c[name] for name in columns_of("charges")]
_ADJUSTMENT = [adjustments.c[name] for name in columns_of("adjustments")]
_VOID = [voids.c[name] for name in columns_of("voids")]
_OUTBOX = [outbox.c[name] for name in columns_of("outbox")]
_RECORD = [journal.c[name] for name in columns_of("journal")]


def _same(one: Table, other: Table, *columns: tuple[str, str]) -> ColumnElement[bool]:
    """The join condition of two tables: the biller, and pairs of columns."""
    pairs = (("biller_id", "biller_id"), *columns)
    return and_(*(one.c[left] == other.c[right] for left, right in pairs))


class SqlAuditBook(SettlementStreams):
    """One snapshot; every method may be read in steps beside the others."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        if connection.dialect.name == "postgresql":
            # The streams are read to their end, so the whole cost counts, not that of the first rows.
            for setting in ("cursor_tuple_fraction = 1.0", "jit = off", "work_mem = '64MB'"):
                connection.execute(text(f"SET LOCAL {setting}"))

    def _stream_text(self, query: str, values: dict[str, Any]) -> Iterator[Fields]:
        rows = self._connection.execute(text(query), values, execution_options={"yield_per": FETCH})
        return cast(Iterator[Fields], iter(rows))

    def _by(self, index: str) -> str:
        """Named for SQLite, which would rather walk all of the biller's rows by their key, and sort them."""
        return "" if self._connection.dialect.name == "postgresql" else f"INDEXED BY {index}"

    # --- by id -----------------------------------------------------------------------------------

    def billers(self) -> list[tuple[str, str]]:
        rows = self._connection.execute(
            select(billers.c.biller_id, billers.c.currency).order_by(billers.c.biller_id)
        )
        return [(row.biller_id, row.currency) for row in rows]

    def transactions(self, biller_id: str) -> Iterator[TransactionFact]:
        columns = [transactions.c[name] for name in columns_of("transactions")[1:]]
        query = select(*columns).where(transactions.c.biller_id == biller_id)
        return map(TransactionFact._make, self._stream(query.order_by(transactions.c.transaction_id)))

    def entries(self, biller_id: str) -> Iterator[EntryFact]:
        columns = [entries.c[name] for name in columns_of("entries")[1:]]
        query = select(*columns).where(entries.c.biller_id == biller_id)
        return map(EntryFact._make, self._stream(query.order_by(entries.c.transaction_id)))

    def payments(self, biller_id: str) -> Iterator[PaymentFact]:
        query = (
            select(accounts.c.number, voids.c.transaction_id, *_PAYMENT)
            .select_from(payments)
            .outerjoin(accounts, _same(payments, accounts, ("account_id", "account_id")))
            .outerjoin(voids, _same(payments, voids, ("receipt", "receipt")))
            .where(payments.c.biller_id == biller_id)
            .order_by(payments.c.receipt)
        )
        for number, void_id, *row in self._stream(query):
            payment = PaymentRow._make(row)
            yield PaymentFact(payment.receipt, payment, number, void_id)

    def holds_begun(self, biller_id: str) -> Iterator[HoldFact]:
        return self._holds(biller_id, holds.c.act_id)

    def holds_ended(self, biller_id: str) -> Iterator[HoldFact]:
        return self._holds(biller_id, holds.c.end_act_id)

    def _holds(self, biller_id: str, act: ColumnElement[int]) -> Iterator[HoldFact]:
        query = (
            select(accounts.c.number, act, *_HOLD)
            .select_from(holds)
            .outerjoin(accounts, _same(holds, accounts, ("account_id", "account_id")))
            .where(holds.c.biller_id == biller_id, act.is_not(None))
            .order_by(act)
        )
        for number, act_id, *row in self._stream(query):
            yield HoldFact(act_id, HoldRow._make(row), number)

    def notes(self, biller_id: str) -> Iterator[NoteFact]:
        query = (
            select(payments.c.agreement_id, payments.c.txn, *_NOTE)
            .select_from(notes)
            .outerjoin(payments, _same(notes, payments, ("receipt", "receipt")))
            .where(notes.c.biller_id == biller_id)
            .order_by(notes.c.note_id)
        )
        for agreement_id, txn, *row in self._stream(query):
            note = NoteRow._make(row)
            yield NoteFact(note.note_id, note, agreement_id, txn)

    def charges(self, biller_id: str) -> Iterator[ChargeFact]:
        query = (
            select(accounts.c.number, journal.c.verb, journal.c.at_us, journal.c.actor, *_CHARGE)
            .select_from(charges)
            .outerjoin(accounts, _same(charges, accounts, ("account_id", "account_id")))
            .outerjoin(journal, _same(charges, journal, ("act_id", "journal_id")))
            .where(charges.c.biller_id == biller_id)
            .order_by(charges.c.charge_id)
        )
        for number, verb, at_us, actor, *row in self._stream(query):
            charge = ChargeRow._make(row)
            yield ChargeFact(charge.charge_id, charge, number, verb, at_us, actor)

    def slices(self, biller_id: str) -> Iterator[SliceFact]:
        narrow = select(charges.c.act_id, charges.c.charge_id).where(charges.c.biller_id == biller_id)
        order = self._stream(narrow.order_by(charges.c.act_id, charges.c.charge_id))
        whole = (
            select(accounts.c.number, transactions.c.accounting_date, *_CHARGE)
            .select_from(charges)
            .outerjoin(accounts, _same(charges, accounts, ("account_id", "account_id")))
            .outerjoin(transactions, _same(charges, transactions, ("charge_id", "transaction_id")))
            .where(charges.c.biller_id == biller_id)
        )
        while chunk := [charge_id for _, charge_id in islice(order, _LOOKUP)]:
            found = {}
            for number, day, *row in self._connection.execute(whole.where(charges.c.charge_id.in_(chunk))):
                charge = ChargeRow._make(row)
                found[charge.charge_id] = SliceFact(charge.act_id, charge, number, day)
            yield from (found[charge_id] for charge_id in chunk)

    def adjustments(self, biller_id: str) -> Iterator[AdjustmentFact]:
        query = (
            select(accounts.c.number, charges.c.service, *_ADJUSTMENT)
            .select_from(adjustments)
            .outerjoin(accounts, _same(adjustments, accounts, ("account_id", "account_id")))
            .outerjoin(charges, _same(adjustments, charges, ("charge_id", "charge_id")))
            .where(adjustments.c.biller_id == biller_id)
            .order_by(adjustments.c.adjustment_id)
        )
        for number, service, *row in self._stream(query):
            adjustment = AdjustmentRow._make(row)
            yield AdjustmentFact(adjustment.adjustment_id, adjustment, number, service)

    def voids(self, biller_id: str) -> Iterator[VoidFact]:
        paid = [
            payments.c[name] for name in ("account_id", "agreement_id", "txn", "amount_minor", "currency")
        ]
        query = (
            select(accounts.c.number, *paid, *_VOID)
            .select_from(voids)
            .outerjoin(payments, _same(voids, payments, ("receipt", "receipt")))
            .outerjoin(accounts, _same(payments, accounts, ("account_id", "account_id")))
            .where(voids.c.biller_id == biller_id)
            .order_by(voids.c.transaction_id)
        )
        for number, account_id, agreement_id, txn, amount_minor, currency, *row in self._stream(query):
            void = VoidRow._make(row)
            whose = (account_id, agreement_id, txn, number, amount_minor, currency)
            yield VoidFact(void.transaction_id, void, *whose)

    def allocations(self, biller_id: str) -> Iterator[AllocationFact]:
        columns = [allocations.c[name] for name in columns_of("allocations")[1:]]
        query = select(*columns).where(allocations.c.biller_id == biller_id)
        return map(AllocationFact._make, self._stream(query.order_by(allocations.c.source_id)))

    def outbox(self, biller_id: str) -> Iterator[OutboxFact]:
        query = select(*_OUTBOX).where(outbox.c.biller_id == biller_id).order_by(outbox.c.outbox_id)
        for row in map(OutboxRow._make, self._stream(query)):
            yield OutboxFact(row.outbox_id, row)

    def journal(self, biller_id: str) -> Iterator[JournalFact]:
        query = select(*_RECORD).where(journal.c.biller_id == biller_id).order_by(journal.c.journal_id)
        for row in map(JournalRow._make, self._stream(query)):
            yield JournalFact(row.journal_id, row)

    # --- by account ------------------------------------------------------------------------------

    def accounts(self, biller_id: str) -> Iterator[AccountFact]:
        query = (
            "SELECT a.account_id, a.number, a.balance_minor, "
            "sum((e.amount_minor - e.amount_minor % :part) / :part), sum(e.amount_minor % :part) "
            f"FROM accounts AS a LEFT JOIN entries AS e {self._by('entries_ledger_account')} "
            "ON e.biller_id = a.biller_id AND e.ledger_account = 'client:' || a.number "
            "WHERE a.biller_id = :biller_id "
            "GROUP BY a.biller_id, a.account_id ORDER BY a.biller_id, a.account_id"
        )
        rows = self._stream_text(query, {"biller_id": biller_id, "part": _PART})
        for account_id, number, balance_minor, whole, rest in rows:
            yield AccountFact(account_id, number, balance_minor, int(whole or 0) * _PART + int(rest or 0))

    def open_charges(self, biller_id: str) -> Iterator[OpenChargeFact]:
        columns = [charges.c[name] for name in ("account_id", "charge_id", "amount_minor", "open_minor")]
        query = select(*columns).where(charges.c.biller_id == biller_id).order_by(charges.c.account_id)
        return map(OpenChargeFact._make, self._stream(query))

    def changes(self, biller_id: str) -> Iterator[ChangeFact]:
        columns = [adjustments.c[name] for name in ("account_id", "charge_id", "amount_minor")]
        query = select(*columns).where(adjustments.c.biller_id == biller_id)
        return map(ChangeFact._make, self._stream(query.order_by(adjustments.c.account_id)))

    def payment_shares(self, biller_id: str) -> Iterator[ShareFact]:
        return self._shares("payments", "receipt", "payments_account", biller_id)

    def credit_shares(self, biller_id: str) -> Iterator[ShareFact]:
        return self._shares("adjustments", "adjustment_id", "adjustments_account", biller_id)

    def _shares(self, sources: str, key: str, index: str, biller_id: str) -> Iterator[ShareFact]:
        query = (
            f"SELECT s.account_id, s.{key}, s.advance_minor, a.charge_id, a.amount_minor "
            f"FROM {sources} AS s {self._by(index)} "
            f"LEFT JOIN allocations AS a ON a.biller_id = s.biller_id AND a.source_id = s.{key} "
            "WHERE s.biller_id = :biller_id ORDER BY s.account_id"
        )
        return map(ShareFact._make, self._stream_text(query, {"biller_id": biller_id}))

    # --- the rest --------------------------------------------------------------------------------

    def unnamed_acts(self, biller_id: str) -> Iterable[int]:
        named = (
            exists().where(_same(transactions, allocations, ("transaction_id", "act_id"))),
            exists().where(_same(journal, allocations, ("journal_id", "act_id"))),
        )
        query = (
            select(allocations.c.act_id)
            .distinct()
            .where(allocations.c.biller_id == biller_id, allocations.c.act_id != allocations.c.source_id)
            .where(~named[0], ~named[1])
            .limit(_UNNAMED_MAX)
        )
        return sorted(self._connection.execute(query).scalars())

    def links(self, biller_id: str) -> Iterator[LinkFact]:
        query = (
            select(journal.c.position, journal.c.chain, *_RECORD)
            .where(journal.c.biller_id == biller_id, journal.c.position.is_not(None))
            .order_by(journal.c.position)
        )
        for position, chain, *row in self._stream(query):
            yield LinkFact(position, chain, JournalRow._make(row))

    def unsealed(self, biller_id: str) -> tuple[int, int | None]:
        query = (
            f"SELECT count(*), min(at_us) FROM {unsealed_journal(self._connection)} "
            "WHERE biller_id = :biller_id AND position IS NULL"
        )
        count, oldest_at_us = self._connection.execute(text(query), {"biller_id": biller_id}).one()
        return int(count), oldest_at_us

    def strangers(self) -> list[tuple[str, str]]:
        known = {biller_id for biller_id, _ in self.billers()}
        tables = [
            table for table in metadata.sorted_tables if "biller_id" in table.c and table is not billers
        ]
        return [
            (table.name, biller_id)
            for table in tables
            for biller_id in self._biller_ids(table)
            if biller_id not in known
        ]

    def _biller_ids(self, table: Table) -> Iterator[str]:
        """The billers that a table's rows name, one probe of its key for each."""
        query = select(func.min(table.c.biller_id))
        found = self._connection.execute(query).scalar_one()
        while found is not None:
            yield found
            found = self._connection.execute(query.where(table.c.biller_id > found)).scalar_one()

    def highest_id(self, biller_id: str) -> int:
        keys = (
            transactions.c.transaction_id, journal.c.journal_id, charges.c.charge_id, payments.c.receipt,
            adjustments.c.adjustment_id, accounts.c.account_id, outbox.c.outbox_id, imports.c.import_id,
            holds.c.receipt, line_acts.c.act_id,
        )  # fmt: skip
        highest = union_all(
            *(
                select(func.max(key).label("id")).where(
                    key.table.c.biller_id == biller_id, key < RELAY_RECEIPTS_FROM
                )
                for key in keys
            )
        ).subquery()
        return int(self._connection.execute(select(func.coalesce(func.max(highest.c.id), 0))).scalar_one())

    def next_id(self) -> int:
        return next_id(self._connection)


def next_id(connection: Connection) -> int:
    """The id that would be given out next."""
    if connection.dialect.name == "postgresql":
        query = "SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END FROM book_ids"
    else:
        query = "SELECT next_id FROM ids WHERE series = 'books'"
    return int(connection.execute(text(query)).scalar_one())
