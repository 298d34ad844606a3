"""Steps about all the answers of a run: what they are written in, how they travel, how long they take."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Sequence

from kvit.simulator.agent import Exchange
from kvit.simulator.conformance.bench import Trial
from kvit.simulator.conformance.steps import Step

_CHARSET = re.compile(rb"(?i)charset=\"?([^;\"\s]+)")
_XML_ENCODING = re.compile(rb"^\s*<\?xml[^>]*\bencoding=[\"']([A-Za-z0-9._-]+)[\"']")

#: The network waits for its time-out; the line there and back needs a share of it.
_SHARE = 0.5


async def _written(trial: Trial) -> None:
    for exchange in trial.exchanges:
        if exchange.response is not None and exchange.response.body:
            problem = _unreadable(exchange)
            if problem:
                trial.wrong(problem)


def _unreadable(exchange: Exchange) -> str:
    response = exchange.response
    assert response is not None
    kinds = [value for name, value in response.headers if name == b"content-type"]
    if len(kinds) != 1:
        return "an answer does not say what it is: it has no Content-Type"
    found = _CHARSET.search(kinds[0])
    charset = found[1].decode("ascii", "replace") if found else "utf-8"
    try:
        response.body.decode(charset)
    except LookupError:
        return f"an answer declares the charset {charset}, which there is not"
    except UnicodeDecodeError:
        return f"an answer is not in the charset that it declares, {charset}"
    inner = _XML_ENCODING.search(response.body)
    if inner and codecs.lookup(inner[1].decode("ascii")) != codecs.lookup(charset):
        return f"an answer declares {charset} in its head and {inner[1].decode('ascii')} in its body"
    body, kind = response.body.lstrip(), kinds[0].lower()
    if (body[:1] == b"{" and b"json" not in kind) or (body[:5] == b"<?xml" and b"xml" not in kind):
        return f"an answer is not of the kind that it declares, {kinds[0].decode('latin-1')}"
    asked, answered = _call_id(exchange.request.body), _call_id(response.body)
    if asked is not None and answered is not None and asked != answered:
        return f"an answer is to the call {answered}, and the call was {asked}"
    return ""


def _call_id(body: bytes) -> str | None:
    """The id of a JSON-RPC call or of its answer, as it is written; ``None`` where it is neither."""
    try:
        values = json.loads(body)
    except ValueError:
        return None
    is_call = isinstance(values, dict) and "jsonrpc" in values and values.get("id") is not None
    return json.dumps(values["id"]) if is_call else None


async def _http(trial: Trial) -> None:
    for exchange in trial.exchanges:
        status = exchange.response.status if exchange.response else 200
        if status >= 500 or 300 <= status < 400 or status in (404, 405):
            trial.wrong(f"an answer came with HTTP {status}")
    lost = [one for one in trial.exchanges if one.failure in ("broken", "timeout")]
    if lost:
        trial.wrong(f"{len(lost)} requests got no whole answer")


async def _quick(trial: Trial) -> None:
    times = _times(trial.exchanges)
    limit_ms = trial.target.network.timeout_s * 1000 * _SHARE
    if not times:
        trial.wrong("there were no answers")
        return
    middle_ms, slowest_ms = times[len(times) // 2], times[-1]
    trial.note(
        f"{len(times)} answers, half of them within {middle_ms:.0f} ms, all within {slowest_ms:.0f} ms"
    )
    if slowest_ms > limit_ms:
        trial.wrong(
            f"an answer took {slowest_ms:.0f} ms: more than half of the {2 * limit_ms:.0f} ms that the "
            "network waits, and the line needs its share"
        )


def _times(exchanges: Sequence[Exchange]) -> list[float]:
    return sorted(one.elapsed_ms for one in exchanges if one.response is not None)


STEPS = (
    Step(
        "written", "All answers: what they are written in", "a content type, and the charset that it names",
        "A network that cannot read an answer takes it for none, and repeats for ever.", _written,
    ),
    Step(
        "http", "All answers: how they travel", "no HTTP 404, 405, 3xx or 5xx, and no answer that breaks off",
        "A mistake of the network's has an answer of its own; HTTP errors mean a biller that is unwell.",
        _http,
    ),
    Step(
        "quick", "All answers: how long they take", "each within half of what the network waits",
        "What comes too late has not come: the network repeats, and the payer stands waiting.", _quick,
    ),
)  # fmt: skip
