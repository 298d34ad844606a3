"""Relays put together: the node, the books, and what is done with them, once or beside a server."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from kvit.domain import days
from kvit.domain.model import Agreement, Biller
from kvit.domain.relay_rows import AT_RELAY, RelayRow
from kvit.main import House, load_agreements, make_terms
from kvit.relay.office.alarms import Alarms
from kvit.relay.office.client import Node
from kvit.relay.office.copies import Copies, Sent
from kvit.relay.office.doors import door_terms
from kvit.relay.office.genuine import receipt_problems
from kvit.relay.office.pulling import Puller, Round
from kvit.services.relaying.ports import Inbox
from kvit.services.relaying.taking import Taking, take_rows
from kvit.services.relaying.words import Envelope
from kvit.storage import billers
from kvit.storage.alone import Channels
from kvit.storage.relay_intake import SqlRelayIntake
from kvit.storage.relays import RelayKeys, SqlRelays
from kvit.storage.secretbox import open_box

_log = logging.getLogger("kvit.relay")

#: How often a relay is asked without long polling, and how soon again after trouble.
PULL_S = 2.0
TROUBLE_S = 15.0
#: How long a node is asked to wait where its host can serve others meanwhile.
WAIT_S = 8
#: Changes are gathered for so long before a copy goes; without any, it is renewed so often.
GATHER_S = 10.0
RENEW_S = 900.0
#: A relay that was not reached for so long is an alarm.
SILENT_US = 15 * 60 * 1_000_000


@dataclass(slots=True)
class Line:
    """One relay with everything that is needed to speak to it."""

    row: RelayRow
    node: Node
    relays: SqlRelays
    alarms: Alarms
    puller: Puller
    copies: Copies

    def close(self) -> None:
        self.node.close()


class RelayRoom:
    """One biller's relays. ``transport``: another way to the node, for trials."""

    def __init__(
        self, house: House, biller: Biller, *, transport: httpx2.BaseTransport | None = None
    ) -> None:
        self.house, self.biller = house, biller
        self.relays = SqlRelays(house.database, biller.biller_id)
        self.intake = SqlRelayIntake(house.database, biller.biller_id)
        self.transport = transport
        self._box = open_box(house.settings.data_folder)

    def now_us(self) -> int:
        return days.to_us(self.house.clock.now())

    def agreements(self) -> dict[str, Agreement]:
        mine = self.biller.biller_id
        return {one.agreement_id: one for one in load_agreements(self.house) if one.biller_id == mine}

    def keys(self, row: RelayRow) -> RelayKeys:
        return RelayKeys.opened(row.secrets, self._box)

    def sealed(self, keys: RelayKeys) -> bytes:
        return keys.sealed(self._box)

    def node(self, row: RelayRow, keys: Mapping[str, bytes] | None = None) -> Node:
        calls = self.keys(row).calls if keys is None else keys
        offset_us = row.clock_offset_us or 0
        return Node(
            row.url, calls, row.generation, self.now_us, clock_offset_us=offset_us, transport=self.transport
        )

    def line(self, relay_id: str) -> Line:
        """Raises ``NotFound``."""
        row = self.relays.find(relay_id)
        node, alarms = self.node(row), Alarms(self.relays, row.relay_id, self.now_us)
        take = self._taker(row)
        puller = Puller(row.relay_id, node, self.relays, take, alarms, self.now_us)
        copies = Copies(row.relay_id, node, self.relays, alarms, self.now_us)
        return Line(row, node, self.relays, alarms, puller, copies)

    def _taker(self, row: RelayRow) -> Callable[[str, Sequence[Envelope]], Taking]:
        key = self.keys(row).receipts

        def take(epoch: str, rows: Sequence[Envelope]) -> Taking:
            served = {one.agreement_id for one in self.relays.doors() if one.relay_id == row.relay_id}
            agreements = {name: one for name, one in self.agreements().items() if name in served}
            problem = receipt_problems(row.relay_number, epoch, key)
            inbox = Inbox(self.biller.biller_id, row.relay_id, epoch, agreements, problem)
            return take_rows(self.intake, inbox, rows, self.house.clock.now())

        return take

    def served_by(self, relay_id: str) -> list[str]:
        """The agreements whose doors this relay has now."""
        return [
            one.agreement_id
            for one in self.relays.doors()
            if one.relay_id == relay_id and one.state == AT_RELAY
        ]

    def send_doors(self, line: Line, *, closed: Sequence[str] = (), also: Sequence[str] = ()) -> None:
        """Tell the node every agreement that it has, or has had: those that moved away stay closed there.

        Raises ``NodeUnreachable``, ``NodeNotTrusted``, ``NodeRefused``.
        """
        known = self.agreements()
        mine = {
            one.agreement_id: one.state == AT_RELAY
            for one in self.relays.doors()
            if one.relay_id == line.row.relay_id and one.agreement_id in known
        }
        mine |= dict.fromkeys(also, True) | dict.fromkeys(closed, False)
        told = [
            door_terms(
                known[name],
                make_terms(known[name]),
                is_closed=not is_open,
                is_complete=self.relays.is_complete(name),
            )
            for name, is_open in sorted(mine.items())
        ]
        line.node.post("agreements", {"agreements": told})

    def status(self) -> list[dict[str, Any]]:
        """Everything that is known here of every relay, without asking the nodes."""
        return [self._status(row) for row in self.relays.all()]

    def _status(self, row: RelayRow) -> dict[str, Any]:
        epoch = self.relays.epoch(row.relay_id)
        doors = [one for one in self.relays.doors() if one.relay_id == row.relay_id]
        zone, waiting = self.biller.timezone, self.relays.quarantine(row.relay_id)

        def when(at_us: int | None) -> str:
            return days.from_us(at_us, zone).isoformat(timespec="seconds") if at_us else ""

        return {
            "relay": row.relay_id, "url": row.url, "generation": row.generation,
            "epoch": "" if epoch is None else epoch.epoch,
            "pulled_through": 0 if epoch is None else epoch.pulled_through,
            "acked_through": 0 if epoch is None else epoch.acked_through,
            "waiting": row.queue_rows, "last_pull_at": when(row.last_pull_at_us),
            "clock_offset_s": (row.clock_offset_us or 0) // 1_000_000, "host": json.loads(row.host or "{}"),
            "doors": [
                {"agreement": one.agreement_id, "state": one.state, "copy_version": one.snapshot_version,
                 "copy_as_of": when(one.as_of_us)}
                for one in doors
            ],
            "quarantine": len(waiting),
            "quarantined": [
                {"epoch": one.epoch, "sequence": one.sequence, "agreement": one.agreement_id, "txn": one.txn,
                 "reason": one.reason, "row": json.loads(one.content)}
                for one in waiting
            ],
            "alarms": [
                {"alarm": one.alarm, "since": when(one.raised_at_us), "detail": one.detail}
                for one in self.relays.alarms(row.relay_id)
            ],
        }  # fmt: skip


