"""Signed calls of the office to its node. Only the office dials, so it may stand behind any NAT.

Every answer is signed over the call's nonce: what was altered, delayed or is of another call is not believed.
A call that is lost may be made again: nothing that a node does for the office twice differs from once.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import httpx2

from kvit.domain.errors import KvitError
from kvit.relay import wire

#: How long a node may take for an answer, beside what it was asked to wait.
TIMEOUT_S = 30.0
#: The most that an answer may be: a node sends 4 MB of rows at a time.
ANSWER_BYTES_MAX = 32 * 1024 * 1024


class NodeUnreachable(KvitError):
    """The relay could not be reached, or broke off; nothing is lost, the next look goes on."""


class NodeNotTrusted(KvitError):
    """What came was not signed by this relay's node for this call; it was not believed."""


class NodeRefused(KvitError):
    """The relay refused the call."""

    def __init__(self, status: int, facts: Mapping[str, Any], *, is_signed: bool) -> None:
        self.status, self.facts, self.is_signed = status, facts, is_signed
        self.error = str(facts.get("error", ""))
        reason = f", {facts['reason']}" if facts.get("reason") else ""
        super().__init__(f"the relay refused the call ({status} {self.error}{reason})")


class Node:
    """One node as the office calls it. ``now_us`` is the office's clock; safe for one thread at a time."""

    def __init__(
        self,
        url: str,
        keys: Mapping[str, bytes],
        generation: int,
        now_us: Callable[[], int],
        *,
        clock_offset_us: int = 0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._url, self._keys, self.generation = url.rstrip("/"), keys, generation
        self._now_us = now_us
        self.clock_offset_us = clock_offset_us
        self._client = httpx2.Client(
            timeout=TIMEOUT_S, transport=transport, follow_redirects=False, trust_env=transport is None
        )

    def close(self) -> None:
        self._client.close()

    def get(self, name: str) -> dict[str, Any]:
        """``state`` and the like. Raises ``NodeUnreachable``, ``NodeNotTrusted``, ``NodeRefused``."""
        return self._call("GET", name, b"", 0.0)

    def post(self, name: str, body: Mapping[str, Any], wait_s: float = 0.0) -> dict[str, Any]:
        """Raises as ``get``. ``wait_s``: how long the node was asked to wait before it answers."""
        return self._call("POST", name, json.dumps(body, ensure_ascii=False).encode(), wait_s)

    def _call(self, method: str, name: str, body: bytes, wait_s: float) -> dict[str, Any]:
        try:
            return self._once(method, name, body, wait_s)
        except NodeRefused as refused:
            if refused.error != wire.WRONG_TIME or not refused.is_signed:
                raise
            return self._once(method, name, body, wait_s)  # by the node's own clock now

    def _once(self, method: str, name: str, body: bytes, wait_s: float) -> dict[str, Any]:
        key_id = next(iter(self._keys))
        nonce = secrets.token_hex(16)
        call = wire.Call(method, "/office/" + name, "", body)
        time_s = (self._now_us() + self.clock_offset_us) // 1_000_000
        headers = wire.call_headers(key_id, self._keys[key_id], call, time_s, nonce, self.generation)
        status, answered, content = self._sent(method, call.path, headers, body, wait_s)
        problem = wire.verify_answer(self._keys, status, nonce, answered, content)
        if problem:
            return self._unsigned(status, content, problem)
        if not (wait_s and status == 200):
            self._learn_clock(int(answered[wire.TIME.lower()]))
        facts = _facts(content)
        if status != 200:
            raise NodeRefused(status, facts, is_signed=True)
        return facts

    def _sent(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, wait_s: float
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers by their names in lower case, content."""
        sent = {**headers, "Content-Type": "application/json"}
        timeout = httpx2.Timeout(TIMEOUT_S, read=TIMEOUT_S + wait_s)
        content = bytearray()
        try:
            with self._client.stream(
                method, self._url + path, headers=sent, content=body, timeout=timeout
            ) as answer:
                for part in answer.iter_bytes():
                    content += part
                    if len(content) > ANSWER_BYTES_MAX:
                        raise NodeNotTrusted("the relay's answer is longer than any answer of a node")
                known = {name.lower(): value for name, value in answer.headers.items()}
                return answer.status_code, known, bytes(content)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise NodeUnreachable(f"the relay could not be reached ({type(error).__name__})") from error

    def _learn_clock(self, time_s: int) -> None:
        """Within the second that a header can tell, a clock is not off."""
        offset_us = time_s * 1_000_000 - self._now_us()
        self.clock_offset_us = 0 if abs(offset_us) < 2_000_000 else offset_us

    @staticmethod
    def _unsigned(status: int, content: bytes, problem: str) -> dict[str, Any]:
        """An answer that nobody signed is at most a reason to look."""
        if status == 401:
            raise NodeRefused(status, _facts(content), is_signed=False)
        if status >= 500:
            raise NodeUnreachable(f"the relay's host answered {status}")
        raise NodeNotTrusted(f"the answer ({status}) is not signed as this relay's node signs ({problem})")


def _facts(content: bytes) -> dict[str, Any]:
    try:
        facts = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}
