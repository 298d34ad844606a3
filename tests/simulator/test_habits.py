"""What the protocols say of their networks' habits agrees with what their vectors show."""

from __future__ import annotations

import pytest

from kvit.domain.messages import Hold, ListPosted, Post
from kvit.protocols.base import Protocol
from kvit.protocols.registry import PROTOCOLS
from tests.protocols import run_vectors

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


def test_the_faces_are_known() -> None:
    assert {protocol.habits.face for protocol in PROTOCOLS.values()} == {"terminal", "app"}
