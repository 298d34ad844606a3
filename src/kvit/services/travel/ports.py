"""What the travelling of files needs from the outside: a channel, a book, and room for files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO, NamedTuple, Protocol

from kvit.domain.file_rows import ChannelFileRow

IN = "in"
OUT = "out"

#: States of a file's row.
BEGUN = "begun"
DONE = "done"
FAILED = "failed"


class RemoteFile(NamedTuple):
    """A file that waits on the other side. ``mark``: how the channel finds it again.

    ``size_bytes``: -1 where it is not told.
    """

    name: str
    size_bytes: int
    mark: str


class RefusedFile(NamedTuple):
    """What is not even looked into, and why: a letter of a stranger, a name that is none."""

    name: str
    reason: str


class Listing(NamedTuple):
    """What waits; ``is_whole``: nothing was left for the next time."""

    files: Sequence[RemoteFile]
    refused: Sequence[RefusedFile] = ()
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that goes out; its bytes may be read again and again. ``digest``: SHA-256, hexadecimal."""

    name: str
    digest: str
    size_bytes: int
    open: Callable[[], BinaryIO]


class Arrived(Enum):
    """Is a file on the other side, as far as it can be seen from here?"""

    YES = "yes"
    NO = "no"
    UNSURE = "unsure"


class Sink(Protocol):
    """Where bytes go; it refuses too many of them, and such as come too slowly."""

    def write(self, data: bytes, /) -> int: ...


class Channel(Protocol):
    """One agreement's way. All raise ``ChannelFailed`` for one file, ``ChannelBroken`` for the line."""

    def list_incoming(self) -> Listing:
        """What is whole by now; files that still grow are left out."""
        ...

    def fetch(self, file: RemoteFile, into: Sink) -> None:
        """Write its bytes."""
        ...

    def done(self, file: RemoteFile) -> None:
        """It is booked: take it out of the way, as the settings say."""
        ...

    def place(self, upload: Upload) -> None:
        """Bring the bytes over under a name that nobody looks at, and see that they are whole.

        Nothing has arrived yet, whatever happens here. Channels without such names do nothing.
        """
        ...

    def publish(self, upload: Upload) -> None:
        """Let it arrive. Raises ``NotAccepted`` where it surely did not; any other failure is "unknown"."""
        ...

    def arrived(self, upload: Upload) -> Arrived:
        """After a ``publish`` of unknown outcome. ``NO`` only where it is certain."""
        ...


class ChannelBook(Protocol):
    """The rows of ``channel_files`` of one agreement; each call is a transaction of its own."""

    def find(self, direction: str, name: str, digest: str) -> ChannelFileRow | None: ...

    def with_content(self, direction: str, digest: str) -> list[ChannelFileRow]:
        """Rows of the same bytes under whatever name, the earliest first."""
        ...

    def with_name(self, direction: str, name: str) -> list[ChannelFileRow]:
        """Rows of the same name with whatever bytes, the earliest first."""
        ...

    def names(self, direction: str) -> dict[str, set[tuple[str, int]]]:
        """Every name -> the (state, size) of its rows."""
        ...

    def begin(self, direction: str, file: Upload | Landed, detail: str) -> None:
        """Write down that it begins, or begins again."""
        ...

    def end(self, direction: str, file: Upload | Landed, state: str, detail: str) -> None: ...

    def note(self, direction: str, name: str, reason: str) -> None:
        """Write down, once, a file that was refused unread."""
        ...


class Landed(NamedTuple):
    """A file that was fetched: where it lies, and what it is."""

    name: str
    digest: str
    size_bytes: int
    place: str


class Yard(Protocol):
    """Room for files while they are worked on; nothing stays in it."""

    def land(self, channel: Channel, file: RemoteFile) -> Landed:
        """Fetch it, streaming. Raises ``ChannelFailed`` also where it is larger than allowed."""
        ...

    def clear(self, landed: Landed) -> None: ...

    def pack(self, name: str, chunks: Iterable[bytes]) -> Upload:
        """Put a file together that goes out."""
        ...

    def unpack(self, upload: Upload) -> None: ...


class Outcome(NamedTuple):
    """What became of a file that was taken: ``is_taken``, and what people should know."""

    is_taken: bool
    detail: str


#: Take a file by its name and place, wholly and for ever, or not at all; the same file again is no harm.
Take = Callable[[str, str], Outcome]


class Parcel(NamedTuple):
    """A register that waits to be sent; ``name`` never repeats."""

    number: int
    name: str
    chunks: Iterable[bytes]


class Outbox(Protocol):
    """The registers that wait, lowest number first."""

    def waiting(self) -> list[Parcel]: ...

    def sent(self, number: int) -> None:
        """Told once it has arrived; may be told again."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say beside the channel's own affairs.

    ``is_known_by_name``: a file of the name and size of one that was taken is not read again.
    ``sends_again``: where nobody knows whether a file arrived, it is sent again; else a person is asked.
    ``files_max``: so many files are fetched at one look.
    """

    is_known_by_name: bool = False
    sends_again: bool = False
    files_max: int = 200
