"""The kiosk's words in Russian, English and Kazakh: one file, read here and by the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources

#: In the order in which the switch shows them.
LANGUAGES = ("ru", "kk", "en")


@cache
def all_texts() -> Mapping[str, Mapping[str, str]]:
    """Language -> key -> text with ``{placeholders}``. Every language has every key."""
    raw = resources.files("kvit.simulator").joinpath("static", "texts.json").read_text("utf-8")
    texts: dict[str, dict[str, str]] = json.loads(raw)
    return texts


def text(key: str, language: str = "en", values: Mapping[str, str] | None = None) -> str:
    """The text of ``key`` with its placeholders filled in. Raises ``KeyError`` for an unknown key."""
    words = all_texts()[language][key]
    for name, value in (values or {}).items():
        words = words.replace("{" + name + "}", value)
    return words
