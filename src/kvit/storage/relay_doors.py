"""Who serves which door, and the copies of debts that relays have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from kvit.domain.model import HELD
from kvit.domain.relay_rows import AT_RELAY, TO_OFFICE, TO_RELAY, RelayDoorRow
from kvit.domain.relay_terms import RELAY_RECEIPTS_FROM
from kvit.storage.engine import Database
from kvit.storage.schema import accounts, holds, journal, payments
from kvit.storage.schema_relays import relay_doors, relay_epochs, relay_told
from kvit.storage.snapshot import snapshot

#: Rows of one statement where a copy of many accounts is noted.
_SLICE_ROWS = 500


class SqlRelayDoors:
    """One biller's doors and copies. Each call is a transaction of its own."""

    def __init__(self, database: Database, biller_id: str) -> None:
        self._database = database
        self._biller_id = biller_id

    # --- doors -----------------------------------------------------------------------------------

    def doors(self) -> list[RelayDoorRow]:
        query = select(relay_doors).where(relay_doors.c.biller_id == self._biller_id)
        with self._database.read() as connection:
            return [
                RelayDoorRow(*row) for row in connection.execute(query.order_by(relay_doors.c.agreement_id))
            ]

    def is_complete(self, agreement_id: str) -> bool:
        """Did every payment and hold of this agreement come by a relay whose inbox is still its first?"""
        with self._database.read() as connection:
            for table in (payments, holds):
                ours = select(table.c.receipt).where(
                    table.c.biller_id == self._biller_id,
                    table.c.agreement_id == agreement_id,
                    table.c.receipt < RELAY_RECEIPTS_FROM,
                )
                if connection.execute(ours.limit(1)).first() is not None:
                    return False
            mine = relay_epochs.c
            counted = select(func.count()).where(mine.biller_id == self._biller_id).group_by(mine.relay_id)
            return all(count == 1 for count in connection.execute(counted).scalars())

    def standing_holds(self, agreement_id: str, now_us: int) -> int:
        """Holds of the office that have not come to their end."""
        query = select(func.count()).where(
            holds.c.biller_id == self._biller_id,
            holds.c.agreement_id == agreement_id,
            holds.c.state == HELD,
            or_(holds.c.expires_at_us.is_(None), holds.c.expires_at_us > now_us),
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def set_door(self, agreement_id: str, relay_id: str, state: str, now_us: int) -> None:
        mine = relay_doors.c
        here = (mine.biller_id == self._biller_id, mine.agreement_id == agreement_id)
        with self._database.write() as connection:
            values = {"relay_id": relay_id, "state": state, "changed_at_us": now_us}
            known = connection.execute(select(mine.relay_id).where(*here)).scalar_one_or_none()
            if known is not None:
                # Another relay has never heard of any copy.
                anew = {} if known == relay_id else {"snapshot_version": 0, "as_of_us": 0}
                changed = update(relay_doors).where(*here).values(version=mine.version + 1, **values, **anew)
                connection.execute(changed)
                return
            row = RelayDoorRow(self._biller_id, agreement_id, relay_id, state, 1, 0, 0, now_us)
            connection.execute(insert(relay_doors), row._asdict())

    # --- copies of the debts ---------------------------------------------------------------------

    @contextmanager
    def copy(self, relay_id: str, agreement_id: str) -> Iterator[Copy]:
        """What is owed and what the relay was told of it, from one snapshot of the books."""
        with snapshot(self._database) as connection:
            yield Copy(connection, self._biller_id, relay_id, agreement_id)

    def stamp(self) -> int:
        """Grows with every change of the books, a moment after its commit: the last place in the journal."""
        query = select(func.coalesce(func.max(journal.c.position), 0)).where(
            journal.c.biller_id == self._biller_id, journal.c.position.is_not(None)
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def note_told(
        self,
        relay_id: str,
        agreement_id: str,
        told: Iterable[tuple[str, str]],
        gone: Iterable[str],
        *,
        anew: bool,
    ) -> None:
        """The relay has these digests now. ``anew``: and no others."""
        mine = relay_told.c
        here = (
            mine.biller_id == self._biller_id, mine.relay_id == relay_id, mine.agreement_id == agreement_id,
        )  # fmt: skip
        rows = [
            {"biller_id": self._biller_id, "relay_id": relay_id, "agreement_id": agreement_id,
             "number": number, "told": digest}
            for number, digest in told
        ]  # fmt: skip
        with self._database.write() as connection:
            if anew:
                connection.execute(delete(relay_told).where(*here))
            dropped = [*gone] if anew else [*gone, *(str(row["number"]) for row in rows)]
            for start in range(0, len(dropped), _SLICE_ROWS):
                some = dropped[start : start + _SLICE_ROWS]
                connection.execute(delete(relay_told).where(*here, mine.number.in_(some)))
            for start in range(0, len(rows), _SLICE_ROWS):
                connection.execute(insert(relay_told), rows[start : start + _SLICE_ROWS])

    def note_copy(self, agreement_id: str, version: int, as_of_us: int) -> None:
        """The relay has this version of the copy; 0: what it has is not known any more."""
        mine = relay_doors.c
        with self._database.write() as connection:
            connection.execute(
                update(relay_doors)
                .where(mine.biller_id == self._biller_id, mine.agreement_id == agreement_id)
                .values(snapshot_version=version, as_of_us=as_of_us)
            )


class Copy:
    """One snapshot of the books, as a copy for one relay is made of it."""

    def __init__(self, connection: Connection, biller_id: str, relay_id: str, agreement_id: str) -> None:
        self._connection = connection
        self._biller_id, self._relay_id, self._agreement_id = biller_id, relay_id, agreement_id

    def pulled_through(self, epoch: str) -> int:
        """The rows of the relay that these sums contain."""
        mine = relay_epochs.c
        query = select(mine.pulled_through).where(
            mine.biller_id == self._biller_id, mine.relay_id == self._relay_id, mine.epoch == epoch
        )
        return int(self._connection.execute(query).scalar_one_or_none() or 0)

    def gone(self) -> list[str]:
        """Numbers that the relay was told of and that are no more."""
        here = and_(accounts.c.biller_id == relay_told.c.biller_id, accounts.c.number == relay_told.c.number)
        query = (
            select(relay_told.c.number)
            .select_from(relay_told.outerjoin(accounts, here))
            .where(
                relay_told.c.biller_id == self._biller_id,
                relay_told.c.relay_id == self._relay_id,
                relay_told.c.agreement_id == self._agreement_id,
                accounts.c.number.is_(None),
            )
        )
        return list(self._connection.execute(query).scalars())

    def accounts(self) -> Iterator[tuple[str, str, int, str, str | None]]:
        """(number, name, balance in minor units, status, digest that was told) of every account."""
        told = and_(
            relay_told.c.biller_id == accounts.c.biller_id,
            relay_told.c.relay_id == self._relay_id,
            relay_told.c.agreement_id == self._agreement_id,
            relay_told.c.number == accounts.c.number,
        )
        query = (
            select(
                accounts.c.number, accounts.c.name, accounts.c.balance_minor, accounts.c.status,
                relay_told.c.told,
            )
            .select_from(accounts.outerjoin(relay_told, told))
            .where(accounts.c.biller_id == self._biller_id)
        )  # fmt: skip
        for row in self._connection.execution_options(yield_per=_SLICE_ROWS).execute(query):
            yield (row[0], row[1], row[2], row[3], row[4])


def doors_away(connection: Connection) -> dict[str, str]:
    """The agreements whose doors the office may not open, with the state, whoever's they are."""
    query = select(relay_doors.c.agreement_id, relay_doors.c.state).where(
        relay_doors.c.state.in_((AT_RELAY, TO_RELAY, TO_OFFICE))
    )
    return {row.agreement_id: row.state for row in connection.execute(query)}


def doors_stamp(connection: Connection) -> int:
    """Changes whenever a door moves."""
    query = select(func.coalesce(func.sum(relay_doors.c.version), 0))
    return int(connection.execute(query).scalar_one())
