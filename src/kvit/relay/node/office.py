"""The office's door: signed calls under ``/office/``."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping

from kvit.domain.networks import Networks
from kvit.relay import wire
from kvit.relay.node import copies, inbox, keys, selftest, store, terms, web
from kvit.relay.node.bank import complain
from kvit.relay.node.web import Answer, Asked

PREFIX = "/office/"
ROWS_MAX = 500
ROWS_BYTES_MAX = 4_000_000
WAIT_S_MAX = 10
LOOK_AGAIN_S = 0.2
FORGET_AFTER_US = 30 * 86_400 * 1_000_000
FORGET_ROWS_MAX = 1_000


class Refusal(Exception):
    """A call that is understood and not done: status and facts for the answer."""

    def __init__(self, status: int, error: str, **facts: object) -> None:
        super().__init__(error)
        self.status = status
        self.facts = {"error": error, **facts}


@dataclass(frozen=True)
class Call:
    """One call of the office whose signature was right."""

    connection: sqlite3.Connection
    folder: Path
    asked: Asked
    body: Mapping[str, Any]
    generation: int
    now_us: int


def answer(folder: Path, asked: Asked, now_us: int) -> Answer:
    """Answer one call. Total."""
    try:
        body = web.body_of(asked, web.OFFICE_BODY_MAX)
        with store.opened(folder) as connection:
            return _answer(connection, folder, asked, body, now_us)
    except web.Cut as cut:
        return web.as_json(413 if "large" in str(cut) else 400, {"error": "body", "reason": str(cut)})
    except Exception:
        complain("a call of the office could not be answered")
        return web.as_json(503, {"error": "unavailable"})


def _answer(connection: sqlite3.Connection, folder: Path, asked: Asked, body: bytes, now_us: int) -> Answer:
    live = keys.live(connection)
    if asked.path == PREFIX + "pair":
        live = keys.pairing(connection, folder)
    call = wire.Call(asked.method, asked.path, asked.query.decode("latin-1"), body)

    def is_new(nonce: str, time_s: int) -> bool:
        return keys.keep_nonce(connection, nonce, time_s)

    now_s = now_us // 1_000_000
    problem = wire.verify(live, call, asked.headers, now_s, is_new)
    key_id = asked.headers.get(wire.KEY.lower(), "")
    if problem:
        told = web.as_json(401, {"error": problem, "clock_us": now_us})
        # Who has a key may learn that only the clock is wrong, and by how much.
        return _signed(told, key_id, live[key_id], asked, now_s) if problem == wire.WRONG_TIME else told
    generation = int(asked.headers.get(wire.GENERATION.lower(), "") or 0)
    try:
        given = json.loads(body.decode("utf-8")) if body else {}
        if not isinstance(given, dict):
            raise Refusal(400, "body", reason="must be a JSON object")
        done = _do(Call(connection, folder, asked, given, generation, now_us))
        told = web.as_json(200, done)
    except Refusal as refusal:
        told = web.as_json(refusal.status, refusal.facts)
    except copies.Unfit as unfit:
        told = web.as_json(409, {"error": "snapshot", "reason": str(unfit)})
    except (ValueError, TypeError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError too
        told = web.as_json(400, {"error": "body", "reason": str(error)[:200]})
    return _signed(told, key_id, live[key_id], asked, now_s)


def _signed(told: Answer, key_id: str, key: bytes, asked: Asked, now_s: int) -> Answer:
    nonce = asked.headers.get(wire.NONCE.lower(), "")
    signed = wire.answer_headers(key_id, key, told.status, now_s, nonce, told.body)
    return Answer(told.status, told.body, (*told.headers, *signed.items()))


def _do(call: Call) -> Dict[str, Any]:
    """One call done. The lease is looked at in the same transaction as the work."""
    name = call.asked.path[len(PREFIX) :]
    known = _CALLS.get(name)
    if known is None or call.asked.method != known[0]:
        raise Refusal(404, "call", reason="there is no such call")
    _, needs_lease, work = known
    if name == "pull":
        return _pull(call)
    if name == "state":
        with store.reading(call.connection):
            return _state(call)
    with store.writing(call.connection):
        if needs_lease:
            _check_lease(call)
        done: Dict[str, Any] = work(call)
    if name == "pair":
        keys.forget_code(call.folder)
    return done


def _check_lease(call: Call) -> None:
    leased = store.get_int(call.connection, "generation")
    if not leased or call.generation != leased:
        raise Refusal(409, "generation", generation=leased)


# --- who is the office -----------------------------------------------------------------------------


def _pair(call: Call) -> Dict[str, Any]:
    """Take the office's keys; whoever has the pairing code is the office from now on."""
    body = call.body
    relay = keys.whole(body, "relay")
    if relay > 255:
        raise ValueError("relay: must be 0 to 255")
    keys.replace(call.connection, {keys.text(body, "key_id"): keys.text(body, "key")})
    store.put(call.connection, "relay", relay)
    store.put(call.connection, "receipt_key", keys.secret(body, "receipt_key").hex())
    store.put(call.connection, "status_key", keys.text(body, "status_key"))
    store.put(call.connection, "office_id", keys.text(body, "office_id"))
    generation = store.get_int(call.connection, "generation") + 1
    store.put(call.connection, "generation", generation)
    keys.use_code(call.connection, call.folder)
    return {**_state(call), "generation": generation}


