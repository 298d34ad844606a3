"""Every protocol is played through every mischief, with a sound biller and with faulty ones."""

from __future__ import annotations

import pytest

from kvit.protocols.base import Protocol
from kvit.protocols.registry import PROTOCOLS
from kvit.simulator import day, shell
from kvit.simulator.shell import Network, PayOrder
from kvit.simulator.stories import STORIES
from tests.simulator.broken.biller import Biller
from tests.simulator.broken.book import NUMBER, OTHER, UNKNOWN
from tests.simulator.conftest import Town

EACH = [pytest.param(protocol, id=name) for name, protocol in PROTOCOLS.items()]
SUM_MINOR = 1_007


def network_to(town: Town, biller: Biller) -> Network:
    return Network(town.base_url, biller.protocol, biller.terms, timeout_s=10.0, pauses_s=(0.0, 0.0))


def played(
    town: Town, protocol: Protocol, fault: str = "", kinds: tuple[str, ...] = tuple(STORIES)
) -> day.Day:
    plan = day.Plan(2 * len(kinds), (NUMBER, OTHER), SUM_MINOR, kinds, protocol.habits.connections)
    return day.play(network_to(town, town.biller(protocol, fault)), plan)


@pytest.mark.parametrize("protocol", EACH)
def test_a_sound_biller_stands_every_mischief(town: Town, protocol: Protocol) -> None:
    told = played(town, protocol)
    assert told.broken == []
    assert told.good
    assert [(row.kind, row.payments, row.booked, row.open) for row in told.rows] == [
        (kind, 2, 2, 0) for kind in STORIES
    ]
    seen = [one for one in told.standings if one.before_minor is not None]
    assert all(one.verdict == "debt-fell-once" for one in seen)
    assert sum(one.paid_minor for one in told.standings) == 2 * len(STORIES) * SUM_MINOR


#: A fault of the books, and the mischief that brings it to light.
SEEN_BY = {
    "books-again": "double",
    "refuses-again": "none",
    "race": "double",
    "open-door": "flip",
    "takes-other-sum": "wrong-sum",
    "posts-unheld": "reorder",
}


def faults_of(protocol: Protocol) -> list[str]:
    """Those that this protocol can have: in two phases the sum is that of the announcement."""
    return [
        fault for fault in SEEN_BY if fault != ("takes-other-sum" if protocol.two_phase else "posts-unheld")
    ]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (name, fault)
        for name in ("qiwi", "payme", "click", "cyberplat", "native")
        for fault in faults_of(PROTOCOLS[name])
    ],
)
def test_a_faulty_biller_is_seen_through(town: Town, name: str, fault: str) -> None:
    assert not played(town, PROTOCOLS[name], fault, (SEEN_BY[fault],)).good


@pytest.mark.parametrize("protocol", EACH)
def test_one_payment_at_the_shell(town: Town, protocol: Protocol) -> None:
    biller = town.biller(protocol)
    network = network_to(town, biller)
    assert shell.check(network, NUMBER)[-1].heard.step == "done"
    for ways in ({}, {"at_once": 4}, {"drop": True}):
        order = PayOrder(NUMBER, SUM_MINOR, **ways)
        exchanges = shell.pay(network, order)
        assert shell.judge(exchanges).key.startswith("booked-once"), shell.as_text(exchanges, network)
        assert {type(one.command).__name__ for one in exchanges} >= (
            {"Hold", "Post"} if protocol.two_phase else {"Post"}
        )
    unknown = shell.pay(network, PayOrder(UNKNOWN, SUM_MINOR))
    assert (unknown[-1].heard.step == "done") == protocol.habits.taken
    assert biller.books.due_minor[NUMBER] == 10_000_000 - 3 * SUM_MINOR


@pytest.mark.parametrize("protocol", EACH)
def test_what_a_protocol_offers_beside_payments(town: Town, protocol: Protocol) -> None:
    biller = town.biller(protocol)
    network = network_to(town, biller)
    orders = network.orders()
    paid = shell.pay(network, PayOrder(NUMBER, SUM_MINOR))[-1]
    txn, receipt = getattr(paid.command, "txn", ""), paid.heard.receipt
    if orders.offers("Status"):
        known = shell.status(network, txn)
        assert "receipt" not in shell.conclusion(known, network) or receipt in shell.conclusion(
            known, network
        )
        assert known[-1].heard.step == "done"
        assert shell.status(network, orders.new_txn())[-1].heard.step == "stop"
    if orders.offers("ListPosted"):
        now = orders.now()
        listed = shell.statement(network, now.replace(hour=0, minute=0, second=0, microsecond=0), now)
        ((name, _),) = listed[-1].heard.shown
        assert txn.endswith(name)
        assert shell.conclusion(listed, network) == "1 payments are listed."
    if orders.offers("Void"):
        order = shell.CancelOrder(txn, receipt, NUMBER, SUM_MINOR)
        assert shell.cancel(network, order)[-1].heard.step == "done"
        assert biller.books.due_minor[NUMBER] == 10_000_000
