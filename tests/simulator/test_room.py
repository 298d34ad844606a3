"""The kiosk's room plays every protocol: check, pay in one phase or two, mischief, take back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from kvit.protocols.base import Protocol
from kvit.protocols.registry import PROTOCOLS
from kvit.simulator import mischief, views
from kvit.simulator.orders import Orders
from kvit.simulator.room import KioskAgreement, KioskSettings, Room
from tests.simulator.broken.biller import Biller, terms_of
from tests.simulator.broken.book import NUMBER
from tests.simulator.conftest import Town

DUE_MINOR = 10_000_000


@dataclass
class Place:
    """A room, and the biller that it calls."""

    room: Room
    biller: Biller
    protocol: Protocol

    @property
    def door(self) -> str:
        """The agreement's id."""
        return self.biller.terms.agreement_id

    def pay(self, amount: str = "450.00") -> views.PayReply:
        """As the page does: the order again with what the reply said, until it is final."""
        order = views.PayOrder(self.door, NUMBER, amount)
        steps = []
        while True:
            reply = asyncio.run(self.room.pay(order))
            assert isinstance(reply, views.PayReply)
            steps.append(reply.step)
            if reply.step != "held":
                assert steps == (["held", "done"] if self.protocol.two_phase else ["done"])
                return reply
            assert reply.remains is None
            order = views.PayOrder(
                self.door, NUMBER, amount, reply.txn, reply.network_time, held=True, hold=reply.hold
            )


@pytest.fixture(params=list(PROTOCOLS))
def place(request: pytest.FixtureRequest, town: Town) -> Place:
    protocol = PROTOCOLS[request.param]
    biller = town.biller(protocol)
    agreement = KioskAgreement(biller.terms, protocol.name, "Водоканал", protocol.title)
    return Place(Room(KioskSettings(town.base_url, [agreement], (), 5.0, (0.0,))), biller, protocol)


def test_a_check_and_a_payment(place: Place) -> None:
    checked = asyncio.run(place.room.check(views.CheckOrder(place.door, NUMBER)))
    assert isinstance(checked, views.CheckReply)
    assert checked.step == "done"
    assert checked.due in ("100000.00", None)
    reply = place.pay()
    assert reply.receipt == "100045"
    assert reply.remains is not None
    assert reply.remains.due in ("99550.00", None)
    assert place.biller.books.due_minor[NUMBER] == DUE_MINOR - 45_000


@pytest.mark.parametrize("kind", mischief.KINDS)
def test_mischief(place: Place, kind: str) -> None:
    paid = place.pay()
    order = views.MischiefOrder(
        place.door, kind, NUMBER, "450.00", paid.txn, paid.network_time, paid.receipt, paid.hold
    )
    reply = asyncio.run(place.room.misbehave(order))
    if kind not in mischief.offered(Orders(place.protocol, place.biller.terms)):
        assert reply == views.Complaint("error.kind")
        return
    assert isinstance(reply, views.MischiefReply)
    assert reply.verdict.good, reply
    assert reply.debt.good, reply
    booked = {"at-once": 2, "drop": 2, "slow": 2, "cancel": 0}.get(kind, 1)
    assert place.biller.books.due_minor[NUMBER] == DUE_MINOR - booked * 45_000


def test_taking_back(place: Place) -> None:
    paid = place.pay()
    order = views.CancelOrder(place.door, NUMBER, "450.00", paid.txn, paid.network_time, paid.receipt)
    if "Void" not in place.protocol.commands:
        return
    reply = asyncio.run(place.room.cancel(order))
    assert isinstance(reply, views.CancelReply)
    assert reply.step == "done"
    assert reply.remains is not None
    assert place.biller.books.due_minor[NUMBER] == DUE_MINOR


def test_what_each_protocol_lets_a_visitor_try() -> None:
    pranks = {name: mischief.offered(Orders(one, terms_of(name))) for name, one in PROTOCOLS.items()}
    assert pranks["payme"] == list(mischief.KINDS)
    assert pranks["qiwi"] == list(mischief.KINDS)
    assert set(mischief.KINDS) - set(pranks["sberbank"]) == {"status", "list", "cancel"}
    assert set(mischief.KINDS) - set(pranks["mpesa"]) == {"stranger", "status", "list", "cancel"}


@pytest.mark.parametrize(
    ("fault", "kind", "key"),
    [
        ("open-door", "stranger", "stranger-taken"),
        ("status-blind", "status", "status-missing"),
        ("statement-forgets", "list", "listed-otherwise"),
        ("void-keeps-money", "cancel", "cancelled"),
    ],
)
def test_a_faulty_biller_is_told_of(town: Town, fault: str, kind: str, key: str) -> None:
    protocol = PROTOCOLS["payme"]
    biller = town.biller(protocol, fault)
    agreement = KioskAgreement(biller.terms, protocol.name, "Водоканал", protocol.title)
    place = Place(Room(KioskSettings(town.base_url, [agreement], (), 5.0, (0.0,))), biller, protocol)
    paid = place.pay()
    order = views.MischiefOrder(
        place.door, kind, NUMBER, "450.00", paid.txn, paid.network_time, paid.receipt, paid.hold
    )
    reply = asyncio.run(place.room.misbehave(order))
    assert isinstance(reply, views.MischiefReply)
    assert reply.verdict.key == f"verdict.{key}"
    assert not (reply.verdict.good and reply.debt.good)
