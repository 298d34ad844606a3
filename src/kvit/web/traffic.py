"""What agents asked and what they were told, a JSON line each, without personal data.

Lines are gathered and written by a thread, so that a slow or full disk never holds up a payment.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from pathlib import Path
from typing import Any, TextIO

import msgspec

_FLUSH_S = 0.2
_WAITING_MAX = 50_000


class TrafficLog:
    """Writes to ``path``, or to standard error where there is none."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lines: deque[dict[str, Any]] = deque()
        self._lost = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic-log", daemon=True)
        self._encode = msgspec.json.Encoder().encode

    def start(self) -> None:
        self._thread.start()

    def note(self, record: dict[str, Any]) -> None:
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
        if not self._lines:
            return
        records = [self._lines.popleft() for _ in range(len(self._lines))]
        if self._lost:
            records.append({"event": "traffic-lines-lost", "count": self._lost})
            self._lost = 0
        try:
            self._write("".join(self._encode(record).decode() + "\n" for record in records))
        except Exception:  # a full disk, a closed pipe: the log must not end with it
            self._lost += len(records)

    def _write(self, text: str) -> None:
        if self._path is None:
            stream: TextIO = sys.stderr
            stream.write(text)
            stream.flush()
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(text)
