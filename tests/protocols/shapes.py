"""Commands to play every protocol with, built from ``tests/protocols/<protocol>/shapes.json``.

A profile names dialect switches and, for each kind of command that travels under them, what its
attributes can carry. An attribute that is not named keeps its default. A shape is

* ``@digits:20``, ``@text:200``: 1 to N digits (not all zero), 1 to N printable characters;
* ``@amount``, ``@receipt``, ``@currency``, ``@day``, ``@moment``; ``@moment:%Y%m%d`` writes the moment
  of the same command another way; ``@instant`` is the moment with the offset of UTC and milliseconds, and
  ``@instant:ms`` counts them from 1970; ``@same:since`` repeats another attribute;
* ``@parts:3``: a number of three parts, for profiles with ``payer_fields``; ``true``, a number: that;
* with ``?`` at the end: may be empty; anything else is a regular expression;
* a list: names of extra fields, each at most once, in any order; an object: those that are always there, with
  the shape of each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from kvit.domain import messages
from kvit.domain.money import AMOUNT_MINOR_MAX
from kvit.protocols.base import Terms
from tests.protocols.rsa import KEYS

HERE = Path(__file__).parent

_PRINTABLE = st.characters(exclude_categories=("C", "Zl", "Zp"))
_MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31)).map(  # noqa: DTZ001 - local to a zone
    lambda moment: moment.replace(microsecond=0)
)


@dataclass(frozen=True)
class Profile:
    """One way of setting a protocol's switches, with the commands that travel under it."""

    protocol: str
    name: str
    dialect: Mapping[str, str]
    commands: Mapping[str, Mapping[str, Any]]
    payer_fields: tuple[str, ...] = ()
    exponent: int = 2

    @property
    def terms(self) -> Terms:
        """The terms of an agreement with this dialect: all locks are on."""
        locks = {"secret": "sëcret", "payer_fields": self.payer_fields, **KEYS}
        return Terms(self.protocol, "RUB", self.exponent, "login", "pass:wörd", self.dialect, **locks)


def profiles_of(protocol: str) -> list[Profile]:
    """The profiles of one protocol."""
    written = json.loads((HERE / protocol / "shapes.json").read_text(encoding="utf-8"))
    return [
        Profile(
            protocol,
            profile["name"],
            profile["dialect"],
            profile["commands"],
            tuple(profile.get("payer_fields", ())),
            profile.get("exponent", 2),
        )
        for profile in written["profiles"]
    ]


def commands_of(profile: Profile, kind: str) -> st.SearchStrategy[messages.Command]:
    """Commands of ``kind`` as this profile can carry them."""
    return _filled(kind, profile.commands[kind])


@st.composite
def _filled(draw: st.DrawFn, kind: str, shapes: Mapping[str, Any]) -> messages.Command:
    moment = draw(_MOMENTS)
    values: dict[str, Any] = {}
    for name, shape in shapes.items():
        if isinstance(shape, bool | int):
            values[name] = shape
        elif isinstance(shape, list):
            names = draw(st.lists(st.sampled_from(shape), unique=True))
            values[name] = tuple((field, draw(_field(field))) for field in names)
        elif isinstance(shape, dict):
            values[name] = tuple((field, draw(_values(inner))) for field, inner in shape.items())
        elif shape.startswith("@same:"):
            values[name] = values[shape.removeprefix("@same:")]
        elif shape == "@moment":
            values[name] = moment.isoformat()
        elif shape == "@instant":
            values[name] = moment.replace(tzinfo=UTC).isoformat(timespec="milliseconds")
        elif shape == "@instant:ms":
            values[name] = str(int(moment.replace(tzinfo=UTC).timestamp()) * 1000)
        elif shape.startswith("@moment:"):
            values[name] = moment.strftime(shape.removeprefix("@moment:"))
        else:
            values[name] = draw(_values(shape))
    command: messages.Command = getattr(messages, kind)(**values)
    return command


def _values(shape: str) -> st.SearchStrategy[Any]:
    if shape.startswith("@") and shape.endswith("?"):
        return st.just("") | _values(shape[:-1])
    kind, _, size = shape.partition(":")
    if kind == "@digits":
        return st.text("0123456789", min_size=1, max_size=int(size)).filter(lambda text: text.strip("0"))
    if kind == "@text":
        return st.text(_PRINTABLE, min_size=1, max_size=int(size))
    if kind == "@parts":
        part = st.text(_PRINTABLE, min_size=1, max_size=20).filter(lambda text: "/" not in text)
        return st.lists(part, min_size=int(size), max_size=int(size)).map("/".join)
    named = {
        "@amount": st.integers(0, AMOUNT_MINOR_MAX - 1),
        "@receipt": st.integers(1, 2**63 - 1),
        "@currency": st.sampled_from(("RUB", "KZT", "USD")),
        "@day": _MOMENTS.map(lambda moment: moment.date().isoformat()),
    }
    return named[kind] if kind in named else st.from_regex(shape, fullmatch=True)


def _field(name: str) -> st.SearchStrategy[str]:
    return _values("@currency") if name == "ccy" else _values("@text:60")
