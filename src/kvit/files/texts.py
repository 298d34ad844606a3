"""Text files of any size: which code page they are in, and their lines, a stretch at a time.

The order: what a person has named; UTF-8 if every byte fits; what the format or the file itself declares,
unless its letters make no words; the code page whose letters do. Nothing is held but a stretch.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from kvit.files.base import ByteSource
from kvit.files.delimited import ENCODINGS
from kvit.files.errors import FileRefused

#: Code pages that are tried, the likeliest first.
PAGES = ("cp1251", "cp866", "koi8_r", "kz1048")
#: How they are called for people.
SHOWN = {
    "utf-8-sig": "utf-8", "cp1251": "windows-1251", "cp866": "cp866", "koi8_r": "koi8-r", "kz1048": "kz1048",
    "utf-16": "utf-16", "cp1252": "windows-1252", "iso8859_2": "iso-8859-2", "cp852": "cp852",
}  # fmt: skip
#: Bytes read at once: what is made of them should fit in a processor's cache.
BLOCK_BYTES = 1 << 14
#: A longer line is no line of a text file.
LINE_LENGTH_MAX = 1 << 20

_CHECK_BYTES = 1 << 20
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LINE_WITH_LETTERS = re.compile(rb"[^\r\n]*[\x80-\xff][^\r\n]*")
#: Lines that a code page is recognised by.
_SAMPLE_LINES = 300
#: The letters of ordinary texts: two of three letters are among these.
_COMMON = frozenset("оеаинтсрвлкмдпуОЕАИНТСРВЛКМДПУ")
_LETTERS = frozenset("абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґәғқңөұүһў")
_SIGNS = frozenset("№«»“”„–—…°\u00a0’")
_MIXED_CASE = re.compile("[а-яё][А-ЯЁ]")
#: Words of headers and of payments' texts; casefolded.
_WORDS = (
    "сумма", "сума", "итого", "всего", "дата", "счет", "счёт", "рахунок", "номер", "платеж", "оплата",
    "получатель", "плательщик", "платник", "реестр", "реєстр", "лицевой", "назначение", "банк", "договор",
    "төлем", "шот", "сомасы",
)  # fmt: skip
#: A declared code page is left for another one only if that makes so much more sense.
_DOUBT = 0.8


class TextBlock(NamedTuple):
    """Some whole lines: the number of the first from 1, and their text; every line ends with ``\\n``."""

    first: int
    text: str


def find_encoding(source: ByteSource, *, wanted: str = "", declared: str = "") -> str:
    """The codec to read ``source`` with. It reads all of a file that is not in UTF-8 up to its first letter.

    ``wanted``: a name of ``ENCODINGS``, used whatever the file says. ``declared``: a codec. Raises
    ``FileRefused`` where ``wanted`` is unknown or cannot be.
    """
    if wanted:
        return _wanted(source, wanted)
    if source.head(2) in _UTF16_MARKS:
        return "utf-16"
    sample = _not_utf8(source)
    return "utf-8-sig" if sample is None else best_page(sample, declared)


def best_page(data: bytes, declared: str = "") -> str:
    """The code page of ``PAGES`` in which ``data`` makes most sense; ``declared`` wins where in doubt."""
    lines = (found.group() for found in _LINE_WITH_LETTERS.finditer(data))
    sample = b"\n".join(islice(lines, _SAMPLE_LINES))
    scores = {page: _score(sample.decode(page, "replace")) for page in PAGES}
    best = max(scores, key=lambda page: scores[page])
    if declared in scores and scores[declared] >= _DOUBT * scores[best]:
        return declared
    return best


def text_blocks(source: ByteSource, encoding: str, block_bytes: int = BLOCK_BYTES) -> Iterator[TextBlock]:
    """The lines of ``source``, many at a time, whatever their ends (CRLF, LF, CR) were.

    Bytes that the code page has not come as U+FFFD, NUL as a space. The end mark of DOS is left out.
    Raises ``FileRefused`` where a line has no end.
    """
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)("replace"), translate=True)
    first = 1
    rest = ""
    with source.open() as stream:
        while True:
            data = stream.read(block_bytes)
            # Databases take no NUL in a text.
            text = rest + decoder.decode(data, final=not data).replace("\0", " ")
            if not data:
                break
            cut = text.rfind("\n") + 1
            rest = text[cut:]
            if cut:
                yield TextBlock(first, text[:cut])
                first += text.count("\n", 0, cut)
            elif len(rest) > LINE_LENGTH_MAX:
                raise FileRefused(
                    f"Line {first} is longer than {LINE_LENGTH_MAX:,} characters: this is no text file.",
                    "Look whether it is packed or of another format.",
                    source.name,
                )
    text = text.rstrip("\x1a")
    if text:
        yield TextBlock(first, text if text.endswith("\n") else text + "\n")


def text_lines(source: ByteSource, encoding: str) -> Iterator[tuple[int, str]]:
    """(number from 1, text without its end) of every line."""
    for block in text_blocks(source, encoding):
        yield from enumerate(block.text[:-1].split("\n"), block.first)


def head_text(head: bytes) -> str:
    """The first bytes of a file as text, in the encoding that makes most sense; for recognising formats."""
    if head[:2] in _UTF16_MARKS:
        return head.decode("utf-16", "ignore")
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head, final=False)
    except UnicodeDecodeError:
        return head.decode(best_page(head), "replace")


def shown(encoding: str) -> str:
    """An encoding's name for people and for ``FileFacts``."""
    return SHOWN.get(encoding, encoding)


def codec_of(name: str) -> str:
    """The codec that a person named. Raises ``FileRefused``."""
    codec = ENCODINGS.get(name.lower())
    if codec is None:
        raise FileRefused(f"There is no encoding {name!r} here.", f"Name one of {', '.join(ENCODINGS)}.")
    return codec


def _wanted(source: ByteSource, wanted: str) -> str:
    codec = codec_of(wanted)
    if codec == "utf-8-sig" and _not_utf8(source) is not None:
        raise FileRefused(
            f"This file is not {wanted} text.", "Leave the encoding out, or name another.", source.name
        )
    return codec


def _not_utf8(source: ByteSource) -> bytes | None:
    """``None`` if every byte of ``source`` fits UTF-8, else the piece of it that does not."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_plain = True
    with source.open() as stream:
        while data := stream.read(_CHECK_BYTES):
            if is_plain and data.isascii():  # four times as fast as decoding
                continue
            is_plain = False
            try:
                decoder.decode(data)
            except UnicodeDecodeError:
                return data
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return decoder.getstate()[0]
    return None


def _score(text: str) -> int:
    """How much ``text`` looks like words in Russian, Ukrainian or Kazakh."""
    score = 0
    for sign in text:
        if sign < "\x80" or sign in _SIGNS:
            continue
        if sign in _COMMON:
            score += 3
        elif sign.casefold() in _LETTERS:
            score += 1
        else:
            score -= 4
    folded = text.casefold()
    score += sum(30 for word in _WORDS if word in folded)
    return score - 4 * len(_MIXED_CASE.findall(text))