def _keys(call: Call) -> Dict[str, Any]:
    """Set the one or two keys that live."""
    given = call.body.get("keys")
    if not isinstance(given, dict) or not 1 <= len(given) <= 2:
        raise ValueError("keys: must be one or two, by their ids")
    keys.replace(call.connection, given)
    return {"keys": sorted(given)}


def _lease(call: Call) -> Dict[str, Any]:
    office_id, generation = keys.text(call.body, "office_id"), keys.whole(call.body, "generation")
    connection = call.connection
    holder, leased = store.get(connection, "office_id"), store.get_int(connection, "generation")
    is_foreign = holder not in ("", office_id)
    if call.body.get("take_over") is True:
        generation = max(generation, leased + 1)
    elif generation < leased or (is_foreign and generation == leased):
        raise Refusal(409, "lease", generation=leased, office_id=holder)
    store.put(connection, "office_id", office_id)
    store.put(connection, "generation", max(generation, 1))
    return {"office_id": office_id, "generation": max(generation, 1)}


# --- what the office asks --------------------------------------------------------------------------


def _state(call: Call) -> Dict[str, Any]:
    connection = call.connection
    acked = store.get_int(connection, "acked")
    oldest = store.one(
        connection, "SELECT received_at_us FROM inbox WHERE sequence > ? ORDER BY sequence LIMIT 1", acked
    )
    snapshots = {
        copy.scope: {
            "version": copy.version,
            "as_of_us": copy.as_of_us,
            "includes_through": copy.includes_through,
            "number_of_accounts": copy.number_of_accounts,
        }
        for copy in copies.all_copies(connection)
    }
    empty = {"version": 0, "as_of_us": 0, "includes_through": 0, "number_of_accounts": 0}
    agreements = connection.execute("SELECT agreement FROM agreements ORDER BY agreement")
    return {
        "version": selftest.version(),
        "epoch": store.get(connection, "epoch"),
        "last_sequence": store.get_int(connection, "last_sequence"),
        "acked": acked,
        "generation": store.get_int(connection, "generation"),
        "snapshot": snapshots.get(copies.ALL) or next(iter(snapshots.values()), empty),
        "snapshots": snapshots,
        "agreements": [row[0] for row in agreements],
        "oldest_unacked_at_us": None if oldest is None else oldest[0],
        "conflicts": store.get_int(connection, "conflicts"),
        "clock_us": call.now_us,
        "self_test": selftest.facts(connection, call.folder, call.asked),
    }


def _pull(call: Call) -> Dict[str, Any]:
    """Rows after a place in the inbox; waits for the first one as long as asked, without holding anything."""
    after, most = keys.whole(call.body, "after"), keys.whole(call.body, "most") or ROWS_MAX
    until_s = time.monotonic() + min(keys.whole(call.body, "wait_s"), WAIT_S_MAX)
    with store.writing(call.connection):
        _check_lease(call)
        store.put(call.connection, "last_pull_us", call.now_us)
    while True:
        with store.reading(call.connection):
            high_water = store.get_int(call.connection, "last_sequence")
            if high_water > after or time.monotonic() >= until_s:
                _check_lease(call)
                return {
                    "epoch": store.get(call.connection, "epoch"),
                    "high_water": high_water,
                    "forgotten_through": store.get_int(call.connection, "forgotten_through"),
                    "rows": _rows(call.connection, after, min(most, ROWS_MAX)),
                }
        time.sleep(LOOK_AGAIN_S)


def _rows(connection: sqlite3.Connection, after: int, most: int) -> List[Dict[str, Any]]:
    rows: List[Dict[str, Any]] = []
    size = 0
    found = connection.execute(
        "SELECT * FROM inbox WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, most)
    )
    for row in found:
        size += len(row["content"]) + len(row["raw"])
        if rows and size > ROWS_BYTES_MAX:
            break
        names = ("sequence", "agreement", "txn", "kind", "receipt", "received_at_us", "snapshot_version")
        told = {name: row[name] for name in names}
        rows.append({**json.loads(row["content"]), **told, "raw": json.loads(row["raw"])})
    return rows


