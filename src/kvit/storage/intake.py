"""Lines of registers and statements on both engines: payments, corrections and lines in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Exists, and_, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from kvit.domain.errors import ClaimLost
from kvit.domain.file_rows import CONFIRMED, QUARANTINE, AssignmentRow, LineActRow, LineRow, RuleRow
from kvit.domain.model import ACTIVE, POSTED, PaymentKey, StoredPayment
from kvit.services.intake.ports import Booked, KnownLine, LineChange, Named, Unconfirmed
from kvit.services.ports import PostingBook, PostingPlan, Situation, Wanted
from kvit.services.receivables.ports import ImportRow
from kvit.storage.bulk import each_of, insert_rows, is_postgres, set_columns
from kvit.storage.corrections import SqlCorrectionBook
from kvit.storage.receivables import SqlReceivables, SqlReceivablesBook
from kvit.storage.rows import columns_of
from kvit.storage.schema import accounts, charges, imports, payments
from kvit.storage.schema_files import matching_rules, money_lines
from kvit.storage.tellings import STORED, owner_of_payment

T = TypeVar("T")

_LINE = [money_lines.c[name] for name in columns_of("money_lines")]
_KNOWN = [money_lines.c[name] for name in KnownLine._fields]
_LINE_KEY = ("biller_id", "source", "line_key")
_CHANGED = ("state", "number", "rule", "reason", "receipt", "generation", "import_id", "line")
#: Documents of a charge that one invoice may be on at most: the rest is not looked at.
_OWNERS_MAX = 10_000


class SqlIntakeBook(SqlReceivablesBook, SqlCorrectionBook):
    """One open transaction on one biller's books."""

    def __init__(self, connection: Connection, biller_id: str) -> None:
        super().__init__(connection, biller_id)
        self._postings = _posting_book(connection)

    # --- payments --------------------------------------------------------------------------------

    def situation(self, wanted: Wanted) -> Situation:
        return self._postings.situation(wanted)

    def write(self, plan: Any) -> None:  # noqa: ANN401 - of receivables or of postings: each has its own
        if not isinstance(plan, PostingPlan):
            SqlReceivablesBook.write(self, plan)
            return
        try:
            self._postings.write(plan)
        except Exception as error:
            if getattr(error, "sqlstate", "") == "23505":  # PostgreSQL: another writer was first
                raise ClaimLost from error
            raise

    def stored(self, keys: Sequence[PaymentKey]) -> dict[PaymentKey, StoredPayment]:
        found: dict[PaymentKey, StoredPayment] = {}
        by_agreement: dict[str, list[str]] = {}
        for key in keys:
            by_agreement.setdefault(key.agreement_id, []).append(key.txn)
        for agreement_id, txns in by_agreement.items():
            each = each_of(self._connection, payments.c.txn, txns)
            here = and_(
                payments.c.biller_id == self._biller_id,
                payments.c.agreement_id == agreement_id,
                payments.c.txn == each.c.value,
            )
            joined = each.join(payments, here).outerjoin(accounts, owner_of_payment())
            for txn, *values in self._connection.execute(select(payments.c.txn, *STORED).select_from(joined)):
                found[PaymentKey(self._biller_id, agreement_id, txn)] = StoredPayment(*values)
        return found

    def booked(self, agreement_id: str, txns: Collection[str]) -> dict[str, Booked]:
        if not txns:
            return {}
        each = each_of(self._connection, payments.c.txn, txns)
        here = and_(
            payments.c.biller_id == self._biller_id,
            payments.c.agreement_id == agreement_id,
            payments.c.txn == each.c.value,
        )
        query = select(
            payments.c.txn, payments.c.receipt, func.coalesce(accounts.c.number, ""), payments.c.typed,
            payments.c.amount_minor, payments.c.state, _lined(),
        )  # fmt: skip
        joined = each.join(payments, here).outerjoin(accounts, owner_of_payment())
        rows = self._connection.execute(query.select_from(joined)).all()
        return {row[0]: Booked(*row[1:]) for row in rows}

    def unconfirmed(
        self, agreement_id: str, numbers: Collection[str], first_day: str, last_day: str
    ) -> list[Unconfirmed]:
        if not numbers:
            return []
        each = each_of(self._connection, accounts.c.number, sorted(numbers))
        owned = and_(accounts.c.biller_id == self._biller_id, accounts.c.number == each.c.value)
        paid = and_(
            payments.c.account_id == accounts.c.account_id, payments.c.biller_id == accounts.c.biller_id
        )
        query = (
            select(
                payments.c.receipt, payments.c.txn, accounts.c.number, payments.c.amount_minor,
                payments.c.accounting_date,
                func.coalesce(payments.c.network_at_us, payments.c.received_at_us),
            )
            .select_from(each.join(accounts, owned).join(payments, paid))
            .where(
                payments.c.agreement_id == agreement_id,
                payments.c.state == POSTED,
                payments.c.accounting_date.between(first_day, last_day),
                ~_lined(),
            )
            .order_by(payments.c.receipt)
        )  # fmt: skip
        return [Unconfirmed(*row) for row in self._connection.execute(query)]

    # --- what the rules look up ------------------------------------------------------------------

    def existing(self, numbers: Collection[str]) -> set[str]:
        if not numbers:
            return set()
        query = (
            select(accounts.c.number)
            .select_from(self._from(accounts.c.number, sorted(numbers)))
            .where(accounts.c.status == ACTIVE)
        )
        return set(self._connection.execute(query).scalars())

    def invoice_owners(self, documents: Collection[str]) -> dict[str, set[str]]:
        if not documents:
            return {}
        owner = and_(
            accounts.c.biller_id == charges.c.biller_id, accounts.c.account_id == charges.c.account_id
        )
        query = (
            select(charges.c.document, accounts.c.number)
            .select_from(self._from(charges.c.document, sorted(documents)).join(accounts, owner))
            .where(charges.c.document != "", accounts.c.status == ACTIVE)
            .distinct()
            .limit(_OWNERS_MAX)
        )
        return _grouped(self._connection.execute(query).all())

    def payers(self, payer_accounts: Collection[str]) -> dict[str, set[str]]:
        if not payer_accounts:
            return {}
        query = (
            select(money_lines.c.payer_account, money_lines.c.number)
            .select_from(self._from(money_lines.c.payer_account, sorted(payer_accounts)))
            .where(
                money_lines.c.payer_account != "",
                money_lines.c.kind == "statement",
                money_lines.c.state == "posted",
                money_lines.c.number != "",
            )
            .distinct()
        )
        return _grouped(self._connection.execute(query).all())

    def names(self) -> list[Named]:
        query = select(accounts.c.number, accounts.c.name).where(
            accounts.c.biller_id == self._biller_id, accounts.c.status == ACTIVE, accounts.c.name != ""
        )
        return [Named(*row) for row in self._connection.execute(query)]

    # --- lines -----------------------------------------------------------------------------------

    def known_lines(self, source: str, keys: Collection[str]) -> dict[str, KnownLine]:
        if not keys:
            return {}
        query = (
            select(money_lines.c.line_key, *_KNOWN)
            .select_from(self._from(money_lines.c.line_key, sorted(keys)))
            .where(money_lines.c.source == source)
        )
        return {row[0]: KnownLine(*row[1:]) for row in self._connection.execute(query).all()}

    def lined(self, receipts: Collection[int], kind: str) -> set[int]:
        if not receipts:
            return set()
        query = (
            select(money_lines.c.receipt)
            .select_from(self._from(money_lines.c.receipt, sorted(receipts)))
            .where(money_lines.c.kind == kind)
        )
        return {receipt for receipt in self._connection.execute(query).scalars() if receipt is not None}

    def add_lines(self, rows: Sequence[LineRow]) -> None:
        try:
            insert_rows(self._connection, "money_lines", rows)
        except IntegrityError as error:
            raise ClaimLost from error

    def change_lines(self, changes: Sequence[LineChange]) -> None:
        rows = [
            (self._biller_id, one.source, one.line_key, *(getattr(one, name) for name in _CHANGED))
            for one in changes
        ]
        set_columns(self._connection, "money_lines", _LINE_KEY, _CHANGED, rows)

    def lines(self, import_id: int, states: Collection[str], after: int, most: int) -> list[LineRow]:
        query = (
            select(*_LINE)
            .where(
                money_lines.c.biller_id == self._biller_id,
                money_lines.c.import_id == import_id,
                money_lines.c.line > after,
                money_lines.c.state.in_(sorted(states)),
            )
            .order_by(money_lines.c.line)
            .limit(most)
        )
        return [LineRow(*row) for row in self._connection.execute(query)]

    def line(self, import_id: int, line: int) -> LineRow | None:
        query = select(*_LINE).where(
            money_lines.c.biller_id == self._biller_id,
            money_lines.c.import_id == import_id,
            money_lines.c.line == line,
        )
        rows = [LineRow(*row) for row in self._connection.execute(query.order_by(money_lines.c.line_key))]
        # A line that was mended has left another one behind.
        return min(rows, key=lambda row: row.state != QUARANTINE, default=None)

    def line_of(self, receipt: int) -> LineRow | None:
        query = select(*_LINE).where(
            money_lines.c.biller_id == self._biller_id, money_lines.c.receipt == receipt
        )
        rows = [LineRow(*row) for row in self._connection.execute(query)]
        return min(rows, key=lambda row: row.state == CONFIRMED, default=None)

    def waiting(self, states: Collection[str], most: int) -> list[LineRow]:
        query = (
            select(*_LINE)
            .where(money_lines.c.biller_id == self._biller_id, money_lines.c.state.in_(sorted(states)))
            .order_by(money_lines.c.import_id, money_lines.c.line)
            .limit(most)
        )
        return [LineRow(*row) for row in self._connection.execute(query)]

    def rules(self) -> list[RuleRow]:
        names = [matching_rules.c[name] for name in RuleRow._fields]
        query = select(*names).where(matching_rules.c.biller_id == self._biller_id)
        return [RuleRow(*row) for row in self._connection.execute(query.order_by(matching_rules.c.place))]

    def set_rule(self, row: RuleRow) -> None:
        where = (matching_rules.c.biller_id == row.biller_id, matching_rules.c.rule == row.rule)
        changed = self._connection.execute(update(matching_rules).where(*where).values(row._asdict()))
        if changed.rowcount == 0:
            self._connection.execute(insert(matching_rules), row._asdict())

    def add_acts(self, acts: Sequence[LineActRow]) -> None:
        insert_rows(self._connection, "line_acts", acts)

    def add_assignments(self, rows: Sequence[AssignmentRow]) -> None:
        insert_rows(self._connection, "assignments", rows)

    def payment_key(self, receipt: int) -> PaymentKey | None:
        return self.find(self._biller_id, receipt=receipt)

    # --- imports ---------------------------------------------------------------------------------

    def imports(self, kinds: Collection[str]) -> list[ImportRow]:
        query = (
            select(*(imports.c[name] for name in ImportRow._fields))
            .where(imports.c.biller_id == self._biller_id, imports.c.kind.in_(sorted(kinds)))
            .order_by(imports.c.import_id)
        )
        return [ImportRow(*row) for row in self._connection.execute(query)]

    def set_import(self, import_id: int, state: str, summary: str, finished_at_us: int | None) -> None:
        self._connection.execute(
            update(imports)
            .where(imports.c.biller_id == self._biller_id, imports.c.import_id == import_id)
            .values(state=state, summary=summary, finished_at_us=finished_at_us)
        )


