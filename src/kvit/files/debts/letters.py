"""Texts that may stand in a bank's file: no separators, no line breaks, no letters its code page lacks.

A whole column is looked at in one go; only a column that is not fine is gone through cell by cell. What is
replaced is noted. Facts: cp1251 and cp866 have neither the nine Kazakh letters nor, cp866, typographic signs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from kvit.domain.debts import Replaced

#: Names of code pages that an agreement may choose -> Python's codecs.
CODECS = {
    "windows-1251": "cp1251",
    "koi8-r": "koi8_r",
    "cp866": "cp866",
    "utf-8": "utf-8",
    "utf-8-bom": "utf-8",
    "kz1048": "kz1048",
    "latin-1": "latin_1",
}
BOM = {"utf-8-bom": "\ufeff".encode()}

_QUOTES = ('"', "'")
#: A letter -> what may stand for it, the nearest first; that without a mark is found without a table.
_STANDS_FOR = {
    "Ә": ("А",), "ә": ("а",), "Ғ": ("Г",), "ғ": ("г",), "Қ": ("К",), "қ": ("к",), "Ң": ("Н",), "ң": ("н",),
    "Ө": ("О",), "ө": ("о",), "Ұ": ("У",), "ұ": ("у",), "Ү": ("У",), "ү": ("у",), "Һ": ("Х",), "һ": ("х",),
    "І": ("И",), "і": ("и",), "Ї": ("И",), "ї": ("и",), "Є": ("Е",), "є": ("е",), "Ґ": ("Г",), "ґ": ("г",),
    "Ў": ("У",), "ў": ("у",), "«": _QUOTES, "»": _QUOTES, "“": _QUOTES, "”": _QUOTES, "„": _QUOTES,
    "‟": _QUOTES,
    "‘": ("'",), "’": ("'",), "‚": ("'",), "ʼ": ("'",), "ʻ": ("'",), "–": ("-",), "—": ("-",), "‐": ("-",),
    "‑": ("-",), "−": ("-",), "…": ("...",), "№": ("N",), "\u00a0": (" ",), "\u202f": (" ",),
    "\u2009": (" ",),
    "ß": ("ss",), "Ø": ("O",), "ø": ("o",), "Ł": ("L",), "ł": ("l",), "Đ": ("D",), "đ": ("d",), "Æ": ("AE",),
    "æ": ("ae",), "Œ": ("OE",), "œ": ("oe",), "ı": ("i",),
}  # fmt: skip
#: What breaks a line, or would end a text for some program.
_BREAKS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]+")
#: What stands in the place of a separator.
_INSTEAD = {";": ",", ",": " ", "|": "/", "\t": " ", "#": "N", '"': "'"}


class Letters:
    """Makes texts fit for one file."""

    def __init__(self, codec: str, forbidden: str, replaced: Replaced) -> None:
        """``forbidden``: signs that part cells; line breaks are always refused."""
        self.codec = codec
        self._replaced = replaced
        self._forbidden = forbidden
        self._instead = {ord(sign): _INSTEAD.get(sign, " ") for sign in forbidden}

    def column(self, texts: Sequence[str]) -> Sequence[str]:
        """The texts, each as it may stand in the file."""
        if self.are_fine(texts):
            return texts
        return [text if self._is_fine(text) else self.text(text) for text in texts]

    def are_fine(self, texts: Sequence[str]) -> bool:
        """Can they all stand in the file as they are?"""
        return self._is_fine("".join(texts))

    def _is_fine(self, text: str) -> bool:
        if not text.isprintable() or any(sign in text for sign in self._forbidden):
            return False
        return self.codec == "utf-8" or _fits(text, self.codec)

    def text(self, before: str) -> str:
        """One text; what is replaced is noted."""
        after: str = _BREAKS.sub(" ", before).translate(self._instead)
        if not after.isprintable():  # invisible signs, and what is no character at all; spaces may stay
            after = "".join([one for one in after if one.isprintable() or unicodedata.category(one) == "Zs"])
        try:
            after.encode(self.codec)
        except UnicodeEncodeError:
            after = "".join([_nearest(sign, self.codec, self._forbidden) for sign in after])
        if after != before:
            self._replaced.note(before, after)
        return after


@lru_cache(maxsize=4096)
def _nearest(sign: str, codec: str, forbidden: str) -> str:
    """``sign`` itself, what stands for it, its letter without marks, or a question mark."""
    plain = "".join(mark for mark in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(mark))
    candidates: tuple[str, ...] = (sign, *_STANDS_FOR.get(sign, ()), plain)
    for text in candidates:
        if text and not any(one in forbidden for one in text) and _fits(text, codec):
            return text
    return "" if unicodedata.combining(sign) else "?"


def _fits(text: str, codec: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True
