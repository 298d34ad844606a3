"""Long lists for programs: kept on disk while they grow, and printed as one JSON document at the end."""

from __future__ import annotations

import shutil
import sys
import tempfile
from types import TracebackType
from typing import Self

import msgspec

from kvit.domain.model import JsonObject

#: Shorter lists never touch the disk.
_IN_MEMORY_BYTES = 4 << 20


class Spool:
    """A JSON array that is written item by item; ``None`` where nobody wants it."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed on exit
        self._encoder = msgspec.json.Encoder()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, item: JsonObject) -> None:
        """One more."""
        self._file.write((b",\n    " if self._count else b"\n    ") + self._encoder.encode(item))
        self._count += 1

    def print_as(self, name: str, document: JsonObject) -> None:
        """``document`` on standard output, with the list under ``name`` as its last member."""
        out = sys.stdout.buffer
        head = msgspec.json.format(msgspec.json.encode(document), indent=2).rstrip(b"}\n ")
        out.write(head + (b"," if document else b"") + b'\n  "' + name.encode() + b'": [')
        self._file.seek(0)
        shutil.copyfileobj(self._file, out)
        out.write((b"\n  " if self._count else b"") + b"]\n}\n")
        out.flush()
