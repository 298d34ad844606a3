"""Kept files: the bytes of what came and went, packed, in parts, known by the SHA-256 of the whole.

Parts are only ever added. They are written from the last to the first, so a file is there as a whole as soon
as its first part is; one that was broken off before is completed by keeping the same bytes again.
"""

from __future__ import annotations

import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator
from hashlib import sha256
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, select, text

from kvit.domain.errors import KvitError, NotFound
from kvit.storage.engine import Database
from kvit.storage.schema_files import file_parts

#: Bytes of one part before it is packed.
PART_BYTES = 256 << 10
#: Parts of one transaction: some four megabytes, written in about ten milliseconds.
SLICE_PARTS = 16
#: So long an SQLite database is left to others between two slices; its writers look every few milliseconds.
REST_S = 0.01
#: Smaller files never touch the disk before they are in the database.
_IN_MEMORY_BYTES = 4 << 20
#: Fast: a register packs to a quarter, and the strongest packing would take five times as long for a fifth.
_LEVEL = 1

_INSERT = text(
    "INSERT INTO file_parts (biller_id, digest, part, content) "
    "VALUES (:biller_id, :digest, :part, :content) ON CONFLICT DO NOTHING"
)


class FileDamaged(KvitError):
    """A kept file is not what it was when it was kept; restore the database from a backup."""


class Keeping:
    """One file on its way into the database; nothing is written before ``finish``."""

    def __init__(self, database: Database, biller_id: str) -> None:
        self._database = database
        self._biller_id = biller_id
        self._first = b""
        self._size_bytes = 0
        self._body = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed on exit

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._body.close()

    def add(self, chunk: bytes) -> None:
        """The next bytes of the file."""
        self._body.write(chunk)
        self._size_bytes += len(chunk)

    def put_first(self, chunk: bytes) -> None:
        """Bytes that stand before all others, such as a head with totals that are known only at the end."""
        self._first = chunk

    def finish(self) -> str:
        """Write the file; its SHA-256 in hexadecimal. A file that is there already is not written again."""
        digest = self._digest()
        with self._database.read() as connection:
            if _is_whole(connection, self._biller_id, digest):
                return digest
        waiting: list[dict[str, object]] = []
        for part in range(self._parts_count() - 1, -1, -1):
            packed = zlib.compress(self._part(part), _LEVEL)
            key = {"biller_id": self._biller_id, "digest": digest, "part": part}
            waiting.append({**key, "content": packed})
            if len(waiting) == SLICE_PARTS:
                self._write(waiting)
                waiting = []
                self._rest()
        if waiting:
            self._write(waiting)
        return digest

    def _write(self, parts: list[dict[str, object]]) -> None:
        with self._database.write() as connection:
            connection.execute(_INSERT, parts)

    def _rest(self) -> None:
        if not self._database.is_postgres:
            time.sleep(REST_S)

    def _digest(self) -> str:
        digest = sha256(self._first)
        self._body.seek(0)
        while chunk := self._body.read(PART_BYTES):
            digest.update(chunk)
        return digest.hexdigest()

    def _parts_count(self) -> int:
        """An empty file is one empty part."""
        return max(1, -(-(len(self._first) + self._size_bytes) // PART_BYTES))

    def _part(self, part: int) -> bytes:
        # The same bytes are always cut at the same places, however they were handed over.
        start = part * PART_BYTES
        head = self._first[start : start + PART_BYTES]
        self._body.seek(max(0, start - len(self._first)))
        return head + self._body.read(PART_BYTES - len(head))


def keep(database: Database, biller_id: str, chunks: Iterable[bytes]) -> str:
    """Keep a file; its SHA-256 in hexadecimal. The same bytes again change nothing."""
    with Keeping(database, biller_id) as keeping:
        for chunk in chunks:
            keeping.add(chunk)
        return keeping.finish()


def read(database: Database, biller_id: str, digest: str) -> Iterator[bytes]:
    """The bytes of a kept file, part by part. Raises ``NotFound``, and ``FileDamaged`` at the end."""
    seen = sha256()
    after = -1
    while parts := _parts_after(database, biller_id, digest, after):
        if parts[0][0] != after + 1:
            break
        for part, packed in parts:
            after = part
            content = _unpacked(packed, digest)
            seen.update(content)
            yield content
    if after < 0:
        raise NotFound(f"there is no kept file {digest}")
    if seen.hexdigest() != digest:
        raise FileDamaged(f"the kept file {digest} is damaged; restore the database from a backup")


def is_kept(database: Database, biller_id: str, digest: str) -> bool:
    """Is the file there as a whole?"""
    with database.read() as connection:
        return _is_whole(connection, biller_id, digest)


def _is_whole(connection: Connection, biller_id: str, digest: str) -> bool:
    query = select(file_parts.c.part).where(
        file_parts.c.biller_id == biller_id, file_parts.c.digest == digest, file_parts.c.part == 0
    )
    return connection.execute(query).first() is not None


def _parts_after(database: Database, biller_id: str, digest: str, after: int) -> list[tuple[int, bytes]]:
    """Some parts in their order; a short read, so that nobody waits for the one who reads the file."""
    query = (
        select(file_parts.c.part, file_parts.c.content)
        .where(file_parts.c.biller_id == biller_id, file_parts.c.digest == digest, file_parts.c.part > after)
        .order_by(file_parts.c.part)
        .limit(SLICE_PARTS)
    )
    with database.read() as connection:
        return [(part, bytes(content)) for part, content in connection.execute(query)]


def _unpacked(packed: bytes, digest: str) -> bytes:
    try:
        return zlib.decompress(packed)
    except zlib.error as error:
        raise FileDamaged(f"the kept file {digest} is damaged; restore the database from a backup") from error
