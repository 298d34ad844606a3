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


def document(inner: str, code: str, root: str = "response", charset: str = "utf-8") -> HttpResponse:
    """HTTP 200 with ``<root>inner</root>`` in one of ``CHARSETS``; ``inner`` is already escaped.

    What the charset lacks becomes a character reference: every reader of XML takes it for the character.
    """
    text = f'<?xml version="1.0" encoding="{charset.upper()}"?>\n<{root}>{inner}</{root}>'
    return HttpResponse(200, _HEADERS[charset], text.encode(charset, "xmlcharrefreplace"), code)


#: What networks write their documents in.
CHARSETS = ("utf-8", "windows-1251")
_HEADERS = {
    charset: ((b"content-type", b"text/xml; charset=" + charset.encode()),) for charset in CHARSETS
}  # fmt: skip
_DECLARED = re.compile(rb"""<\?xml[^<>]{1,40}?encoding=["']([A-Za-z0-9_.-]{1,20})["']""")


def charset_of(body: bytes) -> str:
    """The one of ``CHARSETS`` that a document declares; UTF-8 where it declares none, or another."""
    declared = _DECLARED.match(body)
    name = declared[1].decode("ascii").lower() if declared else ""
    return name if name in CHARSETS else "utf-8"


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


def parse(body: bytes, charset: str = "utf-8") -> Optional[Element]:
    """The root of a document; ``None`` for a broken, oversized, deep one or one with a DOCTYPE.

    It is read in ``charset``, whatever it declares. Without a document type there are no entities to
    expand and nothing to fetch.
    """
    # expat sniffs UTF-16 even when told UTF-8; its markup always holds a NUL, and no other XML does.
    if len(body) > XML_BYTES_MAX or b"\0" in body:
        return None
    if charset != "utf-8":
        try:
            body = body.decode(charset).encode("utf-8")
        except UnicodeDecodeError:
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
