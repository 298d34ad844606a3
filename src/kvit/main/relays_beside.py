"""Relays beside a serving process. What speaks to them is loaded when there is one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sqlalchemy import select

from kvit.main import House
from kvit.storage.schema_relays import relays

if TYPE_CHECKING:
    from kvit.main.relays import Relaying

#: How often it is looked whether a relay or a copy is due.
FETCH_S = 1.0
COPY_S = 5.0


class RelaysBeside:
    """One server's relays."""

    def __init__(self, house: House, stop: threading.Event) -> None:
        self._house, self._stop = house, stop
        self._relaying: Relaying | None = None

    def fetch(self) -> None:
        """Raises ``DatabaseUnavailable``."""
        if self._is_needed() and self._relaying is not None:
            self._relaying.look()

    def copy(self) -> None:
        """Raises ``DatabaseUnavailable``."""
        if self._relaying is not None:
            self._relaying.copy()

    def troubles(self) -> list[str]:
        """A line for each relay that has alarms, for the page of health."""
        known = {} if self._relaying is None else dict(self._relaying.alarms)
        return [f"relay {name}: {', '.join(alarms)}" for name, alarms in sorted(known.items()) if alarms]

    def _is_needed(self) -> bool:
        if self._relaying is None:
            with self._house.database.read() as connection:
                if connection.execute(select(relays.c.relay_id).limit(1)).first() is None:
                    return False
            from kvit.main.relays import Relaying

            self._relaying = Relaying(self._house, self._stop)
        return True
