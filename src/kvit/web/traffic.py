"""What agents asked and what they were told, a JSON line each, without personal data.

Lines are gathered and written by a thread, so that a slow or full disk never holds up a payment.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from io import FileIO
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
        self._is_torn = False
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
            lines = self._encode_lines(records)
        except Exception:  # one of them is at fault, and the log must not end with it
            if len(records) > 1:
                for record in records:
                    self._try([record])
                return
            lines = b""
        written = lines.count(b"\n", 0, self._write(lines))
        self._lost += sum(one.count if isinstance(one, Lost) else 1 for one in records[written:])

    def _write(self, lines: bytes) -> int:
        """How many of the bytes are written: all, or those before a disk was full or a pipe was closed.

        A line that was broken off stays alone: the next one begins anew.
        """
        gap = b"\n" if self._is_torn else b""
        whole, done = gap + lines, 0
        with contextlib.suppress(Exception), self._stream() as stream:
            while done < len(whole):
                done += stream.write(whole[done:])
        if done:
            self._is_torn = not whole.endswith(b"\n", 0, done)
        return max(done - len(gap), 0)

    def _stream(self) -> FileIO:
        """Without a buffer, which would keep what could not be written and bring it out later."""
        if self._path is None:
            return open(sys.stderr.fileno(), "wb", buffering=0, closefd=False)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return self._path.open("ab", buffering=0)
