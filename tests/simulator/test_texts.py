"""Three languages with the same words, and no word that is missing or never said."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from kvit.simulator.texts import LANGUAGES, all_texts, text

ROOM = resources.files("kvit.simulator")
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


def sources() -> str:
    """Everything that says a text: scripts, the template, and the room's Python."""
    static = [one for one in ROOM.joinpath("static").iterdir() if one.name.endswith(".js")]
    python = [one for one in ROOM.iterdir() if one.name.endswith(".py")]
    templates = list(ROOM.joinpath("templates").iterdir())
    assert len(static) >= 5
    return "\n".join(one.read_text("utf-8") for one in [*static, *python, *templates])


def test_every_language_has_every_text_with_the_same_placeholders() -> None:
    texts = all_texts()
    assert tuple(sorted(texts)) == tuple(sorted(LANGUAGES))
    russian = texts["ru"]
    for language in LANGUAGES:
        assert list(texts[language]) == list(russian)
        for key, words in texts[language].items():
            assert words.strip() == words != ""
            assert set(PLACEHOLDER.findall(words)) == set(PLACEHOLDER.findall(russian[key])), (language, key)


def test_every_text_that_is_asked_for_exists() -> None:
    asking = r"""(?:\bt\(|data-text=|data-label=|text\()\s*["']([a-z-]+\.[a-z.-]+)["']"""
    said = set(re.findall(asking, sources()))
    assert len(said) > 50
    assert said <= set(all_texts()["ru"]), said - set(all_texts()["ru"])


def test_every_text_is_said_somewhere() -> None:
    everything = sources()
    # These are put together from a prefix and a word: mischief.again, verdict.refused, step.sum ...
    families = ("step.", "phase.", "state.", "tab.", "try.", "verdict.", "failure.", "mischief.", "wire.")
    unsaid = [
        key for key in all_texts()["ru"] if f'"{key}"' not in everything and not key.startswith(families)
    ]
    assert [key for key in unsaid if f"'{key}'" not in everything] == []
    for key in (key for key in all_texts()["ru"] if key.startswith(("verdict.", "step.", "tab."))):
        word = key.partition(".")[2]
        assert f'"{word}"' in everything or word.startswith("booked-once-"), key


def test_placeholders_are_filled() -> None:
    filled = text("verdict.booked-once-at-once", "en", {"count": "5", "receipt": "100045"})
    assert filled == "Booked once: all 5 got receipt 100045"


def test_an_unknown_text_is_our_own_fault() -> None:
    with pytest.raises(KeyError):
        text("no.such.text")
