"""What the office knows of its relays: keys, epochs, doors, copies of debts, alarms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.relay_rows import (
    AT_RELAY,
    OVER,
    QUARANTINED,
    TO_OFFICE,
    TO_RELAY,
    TRUSTED,
    WAITING,
    RelayAlarmRow,
    RelayDoorRow,
    RelayEpochRow,
    RelayInboxRow,
    RelayRow,
)
from kvit.storage.engine import Database
from kvit.storage.schema import accounts, journal
from kvit.storage.schema_relays import (
    relay_alarms,
    relay_doors,
    relay_epochs,
    relay_rows,
    relay_told,
    relays,
)
from kvit.storage.secretbox import SecretBox
from kvit.storage.snapshot import snapshot

#: Rows of one statement where a copy of many accounts is noted.
_SLICE_ROWS = 500


class RelayKeys(NamedTuple):
    """What only office and node know: keys of calls by their ids, and the key of receipts."""

    calls: Mapping[str, bytes]
    receipts: bytes

    def sealed(self, box: SecretBox) -> bytes:
        calls = {name: key.hex() for name, key in self.calls.items()}
        return box.seal(json.dumps({"calls": calls, "receipts": self.receipts.hex()}))

    @classmethod
    def opened(cls, secrets: bytes, box: SecretBox) -> RelayKeys:
        """Raises ``SettingsError`` when the installation's key is another one."""
        values = json.loads(box.open(secrets))
        calls = {name: bytes.fromhex(key) for name, key in values["calls"].items()}
        return cls(calls, bytes.fromhex(values["receipts"]))


