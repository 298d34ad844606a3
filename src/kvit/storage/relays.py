"""What the office knows of its relays: keys, epochs, rows that wait, alarms."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, insert, select, update

from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.model import JournalRow
from kvit.domain.relay_rows import (
    OVER,
    QUARANTINED,
    RESOLVED,
    TRUSTED,
    WAITING,
    RelayAlarmRow,
    RelayEpochRow,
    RelayInboxRow,
    RelayRow,
)
from kvit.storage import billers
from kvit.storage.relay_doors import SqlRelayDoors
from kvit.storage.schema import payments
from kvit.storage.schema_relays import (
    relay_alarms,
    relay_epochs,
    relay_rows,
    relays,
)
from kvit.storage.secretbox import SecretBox


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


class SqlRelays(SqlRelayDoors):
    """One biller's relays. Each call is a transaction of its own."""

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

    def resolve(self, relay_id: str, sequence: int, reason: str, record: Callable[[int], JournalRow]) -> int:
        """A person has dealt with a row that waited; how many wait still. Raises ``NotFound``."""
        mine = relay_rows.c
        here = (
            mine.biller_id == self._biller_id,
            mine.relay_id == relay_id,
            mine.state == QUARANTINED,
        )
        with self._database.write() as connection:
            changed = connection.execute(
                update(relay_rows)
                .where(*here, mine.sequence == sequence)
                .values(state=RESOLVED, reason=reason)
            )
            if not changed.rowcount:
                raise NotFound(f"no row {sequence} of {relay_id} waits; nothing was changed")
            billers.write_journal(connection, [record(billers.take_ids(connection, 1)[0])])
            return int(connection.execute(select(func.count()).where(*here)).scalar_one())

    def booked_receipts(self, receipts: Sequence[int]) -> set[int]:
        """Which of these are receipts of payments in the books."""
        found: set[int] = set()
        with self._database.read() as connection:
            for start in range(0, len(receipts), 500):
                query = select(payments.c.receipt).where(
                    payments.c.biller_id == self._biller_id,
                    payments.c.receipt.in_(receipts[start : start + 500]),
                )
                found.update(connection.execute(query).scalars())
        return found

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
