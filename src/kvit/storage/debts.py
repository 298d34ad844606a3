"""What clients owe, streamed from one snapshot; and the registers that told it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from kvit.domain.debts import SENT
from kvit.domain.file_rows import DebtRegisterRow, DebtRejectRow
from kvit.domain.model import JournalRow
from kvit.services.debts.ports import Decision, FoundDebts, Question
from kvit.services.debts.rows import DETAILS, account_slice, invoice_slices, wanted
from kvit.storage import billers, file_store
from kvit.storage.engine import Database
from kvit.storage.file_store import Keeping
from kvit.storage.schema_files import debt_registers, debt_rejects
from kvit.storage.snapshot import snapshot

#: Rows of one slice. With more, the collector of garbage walks them all again and again.
SLICE_ROWS = 500


class SqlDebts:
    """One biller's debts and registers."""

    def __init__(self, database: Database, biller_id: str) -> None:
        self._database = database
        self._biller_id = biller_id

    @contextmanager
    def debts(self, question: Question) -> Iterator[Iterator[FoundDebts]]:
        """What is owed, by client's number in the order of its characters, from one snapshot."""
        with snapshot(self._database) as connection:
            query = _invoices_query if question.by_invoice else _accounts_query
            # Closed here, whoever broke off: the cursor must not outlive its connection.
            with closing(_stream(connection, query(connection, question), self._biller_id)) as rows:
                if question.by_invoice:
                    yield invoice_slices(rows, question)
                else:
                    details, are_told = wanted(question), not question.everything
                    yield (
                        account_slice(zip(*some, strict=True), details, are_told=are_told) for some in rows
                    )

    def keeping(self) -> Keeping:
        return Keeping(self._database, self._biller_id)

    def read(self, digest: str) -> Iterator[bytes]:
        return file_store.read(self._database, self._biller_id, digest)

    def registers(self, agreement_id: str) -> list[DebtRegisterRow]:
        with self._database.read() as connection:
            return self._registers(connection, agreement_id)

    def rejects(self, agreement_id: str, number: int) -> list[DebtRejectRow]:
        table = debt_rejects.c
        query = (
            select(debt_rejects)
            .where(
                table.biller_id == self._biller_id,
                table.agreement_id == agreement_id,
                table.register_number == number,
            )
            .order_by(table.row_number)
        )
        with self._database.read() as connection:
            return [DebtRejectRow(*row) for row in connection.execute(query)]

    def add(self, row: DebtRegisterRow, record: Callable[[int], JournalRow]) -> bool:
        """False where another register took the number."""
        try:
            with self._database.write() as connection:
                connection.execute(insert(debt_registers), row._asdict())
                billers.write_journal(connection, [record(billers.take_ids(connection, 1)[0])])
        except IntegrityError:
            return False
        return True

    def decide(
        self,
        agreement_id: str,
        work: Callable[[list[DebtRegisterRow]], Decision],
        record: Callable[[int, Decision], JournalRow],
    ) -> Decision:
        """One transaction; on PostgreSQL the registers are locked, so that two decisions see each other."""
        with self._database.write() as connection:
            decision = work(self._registers(connection, agreement_id, locked=True))
            if decision.states or decision.rejects:
                self._apply(connection, agreement_id, decision)
                billers.write_journal(connection, [record(billers.take_ids(connection, 1)[0], decision)])
        return decision

    def _registers(
        self, connection: Connection, agreement_id: str, *, locked: bool = False
    ) -> list[DebtRegisterRow]:
        table = debt_registers.c
        query = (
            select(debt_registers)
            .where(table.biller_id == self._biller_id, table.agreement_id == agreement_id)
            .order_by(table.register_number)
        )
        return [
            DebtRegisterRow(*row) for row in connection.execute(query.with_for_update() if locked else query)
        ]

    def _apply(self, connection: Connection, agreement_id: str, decision: Decision) -> None:
        table = debt_registers.c
        for number, state, comment in decision.states:
            moment = {"sent_at_us": decision.at_us} if state == SENT else {"decided_at_us": decision.at_us}
            connection.execute(
                update(debt_registers)
                .where(
                    table.biller_id == self._biller_id,
                    table.agreement_id == agreement_id,
                    table.register_number == number,
                )
                .values(state=state, comment=comment, **moment)
            )
        if decision.rejects:
            connection.execute(insert(debt_rejects), [one._asdict() for one in decision.rejects])


def _by_number(connection: Connection) -> str:
    """One order on both engines, whatever the language of the PostgreSQL database: that of the characters."""
    return 'a.number COLLATE "C"' if connection.dialect.name == "postgresql" else "a.number"


def _details(question: Question) -> str:
    """Every detail, empty where it is not wanted."""
    return ", ".join(f"a.{name}" if name in question.details else "''" for name in DETAILS)


def _accounts_query(connection: Connection, question: Question) -> str:
    owed = "a.balance_minor" if question.below_zero else "max(a.balance_minor, 0)"
    if connection.dialect.name == "postgresql":
        owed = owed.replace("max(", "greatest(")
    columns = "".join(f", a.{name}" for name in wanted(question))
    is_told = "a.status = 'active'"
    if not question.keeps_paid:
        is_told += " AND a.balance_minor <> 0" if question.below_zero else " AND a.balance_minor > 0"
    if question.everything:
        return (
            f"SELECT a.number, CASE WHEN {is_told} THEN {owed} END{columns} FROM accounts a "
            f"WHERE a.biller_id = {{mark}} ORDER BY {_by_number(connection)}"
        )
    # What is above zero anyway needs no arithmetic.
    owed = owed if question.keeps_paid else "a.balance_minor"
    return (
        f"SELECT a.number, {owed}{columns} FROM accounts a "
        f"WHERE a.biller_id = {{mark}} AND {is_told} ORDER BY {_by_number(connection)}"
    )


def _invoices_query(connection: Connection, question: Question) -> str:
    # Clients without open charges matter where something is told of them, or was before.
    with_all = question.everything or question.keeps_paid or question.below_zero
    return (
        f"SELECT a.number, a.status, a.balance_minor, {_details(question)}, "
        "c.document, c.period, c.service, c.due_on, c.open_minor "
        f"FROM accounts a {'LEFT ' if with_all else ''}JOIN charges c ON c.biller_id = a.biller_id "
        "AND c.account_id = a.account_id AND c.open_minor > 0 "
        f"WHERE a.biller_id = {{mark}} ORDER BY {_by_number(connection)}"
    )


def _stream(connection: Connection, query: str, biller_id: str) -> Generator[Sequence[Sequence[Any]]]:
    """Some thousand rows at a time, straight from the driver: its rows are plain tuples."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL jit = off"))
        cursor = driver.cursor(name="debts")
        cursor.execute(query.format(mark="%s"), (biller_id,))
    else:
        cursor = driver.cursor()
        cursor.execute(query.format(mark="?"), (biller_id,))
    try:
        yield from iter(partial(cursor.fetchmany, SLICE_ROWS), [])
    finally:
        cursor.close()
