"""What a kind of channel is: its options, what is wrong with settings, and opening it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from kvit.domain.file_terms import ChannelTerms
from kvit.services.travel.ports import Channel, Rules

#: A file may be so large, and so many files are fetched at one look, unless the settings say otherwise.
SIZE_MAX_MB = 256
FILES_MAX = 200


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a channel: what it is for, its default, and what it may be (none: any text).

    ``low``, ``high``: of a whole number, which has both.
    """

    meaning: str
    default: str = ""
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = 0


def switch(meaning: str, default: str = "off") -> Option:
    return Option(meaning, default, ("on", "off"))


#: What every kind has.
SHARED: dict[str, Option] = {
    "pattern": Option("names of files to fetch, with * and ?; several apart by spaces", "*"),
    "ignore": Option(
        "names not to fetch; several apart by spaces", ".* *.part *.tmp *.filepart *.crdownload ~*"
    ),
    "known_by": Option(
        "how a file that was taken is known where it stays: by its bytes, so that it is read each time, or"
        " by name and size",
        "content",
        ("content", "name"),
    ),
    "resend": Option(
        "what to do where nobody knows whether a file arrived: ask a person, or send it again",
        "ask",
        ("ask", "again"),
    ),
    "size_max_mb": Option("larger files are not fetched", str(SIZE_MAX_MB), (), 1, 4_096),
    "files_max": Option(
        "files fetched at one look; the rest comes with the next", str(FILES_MAX), (), 1, 10_000
    ),
    "timeout_s": Option("how long to wait for one answer", "60", (), 1, 600),
    "file_timeout_s": Option("how long one file may take", "900", (), 1, 14_400),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """A channel's settings with every option filled in."""

    options: Mapping[str, str]
    secret: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)

    def __getitem__(self, name: str) -> str:
        return self.options[name]

    def number(self, name: str) -> int:
        return int(self.options[name])

    def is_on(self, name: str) -> bool:
        return self.options[name] == "on"

    def words(self, name: str) -> list[str]:
        return self.options[name].split()

    @property
    def rules(self) -> Rules:
        return Rules(
            self.options.get("known_by") == "name",
            self.options["resend"] == "again",
            self.number("files_max"),
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of channel.

    ``check`` names what is wrong beyond single options: option -> reason. ``open`` gives the channel, and
    closes it at the end of the block; it raises ``ChannelFailed``. ``test`` tries the way without moving a
    file and tells what it saw, a line each.
    """

    title: str
    options: Mapping[str, Option]
    check: Callable[[Settings], dict[str, str]]
    open: Callable[[Settings], AbstractContextManager[Channel]]
    test: Callable[[Settings], list[str]]


def settings_of(kind: Kind, terms: ChannelTerms) -> Settings:
    defaults = {name: option.default for name, option in kind.options.items()}
    return Settings(defaults | dict(terms.options), terms.secret, terms.private_key)


def option_problem(option: Option, value: str) -> str:
    """What is wrong with one value; empty when nothing is."""
    if any(ord(character) < 32 for character in value.replace("\n", "")):
        return "must be plain text"
    if option.choices and value not in option.choices:
        return f"must be one of: {', '.join(option.choices)}"
    if option.high:
        is_number = value.isascii() and value.isdigit() and len(value) < 10
        if not is_number or not option.low <= int(value) <= option.high:
            return f"must be a whole number from {option.low} to {option.high}"
    return ""
