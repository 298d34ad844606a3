"""Where an agent's new transaction ids come from."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class TimeIds:
    """Ids of sixteen digits: microseconds since 1970, never the same twice, always growing.

    Networks number their payments with up to twenty digits (QIWI), so these fit everywhere, and a
    simulator that is started anew does not repeat the ids of yesterday.
    """

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._clock_ns = clock_ns
        self._last = 0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        with self._lock:
            self._last = max(self._last + 1, self._clock_ns() // 1000)
            return str(self._last)


#: One source for the whole process: agents live for one errand, their ids for ever.
new_txn = TimeIds()
