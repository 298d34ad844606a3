"""Taking a backup: one snapshot while payments go on, verified after writing, put in its place at once."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, text

from kvit import __version__
from kvit.domain.errors import NotAllowed, NotFound, SchemaMismatch
from kvit.storage import migrate
from kvit.storage.audit import next_id
from kvit.storage.backup_file import (
    FORMAT,
    FORMAT_VERSION,
    MANIFEST,
    BackupReader,
    BackupWriter,
    Manifest,
    Progress,
    Row,
)
from kvit.storage.engine import Database
from kvit.storage.shapes import Shape, shapes_at
from kvit.storage.snapshot import snapshot

#: Rows read and packed at once.
_PART = 2000


def write_backup(database: Database, path: Path, now: datetime, progress: Progress) -> Manifest:
    """Write all books to ``path``; ``progress`` is told of rows written, and again of rows verified.

    The file appears only when it is whole, on the disk and verified; an older backup there is replaced at
    that moment. Raises ``NotAllowed`` for a path that is something else than a backup.
    """
    _refuse_target(path)
    path = path.absolute()
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "w+b") as target:
            with snapshot(database) as connection, closing(BackupWriter(target)) as writer:
                manifest = _write(connection, writer, now, progress)
            target.flush()
            os.fsync(target.fileno())
        _verify(part, manifest, progress)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return manifest


def count_rows(database: Database) -> int:
    """How many rows a backup would have, for a progress bar."""
    with database.read() as connection:
        return sum(
            connection.execute(text(f"SELECT count(*) FROM {shape.table}")).scalar_one()
            for shape in _shapes(connection)
        )


def _refuse_target(path: Path) -> None:
    if not path.absolute().parent.is_dir():
        raise NotFound(f"there is no folder {path.absolute().parent}; nothing was written")
    if not path.exists():
        return
    if path.is_file() and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if MANIFEST in archive.namelist():
                return
    raise NotAllowed(f"{path} is there already and is not a backup; nothing was written. Name another file.")


def _shapes(connection: Connection) -> list[Shape]:
    schema = migrate.current(connection)
    if schema is None:
        raise NotFound("there are no books yet, so there is nothing to back up")
    if not migrate.knows(schema):
        raise SchemaMismatch(
            f"the database has schema {schema}, newer than this kvit knows ({migrate.newest()}); "
            "take the backup with the version of kvit that made it"
        )
    return shapes_at(schema)


def _write(connection: Connection, writer: BackupWriter, now: datetime, progress: Progress) -> Manifest:
    for shape in _shapes(connection):
        writer.add_table(shape, _parts(connection, shape, progress))
    manifest = Manifest(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        kvit_version=__version__,
        schema=migrate.current(connection) or "",
        engine=connection.dialect.name,
        created_at=now.isoformat(),
        next_id=next_id(connection),
        tables=tuple(writer.tables),
    )
    writer.finish(manifest)
    return manifest


def _parts(connection: Connection, shape: Shape, progress: Progress) -> Iterator[list[Row]]:
    columns, key = ", ".join(shape.columns), ", ".join(shape.key)
    query = text(f"SELECT {columns} FROM {shape.table} ORDER BY {key}")
    for part in connection.execute(query, execution_options={"yield_per": _PART}).partitions():
        yield [tuple(row) for row in part]
        progress(len(part))


def _verify(part: Path, manifest: Manifest, progress: Progress) -> None:
    """Open what was written anew, and read all of it."""
    reader = BackupReader(part)
    try:
        assert reader.manifest == manifest, "the manifest reads otherwise than it was written"
        reader.check(progress)
    finally:
        reader.close()


def _sync_folder(folder: Path) -> None:
    """Let the new name survive a power failure too, where folders can be synced."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