def _ack(call: Call) -> Dict[str, Any]:
    """Everything through a place is in the books. Never goes back; old rows are forgotten on the way."""
    through, connection = keys.whole(call.body, "through"), call.connection
    last, acked = store.get_int(connection, "last_sequence"), store.get_int(connection, "acked")
    if through > last:
        raise Refusal(409, "through", last_sequence=last)
    if through > acked:
        acked = through
        store.put(connection, "acked", acked)
        connection.execute(
            "UPDATE inbox SET acked_at_us = ? WHERE acked_at_us IS NULL AND sequence <= ?",
            (call.now_us, acked),
        )
    _forget(call)
    return {"acked": acked}


def _forget(call: Call) -> None:
    """Requests that were fetched long ago are forgotten; what was answered is kept."""
    connection = call.connection
    row = store.one(
        connection,
        "SELECT max(sequence) FROM"
        " (SELECT sequence FROM inbox WHERE acked_at_us <= ? ORDER BY sequence LIMIT ?)",
        call.now_us - FORGET_AFTER_US,
        FORGET_ROWS_MAX,
    )
    if row is not None and row[0] is not None:
        connection.execute(
            "DELETE FROM inbox WHERE sequence <= ? AND acked_at_us <= ?",
            (row[0], call.now_us - FORGET_AFTER_US),
        )
        store.put(connection, "forgotten_through", row[0])
    keys.forget_nonces(connection, call.now_us // 1_000_000)
    copies.sweep(connection)


# --- what the office brings --------------------------------------------------------------------------


def _scope(call: Call) -> str:
    scope = call.body.get("agreement")
    if scope in (None, "", "*", "all"):
        return copies.ALL
    if not isinstance(scope, str):
        raise ValueError("agreement: must be text")
    return scope


def _snapshot(call: Call) -> Dict[str, Any]:
    """A part of a copy; one without ``part`` is whole, and used at once."""
    scope, version = _scope(call), keys.whole(call.body, "version")
    is_new = copies.take_part(call.connection, scope, call.body)
    if is_new and not call.body.get("part"):
        copies.commit(call.connection, scope, version, 1)
    return {"version": version, "is_new": is_new}


def _commit(call: Call) -> Dict[str, Any]:
    parts = keys.whole(call.body, "parts") or None
    copy = copies.commit(call.connection, _scope(call), keys.whole(call.body, "version"), parts)
    return {"version": copy.version, "number_of_accounts": copy.number_of_accounts}


def _agreements(call: Call) -> Dict[str, Any]:
    """All agreements of this node, in the place of those that it had."""
    given = call.body.get("agreements")
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise ValueError("agreements: must be a list")
    contracts = [terms.contract_of(one) for one in given]
    names = [contract.agreement for contract in contracts]
    if len(set(names)) != len(names):
        raise ValueError("agreements: one stands there twice")
    packed = terms.packed_protocols()
    for contract in contracts:
        if contract.protocol not in packed:
            raise Refusal(409, "protocol", agreement=contract.agreement, packed=packed)
    proxies = call.body.get("trusted_proxies") or []
    Networks(proxies)
    store.put(call.connection, "trusted_proxies", json.dumps(proxies))
    call.connection.execute("DELETE FROM agreements")
    call.connection.executemany(
        "INSERT INTO agreements VALUES (?, ?)",
        [(name, json.dumps(one)) for name, one in zip(names, given)],
    )
    return {"agreements": sorted(names)}


def _decide(call: Call) -> Dict[str, Any]:
    """What became of a refund that was asked for."""
    sequence, granted = keys.whole(call.body, "sequence"), call.body.get("granted") is True
    if not inbox.settle_refund(call.connection, sequence, granted=granted, now_us=call.now_us):
        raise Refusal(409, "sequence", reason="no refund with this place is open")
    return {"sequence": sequence, "granted": granted}


_CALLS: Mapping[str, Any] = {
    "pair": ("POST", False, _pair),
    "keys": ("POST", False, _keys),
    "lease": ("POST", False, _lease),
    "state": ("GET", False, _state),
    "pull": ("POST", True, _pull),
    "ack": ("POST", True, _ack),
    "snapshot": ("POST", True, _snapshot),
    "snapshot/commit": ("POST", True, _commit),
    "agreements": ("POST", True, _agreements),
    "decide": ("POST", True, _decide),
}
