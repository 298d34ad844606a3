"""Archives from outside: which files are in them, unpacked piece by piece within bounds.

What an archive claims about itself is not believed: the bounds are held against the bytes that come out.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, NoReturn

from kvit.files.base import ByteSource
from kvit.files.errors import FileRefused

FILES_MAX = 1_000
UNPACKED_BYTES_MAX = 8 << 30
#: Text of banks packs to a thirtieth at most, XML to a hundredth; what packs better is no file of money.
RATIO_MAX = 300
#: Nothing this small does harm, however well it packs.
_SMALL_BYTES = 64 << 20

_ZIP, _EMPTY_ZIP, _GZIP = b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b"
_ARCHIVES = (_ZIP, _EMPTY_ZIP, _GZIP, b"Rar!", b"7z\xbc\xaf", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd")
#: A workbook is a ZIP archive, too.
_WORKBOOK = re.compile(r"xl/workbook\.(?:xml|bin)|mimetype|\[content_types\]\.xml", re.IGNORECASE)
_TAR_PLACE, _TAR = 257, b"ustar"
#: What computers leave in archives for themselves.
_LITTER = re.compile(r"__MACOSX/|(?:.*/)?(?:\.DS_Store|Thumbs\.db|desktop\.ini)$")
_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, NotImplementedError)


def members(source: ByteSource) -> list[ByteSource]:
    """The files inside a ZIP archive that is no workbook, or inside a .gz; else the file itself.

    Raises ``FileRefused`` for nested archives, names that lead out of a folder, locked or damaged archives,
    and ones that unfold to too much.
    """
    head = source.head(_TAR_PLACE + len(_TAR))
    if head.startswith(_GZIP):
        return [_gunzipped(source)]
    if not head.startswith((_ZIP, _EMPTY_ZIP)):
        return [source]
    with _damage_named(source.name), source.open() as stream, zipfile.ZipFile(stream) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        if any(_WORKBOOK.fullmatch(info.filename) for info in infos):
            return [source]
    infos = [info for info in infos if not _LITTER.match(info.filename)]
    if not infos:
        _refuse(source.name, "The archive is empty.", "Ask for it again.")
    if len(infos) > FILES_MAX:
        _refuse(
            source.name, f"The archive holds more than {FILES_MAX} files.", "Send them in several archives."
        )
    found = [_member(source, info) for info in infos]
    for each in found:
        _refuse_archives(each)
    return found


def _member(source: ByteSource, info: zipfile.ZipInfo) -> ByteSource:
    name = info.filename
    parts = re.split(r"[/\\]", name)
    if ".." in parts or parts[0] == "" or ":" in parts[0] or "\\" in name or not name.isprintable():
        _refuse(
            source.name, f"The archive holds a file named {name!r}, which leads elsewhere.", "Do not use it."
        )
    if info.flag_bits & 0x1:
        _refuse(source.name, f"{name} is locked with a password.", "Unpack the archive and give the files.")

    def open_() -> BinaryIO:
        packed = source.open()
        try:
            with _damage_named(source.name):
                inner = zipfile.ZipFile(packed).open(name)  # noqa: SIM115 - who reads it closes it
        except FileRefused:
            packed.close()
            raise
        return _bounded(inner, info.compress_size, source.name, packed.close)

    return ByteSource(name, info.file_size, open_)


def _gunzipped(source: ByteSource) -> ByteSource:
    name = source.name.removesuffix(".gz").removesuffix(".GZ") or source.name

    def open_() -> BinaryIO:
        packed = source.open()
        return _bounded(gzip.GzipFile(fileobj=packed), source.size_bytes, source.name, packed.close)

    # How large it is can only be known by unpacking it: what stands in it may be a lie.
    size_bytes = 0
    with open_() as stream:
        while piece := stream.read(1 << 20):
            size_bytes += len(piece)
    found = ByteSource(name, size_bytes, open_)
    _refuse_archives(found)
    return found


def _refuse_archives(inner: ByteSource) -> None:
    """No archive inside of an archive; a workbook is none."""
    head = inner.head(_TAR_PLACE + len(_TAR))
    is_archive = head.startswith(_ARCHIVES) or head[_TAR_PLACE:] == _TAR
    if is_archive and not (head.startswith(_ZIP) and _is_workbook(inner)):
        _refuse(inner.name, "This is an archive inside of an archive.", "Unpack it and give the files.")


def _is_workbook(inner: ByteSource) -> bool:
    with _damage_named(inner.name), zipfile.ZipFile(io.BytesIO(inner.whole())) as archive:
        return any(_WORKBOOK.fullmatch(name) for name in archive.namelist())


def _refuse(name: str, what: str, advice: str) -> NoReturn:
    raise FileRefused(what, advice, name)


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    try:
        yield
    except _FAULTS as fault:
        raise FileRefused(
            "This archive is damaged, or packed in an unusual way.", "Ask for it again.", name
        ) from fault


class _Bounded(io.RawIOBase):
    """What comes out of an archive, as long as it keeps within the bounds."""

    def __init__(self, inner: BinaryIO, packed_bytes: int, name: str, close: Callable[[], object]) -> None:
        self._inner = inner
        self._packed_bytes = packed_bytes
        self._name = name
        self._close = close
        self._size_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        with _damage_named(self._name):
            piece = self._inner.read(len(buffer))
        self._size_bytes += len(piece)
        unfolds = self._size_bytes > max(_SMALL_BYTES, RATIO_MAX * self._packed_bytes)
        if unfolds or self._size_bytes > UNPACKED_BYTES_MAX:
            _refuse(
                self._name,
                f"The archive unfolds to more than {self._size_bytes >> 20} MB from"
                f" {max(1, self._packed_bytes >> 10)} KB: such files are made to do harm.",
                "Do not use it; ask the sender.",
            )
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
            self._close()
        super().close()


def _bounded(inner: object, packed_bytes: int, name: str, close: Callable[[], object]) -> BinaryIO:
    raw = _Bounded(inner, packed_bytes, name, close)  # type: ignore[arg-type]
    return io.BufferedReader(raw, 1 << 16)
