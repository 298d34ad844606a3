"""Small disks in memory, to be filled up. Needs the right to mount: root on Linux."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.missing import missing

_BLOCK_BYTES = 4096


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A folder that takes so much and no more; everybody may enter it."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        missing("a small disk must be mounted: run as root on Linux")
    place = Path(tempfile.mkdtemp(prefix="kvit-disk-"))
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "kvit-test", place],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if mounted.returncode != 0:
            missing(f"a small disk could not be mounted: {mounted.stderr.strip()}")
        try:
            yield place
        finally:
            # Lazily: a server that was killed a moment ago may still hold a file.
            subprocess.run(["umount", "--lazy", place], check=True)
    finally:
        place.rmdir()


def fill(disk: Path) -> Path:
    """Write until not a block more fits; the file to be removed again."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * _BLOCK_BYTES)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    assert shutil.disk_usage(disk).free == 0
    return filler
