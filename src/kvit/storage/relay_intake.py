"""Rows of relays on both engines: payments, the rows themselves and the cursor in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, select, update

from kvit.domain.model import PaymentKey
from kvit.domain.relay_rows import RelayInboxRow
from kvit.services.relaying.ports import Place
from kvit.storage.bulk import insert_rows
from kvit.storage.intake import SqlIntake, SqlIntakeBook
from kvit.storage.schema_relays import relay_epochs, relay_rows

T = TypeVar("T")


class SqlRelayBook(SqlIntakeBook):
    """One open transaction on one biller's books."""

    def place(self, relay_id: str, epoch: str) -> Place | None:
        query = select(relay_epochs.c.state, relay_epochs.c.pulled_through).where(
            relay_epochs.c.biller_id == self._biller_id,
            relay_epochs.c.relay_id == relay_id,
            relay_epochs.c.epoch == epoch,
        )
        row = self._connection.execute(query.with_for_update()).one_or_none()
        return None if row is None else Place(*row)

    def inbox_of(self, keys: Collection[PaymentKey], kind: str) -> dict[PaymentKey, RelayInboxRow]:
        found: dict[PaymentKey, RelayInboxRow] = {}
        for key in sorted(keys):
            query = (
                select(relay_rows)
                .where(
                    relay_rows.c.biller_id == self._biller_id,
                    relay_rows.c.agreement_id == key.agreement_id,
                    relay_rows.c.txn == key.txn,
                    relay_rows.c.kind == kind,
                )
                .order_by(relay_rows.c.taken_at_us.desc(), relay_rows.c.sequence.desc())
                .limit(1)
            )
            row = self._connection.execute(query).one_or_none()
            if row is not None:
                found[key] = RelayInboxRow(*row)
        return found

    def posted(self, keys: Sequence[PaymentKey]) -> set[PaymentKey]:
        return set(self.stored(keys))

    def add_rows(self, rows: Sequence[RelayInboxRow]) -> None:
        insert_rows(self._connection, "relay_rows", rows)

    def set_pulled(self, relay_id: str, epoch: str, through: int) -> None:
        self._connection.execute(
            update(relay_epochs)
            .where(
                relay_epochs.c.biller_id == self._biller_id,
                relay_epochs.c.relay_id == relay_id,
                relay_epochs.c.epoch == epoch,
            )
            .values(pulled_through=through)
        )


class SqlRelayIntake(SqlIntake):
    """Runs work on one biller's books on behalf of its relays, one transaction a call."""

    def write(self, work: Callable[[Any], T]) -> T:
        return super().write(work)

    def _book(self, connection: Connection) -> SqlRelayBook:
        return SqlRelayBook(connection, self._biller_id)