def _lined() -> Exists:
    """A register's line made the payment, or confirms it."""
    return exists().where(
        money_lines.c.biller_id == payments.c.biller_id,
        money_lines.c.receipt == payments.c.receipt,
        money_lines.c.kind == "register",
    )


def _grouped(pairs: Sequence[Any]) -> dict[str, set[str]]:
    grouped: dict[str, set[str]] = {}
    for key, value in pairs:
        grouped.setdefault(key, set()).add(value)
    return grouped


def _posting_book(connection: Connection) -> PostingBook:
    """The engine's own hot path, inside this transaction."""
    driver: Any = connection.connection.driver_connection
    if is_postgres(connection):
        from kvit.storage.posting_postgres import PostgresPostingBook

        return PostgresPostingBook(driver)
    from kvit.storage.posting_sqlite import SqlitePostingBook

    return SqlitePostingBook(driver)


class SqlIntake(SqlReceivables):
    """Runs work on one biller's books, one transaction a call."""

    def read(self, work: Callable[[Any], T]) -> T:
        with self._database.read() as connection:
            return work(SqlIntakeBook(connection, self._biller_id))

    def write(self, work: Callable[[Any], T]) -> T:
        return super().write(work)

    def _book(self, connection: Connection) -> SqlIntakeBook:
        return SqlIntakeBook(connection, self._biller_id)
