"""Names of files as the other side gives them: which are wanted, and which are a trick."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from fnmatch import fnmatchcase

from kvit.channels.base import Settings
from kvit.services.travel.ports import Listing, RefusedFile, RemoteFile

_NAME_BYTES_MAX = 200
#: Controls, halves of surrogate pairs, and line separators.
_UNSHOWN = {"Cc", "Cs", "Zl", "Zp"}


def name_problem(name: str) -> str:
    """Why a name may not be used for a file here; empty when it may."""
    if not name or name in {".", ".."}:
        return "it has no name"
    if "/" in name or "\\" in name:
        return "its name holds a path"
    if any(unicodedata.category(character) in _UNSHOWN for character in name):
        return "its name holds characters that cannot be shown"
    if len(name.encode()) > _NAME_BYTES_MAX:
        return "its name is too long"
    return ""


def shown(name: str) -> str:
    """A name that may be a trick, fit to be written down."""
    text = "".join("?" if unicodedata.category(character) in _UNSHOWN else character for character in name)
    return text[:_NAME_BYTES_MAX] or "(no name)"


def is_wanted(name: str, settings: Settings) -> bool:
    """Do the patterns of the settings mean it? Large and small letters are alike."""
    low = name.casefold()
    wanted = any(fnmatchcase(low, pattern.casefold()) for pattern in settings.words("pattern"))
    return wanted and not any(fnmatchcase(low, pattern.casefold()) for pattern in settings.words("ignore"))


def listed(files: Iterable[RemoteFile], settings: Settings) -> Listing:
    """The wanted ones by name; names that are tricks refused."""
    refused, wanted = [], []
    for file in files:
        if not is_wanted(file.name, settings):
            continue
        reason = name_problem(file.name)
        if reason:
            refused.append(RefusedFile(shown(file.name), reason))
        else:
            wanted.append(file)
    wanted.sort(key=lambda file: (file.name, file.mark))
    return Listing(wanted, refused)


def beside(name: str, digest: str) -> str:
    """A second name for the same place, told apart by the content."""
    stem, dot, end = name.rpartition(".")
    return f"{stem}.{digest[:8]}{dot}{end}" if dot and stem else f"{name}.{digest[:8]}"
