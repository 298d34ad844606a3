"""Files that a command writes for people and banks: as a whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from kvit.domain.errors import NotAllowed, NotFound


def place_of(out: Path, name: str) -> Path:
    """Where a file goes: ``name`` in a folder, else the path itself. Raises ``NotFound``, ``NotAllowed``."""
    path = (out / name if out.is_dir() else out).absolute()
    if not path.parent.is_dir():
        raise NotFound(f"there is no folder {path.parent}; nothing was written")
    if path.is_dir():
        raise NotAllowed(f"{path} is a folder; nothing was written")
    return path


def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
    """Under a temporary name first, then, once it is on the disk, under its own."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as target:
                for chunk in chunks:
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
            part.chmod(0o666 & ~_umask())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise NotAllowed(f"{path} could not be written: {error.strerror or error}") from error


def _umask() -> int:
    """What the person's settings take off new files; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
