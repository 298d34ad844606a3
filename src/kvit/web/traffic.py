"""What agents asked and what they were told, a JSON line each, without personal data.

Lines are gathered and written by a thread, so that a slow or full disk never holds up a payment.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

_FLUSH_S = 0.2
_WAITING_MAX = 50_000
#: Lines written in one go: while it encodes, this thread lets nobody else work.
_TOGETHER_MAX = 200


class Heard(msgspec.Struct):
    """One request and its answer: ``asked`` is the kind of command, ``code`` the protocol's own result."""

    at: datetime
    agreement: str
    asked: str
    status: int
    code: str
    txn: str = ""
    ms: float = 0.0
    #: Of a malformed request: what is wrong, and its query with every value masked.
    wrong: str | msgspec.UnsetType = msgspec.UNSET
    query: str | msgspec.UnsetType = msgspec.UNSET


class Lost(msgspec.Struct):
    """So many lines could not be written."""

    count: int
    event: str = "traffic-lines-lost"


class TrafficLog:
    """Writes to ``path``, or to standard error where there is none."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lines: deque[Heard] = deque()
        self._lost = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic-log", daemon=True)
        self._encode_lines = msgspec.json.Encoder().encode_lines

    def start(self) -> None:
        self._thread.start()

    def note(self, record: Heard) -> None:
        """Never blocks and never fails; when too much waits, lines are lost and counted."""
        if len(self._lines) >= _WAITING_MAX:
            self._lost += 1
            return
        self._lines.append(record)

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(_FLUSH_S):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        while self._lines:
            count = min(len(self._lines), _TOGETHER_MAX)
            self._try([self._lines.popleft() for _ in range(count)])
        if self._lost:
            lost, self._lost = self._lost, 0
            self._try([Lost(lost)])

    def _try(self, records: Sequence[Heard | Lost]) -> None:
        """Write them; those that cannot be written are counted."""
        try:
            self._write(self._encode_lines(records))
        except Exception:  # a full disk, a closed pipe: the log must not end with it
            if len(records) == 1:
                self._lost += records[0].count if isinstance(records[0], Lost) else 1
                return
            for record in records:
                self._try([record])

    def _write(self, lines: bytes) -> None:
        if self._path is None:
            sys.stderr.buffer.write(lines)
            sys.stderr.buffer.flush()
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(lines)
