"""The vectors of every protocol that a node can speak, against a node with real data.

For each vector the data is brought into the state that its result tells of, by the node's own decisions; then
the request goes in as WSGI hands it over, and the answer has to be the vector's, byte for byte (written for
the moment of the request, where the vector names none).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kvit.domain.messages import (
    EXPIRED,
    BadAmount,
    Command,
    Conflict,
    Denied,
    Found,
    Held,
    Hold,
    Lookup,
    Malformed,
    NoSuchAccount,
    NoSuchTxn,
    Note,
    Post,
    Posted,
    Refused,
    Result,
    Statement,
    TryLater,
    Void,
    Voided,
)
from kvit.protocols.registry import PROTOCOLS
from kvit.relay.build import needs_office_keys
from kvit.relay.node import inbox, store
from kvit.relay.node.terms import contract
from tests.protocols.run_vectors import Vector, load_all, protocol_folders
from tests.relay.node_kit import InProcess, Office, agreement, snapshot, touch

FOLDERS = {folder.name: folder for folder in protocol_folders() if not needs_office_keys(folder.name)}
#: Vectors whose result no state of a node gives to their request, and why.
FAULT = "a result that does not answer the command: only a fault of ours could give it"
METHOD = "the door refuses the method before the protocol sees it, as in the office"
TAKEN = "money that is taken already is never refused by a node"
ANNOUNCED = "what was announced is posted whatever became of account or agreement"
LONG = "needs more than ten thousand payments"
MOMENTS = "its payments do not stand so at any one moment"
UNFIT: dict[str, dict[str, str]] = {
    "click": {"prepare-fault-other-answer": FAULT, "complete-failed-after-complete": ANNOUNCED},
    "kaspi": {"fault-other-answer": FAULT, "malformed-method": METHOD},
    "kassa24": {},
    "mpesa": {
        "confirmation-not-found": TAKEN, "confirmation-try-later": TAKEN, "fault-other-answer": FAULT,
    },
    "native": {"list-all": MOMENTS, "list-backwards": FAULT, "list-too-many": LONG},
    "payme": {
        "cancel-agreement-closed": ANNOUNCED, "check-fault-other-answer": FAULT,
        "perform-account-closed": ANNOUNCED, "statement": MOMENTS, "statement-too-many": LONG,
    },
    "paynet": {"fault-other-answer": FAULT, "statement-too-many": LONG},
    "qiwi": {"fault-other-answer": FAULT, "malformed-method": METHOD},
    "sberbank": {"fault-other-answer": FAULT, "malformed-method": METHOD},
    "sberbank2": {"fault-other-answer": FAULT, "malformed-method": METHOD},
    "uzum": {"fault-other-answer": FAULT},
}  # fmt: skip
AT = datetime(2025, 3, 14, 6, 15, 31, tzinfo=UTC)
LONG_S = 12 * 3600


class World:
    """One node, and the state that it is brought into."""

    def __init__(self, folder: Path, vector: Vector, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.vector = folder, vector
        self.send = InProcess(folder)
        self.send.now_us = _us(vector.request.at or _last_moment(vector.result))
        terms = vector.terms
        self.written = agreement(
            "door", vector.protocol, currency=terms.currency, exponent=terms.exponent,
            basic_login=terms.basic_login, basic_password=terms.basic_password, secret=terms.secret,
            dialect=dict(terms.dialect), payer_fields=list(terms.payer_fields), timezone=_zone(vector.result),
        )  # fmt: skip
        self.copy = snapshot(accounts=[])
        self.receipts: list[int] = []
        patch.setattr(inbox, "receipt_of", lambda connection, sequence: self.next_receipt(sequence))

    def next_receipt(self, sequence: int) -> int:
        return self.receipts.pop(0) if self.receipts else sequence

    def ready(self) -> None:
        touch(self.send)
        self.office = Office(self.send, clock_us=lambda: self.send.now_us)
        self.office.pair(self.folder)
        self.office.ask("agreements", {"agreements": [self.written]})
        self.bring()

    def bring(self, **changes: object) -> None:
        if changes.get("accounts") != "none":
            self.office.ask("snapshot", {**self.copy, **changes})

    def decide(self, at: datetime, command: Command) -> Result:
        """Something that happened before."""
        with store.opened(self.folder) as connection:
            known = contract(connection, "door")
            assert known is not None
            return inbox.decide(connection, inbox.Case(known, _us(at), {}), command)

    def settle(self, sequence: int, at: datetime) -> None:
        with store.opened(self.folder) as connection, store.writing(connection):
            assert inbox.settle_refund(connection, sequence, granted=True, now_us=_us(at))

    def seed(self, one: Posted | Held | Voided, command: Command | None = None) -> None:
        """Bring a payment into the state that a result tells of."""
        first = one.posted or one.held or one if isinstance(one, Voided) else one
        held = one if isinstance(one, Held) else one.held if isinstance(one, Voided) else None
        posted = one if isinstance(one, Posted) else one.posted if isinstance(one, Voided) else None
        if posted is None and held is None:  # of a void, whose hold the vector does not show
            assert isinstance(one, Voided)
            held = Held(one.txn, one.receipt, one.number, one.amount_minor, one.currency, one.at)
        if posted is not None and posted.held_at is not None and held is None:
            held = Held(
                posted.txn, posted.receipt, posted.number, posted.amount_minor, posted.currency,
                posted.held_at, network_at=posted.network_at, service=posted.service,
            )  # fmt: skip
        self.receipts = [one.receipt]
        self.with_account(one.number)
        named = held or posted or first
        network = getattr(named, "network_at", None)
        time = "" if network is None else network.isoformat()
        common = (one.txn, one.number, one.amount_minor, "", getattr(named, "service", ""), time)
        if held is not None:
            assert isinstance(self.decide(held.held_at, Hold(*common)), Held)
        if posted is not None:
            done = self.decide(posted.received_at, Post(*common, held=held is not None))
            assert isinstance(done, Posted), done
        is_expired = isinstance(one, Voided) and one.reason == EXPIRED and posted is None
        is_expired = is_expired and getattr(command, "reason", "") != EXPIRED
        if isinstance(one, Voided) and not is_expired and (one.repeat or not isinstance(command, Void)):
            done = self.decide(one.at, Void(one.txn, void_txn=one.void_txn, reason=one.reason))
            if posted is not None:
                self.settle(self.office.ask("state")["last_sequence"], one.at)
                self.decide(one.at, Void(one.txn))
        expires_at = one.at if isinstance(one, Voided) and is_expired else held.expires_at if held else None
        if expires_at is not None:
            with store.opened(self.folder) as connection, store.writing(connection):
                connection.execute(
                    "UPDATE payments SET expires_at_us = ? WHERE txn = ?", (_us(expires_at), one.txn)
                )

    def with_account(self, number: str) -> None:
        if number and number not in [row[0] for row in self.copy["accounts"]]:
            self.copy["accounts"].append([number, "N***", 10_000_000_000, "active"])
            self.copy["version"] += 1
            self.bring()

    def ask(self) -> Any:  # noqa: ANN401 - what the node told
        request = self.vector.request
        headers: dict[str, str] = {}
        for name, value in request.headers:  # as servers do: those of one name are joined
            before = headers.get(name.decode())
            text = value.decode("latin-1")
            headers[name.decode()] = text if before is None else before + "," + text
        path = "/pay/door" + ("/" + request.path if request.path else "")
        return self.send(request.method, path, request.query.decode("latin-1"), request.body, headers)


def _last_moment(result: object) -> datetime:
    """When a result tells of what is just so, and no later."""
    for name in ("at", "received_at", "held_at"):
        at = getattr(result, name, None)
        if isinstance(at, datetime):
            return at
    return AT


def _us(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _at(world: World) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=world.send.now_us)


def _zone(result: object) -> str:
    """A zone with the offset of the result's times."""
    if isinstance(result, Statement) and result.items:
        return _zone(result.items[0])
    for name in ("received_at", "held_at", "at", "network_at"):
        at = getattr(result, name, None)
        if isinstance(at, datetime):
            hours = int(at.utcoffset().total_seconds() // 3600)  # type: ignore[union-attr]
            return "Etc/GMT" + (f"-{hours}" if hours else "")
    return "Etc/GMT-3"


def _prepared(world: World, command: Any, result: Any) -> None:  # noqa: ANN401 - one case a result
    """Bring the node into the state that gives ``result`` to ``command``."""
    if isinstance(command, (Malformed, Denied)):
        world.ready()
    elif isinstance(result, Found):
        world.copy["accounts"] = [
            [result.number, result.display_name, result.due_minor - result.advance_minor, "active"]
        ]
        world.written["exact"] = result.exact
        world.ready()
    elif isinstance(result, NoSuchAccount):
        world.ready()
    elif isinstance(result, BadAmount):
        world.written["min_minor"], world.written["max_minor"] = result.low_minor, result.high_minor
        world.ready()
        world.with_account(command.number)
    elif isinstance(result, Refused):
        _refusing(world, command, result.reason)
    elif isinstance(result, TryLater):
        world.written["complete"] = False
        is_new = isinstance(command, (Hold, Post, Lookup)) and not getattr(command, "held", False)
        world.written["closed"] = is_new
        world.ready()
    elif isinstance(result, Conflict):
        _contradicting(world, command)
    elif isinstance(result, NoSuchTxn):
        world.ready()
    elif isinstance(result, Statement):
        world.written["refund"] = "office"
        world.ready()
        for item in result.items:
            world.seed(item)
    elif isinstance(result, (Posted, Held, Voided)):
        _telling(world, command, result)
    else:
        raise AssertionError(f"no state gives {result}")


def _refusing(world: World, command: Any, reason: str) -> None:  # noqa: ANN401
    number = getattr(command, "number", "")
    world.copy["accounts"] = [[number or "1", "N***", 5_000, "active"]]
    if reason == "account-closed":
        world.copy["accounts"][0][3] = "closed"
    elif reason == "agreement-closed":
        world.written["valid_until"] = "2000-01-01"
    elif reason == "service":
        world.written["services"] = [{"code": "another-one"}, {"code": "and-one"}]
    elif reason == "already-paid":
        world.written["exact"], world.copy["accounts"][0][2] = True, 0
    elif reason == "being-paid":
        world.written["exact"] = True
    world.ready()
    if reason == "currency":
        world.written["currency"] = "XTS"
        world.office.ask("agreements", {"agreements": [world.written]})
    if reason == "being-paid":
        assert isinstance(world.decide(AT, Hold("another", number, 5_000)), Held)
    if reason == "void-forbidden":
        txn = command.txn or "1"
        number, amount_minor = command.number or "1", command.amount_minor or 100
        world.seed(Posted(txn, command.receipt or 1, number, amount_minor, "RUB", AT))


def _contradicting(world: World, command: Any) -> None:  # noqa: ANN401
    world.ready()
    amount_minor = (command.amount_minor or 100) + 1
    receipt = getattr(command, "receipt", 0) or 9
    number = command.number or "1"
    if isinstance(command, Post) and command.held:
        world.seed(Held(command.txn, receipt, number, amount_minor, "RUB", AT))
    else:
        world.seed(Posted(command.txn, receipt, number, amount_minor, "RUB", AT))


def _telling(world: World, command: Any, result: Any) -> None:  # noqa: ANN401
    world.written["refund"] = "office"
    world.ready()
    is_first = not result.repeat and (isinstance(command, (Hold, Post)) and not isinstance(result, Voided))
    if not is_first:
        world.seed(result, command)
        return
    at = result.held_at if isinstance(result, Held) else result.received_at
    world.receipts = [result.receipt]
    world.with_account(result.number)
    if isinstance(command, Post) and command.held:
        held_at = result.held_at or at
        network = "" if result.network_at is None else result.network_at.isoformat()
        world.decide(
            held_at,
            Hold(result.txn, result.number, result.amount_minor, "", result.service, network),
        )
    world.send.now_us = _us(at)


def _as_asked(command: Any, result: Any) -> Any:  # noqa: ANN401
    """The result for what was really asked: some vectors show one result for several forms of a request."""
    if isinstance(command, Lookup) and isinstance(result, Found):
        return replace(result, number=command.number)
    if isinstance(command, Post) and isinstance(result, Posted) and not command.held and not result.repeat:
        network_at = result.network_at if command.network_time else None
        return replace(result, number=command.number, network_at=network_at)
    if isinstance(command, Void) and isinstance(result, Voided) and not result.repeat and result.held:
        expires_at = result.held.expires_at  # some are released after their end
        if result.reason != EXPIRED and expires_at is not None and expires_at <= result.at:
            return replace(result, held=replace(result.held, expires_at=None))
    return result


def problem_of(vector: Vector, folder: Path, patch: pytest.MonkeyPatch) -> str:
    """What does not hold; ``""`` when the vector passes."""
    world = World(folder, vector, patch)
    command, result = vector.decoded, vector.result
    result = _as_asked(command, result)
    protocol = PROTOCOLS[vector.protocol]
    if isinstance(command, Note):
        world.ready()
        later = protocol.encode(replace(vector.request, at=_at(world)), TryLater(), vector.terms)
        return "" if world.ask().body == later.body else "a note is not put off"
    _prepared(world, command, result)
    told = world.ask()
    is_refund = isinstance(command, Void) and isinstance(result, Voided) and result.posted is not None
    if is_refund and not result.repeat:
        later = protocol.encode(replace(vector.request, at=_at(world)), TryLater(), vector.terms)
        if told.body != later.body:
            return "a refund is not put off"
        world.settle(world.office.ask("state")["last_sequence"], result.at)
        told = world.ask()
    answer = protocol.encode(replace(vector.request, at=_at(world)), result, vector.terms)
    if (told.status, told.body) != (answer.status, answer.body):
        return f"told     {told.status} {told.body!r}\nexpected {answer.status} {answer.body!r}"
    wrong = [
        name for name, value in answer.headers if told.headers.get(name.decode().lower()) != value.decode()
    ]
    return f"headers {wrong}: {told.headers}" if wrong else ""


@pytest.mark.parametrize("protocol", sorted(FOLDERS))
def test_the_vectors_hold_against_a_node(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SYNCHRONOUS", "OFF")  # nothing is killed here
    vectors = load_all(FOLDERS[protocol])
    assert set(UNFIT[protocol]) < {vector.name for vector in vectors}
    problems = {}
    for vector in vectors:
        if vector.name in UNFIT[protocol]:
            continue
        with pytest.MonkeyPatch.context() as patch:
            problem = problem_of(vector, tmp_path / vector.name, patch)
        if problem:
            problems[vector.name] = problem
    assert problems == {}