class Relaying:
    """What a serving process does for its relays beside the payments. Each relay has one runner at a time."""

    def __init__(self, house: House, stop: threading.Event) -> None:
        self._house, self._stop = house, stop
        self._channels = Channels(house.database)
        self._again_at_s: dict[str, float] = {}
        self._copied: dict[str, tuple[int, float, float]] = {}
        #: Alarms that hold, by relay: for the health page.
        self.alarms: dict[str, list[str]] = {}

    def look(self) -> None:
        """Fetch from every relay that it is time for. Raises ``DatabaseUnavailable``."""
        for room, row in self._rooms():
            name = f"{room.biller.biller_id}/{row.relay_id}"
            if time.monotonic() < self._again_at_s.get(name, 0.0):
                continue
            with self._channels.alone(room.biller.biller_id, "relay." + row.relay_id) as is_ours:
                pause_s = self._fetch(room, row) if is_ours else PULL_S
            self._again_at_s[name] = time.monotonic() + pause_s
            self.alarms[name] = [one.alarm for one in room.relays.alarms(row.relay_id)]

    def _fetch(self, room: RelayRoom, row: RelayRow) -> float:
        line = room.line(row.relay_id)
        try:
            while not self._stop.is_set():
                done = line.puller.look(WAIT_S if can_wait(row) else 0)
                if done.trouble:
                    self._complain(room, line, done)
                    return TROUBLE_S
                if not done.taken:
                    return 0.0 if can_wait(row) else PULL_S
            return PULL_S
        finally:
            line.close()

    def _complain(self, room: RelayRoom, line: Line, done: Round) -> None:
        _log.warning("relay %s: %s", line.row.relay_id, done.trouble)
        last_us = room.relays.find(line.row.relay_id).last_pull_at_us or line.row.paired_at_us
        if room.now_us() - last_us > SILENT_US:
            line.alarms.sound("silent", f"since {days.from_us(last_us).isoformat(timespec='seconds')}")

    def copy(self) -> None:
        """Renew the copies of the debts that have changed, or are old. Raises ``DatabaseUnavailable``."""
        for room, row in self._rooms():
            served = room.served_by(row.relay_id)
            name, stamp, now_s = (
                f"{room.biller.biller_id}/{row.relay_id}",
                room.relays.stamp(),
                time.monotonic(),
            )
            seen, since_s, sent_s = self._copied.get(name, (-1, 0.0, -RENEW_S))
            if seen == stamp and now_s - sent_s < RENEW_S:
                continue
            if not served or now_s - max(since_s, sent_s) < GATHER_S:
                continue
            with self._channels.alone(room.biller.biller_id, f"relay.{row.relay_id}.copy") as is_ours:
                sent = not is_ours or all(one.version for one in send_copies(room, row.relay_id, served))
            self._copied[name] = (stamp if sent else -1, now_s, now_s)

    def _rooms(self) -> list[tuple[RelayRoom, RelayRow]]:
        with self._house.database.read() as connection:
            known = billers.list_billers(connection)
        return [
            (room, row)
            for room in (RelayRoom(self._house, biller) for biller in known)
            for row in room.relays.all()
        ]


def send_copies(room: RelayRoom, relay_id: str, agreement_ids: Sequence[str]) -> list[Sent]:
    """Renew the copies of these agreements at their relay."""
    line, known = room.line(relay_id), room.agreements()
    try:
        return [line.copies.renew(known[name]) for name in agreement_ids if name in known]
    finally:
        line.close()


def can_wait(row: RelayRow) -> bool:
    """Did the self-test see that the host serves others while one call waits?"""
    return bool(json.loads(row.host or "{}").get("long_polling"))
