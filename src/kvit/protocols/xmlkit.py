"""XML for the protocols: writing that nothing breaks out of, reading that nothing blows up.

Standard library only, Python 3.9 syntax: protocols also run on cheap hosting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple
from xml.parsers import expat

from kvit.domain.messages import HttpResponse

#: Limits on one document from outside.
XML_BYTES_MAX = 262_144
XML_DEPTH_MAX = 16

_ESCAPES: Dict[int, str] = {
    **dict.fromkeys(range(0x20), "\ufffd"),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
    **dict.fromkeys((0xFFFE, 0xFFFF), "\ufffd"),
    **{ord(mark): f"&#{ord(mark)};" for mark in "\t\n\r\"'"},
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
}


_NOT_PLAIN = re.compile("[" + re.escape("".join(map(chr, _ESCAPES))) + "]")


def escape(text: str) -> str:
    """Text for an element or an attribute. What XML 1.0 forbids becomes U+FFFD."""
    return text if _NOT_PLAIN.search(text) is None else text.translate(_ESCAPES)


def element(tag: str, text: str, attributes: Tuple[Tuple[str, str], ...] = ()) -> str:
    """``<tag name="value">text</tag>``; ``tag`` and the attributes' names are ours."""
    inside = text if _NOT_PLAIN.search(text) is None else escape(text)
    return f"<{tag}>{inside}</{tag}>" if not attributes else f"{opening(tag, attributes)}{inside}</{tag}>"


def opening(tag: str, attributes: Tuple[Tuple[str, str], ...] = ()) -> str:
    """``<tag name="value">``."""
    inside = "".join(f' {name}="{escape(value)}"' for name, value in attributes)
    return f"<{tag}{inside}>"


def document(inner: str, code: str, root: str = "response") -> HttpResponse:
    """HTTP 200 with ``<root>inner</root>`` in UTF-8; ``inner`` is already escaped."""
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{inner}</{root}>'
    return HttpResponse(200, _XML_HEADERS, text.encode("utf-8"), code)


_XML_HEADERS = ((b"content-type", b"text/xml; charset=utf-8"),)


@dataclass
class Element:
    """One element of a document: its own text (the pieces joined) and its children in order."""

    tag: str
    attributes: Dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: List[Element] = field(default_factory=list)

    def child_text(self, tag: str) -> str:
        """The stripped text of the first child named ``tag``; ``""`` without one."""
        return next((child.text.strip() for child in self.children if child.tag == tag), "")


class _Refused(Exception):
    """The document has a document type, or is nested too deeply."""


def parse(body: bytes) -> Optional[Element]:
    """The root of a UTF-8 document; ``None`` for a broken, oversized, deep one or one with a DOCTYPE.

    Without a document type there are no entities to expand and nothing to fetch.
    """
    # expat sniffs UTF-16 even when told UTF-8; its markup always holds a NUL, and no other XML does.
    if len(body) > XML_BYTES_MAX or b"\0" in body:
        return None
    top = Element("")
    open_elements = [top]
    pieces: List[List[str]] = [[]]

    def start(tag: str, attributes: Dict[str, str]) -> None:
        if len(open_elements) > XML_DEPTH_MAX:
            raise _Refused
        element = Element(tag, attributes)
        open_elements[-1].children.append(element)
        open_elements.append(element)
        pieces.append([])

    def end(_tag: str) -> None:
        open_elements.pop().text = "".join(pieces.pop())

    def text(piece: str) -> None:
        pieces[-1].append(piece)

    def doctype(*_: object) -> None:
        raise _Refused

    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, _Refused, ValueError):
        return None
    return top.children[0] if top.children else None
