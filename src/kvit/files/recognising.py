"""Which format a file is of, by its name and its first bytes; and a file of any kind -> its readings."""

from __future__ import annotations

from collections.abc import Mapping

from kvit.files.base import ByteSource, Format, Reading, ReadOptions
from kvit.files.errors import FileRefused
from kvit.files.formats import FORMATS
from kvit.files.unpacking import members

#: By a signature that nothing else has: nobody else need be asked.
SURE = 100


def choose(source: ByteSource, formats: Mapping[str, Format], wanted: str = "") -> Format:
    """The format ``wanted``, or the one that ``source`` fits best.

    Raises ``FileRefused`` where there is no such format, and where none or several fit equally well.
    """
    if wanted:
        if wanted not in formats:
            raise FileRefused(f"There is no format {wanted!r} here.", f"Name one of {', '.join(formats)}.")
        return formats[wanted]
    if not source.size_bytes:
        raise FileRefused("The file is empty.", "Ask for it again, or name its format.", source.name)
    head = source.head()
    fits: dict[str, int] = {}
    for name, form in formats.items():
        fits[name] = form.fits(source.name, head)
        if fits[name] >= SURE:
            return form
    best = max(fits.values(), default=0)
    found = [name for name, fit in fits.items() if fit == best]
    if best == 0:
        raise FileRefused(
            f"This file is of none of the formats that are known: {', '.join(formats)}.",
            "Name the format with --format if you know it, or ask the bank for another one.",
            source.name,
        )
    if len(found) > 1:
        raise FileRefused(
            f"This file may be of the formats {' or '.join(found)}.", "Say which with --format.", source.name
        )
    return formats[found[0]]


def read_file(
    source: ByteSource, options: ReadOptions, wanted: str = "", formats: Mapping[str, Format] = FORMATS
) -> list[tuple[ByteSource, Reading]]:
    """The file, or every file of an archive, ready to be read. Raises ``FileRefused``."""
    return [(each, choose(each, formats, wanted).read(each, options)) for each in members(source)]
