"""What the checklist of a month's close reads, and the close itself, on both engines."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, insert, or_, select, text, update

from kvit.domain.errors import NotFound
from kvit.domain.file_rows import LUMP, QUARANTINE
from kvit.domain.model import HELD, NOBODY, POSTED, Biller, JournalRow
from kvit.services.periods import PERIOD_CLOSED, Closed, Sum
from kvit.storage import billers
from kvit.storage.periods import wait_for_writers
from kvit.storage.schema import billers as biller_rows
from kvit.storage.schema import holds, imports, journal, payments, transactions
from kvit.storage.schema_files import assignments, money_lines
from kvit.storage.sealing import unsealed_journal


class SqlClosing:
    """One open transaction on one biller's books."""

    def __init__(self, connection: Connection, biller_id: str) -> None:
        self._connection = connection
        self._biller_id = biller_id

    # --- the checklist ---------------------------------------------------------------------------

    def first_booked(self) -> str:
        """The earliest day of any transaction after the closed period; empty for none."""
        closed_through = self.biller().closed_through
        of = transactions.c
        query = select(func.min(of.accounting_date)).where(
            of.biller_id == self._biller_id, of.accounting_date > closed_through
        )
        return self._connection.execute(query).scalar_one() or ""

    def suspense(self, until: str) -> Sum:
        """What is left of payments of these days whose money belongs to nobody yet."""
        paid = payments.c
        left = (
            select(func.coalesce(func.sum(assignments.c.amount_minor), 0))
            .where(assignments.c.biller_id == paid.biller_id, assignments.c.receipt == paid.receipt)
            .scalar_subquery()
        )
        rest = paid.amount_minor - left
        query = select(func.count(), func.coalesce(func.sum(rest), 0)).where(
            paid.biller_id == self._biller_id, paid.account_id == NOBODY, paid.state == POSTED,
            paid.accounting_date <= until, rest > 0,
        )  # fmt: skip
        return self._sum(query)

    def quarantine(self, until: str) -> Sum:
        return self._lines(QUARANTINE, until)

    def lumps(self, until: str) -> Sum:
        return self._lines(LUMP, until)

    def _lines(self, state: str, until: str) -> Sum:
        """Also those that name no day: they are of some file that came."""
        of = money_lines.c
        query = select(func.count(), func.coalesce(func.sum(of.amount_minor), 0)).where(
            of.biller_id == self._biller_id, of.state == state, of.day <= until
        )
        return self._sum(query)

    def holds(self, until_us: int, now_us: int) -> int:
        """Announced until then, and neither ended nor over."""
        of = holds.c
        query = select(func.count()).where(
            of.biller_id == self._biller_id, of.state == HELD, of.held_at_us <= until_us,
            or_(of.expires_at_us.is_(None), of.expires_at_us > now_us),
        )  # fmt: skip
        return int(self._connection.execute(query).scalar_one())

    def running_imports(self) -> int:
        of = imports.c
        query = select(func.count()).where(
            of.biller_id == self._biller_id, of.state.in_(("running", "undoing"))
        )
        return int(self._connection.execute(query).scalar_one())

    def unsealed(self) -> int:
        query = (
            f"SELECT count(*) FROM {unsealed_journal(self._connection)} "
            "WHERE biller_id = :biller_id AND position IS NULL"
        )
        return int(self._connection.execute(text(query), {"biller_id": self._biller_id}).scalar_one())

    def _sum(self, query: Any) -> Sum:  # noqa: ANN401 - a count and a sum
        count, sum_minor = self._connection.execute(query).one()
        return Sum(int(count), int(sum_minor))

    # --- the close -------------------------------------------------------------------------------

    def closes(self) -> list[Closed]:
        """Oldest first."""
        of = journal.c
        rows = self._connection.execute(
            select(of.journal_id, of.subject, of.at_us, of.actor, of.detail)
            .where(of.biller_id == self._biller_id, of.verb == PERIOD_CLOSED)
            .order_by(of.journal_id)
        )
        return [Closed(*row) for row in rows]

    def wait_for_writers(self) -> None:
        wait_for_writers(self._connection, self._biller_id)

    def biller(self) -> Biller:
        found = billers.find_biller(self._connection, self._biller_id)
        if found is None:
            raise NotFound(f"there is no biller {self._biller_id}")
        return found

    def set_closed_through(self, day: str) -> None:
        self._connection.execute(
            update(biller_rows).where(biller_rows.c.biller_id == self._biller_id).values(closed_through=day)
        )

    def take_id(self) -> int:
        return billers.take_ids(self._connection, 1)[0]

    def write_journal(self, record: JournalRow) -> None:
        self._connection.execute(insert(journal), record._asdict())
