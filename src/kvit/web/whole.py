"""One whole answer, written at once.

ASGI tells an answer in two messages, and uvicorn looks through every header of the first. The agents' door
knows the whole answer and makes its headers itself, so on uvicorn's own wire it goes out as one piece; for
any other server it is told in ASGI's two messages.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from kvit.domain.messages import HttpResponse

Headers = tuple[tuple[bytes, bytes], ...]

#: What is owed changes, and an answer by GET may hold a name: no proxy in between is to keep it.
_NO_STORE = (b"cache-control", b"no-store")

#: Heads are few: one for each protocol and status. What has more is made anew each time.
_HEADS_MAX = 256
_heads: dict[tuple[int, Headers], bytes] = {}


async def send_whole(send: Any, response: HttpResponse) -> None:  # noqa: ANN401 - ASGI's send
    """Answer the request that ``send`` belongs to."""
    cycle = getattr(send, "__self__", None)
    if type(cycle) is RequestResponseCycle and _is_untouched(cycle):
        head = _head(response.status, response.headers)
        if head is not None:
            _write(cycle, head, response.body)
            return
    length = (b"content-length", b"%d" % len(response.body))
    headers = [*response.headers, length, _NO_STORE]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def _is_untouched(cycle: RequestResponseCycle) -> bool:
    return (
        cycle.keep_alive
        and cycle.scope["method"] != "HEAD"
        and not cycle.response_started
        and not cycle.disconnected
        and not cycle.flow.write_paused
    )


def _head(status: int, headers: Headers) -> bytes | None:
    """Status line and headers without the length; ``None`` for what only the server can say rightly."""
    key = (status, headers)
    head = _heads.get(key)
    if head is None:
        lines = [name + b": " + value for name, value in (*headers, _NO_STORE)]
        if any(b"\r" in line or b"\n" in line for line in lines):
            return None
        if any(name in (b"connection", b"content-length", b"transfer-encoding") for name, _ in headers):
            return None
        head = STATUS_LINE[status] + b"\r\n".join(lines) + b"\r\ncontent-length: "
        if len(_heads) < _HEADS_MAX:
            _heads[key] = head
    return head


def _write(cycle: RequestResponseCycle, head: bytes, body: bytes) -> None:
    """What uvicorn does for the two messages of a complete answer on a kept connection."""
    cycle.response_started = True
    cycle.waiting_for_100_continue = False
    common = b"".join([name + b": " + value + b"\r\n" for name, value in cycle.default_headers])
    cycle.transport.write(b"%b%d\r\n%b\r\n%b" % (head, len(body), common, body))
    cycle.response_complete = True
    cycle.message_event.set()
    cycle.on_response()
