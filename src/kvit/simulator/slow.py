"""A reader on a poor line: takes an answer a byte at a time, and waits between them."""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import urlsplit

from kvit.domain.messages import HttpRequest, HttpResponse
from kvit.simulator import wire

#: The rest after each byte: an answer of 300 bytes takes a third of a second.
PAUSE_S = 0.001

_PORTS = {"http": 80, "https": 443}


async def carry(door: str, request: HttpRequest, bytes_max: int) -> tuple[HttpResponse, str]:
    """Send ``request`` to ``door``; gives the answer, and its text as in ``wire``.

    Raises ``OSError`` where the line breaks and ``EOFError`` where the answer is cut off or is none.
    """
    parts = urlsplit(door)
    secure = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or _PORTS[parts.scheme]
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure, limit=1)
    try:
        headers = wire.headers_of(door, request)
        writer.write(wire.request_bytes(request.method, wire.target_of(door, request), headers, request.body))
        await writer.drain()
        return await _answer(reader, bytes_max)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, bytes_max: int) -> tuple[HttpResponse, str]:
    head = b""
    while not head.endswith(b"\r\n\r\n") and len(head) < bytes_max:
        head += await _byte(reader)
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    _, _, rest = first.partition(" ")
    status, _, reason = rest.partition(" ")
    pairs = [line.partition(":") for line in lines]
    as_sent = tuple((name.encode("latin-1"), value.strip().encode("latin-1")) for name, _, value in pairs)
    headers = tuple((name.lower(), value) for name, value in as_sent)
    length = dict(headers).get(b"content-length", b"")
    if not (status.isdigit() and length.isdigit()):
        raise EOFError("not an answer with its length")
    body = b""
    while len(body) < min(int(length), bytes_max):
        body += await _byte(reader)
    response = HttpResponse(int(status), headers, body)
    return response, wire.response_text(response, reason, as_sent)


async def _byte(reader: asyncio.StreamReader) -> bytes:
    one = await reader.readexactly(1)
    await asyncio.sleep(PAUSE_S)
    return one
