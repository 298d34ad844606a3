"""Whatever breaks inside, an agent hears "try later" in its own words, or nothing that looks like a yes."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest
import sqlalchemy.exc

from kvit.domain import errors
from kvit.domain.messages import HttpRequest, HttpResponse, Lookup, Posted, Result
from kvit.domain.model import Agreement
from kvit.lanes.desk import Demand
from kvit.lanes.lane import Lane, LaneLimits
from kvit.main import SystemClock, make_terms
from kvit.protocols.base import Protocol, Terms
from kvit.protocols.registry import PROTOCOLS
from kvit.web.agents import AgentsDoor, Lanes
from kvit.web.doors import Directory, Door, Networks
from kvit.web.traffic import TrafficLog
from tests.web.serving import BASIC, LOGIN, NUMBER, PASSWORD, SUM, Answer

QIWI = PROTOCOLS["qiwi"]
AGREEMENT = Agreement(
    agreement_id="qiwi", biller_id="water", protocol="qiwi", mode="test", currency="RUB", exponent=2,
    timezone="Europe/Moscow", networks=("192.0.2.0/24",), basic_login=LOGIN, basic_password=PASSWORD,
)  # fmt: skip
PAY = f"command=pay&txn_id=9&txn_date=20261101120000&account={NUMBER}&sum={SUM}"
SECRET = f"{NUMBER} {SUM} /etc/kvit SELECT 1"
POSTED = Posted("9", 100_001, NUMBER, 123_456, "RUB", datetime(2026, 11, 1, 9, tzinfo=UTC))

Desk = Callable[[Sequence[Demand]], Sequence[Result]]


def every_fault() -> list[type[Exception]]:
    """Every exception class of Python, of ours and of the database's library."""
    mine = {name for room in (builtins, errors, sqlalchemy.exc) for name in vars(room)}
    found: list[type[Exception]] = [Exception]
    for kind in found:
        found += [each for each in kind.__subclasses__() if each.__name__ in mine and each not in found]
    return found


def fault(kind: type[Exception]) -> Exception:
    """One of them, with something in its words that nobody may hear."""
    try:
        return kind(SECRET)
    except TypeError:
        made = kind.__new__(kind)
        made.args = (SECRET,)
        return made


def raiser(kind: type[Exception]) -> Callable[..., NoReturn]:
    def broken(*_values: object) -> NoReturn:
        raise fault(kind)

    return broken


def posted(demands: Sequence[Demand]) -> Sequence[Result]:
    return [POSTED] * len(demands)


def knock(
    protocol: Protocol = QIWI, desk: Desk = posted, *, door: Door | None = None, peer: str = "192.0.2.7"
) -> Answer:
    """One payment at the door, by way of a real lane."""

    async def ask() -> Answer:
        limits = LaneLimits(queue_max=8, owner_max=8, batch_max=8, deadline_s=5)
        lanes = Lanes(Lane("read", [desk], limits), Lane("write", [desk], limits))
        directory = Directory()
        directory.replace([door or Door(AGREEMENT, protocol, make_terms(AGREEMENT))])
        agents = AgentsDoor(directory, lanes, 65_536, Networks(()), SystemClock(), TrafficLog())
        sent: list[Any] = []

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {
            "type": "http", "method": "GET", "path": "/pay/qiwi", "raw_path": b"/pay/qiwi",
            "client": (peer, 1), "query_string": PAY.encode(),
            "headers": [(b"authorization", BASIC.strip().partition(b": ")[2])],
        }  # fmt: skip
        lanes.read.start()
        lanes.write.start()
        await agents(scope, receive, send)
        await lanes.read.close(1)
        await lanes.write.close(1)
        start, body = sent
        head = b"\r\n".join(name + b": " + value for name, value in start["headers"])
        return Answer(start["status"], head, body["body"])

    return asyncio.run(ask())


def is_silent(answer: Answer) -> bool:
    text = (answer.head + answer.body).decode()
    return not any(word in text for word in (NUMBER, SUM, "SELECT", "/etc", "Error", "Traceback"))


def test_without_a_fault_the_payment_is_confirmed() -> None:
    answer = knock()
    assert (answer.status, answer.result, answer.element("prv_txn")) == (200, "0", "100001")


def test_a_protocol_is_told_when_a_request_came_in() -> None:
    told: list[datetime | None] = []

    def encode(request: HttpRequest, result: Result, terms: Terms) -> HttpResponse:
        told.append(request.at)
        return QIWI.encode(request, result, terms)

    before = datetime.now(UTC)
    knock(replace(QIWI, encode=encode))
    (at,) = told
    assert at is not None
    assert before <= at <= datetime.now(UTC)


def test_every_kind_of_fault_is_tried() -> None:
    names = {kind.__name__ for kind in every_fault()}
    assert {
        "KeyError",
        "MemoryError",
        "RecursionError",
        "UnicodeDecodeError",
        "OutcomeUnknown",
        "ClaimLost",
    } <= names
    assert {"OperationalError", "IntegrityError", "DataError"} <= names


@pytest.mark.parametrize("kind", every_fault(), ids=lambda kind: kind.__name__)
def test_a_fault_is_answered_try_later(kind: type[Exception]) -> None:
    for answer in (knock(replace(QIWI, decode=raiser(kind))), knock(desk=raiser(kind))):
        assert (answer.status, answer.result) == (200, "1")
        assert b"<prv_txn>" not in answer.body
        assert is_silent(answer)


@pytest.mark.parametrize("kind", every_fault(), ids=lambda kind: kind.__name__)
def test_an_answer_that_cannot_be_written_is_no_answer(kind: type[Exception]) -> None:
    answer = knock(replace(QIWI, encode=raiser(kind)))
    assert (answer.status, answer.body) == (503, b"")
    assert is_silent(answer)


def test_a_confirmation_that_cannot_be_written_is_asked_for_again() -> None:
    def encode(request: HttpRequest, result: Result, terms: Terms) -> HttpResponse:
        if isinstance(result, Posted):
            raise ValueError(SECRET)
        return QIWI.encode(request, result, terms)

    answer = knock(replace(QIWI, encode=encode))
    assert (answer.status, answer.result) == (200, "1")


def test_who_cannot_be_checked_is_not_let_in() -> None:
    class Broken(Networks):
        def __contains__(self, text: str) -> bool:
            raise RuntimeError(SECRET)

    door = Door(AGREEMENT, QIWI, make_terms(AGREEMENT))
    door.networks = Broken(AGREEMENT.networks)
    answer = knock(door=door)
    assert (answer.status, answer.body) == (503, b"")


def test_credentials_that_cannot_be_checked_are_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvit.protocols.kits.kit.hmac.compare_digest", raiser(RuntimeError))
    assert knock().result == "1"


def test_a_desk_that_answers_too_few_or_something_else_confirms_nothing() -> None:
    assert knock(desk=lambda demands: []).result == "1"
    assert knock(desk=lambda demands: [None] * len(demands)).result == "1"  # type: ignore[list-item]
    assert knock(desk=lambda demands: [Lookup("1", "2")] * len(demands)).result == "1"  # type: ignore[list-item]
