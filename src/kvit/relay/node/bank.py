"""The banks' door: ``/pay/<agreement>`` and what is below it, as in the office."""

from __future__ import annotations

import base64
import json
import sqlite3
import sys
import traceback
from pathlib import Path
from typing import Any, Dict, Optional, Tuple, Union

from kvit.domain.messages import Denied, HttpRequest, HttpResponse, Malformed, Result, TryLater
from kvit.domain.networks import Networks, client_address
from kvit.protocols.base import Protocol
from kvit.relay.node import inbox, store, terms, web
from kvit.relay.node.terms import Contract
from kvit.relay.node.web import Answer, Asked

PREFIX = "/pay/"
#: When not even the protocol's words can be found: nothing in it can be taken for an answer.
UNAVAILABLE = Answer(503)
FAILED = TryLater("failed")


def answer(folder: Path, asked: Asked, now_us: int) -> Answer:
    """Answer one request of a bank. Total: what fails is answered "try later"."""
    agreement, _, path = asked.path[len(PREFIX) :].partition("/")
    if web.has_escapes(asked) or (path and {".", ".."} & set(path.split("/"))):
        return web.plain(404, "there is no such door")
    try:
        with store.opened(folder) as connection:
            door = _enter(connection, asked, agreement)
            if isinstance(door, Answer):
                return door
            return _answer(connection, door, asked, path, now_us)
    except web.Cut as cut:
        return web.plain(413 if "large" in str(cut) else 400, "the body " + str(cut))
    except Exception:
        complain("a request could not be answered")
        return UNAVAILABLE


def _enter(
    connection: sqlite3.Connection, asked: Asked, agreement: str
) -> Union[Tuple[Contract, Protocol], Answer]:
    """The door that may be entered from there, or why not."""
    contract = terms.contract(connection, agreement)
    if contract is None:
        # A node that has lost everything does not know what doors it had.
        is_empty = store.one(connection, "SELECT 1 FROM agreements LIMIT 1") is None
        return UNAVAILABLE if is_empty else web.plain(404, "there is no such door")
    if not contract.admits(address_of(connection, asked)):
        return web.plain(403, "this address may not use this door")
    if asked.method not in ("GET", "POST"):
        refused = web.plain(405, "GET or POST")
        return Answer(refused.status, refused.body, (*refused.headers, ("Allow", "GET, POST")))
    protocol = terms.protocol_of(contract.protocol)
    return UNAVAILABLE if protocol is None else (contract, protocol)


def address_of(connection: sqlite3.Connection, asked: Asked) -> str:
    """The true address of the client; a header is believed only from a proxy that the office has named."""
    peer = str(asked.environ.get("REMOTE_ADDR") or "")
    trusted = Networks(json.loads(store.get(connection, "trusted_proxies", "[]")))
    lines = [asked.headers.get("x-forwarded-for", "").encode("latin-1", "replace")]
    return client_address(peer, lines, trusted)


def _answer(
    connection: sqlite3.Connection, door: Tuple[Contract, Protocol], asked: Asked, path: str, now_us: int
) -> Answer:
    contract, protocol = door
    body = web.body_of(asked, web.BANK_BODY_MAX)
    headers = tuple(
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in asked.headers.items()
    )
    at = terms.moment(now_us, terms.zone_of(""))
    request = HttpRequest(asked.method, path, asked.query, headers, body, at)
    result: Result
    try:
        command = protocol.decode(request, contract.terms)
        if isinstance(command, (Malformed, Denied)):
            result = command
        else:
            case = inbox.Case(contract, now_us, raw_of(asked, path, body))
            result = inbox.decide(connection, case, command)
    except Exception:
        complain("answered try later")
        result = FAILED
    return _written(door, request, result) or _written(door, request, FAILED) or UNAVAILABLE


def _written(door: Tuple[Contract, Protocol], request: HttpRequest, result: Result) -> Optional[Answer]:
    contract, protocol = door
    try:
        return _sent(protocol.encode(request, result, contract.terms))
    except Exception:
        complain("the answer could not be written")
        return None


def raw_of(asked: Asked, path: str, body: bytes) -> Dict[str, Any]:
    """The request as it came, for the office: without passwords and cookies; the body in base64."""
    kept = {
        name: value
        for name, value in asked.headers.items()
        if name != "cookie" and not (name == "authorization" and value[:6].lower() == "basic ")
    }
    return {
        "method": asked.method,
        "path": path,
        "query": asked.query.decode("latin-1"),
        "headers": kept,
        "address": str(asked.environ.get("REMOTE_ADDR") or ""),
        "body": base64.b64encode(body).decode("ascii"),
    }


def _sent(response: HttpResponse) -> Answer:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers)
    return Answer(response.status, response.body, headers)


def complain(what: str) -> None:
    """A fault in the server's error log: where it happened, and nothing of the request."""
    kind, _, trace = sys.exc_info()
    place = traceback.extract_tb(trace)[-1] if trace is not None else None
    name = "" if kind is None else kind.__name__
    where = "" if place is None else f" at {place.filename}:{place.lineno}"
    sys.stderr.write(f"kvit relay: {what}: {name}{where}\n")
