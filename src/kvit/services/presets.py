"""Saved column maps: how one bank's table is to be read, under a name that agreements and imports may use."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from kvit.domain.days import to_us
from kvit.domain.errors import NotAllowed, NotFound, SettingsError
from kvit.domain.file_rows import PresetRow
from kvit.domain.journal import digest_of
from kvit.domain.model import JournalRow

DEFAULT_FORMAT = "table"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_TABLES = ("columns", "options")


@dataclass(frozen=True, slots=True)
class Preset:
    """``columns``: field -> header. ``options``: the format's switches. ``encoding`` empty: found out."""

    format: str = DEFAULT_FORMAT
    encoding: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


#: Place in a preset (``options.decimal``) -> what is wrong there; empty when nothing is.
Check = Callable[[Preset], Mapping[str, str]]


class PresetBook(Protocol):
    """One open transaction on one biller's presets."""

    def find(self, name: str) -> PresetRow | None: ...

    def all(self) -> list[PresetRow]:
        """By name."""
        ...

    def put(self, row: PresetRow) -> None:
        """Add it, or take the place of the one with its name."""
        ...

    def remove(self, name: str) -> None: ...

    def take_id(self) -> int: ...

    def write_journal(self, record: JournalRow) -> None: ...


@dataclass(frozen=True, slots=True)
class Hand:
    """Who changes presets, whose they are, and when."""

    biller_id: str
    author: str
    now: datetime


def from_toml(text: str) -> Preset:
    """``format``, ``encoding`` and the tables ``[columns]`` and ``[options]``. Raises ``SettingsError``."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise SettingsError(f"this is no TOML: {fault}") from fault
    unknown = values.keys() - {"format", "encoding", *_TABLES}
    if unknown:
        raise SettingsError(
            f"a preset has no {', '.join(sorted(unknown))}; it has format, encoding, columns, options"
        )
    return Preset(
        _text("format", values.get("format", DEFAULT_FORMAT)),
        _text("encoding", values.get("encoding", "")),
        _texts("columns", values),
        _texts("options", values),
    )


def save_preset(book: PresetBook, name: str, preset: Preset, check: Check, hand: Hand) -> str:
    """``new``, ``changed`` or ``unchanged``. Raises ``SettingsError`` saying all that is wrong."""
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{name!r}: a preset's name is 1 to 40 small latin letters, digits, - and _")
    problems = check(preset)
    if problems:
        raise SettingsError("; ".join(f"{place}: {reason}" for place, reason in problems.items()))
    known = book.find(name)
    spec = to_spec(preset)
    if known is not None and known.spec == spec:
        return "unchanged"
    book.put(PresetRow(hand.biller_id, name, spec, hand.author, to_us(hand.now)))
    _tell(book, "preset.saved", name, spec, hand)
    return "new" if known is None else "changed"


def remove_preset(book: PresetBook, name: str, used_by: Collection[str], hand: Hand) -> None:
    """Raises ``NotFound``, and ``NotAllowed`` while agreements (``used_by``) name it."""
    known = book.find(name)
    if known is None:
        raise NotFound(f"there is no preset {name}; `kvit preset list` shows all")
    if used_by:
        raise NotAllowed(f"the preset {name} is used by agreement {', '.join(sorted(used_by))}")
    book.remove(name)
    _tell(book, "preset.removed", name, known.spec, hand)


def find_preset(book: PresetBook, name: str, ready: Collection[str]) -> Preset:
    """The preset saved under ``name``, or the ready format of that name. Raises ``NotFound``."""
    known = book.find(name)
    if known is not None:
        return from_spec(known.spec)
    if name in ready:
        return Preset(name)
    raise NotFound(f"there is no preset {name}; `kvit preset list` shows all")


def to_spec(preset: Preset) -> str:
    """JSON; the same preset gives the same text."""
    values = {
        "format": preset.format, "encoding": preset.encoding, "columns": dict(preset.columns),
        "options": dict(preset.options),
    }  # fmt: skip
    return json.dumps(values, ensure_ascii=False, sort_keys=True)


def from_spec(spec: str) -> Preset:
    return Preset(**json.loads(spec))


def _tell(book: PresetBook, verb: str, name: str, spec: str, hand: Hand) -> None:
    record = JournalRow(
        hand.biller_id, book.take_id(), to_us(hand.now), hand.author, verb, name,
        digest_of(verb, name, spec), spec,
    )  # fmt: skip
    book.write_journal(record)


def _texts(table: str, values: Mapping[str, Any]) -> dict[str, str]:
    found = values.get(table, {})
    if not isinstance(found, dict):
        raise SettingsError(f"{table} is a table: write [{table}] and one line for each of them")
    return {name: _text(f"{table}.{name}", value) for name, value in found.items()}


def _text(place: str, value: object) -> str:
    """Yes, no and whole numbers may be written as TOML has them."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int):
        return str(value)
    raise SettingsError(f"{place}: write a text")
