"""One terminal network, played through the real HTTP door.

The agent knows about a client only what the biller answers: it asks with the protocol's own ``ask`` and
understands with its ``read``. Nothing here touches a database or a service.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx2

from kvit.domain.messages import Command, HttpRequest, HttpResponse, Lookup, Post
from kvit.protocols.base import Heard, Protocol, Terms
from kvit.simulator import slow, wire
from kvit.simulator.orders import Orders

#: What can become of a request that brought no answer.
FAILURES = ("timeout", "unreachable", "broken", "dropped")

#: Pauses between attempts, in seconds: networks repeat with a growing interval.
PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)

#: No protocol answers with more; what is longer is cut, so that a broken biller cannot fill the memory.
ANSWER_BYTES_MAX = 256 * 1024


class _DropError(Exception):
    """Raised on purpose between our request and its answer, so that the connection closes there."""


@dataclass(frozen=True)
class Exchange:
    """One request and what came of it.

    ``response`` is ``None`` where there was no answer; ``failure`` then says why (one of ``FAILURES``).
    ``request_text`` and ``response_text`` are the exact bytes as text. ``heard`` is what the network
    makes of it; without an answer that is always "again".
    """

    command: Command
    request: HttpRequest
    request_text: str
    response: HttpResponse | None
    failure: str
    response_text: str
    heard: Heard
    elapsed_ms: float
    at: datetime


class Agent:
    """One network with one agreement: ``async with Agent(...) as agent: await agent.send(...)``.

    ``base_url`` is the biller's server; the door behind it is ``/pay/<agreement id>``, or ``base_url`` itself
    where the terms name no agreement. ``orders`` makes its commands.
    """

    def __init__(
        self,
        base_url: str,
        protocol: Protocol,
        terms: Terms,
        timeout_s: float = 20.0,
        orders: Orders | None = None,
    ) -> None:
        self.protocol = protocol
        self.terms = terms
        self.orders = orders or Orders(protocol, terms)
        self._timeout_s = timeout_s
        self._door = wire.door_of(base_url, terms.agreement_id)
        # Certificates are only loaded where there is something to verify: loading costs 20 ms an agent.
        self._client = httpx2.AsyncClient(
            verify=base_url.startswith("https:"), trust_env=False, timeout=None, follow_redirects=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    def lookup(self, number: str, txn: str = "") -> Lookup:
        """A question about client ``number``, under a new id unless ``txn`` is given."""
        return self.orders.lookup(number, txn)

    def post(self, number: str, amount_minor: int, txn: str = "", network_time: str = "") -> Post:
        """A payment in one phase, taken now; see ``Orders.first``."""
        return self.orders.post(number, amount_minor, txn, network_time)

    async def send(self, command: Command, *, drop: bool = False, slowly: bool = False) -> Exchange:
        """Send ``command`` and hear the answer. ``drop``: hang up before reading it.

        ``slowly``: take the answer a byte at a time.
        """
        request = self.protocol.ask(command, self.terms)
        return await self.carry(command, request, drop=drop, slowly=slowly)

    async def carry(
        self, command: Command, request: HttpRequest, *, drop: bool = False, slowly: bool = False
    ) -> Exchange:
        """Send ``request``, which is to be read as an attempt at ``command``: a good one or a bent one."""
        target = wire.target_of(self._door, request)
        headers = wire.headers_of(self._door, request)
        at = self.orders.now()
        started = time.perf_counter()
        response, response_text, failure = None, "", ""
        try:
            async with asyncio.timeout(self._timeout_s):
                if slowly:
                    response, response_text = await slow.carry(self._door, request, ANSWER_BYTES_MAX)
                else:
                    response, response_text = await self._carry(request, target, headers, drop)
        except TimeoutError:
            failure = "timeout"
        except _DropError:
            failure = "dropped"
        except (httpx2.ConnectError, ConnectionRefusedError):
            failure = "unreachable"
        except (httpx2.HTTPError, OSError, EOFError):
            failure = "broken"
        elapsed_ms = round((time.perf_counter() - started) * 1000, 1)
        return Exchange(
            command=command,
            request=request,
            request_text=wire.request_text(request.method, target, headers, request.body),
            response=response,
            failure=failure,
            response_text=response_text,
            heard=Heard("again") if response is None else self.protocol.read(command, response, self.terms),
            elapsed_ms=elapsed_ms,
            at=at,
        )

    async def send_at_once(self, command: Command, times: int) -> list[Exchange]:
        """The same request ``times`` over, all in flight together."""
        return list(await asyncio.gather(*(self.send(command) for _ in range(times))))

    async def repeat(self, command: Command, pauses_s: Sequence[float] = PAUSES_S) -> list[Exchange]:
        """Send ``command`` while the answer says "again", resting ``pauses_s`` between the attempts.

        Ends with the first final answer, or when the pauses are used up.
        """
        exchanges = [await self.send(command)]
        for pause_s in pauses_s:
            if exchanges[-1].heard.step != "again":
                break
            await asyncio.sleep(pause_s)
            exchanges.append(await self.send(command))
        return exchanges

    async def _carry(
        self, request: HttpRequest, target: bytes, headers: wire.Headers, drop: bool
    ) -> tuple[HttpResponse, str]:
        # "target" keeps the query exactly as the protocol wrote it: URL classes re-encode.
        extensions: dict[str, Any] = {"target": target}
        if drop:
            extensions["trace"] = _hang_up
        outgoing = httpx2.Request(
            request.method, self._door, headers=list(headers), content=request.body, extensions=extensions
        )
        answer = await self._client.send(outgoing, stream=True)
        try:
            body = b""
            async for piece in answer.aiter_raw():
                body = (body + piece)[:ANSWER_BYTES_MAX]
                if len(body) == ANSWER_BYTES_MAX:
                    break
        finally:
            await answer.aclose()
        as_sent = tuple(answer.headers.raw)
        response = HttpResponse(
            status=answer.status_code,
            headers=tuple((name.lower(), value) for name, value in as_sent),
            body=body,
        )
        return response, wire.response_text(response, answer.reason_phrase, as_sent)


async def _hang_up(event: str, _: dict[str, Any]) -> None:
    """Called by the HTTP client at each step: closes the line once the request is on its way."""
    if event == "http11.receive_response_headers.started":
        raise _DropError
