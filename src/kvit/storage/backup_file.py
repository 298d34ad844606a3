"""The form of a backup: a zip with one file of JSON Lines a table, and a manifest that says what is in them.

It is the same whatever engine it was taken from. A line is a JSON list in the order of the manifest's
columns; bytes are base64. ``docs/howto/backup.md`` describes it for other readers.
"""

from __future__ import annotations

import zipfile
import zlib
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import msgspec

from kvit.domain.errors import KvitError
from kvit.storage.shapes import Shape

FORMAT = "kvit-backup"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"

#: Little time for most of the gain: JSON Lines shrink to a fifth.
_COMPRESSION = 3
_CHUNK_BYTES = 1 << 20
#: No line of ours is nearly as long; a file that has one is not ours.
_LINE_BYTES_MAX = 16 << 20

Row = tuple[Any, ...]
Progress = Callable[[int], None]


class BackupDamaged(KvitError):
    """The file is not a whole and sound backup."""


class TableEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One table's file: ``sha256`` is that of its bytes before they were packed."""

    name: str
    columns: tuple[str, ...]
    binary: tuple[str, ...]
    rows: int
    sha256: str

    @property
    def member(self) -> str:
        return f"tables/{self.name}.jsonl"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """``schema`` is the migration the tables are at; ``next_id`` is above every id in use."""

    format: str
    format_version: int
    kvit_version: str
    schema: str
    engine: str
    created_at: str
    next_id: int
    tables: tuple[TableEntry, ...]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


class BackupWriter:
    """Writes one backup, table by table, and the manifest at last. Close it in any case."""

    def __init__(self, target: IO[bytes]) -> None:
        self._archive = zipfile.ZipFile(
            target, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION, allowZip64=True
        )
        self._encoder = msgspec.json.Encoder()
        self.tables: list[TableEntry] = []

    def add_table(self, shape: Shape, parts: Iterable[list[Row]]) -> int:
        """Write all rows of a table; says how many they were."""
        digest, count = sha256(), 0
        with self._archive.open(f"tables/{shape.table}.jsonl", "w", force_zip64=True) as member:
            for part in parts:
                lines = self._encoder.encode_lines(part)
                digest.update(lines)
                member.write(lines)
                count += len(part)
        self.tables.append(
            TableEntry(
                name=shape.table,
                columns=shape.columns,
                binary=shape.binary,
                rows=count,
                sha256=digest.hexdigest(),
            )
        )
        return count

    def finish(self, manifest: Manifest) -> None:
        text = msgspec.json.format(self._encoder.encode(manifest), indent=2)
        self._archive.writestr(MANIFEST, text)

    def close(self) -> None:
        self._archive.close()


class BackupReader:
    """Reads one backup. Raises ``BackupDamaged`` for anything that a backup is not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except FileNotFoundError as error:
            raise BackupDamaged(f"there is no file {path}") from error
        except (OSError, zipfile.BadZipFile) as error:
            raise BackupDamaged(f"{path} is not a backup made by kvit, or is cut off: {error}") from error
        self.manifest = self._read_manifest()

    def close(self) -> None:
        self._archive.close()

    def rows(self, table: TableEntry) -> Iterator[list[Row]]:
        """The rows of a table in parts; at the end its count and digest have been checked."""
        digest, count = sha256(), 0
        decoder = msgspec.json.Decoder(tuple[Any, ...])
        places = [table.columns.index(name) for name in table.binary]
        try:
            for lines in self._lines(table):
                digest.update(lines)
                part = decoder.decode_lines(lines)
                if any(len(row) != len(table.columns) for row in part):
                    raise self._damaged(f"a row of {table.name} has too few or too many values")
                count += len(part)
                yield [_with_bytes(row, places) for row in part] if places else part
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, ValueError, KeyError, TypeError) as error:
            raise self._damaged(f"the rows of {table.name} cannot be read") from error
        if (count, digest.hexdigest()) != (table.rows, table.sha256):
            raise self._damaged(f"the rows of {table.name} are not those that were written")

    def check(self, progress: Progress) -> None:
        """Read everything, and compare it with the manifest."""
        members = {MANIFEST, *(table.member for table in self.manifest.tables)}
        if set(self._archive.namelist()) != members or len(self._archive.namelist()) != len(members):
            raise self._damaged("the files in it are not those that its manifest names")
        for table in self.manifest.tables:
            for part in self.rows(table):
                progress(len(part))

    def _lines(self, table: TableEntry) -> Iterator[bytes]:
        """Whole lines, about a mebibyte at a time."""
        rest = b""
        with self._archive.open(table.member) as member:
            while chunk := member.read(_CHUNK_BYTES):
                lines, newline, tail = (rest + chunk).rpartition(b"\n")
                if newline:
                    yield lines + newline
                rest = tail
                if len(rest) > _LINE_BYTES_MAX:
                    raise self._damaged(f"a row of {table.name} is too long")
        if rest:
            raise self._damaged(f"the last row of {table.name} is cut off")

    def _read_manifest(self) -> Manifest:
        try:
            manifest = msgspec.json.decode(self._archive.read(MANIFEST), type=Manifest)
        except KeyError as error:
            raise BackupDamaged(f"{self._path} is a zip file, but not a backup made by kvit") from error
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, msgspec.MsgspecError) as error:
            raise self._damaged("its manifest cannot be read") from error
        if manifest.format != FORMAT:
            raise BackupDamaged(f"{self._path} is a zip file, but not a backup made by kvit")
        if manifest.format_version > FORMAT_VERSION:
            raise BackupDamaged(
                f"{self._path} was made by kvit {manifest.kvit_version} in a newer form; install that "
                "version or a later one to read it"
            )
        return manifest

    def _damaged(self, what: str) -> BackupDamaged:
        return BackupDamaged(f"{self._path} is damaged: {what}. Nothing was changed; use another backup.")


def _with_bytes(row: Row, places: list[int]) -> Row:
    values = list(row)
    for place in places:
        if values[place] is not None:
            values[place] = a2b_base64(values[place], strict_mode=True)
    return tuple(values)
