"""One serving process: the doors, the lanes behind them, and what runs beside them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from kvit.config import Settings
from kvit.domain.errors import KvitError, SettingsError
from kvit.domain.model import Agreement
from kvit.lanes.desk import Lookups, Postings, QuickReads, ReadDesk, UnavailableDesk, WriteDesk
from kvit.lanes.lane import Lane, LaneLimits
from kvit.main import House, ServeOptions, check_options, make_terms
from kvit.main.relays_beside import COPY_S, FETCH_S, RelaysBeside
from kvit.main.schedule import LOOK_S, Schedule
from kvit.protocols.registry import PROTOCOLS
from kvit.storage import agreements as agreement_storage
from kvit.storage.corrections import SqlCorrections
from kvit.storage.posting_sqlite import QuickSqliteLookups, SqliteLookups, SqlitePostings
from kvit.storage.relay_doors import doors_away, doors_stamp
from kvit.storage.sealing import seal_all
from kvit.storage.secretbox import open_box
from kvit.web.agents import AgentsDoor, Lanes
from kvit.web.app import App
from kvit.web.doors import Directory, Door, Networks
from kvit.web.traffic import TrafficLog
from kvit.web.wire import WireLimits

if TYPE_CHECKING:
    from litestar import Router

_log = logging.getLogger("kvit")

#: How often agreements are looked at anew, and how long a good look keeps the server ready.
_REFRESH_S = 2.0
_READY_S = 10.0
#: How often the journal is sealed, and how many records at a time.
_SEAL_S = 1.0
_SEAL_MAX = 2000


def wire_limits(settings: Settings) -> WireLimits:
    """What the HTTP server's wire takes at most."""
    limits = settings.limits
    return WireLimits(
        limits.url_bytes_max, limits.head_bytes_max, limits.head_timeout_s, limits.body_timeout_s
    )


