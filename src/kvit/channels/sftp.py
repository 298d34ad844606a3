"""Files by SFTP: fetched and moved; sent under another name, brought to the disk there, and renamed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from kvit.channels import ssh
from kvit.channels.base import SHARED, Kind, Option, Settings, switch
from kvit.channels.names import beside, listed
from kvit.channels.sftp_line import Line
from kvit.services.travel.errors import ChannelBroken, ChannelFailed, NotAccepted
from kvit.services.travel.ports import Arrived, Listing, RemoteFile, Sink, Upload

OPTIONS: dict[str, Option] = {
    **ssh.OPTIONS,
    "incoming": Option("the folder there that is looked at for files"),
    "outgoing": Option("the folder there that files are put into"),
    "after": Option("what becomes of a taken file", "move", ("move", "delete", "keep")),
    "done": Option("the folder there for taken files; if not said: `done` in the folder"),
    "settle_s": Option("how long a file's size must stand still before it is fetched", "5", (), 0, 300),
    "rename": switch(
        "files go out under another name and are renamed; off where the server forbids it", "on"
    ),
    "part": Option("that other name", ".{name}.part"),
    "name_encoding": Option("letters of names there", "utf-8", ("utf-8", "cp1251", "cp866", "koi8-r")),
    **SHARED,
}

_TRIES_MAX = 100


def check(settings: Settings) -> dict[str, str]:
    problems = ssh.check(settings)
    if not settings["incoming"] and not settings["outgoing"]:
        problems["options.incoming"] = "name the folder incoming, or outgoing, or both"
    if settings["incoming"] and settings["incoming"] == settings["outgoing"]:
        problems["options.outgoing"] = "must not be the folder that files are fetched from"
    if settings["part"].count("{name}") != 1 or settings["part"] == "{name}" or "/" in settings["part"]:
        problems["options.part"] = "write {name} and something beside it, such as {name}.part"
    return problems


class Sftp:
    """One agreement's folders on a server."""

    def __init__(self, line: Line, settings: Settings) -> None:
        self._line, self._settings = line, settings
        self._incoming, self._outgoing = settings["incoming"], settings["outgoing"]

    def list_incoming(self) -> Listing:
        if not self._incoming:
            return Listing([])
        return self._line.do(self._list(), self._incoming, self._settings.number("file_timeout_s"))

    async def _list(self) -> Listing:
        seen = await self._line.look(self._incoming)
        if seen and self._settings.number("settle_s"):
            await asyncio.sleep(self._settings.number("settle_s"))
            again = await self._line.look(self._incoming)
            seen = {name: size for name, size in seen.items() if again.get(name) == size}
        files = [RemoteFile(name, size if size is not None else -1, name) for name, (size, _) in seen.items()]
        return listed(files, self._settings)

    def fetch(self, file: RemoteFile, into: Sink) -> None:
        self._line.read(f"{self._incoming}/{file.mark}", into)

    def done(self, file: RemoteFile) -> None:
        path, after = f"{self._incoming}/{file.mark}", self._settings["after"]
        if after == "delete":
            self._line.do(self._line.client.remove(path), path)
        elif after == "move":
            self._line.do(self._move(path, file.mark), path)

    async def _move(self, path: str, name: str) -> None:
        client, folder = self._line.client, self._settings["done"] or f"{self._incoming}/done"
        if not await client.exists(folder):
            await client.mkdir(folder)
        target = name
        for count in range(1, _TRIES_MAX):  # a corrected file has the name of the first one
            if not await client.exists(f"{folder}/{target}"):
                break
            target = beside(name, f"{count:08d}")
        await client.rename(path, f"{folder}/{target}")

    def place(self, upload: Upload) -> None:
        if not self._outgoing:
            raise ChannelFailed("there is no folder for outgoing files (option outgoing)")
        if self._settings.is_on("rename"):
            self._line.write(upload, self._part(upload), "wb")

    def publish(self, upload: Upload) -> None:
        final = self._final(upload)
        if self._line.size(final) is not None:
            raise NotAccepted(f"{final}: another file of this name is there; it was left alone")
        if not self._settings.is_on("rename"):
            self._line.write(upload, final, "xb")
            return
        try:
            self._line.do(self._line.client.rename(self._part(upload), final), final)
        except ChannelBroken:
            raise
        except ChannelFailed as error:
            raise NotAccepted(f"{error} (the server refused to rename; see the option rename)") from error
        size_bytes = self._line.size(final)
        if size_bytes not in {None, upload.size_bytes}:  # none: the bank was quick
            raise ChannelFailed(f"{final}: {size_bytes} of {upload.size_bytes} bytes are there")

    def arrived(self, upload: Upload) -> Arrived:
        """The part goes with the renaming: while it is there, nothing has arrived."""
        final, line = self._final(upload), self._line
        renames = self._settings.is_on("rename")
        if renames and line.size(self._part(upload)) is not None:
            return Arrived.NO
        size_bytes = line.size(final)
        if size_bytes == upload.size_bytes:
            return Arrived.YES if line.digest(final, size_bytes) in {upload.digest, ""} else Arrived.UNSURE
        if not renames and size_bytes is not None and size_bytes < upload.size_bytes:
            with upload.open() as source:
                beginning = sha256(source.read(size_bytes)).hexdigest()
            if line.digest(final, size_bytes) == beginning:  # our own, cut off: it makes way
                line.do(line.client.remove(final), final)
                return Arrived.NO
        return Arrived.UNSURE

    def look_into(self, folder: str) -> None:
        """Raises ``ChannelFailed`` where there is no such folder."""
        self._line.do(self._line.client.listdir(folder), folder)

    def _final(self, upload: Upload) -> str:
        return f"{self._outgoing}/{upload.name}"

    def _part(self, upload: Upload) -> str:
        return f"{self._outgoing}/{self._settings['part'].replace('{name}', upload.name)}"


@contextmanager
def open_sftp(settings: Settings) -> Iterator[Sftp]:
    line = Line(settings)
    try:
        yield Sftp(line, settings)
    finally:
        line.close()


def test(settings: Settings) -> list[str]:
    line = Line(settings)
    try:
        channel = Sftp(line, settings)
        lines = [
            f"the server shows the key {line.host_key}, which is the one of the agreement",
            f"{settings['user']} is let in",
        ]
        if settings["incoming"]:
            waiting = len(channel.list_incoming().files)
            lines.append(f"incoming: {settings['incoming']} can be read; files that wait: {waiting}")
        if settings["outgoing"]:
            channel.look_into(settings["outgoing"])
            lines.append(f"outgoing: {settings['outgoing']} is there")
    finally:
        line.close()
    return lines


KIND = Kind("SFTP", OPTIONS, check, open_sftp, test)
