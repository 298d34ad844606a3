"""The one door for XML from outside: streamed, without document types, bounded in every direction.

Without a document type there are no entities to expand and nothing to fetch. What is left to bound: how
deep elements stand, how long one name, attribute, comment or text is, how many kinds of elements there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from kvit.files.base import ByteSource
from kvit.files.errors import FileRefused

FILE_BYTES_MAX = 8 << 30
DEPTH_MAX = 40
#: One tag, comment or text.
PIECE_BYTES_MAX = 1 << 20
#: Texts at one place of a record, and different places of elements in a file.
TEXTS_MAX = 1_000
PLACES_MAX = 2_000

_CHUNK_BYTES = 1 << 16

#: (place of the parent, the element's own name without its prefix) -> the element's place.
Place = Callable[[str, str], str]


@dataclass(slots=True)
class Record:
    """An element that stands for something: its texts by place, and the record it stands in.

    An attribute's place is that of its element, ``@`` and its name. ``line``: where it begins, from 1.
    ``texts`` of an outer record grow while its inner ones are told.
    """

    mark: str
    line: int
    parent: Record | None
    texts: dict[str, list[str]] = field(default_factory=dict)

    def first(self, *places: str) -> str:
        """The first text at the first of ``places`` that has one; ``""`` without."""
        for place in places:
            found = self.texts.get(place)
            if found:
                return found[0]
        return ""

    def all(self, place: str) -> list[str]:
        return self.texts.get(place, [])

    def shown(self) -> str:
        """Its texts in one line, for people."""
        return "; ".join(f"{place} {text}" for place, texts in self.texts.items() for text in texts)


class XmlRecords:
    """The records of a file, each when its element ends.

    ``place`` names elements by what they mean: an element placed like its parent is a mere wrapper. A place
    among ``marks`` begins a record. After the walk: ``encoding`` is what the file declares, ``broken`` says
    why the walk ended early, and where; empty for a file that is whole.
    """

    def __init__(self, source: ByteSource, place: Place, marks: frozenset[str], encoding: str = "") -> None:
        self.encoding = "utf-8"
        self.broken = ""
        self._source = source
        self._place = place
        self._marks = marks
        self._override = encoding.removesuffix("-sig")

    def __iter__(self) -> Iterator[Record]:
        """Raises ``FileRefused`` for what no honest file has, and for what is no XML at all."""
        told: list[Record] = []
        walk = _Walk(self._place, self._marks, told)
        parser = walk.parser(self._override, self._declared)
        if self._override:
            self.encoding = self._override
        size_bytes = 0
        try:
            with self._source.open() as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    parser.Parse(chunk, False)
                    yield from told
                    told.clear()
                    size_bytes += len(chunk)
                    walk.check(size_bytes - max(parser.CurrentByteIndex, 0))
                    if size_bytes > FILE_BYTES_MAX:
                        refuse(f"is larger than {FILE_BYTES_MAX >> 30} GB")
            parser.Parse(b"", True)
        except (expat.ExpatError, ValueError, LookupError) as fault:
            if not walk.place_count:
                raise FileRefused("This is not XML.", "Ask the bank for the file as it was made.") from fault
            self.broken = f"The file breaks off or is damaged in line {parser.ErrorLineNumber}: {fault}."
        yield from told

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if not self._override and encoding:
            self.encoding = encoding.lower()


def refuse(what: str) -> NoReturn:
    raise FileRefused(
        f"This XML {what}, which no statement of a bank does.", "Ask the bank for the file as it was made."
    )


@dataclass(slots=True, eq=False)
class _Node:
    """One way of tags from the root: where it leads, and whether it begins a record."""

    place: str
    begins: bool
    depth: int
    children: dict[str, _Node] = field(default_factory=dict)


class _Walk:
    """Where the parser is. The handlers are closures: they run some hundred times a payment."""

    def __init__(self, place: Place, marks: frozenset[str], told: list[Record]) -> None:
        self.place_count = 0
        self._place = place
        self._marks = marks
        self._told = told
        self._pieces: list[str] = []

    def parser(self, encoding: str, declared: Callable[[str, str | None, int], None]) -> expat.XMLParserType:
        parser = expat.ParserCreate(encoding or None)
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.XmlDeclHandler = declared
        parser.StartDoctypeDeclHandler = _no_doctype
        parser.CharacterDataHandler = self._pieces.append
        self._hook(parser)
        return parser

    def check(self, waiting_bytes: int) -> None:
        """After each chunk: nothing that is not yet told may be longer than a piece."""
        if max(waiting_bytes, sum(map(len, self._pieces))) > PIECE_BYTES_MAX:
            refuse(f"has a piece longer than {PIECE_BYTES_MAX >> 20} MB")

    def _hook(self, parser: expat.XMLParserType) -> None:
        pieces, told = self._pieces, self._told
        node = _Node("", begins=False, depth=0)
        above: list[_Node] = []
        record: Record | None = None

        def start(tag: str, attributes: list[str]) -> None:
            nonlocal node, record
            if pieces:
                pieces.clear()
            above.append(node)
            node = node.children.get(tag) or self._named(node, tag)
            if node.begins:
                record = Record(node.place, parser.CurrentLineNumber, record)
            if attributes and record is not None:
                for name, value in zip(attributes[::2], attributes[1::2], strict=True):
                    _add(record.texts, f"{node.place}@{name}", value)

        def end(_tag: str) -> None:
            nonlocal node, record
            if pieces:
                text = "".join(pieces).strip()
                pieces.clear()
                if text and record is not None:
                    _add(record.texts, node.place, text)
            if node.begins:
                assert record is not None
                told.append(record)
                record = record.parent
            node = above.pop()

        parser.StartElementHandler = start
        parser.EndElementHandler = end

    def _named(self, parent: _Node, tag: str) -> _Node:
        """The place of a way that is gone for the first time; so deep nesting is always seen here."""
        self.place_count += 1
        if self.place_count > PLACES_MAX:
            refuse("has too many kinds of elements")
        if parent.depth >= DEPTH_MAX:
            refuse(f"is nested more than {DEPTH_MAX} deep")
        place = self._place(parent.place, tag.rpartition(":")[2])
        begins = place in self._marks and place != parent.place
        found = parent.children[tag] = _Node(place, begins, parent.depth + 1)
        return found


def _add(texts: dict[str, list[str]], place: str, text: str) -> None:
    held = texts.get(place)
    if held is None:
        texts[place] = [text]
    elif len(held) < TEXTS_MAX:
        held.append(text)
    else:
        refuse(f"has more than {TEXTS_MAX} texts of one kind in one place")


def _no_doctype(*_parts: object) -> NoReturn:
    refuse("has a document type (DOCTYPE)")