class Server:
    """One serving process: the doors, the lanes behind them, and what runs beside them."""

    def __init__(self, house: House, options: ServeOptions) -> None:
        self._house = house
        self._options = options
        self._box = open_box(house.settings.data_folder)
        self._directory = Directory()
        self._stamp: tuple[int, int, int] | None = None
        self._ready_until_s = 0.0
        self._stop = threading.Event()
        self._schedule = Schedule(house, options, self._stop)
        self._relays = RelaysBeside(house, self._stop)
        limits = house.settings.limits
        log_path = None if not options.quiet else house.settings.data_folder / "log" / "agents.jsonl"
        self._traffic = TrafficLog(log_path)
        self._limits = limits
        self._postings, self._lookups = self._stores()
        self._quick: QuickSqliteLookups | None = None

    def app(self, routers: Sequence[Router] = ()) -> App:
        """The ASGI application. Must be called on the event loop that will run it."""
        trusted = Networks(self._house.settings.trusted_proxies)
        self._lanes = self._make_lanes()
        agents = AgentsDoor(
            self._directory,
            self._lanes,
            self._limits.body_bytes_max,
            trusted,
            self._house.clock,
            self._traffic,
        )
        return App(agents, routers, self._is_ready, self._running, self._relays.troubles)

    def refresh(self) -> None:
        """Look whether agreements were applied meanwhile; a success also says that the database is well.

        Raises ``SettingsError``, with every door closed, while this server may not serve what is applied.
        """
        try:
            with self._house.database.read() as connection:
                stamp = (*agreement_storage.stamp(connection), doors_stamp(connection))
                if stamp != self._stamp:
                    away = doors_away(connection)
                    self._take_up(*agreement_storage.load_readable(connection, self._box), away)
                    self._stamp = stamp
        except Exception:
            self._ready_until_s = 0.0
            raise
        self._ready_until_s = time.monotonic() + _READY_S

    def _take_up(
        self, agreements: Sequence[Agreement], unreadable: Mapping[str, str], away: Mapping[str, str]
    ) -> None:
        """Open the doors anew. Without credentials to compare with, a door stays closed; so does one that a
        relay serves, and all of them when an agreement went live beside a trial's clock or kiosk."""
        try:
            check_options(self._house, agreements, self._options)
        except SettingsError:
            self._directory.close_all()
            raise
        foreign = {
            one.agreement_id: f"this version does not speak {one.protocol}"
            for one in agreements
            if one.has_door and one.protocol not in PROTOCOLS
        }
        closed = {**unreadable, **foreign}
        for agreement_id, reason in closed.items():
            _log.error("door %s stays closed: %s", agreement_id, reason)
        for agreement_id, state in away.items():
            _log.info("door %s is closed here: %s", agreement_id, state)
        closed |= away
        doors = [
            Door(agreement, PROTOCOLS[agreement.protocol], make_terms(agreement))
            for agreement in agreements
            if agreement.has_door and agreement.agreement_id not in closed
        ]
        self._directory.replace(doors, closed)

    def _is_ready(self) -> bool:
        return time.monotonic() < self._ready_until_s

    def _stores(self) -> tuple[list[Postings], list[Lookups]]:
        database, limits = self._house.database, self._limits
        if database.is_postgres:
            from kvit.storage.posting_postgres import PostgresLookups, PostgresPostings

            conninfo = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
            return (
                [PostgresPostings(conninfo, limits.deadline_s) for _ in range(limits.write_lanes)],
                [PostgresLookups(conninfo, limits.deadline_s) for _ in range(limits.read_lanes)],
            )
        return [SqlitePostings(database.path)], [
            SqliteLookups(database.path) for _ in range(limits.read_lanes)
        ]

    def _make_lanes(self) -> Lanes:
        limits, clock = self._limits, self._house.clock
        lane_limits = LaneLimits(
            queue_max=limits.queue_max,
            owner_max=max(1, limits.queue_max * limits.queue_share_percent // 100),
            batch_max=limits.batch_max,
            deadline_s=limits.deadline_s,
        )
        if self._options.test_fault:
            away = UnavailableDesk()
            return Lanes(Lane("read", [away], lane_limits), Lane("write", [away], lane_limits))
        corrections = SqlCorrections(self._house.database)
        readers = [ReadDesk(lookups, clock) for lookups in self._lookups]
        writers = [WriteDesk(postings, corrections, clock) for postings in self._postings]
        read, write = Lane("read", readers, lane_limits), Lane("write", writers, lane_limits)
        if self._house.database.is_postgres:
            return Lanes(read, write)
        self._quick = QuickSqliteLookups(self._house.database.path)
        return Lanes(read, write, QuickReads(self._quick, time.monotonic))

    @contextlib.asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        lanes = self._lanes
        await asyncio.to_thread(self.refresh)
        lanes.read.start()
        lanes.write.start()
        self._traffic.start()
        beside = [
            threading.Thread(target=self._every, args=(seconds, work), name=name, daemon=True)
            for name, seconds, work in (
                ("refresh", _REFRESH_S, self.refresh),
                ("sealer", _SEAL_S, self._seal),
                ("schedule", LOOK_S, self._schedule.look),
                ("relays", FETCH_S, self._relays.fetch),
                ("copies", COPY_S, self._relays.copy),
            )
        ]
        for thread in beside:
            thread.start()
        try:
            yield
        finally:
            self._ready_until_s = 0.0
            self._stop.set()
            await asyncio.gather(
                lanes.read.close(self._limits.shutdown_s), lanes.write.close(self._limits.shutdown_s)
            )
            for thread in beside:
                await asyncio.to_thread(thread.join, 5)
            self._traffic.close()
            for postings in self._postings:
                postings.close()
            for lookups in self._lookups:
                lookups.close()
            if self._quick is not None:
                self._quick.close()

    def _every(self, seconds: float, work: Callable[[], None]) -> None:
        """Beside the payments: a failure is logged and tried again, and never ends the server."""
        said = ""
        while not self._stop.wait(seconds):
            try:
                work()
                said = ""
            except KvitError as error:
                if str(error) != said:  # not every two seconds again
                    said = str(error)
                    _log.error("%s", said)
            except Exception:
                _log.exception("a task beside the payments failed")

    def _seal(self) -> None:
        while seal_all(self._house.database, _SEAL_MAX) >= _SEAL_MAX and not self._stop.is_set():
            time.sleep(0.05)
