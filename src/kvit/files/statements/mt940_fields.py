"""MT940 and MT942: the lines of a file -> its fields, one after another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

#: Only these begin a field: texts have lines that begin with a colon, too (``:12:11`` of a broken time).
_FIELD = re.compile(r":(20|21|25P?|28C?|13D?|34F|60[FM]?|61|62[FM]?|64|65|86|90[CD]|NS):")
_END = re.compile(r"-(?:\}.*)?\s*")
#: A field has at most six lines of 65 characters; banks exceed that, but never so.
_LENGTH_MAX = 20_000
_STRAY = "\x00\x01\x02\x03"

#: Not a tag: a message ends here.
END = "-"


class Field(NamedTuple):
    """``tag`` without its colons; ``text``: its lines, parted by ``\\n``. ``line``: of its first one."""

    line: int
    tag: str
    text: str


def fields(lines: Iterable[tuple[int, str]]) -> Iterator[Field]:
    """All fields, and ``END`` where a message ends.

    A line ``-`` ends a message only if no text follows it: else it is a line of that text.
    """
    current = _Open(0, "", "")
    dash = 0
    for number, written in lines:
        line = written.strip(_STRAY)
        found = _FIELD.match(line)
        ends = not found and _END.fullmatch(line) is not None
        if not found and not ends and not line.startswith("{"):
            if dash and line.strip():
                current.add("-")
                dash = 0
            if not dash:
                current.add(line)
            continue
        if found or dash or not current.tag:
            yield from current.closed()
            if dash:
                yield Field(dash, END, "")
            dash = 0
            current = _Open(number, found[1], line[found.end() :]) if found else _Open(0, "", "")
        if ends:
            dash = number
    yield from current.closed()
    if dash:
        yield Field(dash, END, "")


class _Open:
    """A field whose end has not come yet."""

    def __init__(self, line: int, tag: str, text: str) -> None:
        self.tag = tag
        self._line = line
        self._texts = [text]
        self._length = 0

    def add(self, text: str) -> None:
        self._length += len(text) + 1
        if self._length <= _LENGTH_MAX:
            self._texts.append(text)

    def closed(self) -> Iterator[Field]:
        if self.tag:
            while len(self._texts) > 1 and not self._texts[-1].strip():
                self._texts.pop()
            yield Field(self._line, self.tag, "\n".join(self._texts))
