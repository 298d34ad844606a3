"""WSGI on one side, plain requests and answers on the other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple

Environ = Mapping[str, Any]
StartResponse = Callable[..., Any]

#: Largest bodies: what a bank may send, and what the office may (a part of a copy).
BANK_BODY_MAX = 65_536
OFFICE_BODY_MAX = 16 * 1024 * 1024


@dataclass(frozen=True)
class Asked:
    """One request as the server gave it; header names are in lower case."""

    method: str
    path: str
    query: bytes
    headers: Mapping[str, str]
    environ: Environ = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """What goes out."""

    status: int
    body: bytes = b""
    headers: Tuple[Tuple[str, str], ...] = ()


class Cut(Exception):
    """The body ended before its length, or is longer than allowed."""


def asked_of(environ: Environ) -> Asked:
    """Read everything but the body. Total: whatever a server hands over."""
    headers: Dict[str, str] = {}
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            headers[name[5:].replace("_", "-").lower()] = str(value)
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = str(environ[name])
    if "authorization" not in headers and environ.get("REDIRECT_HTTP_AUTHORIZATION"):
        headers["authorization"] = str(environ["REDIRECT_HTTP_AUTHORIZATION"])
    query = str(environ.get("QUERY_STRING") or "").encode("latin-1", "replace")
    path = str(environ.get("PATH_INFO") or "/")
    return Asked(str(environ.get("REQUEST_METHOD") or "GET"), path, query, headers, environ)


def has_escapes(asked: Asked) -> bool:
    """Was the path written with escapes? They are gone from ``path``, but most servers tell the whole."""
    whole = str(asked.environ.get("REQUEST_URI") or asked.environ.get("RAW_URI") or "")
    return "%" in whole.partition("?")[0]


def body_of(asked: Asked, most: int) -> bytes:
    """The whole body. Raises ``Cut``: half a message is none."""
    stream = asked.environ.get("wsgi.input")
    length = _length(asked.headers.get("content-length", ""))
    if length is None:
        if not asked.environ.get("wsgi.input_terminated") or stream is None:
            if "transfer-encoding" in asked.headers:
                raise Cut("has no length, and this server cannot do without")
            return b""
        body = bytes(stream.read(most + 1))
    else:
        if length > most:
            raise Cut("too large")
        body = bytes(stream.read(length)) if length and stream is not None else b""
        if len(body) != length:
            raise Cut("ended early")
    if len(body) > most:
        raise Cut("too large")
    return body


def _length(text: str) -> Optional[int]:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise Cut("no length")
    return int(text)


def send(answer: Answer, start_response: StartResponse) -> Iterable[bytes]:
    """Hand an answer to the server."""
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Answer"
    headers: List[Tuple[str, str]] = list(answer.headers)
    headers += [("Content-Length", str(len(answer.body))), ("Cache-Control", "no-store")]
    start_response(f"{answer.status} {phrase}", headers)
    return [answer.body]


def plain(status: int, text: str) -> Answer:
    """A line of text."""
    return Answer(status, text.encode("utf-8"), (("Content-Type", "text/plain; charset=utf-8"),))


def as_json(status: int, value: Mapping[str, Any]) -> Answer:
    """A JSON object."""
    body = json.dumps(value).encode("utf-8")
    return Answer(status, body, (("Content-Type", "application/json; charset=utf-8"),))
