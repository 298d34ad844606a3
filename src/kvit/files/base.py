"""What a reader of money files is: bytes -> batches of lines, with errors as values.

One file a format; ``kvit.files.formats`` lists them. A reader streams: it holds some lines at a time,
whatever the file's size. It never raises for what stands in the file, save ``FileRefused`` where nothing
of it can be read.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from kvit.domain.lines import Batch, FileFacts
from kvit.files.errors import FileRefused

#: Lines of one batch.
BATCH_LINES = 1_000
#: Bytes that a format is recognised by.
HEAD_BYTES = 64 << 10
#: A file that has to be read as a whole may be so large.
WHOLE_BYTES_MAX = 256 << 20


@dataclass(frozen=True, slots=True)
class ByteSource:
    """A file's bytes, which may be read again and again."""

    name: str
    size_bytes: int
    open: Callable[[], BinaryIO]

    def head(self, count: int = HEAD_BYTES) -> bytes:
        """The first bytes."""
        with self.open() as stream:
            return stream.read(count)

    def whole(self) -> bytes:
        """All of them. Raises ``FileRefused`` where that would be too much."""
        if self.size_bytes > WHOLE_BYTES_MAX:
            raise FileRefused(
                f"The file is larger than {WHOLE_BYTES_MAX >> 20} MB.",
                "Split it into several files.",
                self.name,
            )
        with self.open() as stream:
            return stream.read()


def source_of_path(path: Path) -> ByteSource:
    """Raises ``OSError``."""
    return ByteSource(path.name, path.stat().st_size, lambda: path.open("rb"))


def source_of_bytes(data: bytes, name: str) -> ByteSource:
    return ByteSource(name, len(data), lambda: io.BytesIO(data))


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What is known before a file is read.

    ``currency``: of sums where the file names none (the biller's). ``encoding``: to be used whatever the
    file says (a name of ``kvit.files.delimited.ENCODINGS``); empty: found out. ``columns``: field ->
    header, and ``options``: the format's switches; both from the agreement or from a preset.
    """

    currency: str
    encoding: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


class Reading(Protocol):
    """One file being read."""

    @property
    def facts(self) -> FileFacts:
        """What is known so far; whole, with all control totals checked, after the last batch."""
        ...

    def batches(self) -> Iterator[Batch]:
        """All lines in the order of the file. Starts anew with each call; ``FileRefused`` may come midway."""
        ...


@dataclass(frozen=True, slots=True)
class Option:
    """A switch of a format: what it is for, its default, and what it may be (none: any text)."""

    meaning: str
    default: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """A format that can be read.

    ``kind``: ``REGISTER`` or ``STATEMENT`` (``kvit.domain.lines``). ``fits``: how surely a file is of
    this format by its name and first bytes (decoding them as it likes): 0 not at all, 100 by a signature
    that nothing else has. ``read`` makes a ``Reading``; it may raise ``FileRefused``.
    """

    name: str
    title: str
    kind: str
    fits: Callable[[str, bytes], int]
    read: Callable[[ByteSource, ReadOptions], Reading]
    options: Mapping[str, Option] = field(default_factory=dict)
