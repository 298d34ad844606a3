"""What goes over the wire, built byte by byte, so that what is shown is what was sent.

The simulator chooses every header itself and lets the HTTP client add nothing: the text of a request is
made from the same bytes that the client writes to the socket.
"""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from kvit.domain.messages import HttpRequest, HttpResponse

Headers = tuple[tuple[bytes, bytes], ...]

#: Hosts leave their port out of ``Host`` where it is the scheme's own (RFC 9110, section 4.2).
_OWN_PORTS = {"http": 80, "https": 443}


def door_of(base_url: str, agreement_id: str) -> str:
    """The URL of one agreement's door: ``http://host:port/pay/<agreement-id>``.

    Without an agreement ``base_url`` is the door itself: somebody else's biller.
    """
    return f"{base_url.rstrip('/')}/pay/{agreement_id}" if agreement_id else base_url


def target_of(door: str, request: HttpRequest) -> bytes:
    """The request target (path and query) of ``request`` when it is sent to ``door``."""
    parts = urlsplit(door)
    path = parts.path or "/"
    if request.path:
        path = path.rstrip("/") + "/" + request.path.lstrip("/")
    query = b"&".join(part for part in (parts.query.encode("ascii"), request.query) if part)
    return path.encode("utf-8") + b"?" + query if query else path.encode("utf-8")


def headers_of(door: str, request: HttpRequest) -> Headers:
    """Every header of ``request`` in the order in which it is sent, names in their usual case."""
    parts = urlsplit(door)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    if parts.port is not None and parts.port != _OWN_PORTS.get(parts.scheme):
        host = f"{host}:{parts.port}"
    headers: list[tuple[bytes, bytes]] = [(b"Host", host.encode("ascii"))]
    headers += [(name.title(), value) for name, value in request.headers]
    names = {name.lower() for name, _ in headers}
    if b"user-agent" not in names:
        headers.append((b"User-Agent", b"kvit-simulator"))
    if (request.body or request.method != "GET") and b"content-length" not in names:
        headers.append((b"Content-Length", str(len(request.body)).encode("ascii")))
    return tuple(headers)


def request_bytes(method: str, target: bytes, headers: Headers, body: bytes) -> bytes:
    """The request as it goes to the socket."""
    lines = [method.encode("ascii") + b" " + target + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"", body])


def request_text(method: str, target: bytes, headers: Headers, body: bytes) -> str:
    """The request as text: request line, headers, empty line, body."""
    line = f"{method} {_text(target)} HTTP/1.1"
    return _message_text(line, headers, body)


def response_text(response: HttpResponse, reason_phrase: str, headers: Headers) -> str:
    """The answer as text: status line, headers, empty line, body. ``headers`` keep their case."""
    line = f"HTTP/1.1 {response.status} {reason_phrase}".rstrip()
    return _message_text(line, headers, response.body)


def charset_of(headers: Sequence[tuple[bytes, bytes]]) -> str:
    """The charset that ``Content-Type`` declares; UTF-8 where it names none that there is."""
    for name, value in headers:
        if name.lower() == b"content-type" and (found := _CHARSET.search(value)):
            with contextlib.suppress(LookupError):
                return codecs.lookup(found[1].decode("ascii")).name
    return "utf-8"


_CHARSET = re.compile(rb"(?i)charset=\"?([A-Za-z0-9_-]+)")


def _message_text(first_line: str, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> str:
    lines = [first_line, *(f"{_text(name)}: {_text(value)}" for name, value in headers)]
    head = "\n".join(lines)
    return f"{head}\n\n{_text(body, charset_of(headers))}" if body else head


def _text(raw: bytes, charset: str = "utf-8") -> str:
    """The text in its charset; bytes that are none stay visible as ``\\xNN``."""
    return raw.decode(charset, errors="backslashreplace")
