"""What may be shown of a name at a terminal, and of a query string in a log.

A terminal stands in public: the payer should recognise the name, the bystander should not learn it.
Everything here is total: any text and any bytes have a masked form.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import cast

#: How much of a client's name an agent is told.
SHOW_NAME = frozenset({"none", "masked", "full"})

#: Always three, so that the length of the word is not told.
STARS = "***"

#: Query strings are logged up to so many parameters; the rest is counted.
PARAMETERS_MAX = 50

#: Signs that part words, and that a masked name keeps. Every other sign counts as a part of its word.
_SEPARATORS = frozenset("-‐‑–—'’ʼ`\"«»“”„().,;/&№ ")

_PARAMETER_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_.\-]{0,39}")
_PLAIN_VALUE = re.compile(rb"[A-Za-z0-9_.:,+%\-]{0,80}")


def display_name(name: str, show: str) -> str:
    """``name`` as an agent may see it: ``show`` is ``none`` (always ``""``), ``masked`` or ``full``.

    Masked: of every word the first letter and three stars; the parts of a hyphenated word are words.
    ``Иванова Анна`` -> ``И*** А***``, ``Римский-Корсаков Н. А.`` -> ``Р***-К*** Н. А.``,
    ``ТОО "Су Арнасы"`` -> ``Т*** "С*** А***"``. An initial (one letter and a point) stays as it is: it
    holds no more than its masked form would. Spaces are made single. Another ``show`` is a ``ValueError``.
    """
    if show == "none":
        return ""
    if show not in SHOW_NAME:
        raise ValueError(f"a name is shown as none, masked or full, not as {show!r}")
    text = " ".join(unicodedata.normalize("NFC", name).split())
    return text if show == "full" else _masked(text)


def display_names(names: Sequence[str], show: str) -> Sequence[str]:
    """``display_name`` of each, many times as fast: names are made of few words."""
    if show != "masked":
        return [display_name(name, show) for name in names]
    joined = "\n".join(names)
    is_plain = joined.count("\n") == len(names) - 1 and not any(gap in joined for gap in _GAPS)
    words = joined.replace("\n", " \n ").split(" ") if is_plain and names else []
    masked = list(map(_WORDS.__getitem__, words))
    if not is_plain or joined[:1] == " " or joined[-1:] == " " or None in masked:
        return [display_name(name, show) for name in names]
    return " ".join(cast("list[str]", masked)).split(" \n ") if names else []


def mask_query(query: bytes, safe_names: Collection[str]) -> str:
    """A raw query string fit for a log: names of parameters stay, values become ``*``.

    ``b"command=pay&account=1001&sum=10"`` with ``{"command"}`` -> ``"command=pay&account=*&sum=*"``.
    The value of a parameter in ``safe_names`` stays while it is short and plain ASCII. Anything that
    does not look like a parameter's name is ``*`` as well, for it may be a mistyped value; an empty
    value stays empty. The result is printable ASCII of bounded length, whatever the bytes.
    """
    if not query:
        return ""
    parts = query.split(b"&", PARAMETERS_MAX)
    rest = parts.pop().count(b"&") + 1 if len(parts) > PARAMETERS_MAX else 0
    shown = [_masked_parameter(part, safe_names) for part in parts]
    if rest:
        shown.append(f"(and {rest} more)")
    return "&".join(shown)


def _masked_parameter(part: bytes, safe_names: Collection[str]) -> str:
    raw_name, equals, value = part.partition(b"=")
    if not equals or not _PARAMETER_NAME.fullmatch(raw_name):
        name = "*" if raw_name else ""
    else:
        name = raw_name.decode("ascii")
    if not value:
        return name + equals.decode("ascii")
    if name in safe_names and _PLAIN_VALUE.fullmatch(value):
        return f"{name}={value.decode('ascii')}"
    return f"{name}=*"


_SIGNS = re.escape("".join(sorted(_SEPARATORS)))
#: One word with the point behind it if there is one, or separators.
_PIECE = re.compile(rf"[^{_SIGNS}]+\.?|[{_SIGNS}]+")
_ONLY_SIGNS = re.compile(rf"[{_SIGNS}]*")

#: Spaces that are not one between two words.
_GAPS = ("  ", "\n ", " \n")
_WORDS_MAX = 50_000


class _Words(dict[str, str | None]):
    """A word without plain spaces -> its masked form; ``None`` where the whole name decides."""

    def __missing__(self, word: str) -> str | None:
        masked: str | None = word
        if word not in ("", "\n"):
            masked = display_name(word, "masked")
            # Other spaces become plain ones, and signs alone stay only beside a word.
            if not masked or " " in masked or word.split() != [word]:
                masked = None
        if len(self) >= _WORDS_MAX:
            self.clear()
        self[word] = masked
        return masked


_WORDS = _Words()


def _masked(text: str) -> str:
    masked = "".join(map(_masked_piece, _PIECE.findall(text)))
    return "" if _ONLY_SIGNS.fullmatch(masked) else masked


@lru_cache(maxsize=8192)  # names are made of few words
def _masked_piece(piece: str) -> str:
    word = piece.removesuffix(".")
    if not word or word[0] in _SEPARATORS:
        return piece
    first = _first_letter(word)
    is_initial = word != piece and first == word and word.isalpha()
    return piece if is_initial else first + STARS + piece[len(word) :]


def _first_letter(word: str) -> str:
    """The first letter or digit with the marks that belong to it; ``""`` where the word has none."""
    for place, character in enumerate(word):
        if unicodedata.category(character)[0] in "LN":
            end = place + 1
            while end < len(word) and end < place + 3 and unicodedata.category(word[end])[0] == "M":
                end += 1
            return word[place:end]
    return ""
