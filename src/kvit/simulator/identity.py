"""Where the numbers of an agent's new payments come from."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class TimeIds:
    """Numbers below 10**15: tens of microseconds since 1970, never the same twice, always growing.

    Every protocol can write such a number as its own kind of id (``Protocol.txn_of``), and a simulator that
    is started anew does not repeat the ids of yesterday.
    """

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._clock_ns = clock_ns
        self._last = 0
        self._lock = threading.Lock()

    def __call__(self) -> int:
        with self._lock:
            self._last = max(self._last + 1, self._clock_ns() // 10_000)
            return self._last


#: One source for the whole process: agents live for one errand, their ids for ever.
new_number = TimeIds()