class SqlRelays:
    """One biller's relays. Each call is a transaction of its own."""

    def __init__(self, database: Database, biller_id: str) -> None:
        self._database = database
        self._biller_id = biller_id

    # --- relays ----------------------------------------------------------------------------------

    def all(self) -> list[RelayRow]:
        query = select(relays).where(relays.c.biller_id == self._biller_id).order_by(relays.c.relay_id)
        with self._database.read() as connection:
            return [RelayRow(*row) for row in connection.execute(query)]

    def find(self, relay_id: str) -> RelayRow:
        """Raises ``NotFound`` saying which there are."""
        known = self.all()
        for row in known:
            if row.relay_id == relay_id or (not relay_id and len(known) == 1):
                return row
        names = ", ".join(row.relay_id for row in known) or "none; pair one with `kvit relay pair URL`"
        raise NotFound(
            f"there is no relay {relay_id}; known: {names}" if relay_id else f"name one of: {names}"
        )

    def next_number(self) -> int:
        """A number for receipts that no relay of the installation has. Raises ``NotAllowed`` after 256."""
        with self._database.read() as connection:
            used = set(connection.execute(select(relays.c.relay_number)).scalars())
        for number in range(256):
            if number not in used:
                return number
        raise NotAllowed("there are 256 relays already, and no receipt has room for another")

    def save(self, row: RelayRow) -> None:
        with self._database.write() as connection:
            changed = connection.execute(update(relays).where(*self._is(row.relay_id)).values(row._asdict()))
            if changed.rowcount == 0:
                connection.execute(insert(relays), row._asdict())

    def note_pull(self, relay_id: str, at_us: int, clock_offset_us: int | None, queue_rows: int) -> None:
        values: dict[str, Any] = {"last_pull_at_us": at_us, "queue_rows": queue_rows}
        if clock_offset_us is not None:
            values["clock_offset_us"] = clock_offset_us
        with self._database.write() as connection:
            connection.execute(update(relays).where(*self._is(relay_id)).values(**values))

    def _is(self, relay_id: str) -> tuple[Any, ...]:
        return relays.c.biller_id == self._biller_id, relays.c.relay_id == relay_id

    # --- epochs ----------------------------------------------------------------------------------

    def epochs(self, relay_id: str) -> list[RelayEpochRow]:
        """Oldest first."""
        mine = relay_epochs.c
        query = (
            select(relay_epochs)
            .where(mine.biller_id == self._biller_id, mine.relay_id == relay_id)
            .order_by(mine.seen_at_us, mine.epoch)
        )
        with self._database.read() as connection:
            return [RelayEpochRow(*row) for row in connection.execute(query)]

    def epoch(self, relay_id: str) -> RelayEpochRow | None:
        """The one that is fetched."""
        return next((row for row in self.epochs(relay_id) if row.state == TRUSTED), None)

    def meet_epoch(self, relay_id: str, epoch: str, now_us: int) -> RelayEpochRow:
        """Note an epoch: the very first one is trusted, every later one waits for a person."""
        with self._database.write() as connection:
            mine = relay_epochs.c
            here = (mine.biller_id == self._biller_id, mine.relay_id == relay_id)
            known = {row.epoch: row for row in connection.execute(select(relay_epochs).where(*here))}
            if epoch in known:
                return RelayEpochRow(*known[epoch])
            row = RelayEpochRow(
                self._biller_id, relay_id, epoch, WAITING if known else TRUSTED, 0, 0, 0, now_us
            )
            connection.execute(insert(relay_epochs), row._asdict())
            return row

    def trust(self, relay_id: str, epoch: str) -> None:
        """From now on this epoch is fetched, and no other. Raises ``NotFound``."""
        mine = relay_epochs.c
        with self._database.write() as connection:
            here = (mine.biller_id == self._biller_id, mine.relay_id == relay_id)
            connection.execute(update(relay_epochs).where(*here).values(state=OVER))
            trusted = update(relay_epochs).where(*here, mine.epoch == epoch).values(state=TRUSTED)
            if connection.execute(trusted).rowcount != 1:
                raise NotFound(f"nobody has seen the epoch {epoch} at this relay; nothing was changed")

    def note_epoch(self, relay_id: str, epoch: str, **values: int) -> None:
        """``acked_through`` or ``high_water``; neither goes back."""
        mine = relay_epochs.c
        with self._database.write() as connection:
            for name, value in values.items():
                connection.execute(
                    update(relay_epochs)
                    .where(
                        mine.biller_id == self._biller_id,
                        mine.relay_id == relay_id,
                        mine.epoch == epoch,
                        mine[name] < value,
                    )
                    .values({name: value})
                )

    # --- rows ------------------------------------------------------------------------------------

    def quarantine(self, relay_id: str, most: int = 1_000) -> list[RelayInboxRow]:
        query = (
            select(relay_rows)
            .where(
                relay_rows.c.biller_id == self._biller_id,
                relay_rows.c.relay_id == relay_id,
                relay_rows.c.state == QUARANTINED,
            )
            .order_by(relay_rows.c.taken_at_us, relay_rows.c.epoch, relay_rows.c.sequence)
            .limit(most)
        )
        with self._database.read() as connection:
            return [RelayInboxRow(*row) for row in connection.execute(query)]

    def by_receipt(self, receipt: int) -> list[RelayInboxRow]:
        query = select(relay_rows).where(
            relay_rows.c.biller_id == self._biller_id, relay_rows.c.receipt == receipt
        )
        with self._database.read() as connection:
            return [RelayInboxRow(*row) for row in connection.execute(query)]

    # --- alarms ----------------------------------------------------------------------------------

    def alarms(self, relay_id: str, *, cleared: bool = False) -> list[RelayAlarmRow]:
        """Those that hold; with ``cleared`` the others too. Newest first."""
        mine = relay_alarms.c
        query = select(relay_alarms).where(mine.biller_id == self._biller_id, mine.relay_id == relay_id)
        if not cleared:
            query = query.where(mine.cleared_at_us.is_(None))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(mine.raised_at_us.desc(), mine.alarm).limit(1_000))
            return [RelayAlarmRow(*row) for row in rows]

    def raise_alarm(self, relay_id: str, alarm: str, detail: str, now_us: int) -> bool:
        """Whether it is new: one that holds already is only seen again."""
        mine = relay_alarms.c
        here = (mine.biller_id == self._biller_id, mine.relay_id == relay_id, mine.alarm == alarm)
        with self._database.write() as connection:
            seen = (
                update(relay_alarms)
                .where(*here, mine.cleared_at_us.is_(None))
                .values(seen_at_us=now_us, detail=detail)
            )
            if connection.execute(seen).rowcount:
                return False
            latest = connection.execute(select(func.max(mine.raised_at_us)).where(*here)).scalar_one()
            raised_at_us = max(now_us, (latest or 0) + 1)
            row = RelayAlarmRow(self._biller_id, relay_id, alarm, raised_at_us, detail, now_us, None)
            connection.execute(insert(relay_alarms), row._asdict())
            return True

    def clear_alarm(self, relay_id: str, alarm: str, now_us: int) -> bool:
        mine = relay_alarms.c
        with self._database.write() as connection:
            cleared = (
                update(relay_alarms)
                .where(
                    mine.biller_id == self._biller_id,
                    mine.relay_id == relay_id,
                    mine.alarm == alarm,
                    mine.cleared_at_us.is_(None),
                )
                .values(cleared_at_us=now_us)
            )
            return bool(connection.execute(cleared).rowcount)

    # --- doors -----------------------------------------------------------------------------------

    def doors(self) -> list[RelayDoorRow]:
        query = select(relay_doors).where(relay_doors.c.biller_id == self._biller_id)
        with self._database.read() as connection:
            return [
                RelayDoorRow(*row) for row in connection.execute(query.order_by(relay_doors.c.agreement_id))
            ]

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
