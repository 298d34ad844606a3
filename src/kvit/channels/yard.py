"""Room on the disk for files while they are worked on, with their hash; too large or too slow is refused."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from kvit.channels.base import Settings
from kvit.services.travel.errors import ChannelBroken, ChannelFailed
from kvit.services.travel.ports import Channel, Landed, RemoteFile, Sink, Upload


class _Sink:
    """A file that counts, hashes, and refuses what is too much or comes too slowly."""

    def __init__(self, file: BinaryIO, bytes_max: int, until_s: float) -> None:
        self._file, self._bytes_max, self._until_s = file, bytes_max, until_s
        self.hash = sha256()
        self.count = 0

    def write(self, data: bytes) -> int:
        self.count += len(data)
        if self.count > self._bytes_max:
            raise ChannelFailed(f"it is larger than {self._bytes_max >> 20} MB (option size_max_mb)")
        if time.monotonic() > self._until_s:
            raise ChannelBroken("it came too slowly (option file_timeout_s)")
        self.hash.update(data)
        try:
            return self._file.write(data)
        except OSError as error:
            raise ChannelBroken(f"it cannot be kept here: {error.strerror or error}") from error


class DiskYard:
    """A folder of kvit's own, readable by its user alone."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._packed: dict[str, Path] = {}
        self._bytes_max = settings.number("size_max_mb") << 20
        self._timeout_s = settings.number("file_timeout_s")

    def land(self, channel: Channel, file: RemoteFile) -> Landed:
        if file.size_bytes > self._bytes_max:
            raise ChannelFailed(f"it is larger than {self._bytes_max >> 20} MB (option size_max_mb)")
        place, sink = self._write(lambda into: channel.fetch(file, into))
        if 0 <= file.size_bytes != sink.count:
            place.unlink(missing_ok=True)
            raise ChannelFailed(f"{sink.count} of {file.size_bytes} bytes came; the next look tries again")
        return Landed(file.name, sink.hash.hexdigest(), sink.count, str(place))

    def clear(self, landed: Landed) -> None:
        Path(landed.place).unlink(missing_ok=True)

    def pack(self, name: str, chunks: Iterable[bytes]) -> Upload:
        def write(into: Sink) -> None:
            for chunk in chunks:
                into.write(chunk)

        place, sink = self._write(write)
        self._packed[sink.hash.hexdigest()] = place
        return Upload(name, sink.hash.hexdigest(), sink.count, lambda: place.open("rb"))

    def unpack(self, upload: Upload) -> None:
        self._packed.pop(upload.digest).unlink(missing_ok=True)

    def _write(self, work: Callable[[Sink], None]) -> tuple[Path, _Sink]:
        handle, name = tempfile.mkstemp(dir=self._folder)
        place = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                sink = _Sink(file, self._bytes_max, time.monotonic() + self._timeout_s)
                work(sink)
        except BaseException as error:
            place.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise ChannelBroken(f"it cannot be kept here: {error.strerror or error}") from error
            raise
        return place, sink

    def sweep(self, older_than_s: float = 86_400) -> None:
        """What a run that died has left behind."""
        for place in self._folder.iterdir():
            with suppress(FileNotFoundError):  # the folder is everybody's
                if time.time() - place.stat().st_mtime > older_than_s:
                    place.unlink()
