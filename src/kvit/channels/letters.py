"""What a letter is: who wrote it, who vouches for that, and the files in it, however deep they lie."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.header import decode_header
from email.message import Message
from typing import NamedTuple

_PARTS_MAX = 500
_FROM_MAX = 1_000
_RESULTS_MAX = 4_000
_ADDRESS = r"[^<>@\s,;:\"()]{1,64}@[^<>@\s,;:\"()]{1,255}"
#: An address alone, or after a name; anything cleverer is nobody's.
_FROM = re.compile(rf"(?:\"[^\"]*\"|[^<>@\"(),;:]*)\s*<({_ADDRESS})>|({_ADDRESS})")
_COMMENT = re.compile(r"\([^()]*\)")
_BOX = "winmail.dat"
_TEXT_NAME = "letter.txt"


class Attachment(NamedTuple):
    """A file of a letter; ``name`` is its last part, whatever folders the sender's program wrote."""

    name: str
    content: bytes


class Letter(NamedTuple):
    """``is_boxed``: there is a ``winmail.dat``, which only its sender's own program opens."""

    attachments: list[Attachment]
    is_boxed: bool


def subject_of(head: bytes) -> str:
    return _decoded(_raw(message_from_bytes(head), "subject"))[:120]


def sender_of(head: bytes) -> str:
    """The one address that the letter says it is from, in small letters; empty where that is not clear."""
    found = [value for name, value in message_from_bytes(head).raw_items() if name.lower() == "from"]
    if len(found) != 1:
        return ""
    match = _FROM.fullmatch(_unfolded(str(found[0])[:_FROM_MAX]).strip())
    return (match[1] or match[2]).lower() if match else ""


def vouched_for(head: bytes, server: str) -> bool:
    """Does ``server`` say, in the topmost ``Authentication-Results``, that the sender's own domain signed the
    letter? (RFC 8601; those below may be the sender's own invention.)"""
    found = [
        value for name, value in message_from_bytes(head).raw_items()
        if name.lower() == "authentication-results"
    ]  # fmt: skip
    if not found:
        return False
    text = _unfolded(str(found[0]))[:_RESULTS_MAX]
    while (shorter := _COMMENT.sub(" ", text)) != text:
        text = shorter
    who, *results = text.split(";")
    if who.split()[:1] != [server]:
        return False
    domain = sender_of(head).rpartition("@")[2]
    return bool(domain) and any(_signed_by(result.split(), domain) for result in results)


def _signed_by(words: list[str], domain: str) -> bool:
    if not words or words[0].lower() != "dkim=pass":
        return False
    for word in words[1:]:
        name, _, value = word.lower().partition("=")
        signer = value.strip('"').rpartition("@")[2]
        if name in {"header.d", "header.i"} and "." in signer:
            return f".{domain}".endswith(f".{signer}") or f".{signer}".endswith(f".{domain}")
    return False


def read_letter(data: bytes, *, with_text: bool) -> Letter:
    """Every file in it: attached, inline, or in a letter that is attached. ``with_text``: where there is no
    file, the text itself is one. Raises ``ValueError`` for a letter that is built to do harm."""
    try:
        letter = message_from_bytes(data)
        parts = []
        for part in letter.walk():
            parts.append(part)
            if len(parts) > _PARTS_MAX:
                raise ValueError(f"it has more than {_PARTS_MAX} parts")
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    attachments, is_boxed, text = [], False, None
    for part in parts:
        if part.is_multipart():
            continue
        name = name_of(part)
        if name.lower() == _BOX or part.get_content_type() == "application/ms-tnef":
            is_boxed = True
        elif name:
            attachments.append(Attachment(name, _content(part)))
        elif text is None and part.get_content_type() == "text/plain":
            text = part
    if with_text and not attachments and text is not None:
        attachments.append(Attachment(_TEXT_NAME, _content(text)))
    return Letter(attachments, is_boxed)


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def name_of(part: Message) -> str:
    """The file's name, also as old programs wrote it: in pieces, in code pages, as bytes without any word."""
    name = ""
    for header, parameter in (("content-disposition", "filename"), ("content-type", "name")):
        holder = Message()
        holder[header] = _raw(part, header)
        value = holder.get_param(parameter, "", header)
        name = name or _decoded(_text_of(value))
    name = re.split(r"[/\\]", name)[-1]
    return "".join(character for character in name if character.isprintable()).strip()


def _text_of(value: str | tuple[str | None, str | None, str]) -> str:
    """A parameter's value; with a code page (RFC 2231) it comes in three, its bytes as latin-1."""
    if isinstance(value, str):
        return value
    page, _, text = value
    try:
        return text.encode("latin-1").decode(page or "ascii")
    except (LookupError, UnicodeError):
        return _guessed(text.encode("latin-1", "replace"))


def _raw(part: Message, header: str) -> str:
    """The header's text; bytes beyond ASCII as whatever makes words of them."""
    for name, value in part.raw_items():
        if name.lower() == header:
            return _unfolded(_guessed(str(value).encode("utf-8", "surrogateescape")))
    return ""


def _unfolded(text: str) -> str:
    return re.sub(r"\r?\n[ \t]*", " ", text)


def _decoded(text: str) -> str:
    """Encoded words (RFC 2047) as what they mean; halves of the same code page are joined before that."""
    if "=?" not in text:
        return text
    pieces = []
    for piece, page in decode_header(text):
        if isinstance(piece, str):
            pieces.append(piece)
            continue
        try:
            pieces.append(piece.decode(page or "ascii"))
        except (LookupError, UnicodeError):
            pieces.append(_guessed(piece))
    return "".join(pieces)


def _guessed(data: bytes) -> str:
    """Bytes of nobody knows which code page: UTF-8, or that of Windows or Unix with more small letters."""
    try:
        return data.decode("utf-8")
    except UnicodeError:
        texts = (data.decode(page, "replace") for page in ("cp1251", "koi8-r"))
        return max(texts, key=lambda text: sum(letter.islower() for letter in text))
