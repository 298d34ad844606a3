"""A folder, here or on a network share, that the bank's program also looks into.

What goes out is written under another name, brought to the disk and renamed: a program that polls the folder
sees whole files only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import file_digest
from pathlib import Path

from kvit.channels.base import SHARED, Kind, Option, Settings
from kvit.channels.names import beside, is_wanted, listed
from kvit.services.travel.errors import ChannelBroken, ChannelFailed, NotAccepted
from kvit.services.travel.ports import Arrived, Listing, RemoteFile, Sink, Upload

OPTIONS: dict[str, Option] = {
    "incoming": Option("the folder that is looked at for files"),
    "outgoing": Option("the folder that files are put into"),
    "after": Option("what becomes of a taken file", "move", ("move", "delete", "keep")),
    "done": Option(
        "where taken files go; it must be on the same disk. If not said: `done` in the folder", ""
    ),
    "ready": Option(
        "when a file is whole: its size stood still, there is a file of its name with an ending, or at once",
        "settled",
        ("settled", "mark", "at-once"),
    ),
    "settle_s": Option("how long the size must stand still", "2", (), 0, 300),
    "mark": Option("the ending of the file that says so", ".done"),
    **SHARED,
}

_PIECE_BYTES = 1 << 20


def check(settings: Settings) -> dict[str, str]:
    problems = {}
    if not settings["incoming"] and not settings["outgoing"]:
        problems["options.incoming"] = "name the folder incoming, or outgoing, or both"
    for name in ("incoming", "outgoing", "done"):
        if settings[name] and not Path(settings[name]).is_absolute():
            problems[f"options.{name}"] = "write the whole path, from / on"
    if settings["incoming"] and settings["incoming"] == settings["outgoing"]:
        problems["options.outgoing"] = "must not be the folder that files are fetched from"
    if settings["ready"] == "mark" and not settings["mark"].startswith("."):
        problems["options.mark"] = "an ending begins with a point"
    return problems


class Folder:
    """Both folders of one agreement."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._incoming = Path(settings["incoming"])
        self._outgoing = Path(settings["outgoing"])
        self._done = Path(settings["done"]) if settings["done"] else self._incoming / "done"

    def list_incoming(self) -> Listing:
        if not self._settings["incoming"]:
            return Listing([])
        seen = self._look()
        if self._settings["ready"] == "settled" and seen:
            time.sleep(self._settings.number("settle_s"))
            again = self._look()
            seen = {name: size for name, size in seen.items() if again.get(name) == size}
        elif self._settings["ready"] == "mark":
            ending = self._settings["mark"]
            seen = {name: size for name, size in seen.items() if self._is_marked(name, ending)}
        return listed([RemoteFile(name, size[0], name) for name, size in seen.items()], self._settings)

    def fetch(self, file: RemoteFile, into: Sink) -> None:
        try:
            with (self._incoming / file.mark).open("rb") as source:
                while piece := source.read(_PIECE_BYTES):
                    into.write(piece)
        except OSError as error:
            raise ChannelFailed(_said(self._incoming / file.mark, error)) from error

    def done(self, file: RemoteFile) -> None:
        place = self._incoming / file.mark
        after = self._settings["after"]
        try:
            if after == "delete":
                place.unlink(missing_ok=True)
            elif after == "move":
                self._move(place)
            if after != "keep" and self._settings["ready"] == "mark":
                Path(f"{place}{self._settings['mark']}").unlink(missing_ok=True)
        except OSError as error:
            raise ChannelFailed(_said(place, error)) from error

    def place(self, upload: Upload) -> None:
        if not self._settings["outgoing"]:
            raise ChannelFailed("there is no folder for outgoing files (option outgoing)")
        part = self._part(upload)
        try:
            with upload.open() as source, part.open("wb") as target:
                while piece := source.read(_PIECE_BYTES):
                    target.write(piece)
                target.flush()
                os.fsync(target.fileno())
            size_bytes = part.stat().st_size
        except OSError as error:
            raise ChannelFailed(_said(part, error)) from error
        if size_bytes != upload.size_bytes:
            raise ChannelFailed(f"{part}: {size_bytes} of {upload.size_bytes} bytes are there")

    def publish(self, upload: Upload) -> None:
        final = self._outgoing / upload.name
        try:
            if final.exists():
                raise NotAccepted(f"{final}: another file of this name is there; it was left alone")
            self._part(upload).rename(final)
        except OSError as error:
            raise ChannelBroken(_said(final, error)) from error
        with suppress(OSError):  # network shares have no folder to bring to the disk
            handle = os.open(self._outgoing, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def arrived(self, upload: Upload) -> Arrived:
        """The part goes with the renaming: while it is there, nothing has arrived. With neither of both
        there, the bank may have taken the file, or the share is not mounted."""
        final = self._outgoing / upload.name
        try:
            if self._part(upload).exists():
                return Arrived.NO
            if final.exists() and final.stat().st_size == upload.size_bytes:
                with final.open("rb") as file:
                    same = file_digest(file, "sha256").hexdigest() == upload.digest
                return Arrived.YES if same else Arrived.UNSURE
        except OSError as error:
            raise ChannelBroken(_said(final, error)) from error
        return Arrived.UNSURE

    def _part(self, upload: Upload) -> Path:
        return self._outgoing / f".{upload.name}.{upload.digest[:12]}.part"

    def _look(self) -> dict[str, tuple[int, int]]:
        """Size and time of each file there."""
        try:
            with os.scandir(self._incoming) as entries:
                seen = {}
                for entry in entries:
                    if is_wanted(entry.name, self._settings) and entry.is_file(follow_symlinks=False):
                        with suppress(FileNotFoundError):  # it was taken away meanwhile
                            stat = entry.stat(follow_symlinks=False)
                            seen[entry.name] = (stat.st_size, stat.st_mtime_ns)
                return seen
        except OSError as error:
            raise ChannelBroken(_said(self._incoming, error)) from error

    def _is_marked(self, name: str, ending: str) -> bool:
        return not name.endswith(ending) and Path(self._incoming / f"{name}{ending}").exists()

    def _move(self, place: Path) -> None:
        if not place.exists():
            return
        self._done.mkdir(parents=True, exist_ok=True)
        target, count = self._done / place.name, 0
        while target.exists():  # a corrected file has the name of the first one
            count += 1
            target = self._done / beside(place.name, f"{count:08d}")
        place.rename(target)


def _said(place: Path, error: OSError) -> str:
    return f"{place}: {error.strerror or error}"


@contextmanager
def open_folder(settings: Settings) -> Iterator[Folder]:
    yield Folder(settings)


def test(settings: Settings) -> list[str]:
    lines = []
    for name, wanted in (("incoming", os.R_OK | os.W_OK), ("outgoing", os.R_OK | os.W_OK)):
        if not settings[name]:
            continue
        place = Path(settings[name])
        if not place.is_dir():
            raise ChannelBroken(f"{name}: {place} is no folder")
        if not os.access(place, wanted):
            raise ChannelBroken(f"{name}: {place} may not be written by this user")
        lines.append(f"{name}: {place} is there and may be written")
    return lines


KIND = Kind("a folder", OPTIONS, check, open_folder, test)
