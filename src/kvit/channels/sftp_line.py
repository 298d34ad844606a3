"""One line to an SFTP server: its questions, and what befalls them told apart: this file, or the line."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any, TypeVar

import asyncssh
from asyncssh import SFTPClient, SFTPClientFile, SFTPError

from kvit.channels import ssh
from kvit.channels.base import Settings
from kvit.channels.looped import Looped
from kvit.channels.names import is_wanted
from kvit.services.travel.errors import ChannelBroken, ChannelFailed
from kvit.services.travel.ports import Sink, Upload

T = TypeVar("T")

_PIECE_BYTES = 4 << 20
_ENTRIES_MAX = 100_000


class Line:
    """An open connection; all raise ``ChannelFailed`` for one file, ``ChannelBroken`` for the line."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._looped = Looped()
        self._timeout_s = settings.number("timeout_s")
        self.host_key = ""
        try:
            self._connection, self.client = self._looped.run(self._open(), 3 * self._timeout_s)
        except BaseException as error:
            self._looped.close()
            if isinstance(error, TimeoutError):
                raise ChannelBroken(f"{settings['host']} did not answer in time") from error
            raise

    async def _open(self) -> tuple[asyncssh.SSHClientConnection, SFTPClient]:
        connection, self.host_key = await ssh.connect(self._settings)
        try:
            encoding = self._settings["name_encoding"]
            client = await asyncio.wait_for(
                connection.start_sftp_client(path_encoding=encoding, path_errors="surrogateescape"),
                self._timeout_s,
            )
        except (asyncssh.Error, OSError, TimeoutError) as error:
            connection.abort()
            raise ChannelBroken(f"{self._settings['host']} opens no SFTP: {ssh.said(error)}") from error
        return connection, client

    def close(self) -> None:
        with suppress(asyncssh.Error, OSError, TimeoutError):  # it may be broken long since
            self._looped.run(self._leave(), 5)
        self._looped.close()

    async def _leave(self) -> None:
        self.client.exit()
        self._connection.close()
        await self._connection.wait_closed()

    def do(self, work: Coroutine[Any, Any, T], what: str, timeout_s: float | None = None) -> T:
        try:
            return self._looped.run(work, timeout_s or self._timeout_s)
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection) as error:
            raise ChannelBroken(f"{what}: the line broke") from error
        except SFTPError as error:
            raise ChannelFailed(f"{what}: {error.reason or type(error).__name__}") from error
        except (asyncssh.Error, OSError, TimeoutError) as error:
            raise ChannelBroken(f"{what}: {ssh.said(error)}") from error

    async def look(self, folder: str) -> dict[str, tuple[int | None, int | None]]:
        """Size and time of each wanted file there."""
        seen = {}
        count = 0
        async for entry in self.client.scandir(folder):
            count += 1
            if count > _ENTRIES_MAX:
                raise ChannelBroken(f"{folder} holds more than {_ENTRIES_MAX} files; clear it")
            name, attributes = str(entry.filename), entry.attrs
            if _is_file(attributes) and is_wanted(name, self._settings):
                seen[name] = (attributes.size, attributes.mtime)
        return seen

    def read(self, path: str, into: Sink) -> None:
        with self._opened(path, "rb") as reader:
            while piece := self.do(_piece(reader, _PIECE_BYTES), path):
                into.write(piece)

    def write(self, upload: Upload, path: str, mode: str) -> None:
        """All its bytes, on the disk there as far as the server can, and counted."""
        with self._opened(path, mode) as writer:
            with upload.open() as source:
                while piece := source.read(_PIECE_BYTES):
                    self.do(writer.write(piece), path)
            try:
                self.do(writer.fsync(), path)
            except ChannelFailed as error:
                if not isinstance(error.__cause__, asyncssh.SFTPOpUnsupported):
                    raise
        size_bytes = self.size(path)
        if size_bytes != upload.size_bytes:
            raise ChannelFailed(f"{path}: {size_bytes} of {upload.size_bytes} bytes are there")

    @contextmanager
    def _opened(self, path: str, mode: str) -> Iterator[SFTPClientFile]:
        async def opened() -> SFTPClientFile:
            return await self.client.open(path, mode)

        file = self.do(opened(), path)
        try:
            yield file
        finally:
            with suppress(ChannelFailed):
                self.do(file.close(), path)

    def size(self, path: str) -> int | None:
        """``None`` where there is no such file."""
        try:
            return self.do(self.client.stat(path), path).size
        except ChannelBroken:
            raise
        except ChannelFailed as error:
            if isinstance(error.__cause__, asyncssh.SFTPNoSuchFile | asyncssh.SFTPNoSuchPath):
                return None
            raise

    def digest(self, path: str, size_bytes: int) -> str:
        """Of the first bytes of what is there; empty where it may not be read."""
        found = sha256()
        try:
            with self._opened(path, "rb") as reader:
                left = size_bytes
                while left and (piece := self.do(_piece(reader, min(left, _PIECE_BYTES)), path)):
                    left -= len(piece)
                    found.update(piece)
        except ChannelBroken:
            raise
        except ChannelFailed:
            return ""
        return found.hexdigest()


async def _piece(reader: SFTPClientFile, bytes_max: int) -> bytes:
    data: Any = await reader.read(bytes_max)  # of a file that was opened for bytes
    return bytes(data)


def _is_file(attributes: asyncssh.SFTPAttrs) -> bool:
    """No folder and no link; servers that tell neither type nor rights are believed."""
    if attributes.permissions is not None and stat.S_IFMT(attributes.permissions):
        return stat.S_ISREG(attributes.permissions)
    return attributes.type in {asyncssh.FILEXFER_TYPE_REGULAR, asyncssh.FILEXFER_TYPE_UNKNOWN}
