"""What the protocols say of their networks' habits agrees with what their vectors show."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kvit.domain.messages import Held, Hold, ListPosted, NoSuchTxn, Post, Posted, Result, Status, Voided
from kvit.protocols.base import Protocol
from kvit.protocols.registry import PROTOCOLS
from tests.protocols import run_vectors
from tests.simulator.broken.biller import terms_of

EACH = [pytest.param(protocol, id=name) for name, protocol in PROTOCOLS.items()]


def decoded(protocol: Protocol) -> list[object]:
    return [vector.decoded for vector in run_vectors.load_all(run_vectors.HERE / protocol.name)]


@pytest.mark.parametrize("protocol", EACH)
def test_the_clock_is_that_of_the_vectors(protocol: Protocol) -> None:
    times = [one.network_time for one in decoded(protocol) if isinstance(one, Post | Hold)]
    told = {"utc" if "+" in at[10:] else "local" for at in times if at}
    assert told <= {protocol.habits.clock}


@pytest.mark.parametrize("protocol", EACH)
def test_a_statement_is_asked_for_as_in_the_vectors(protocol: Protocol) -> None:
    asked = [one for one in decoded(protocol) if isinstance(one, ListPosted)]
    assert bool(asked) == ("ListPosted" in protocol.commands)
    assert {"days" if len(one.since) == 10 else "times" for one in asked} <= {protocol.habits.statement}


@pytest.mark.parametrize("protocol", EACH)
def test_money_that_is_taken_is_told_of(protocol: Protocol) -> None:
    posts = [one for one in decoded(protocol) if isinstance(one, Post)]
    assert {one.taken for one in posts} == {protocol.habits.taken}


@pytest.mark.parametrize(
    "protocol", [pytest.param(one, id=name) for name, one in PROTOCOLS.items() if "Status" in one.commands]
)
def test_a_status_tells_what_is_booked_from_what_is_not(protocol: Protocol) -> None:
    terms, at = terms_of(protocol.name), datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    status = Status(protocol.txn_of(7))
    held = Held(status.txn, 10_045, "1", 100, "RUB", at, at)
    posted = Posted(status.txn, 10_045, "1", 100, "RUB", at)
    results: list[tuple[Result, bool]] = [
        (posted, True),
        (Voided(status.txn, 10_045, "1", 100, "RUB", at, posted=posted), False),
        (NoSuchTxn(status.txn), False),
    ]
    if protocol.two_phase:
        released = Voided(status.txn, 10_045, "1", 100, "RUB", at, held=held)
        results += [(held, False), (released, False)]
    request = replace(protocol.ask(status, terms), at=at)
    for result, is_booked in results:
        heard = protocol.read(status, protocol.encode(request, result, terms), terms)
        assert (heard.step == "done" and heard.state in ("", "posted")) == is_booked, (result, heard)


def test_the_faces_are_known() -> None:
    assert {protocol.habits.face for protocol in PROTOCOLS.values()} == {"terminal", "app"}
