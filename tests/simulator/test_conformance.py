"""The acceptance test passes a sound biller, and finds and names every fault of a broken one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kvit.protocols.base import Protocol
from kvit.protocols.registry import PROTOCOLS
from kvit.simulator.conformance.bench import Target
from kvit.simulator.conformance.run import LAST, STEPS, Report, run, why_not
from kvit.simulator.shell import Network
from kvit.simulator.stories import STORIES
from tests.simulator.broken.biller import FAULTS, terms_of
from tests.simulator.broken.book import NUMBER, OTHER, UNKNOWN
from tests.simulator.conftest import Town

SUM_MINOR = 1_007

_COPIES = ("two-at-once", "five-at-once")
_AFTER_VOID = ("void", "void-again", "pay-after-void")

#: Fault -> the steps that must fail, as far as the protocol has them: no fewer and no more.
SEEN: dict[str, tuple[str, ...]] = {
    "books-again": ("pay-again", "other-sum", *_COPIES, "dropped", "pay-after-void"),
    "new-receipt": ("pay-again", "other-sum", *_COPIES),
    "refuses-again": ("pay-again", "other-sum", *_COPIES, "dropped"),
    "takes-other-sum": ("other-sum",),
    "takes-other-number": ("other-number",),
    "pays-unknown": ("unknown-paid",),
    "finds-anyone": ("not-found",),
    "check-books": (
        "found", "hold", "unheld", "released", "post-released", "pay", "pay-again", "other-sum",
        "other-number", "odd-sums", "no-sum", "two-sums", "unknown-paid", "strangers", *_COPIES, "dropped",
        *_AFTER_VOID,
    ),
    "takes-zero": ("no-sum",),
    "loses-money": ("pay", *_COPIES, "dropped", *_AFTER_VOID),
    "race": (*_COPIES, "dropped"),
    "status-blind": ("hold", "status"),
    "status-says-yes": ("strangers", "status-unknown"),
    "statement-forgets": ("statement",),
    "statement-doubles": ("statement",),
    "void-keeps-money": _AFTER_VOID,
    "void-again": ("released", "void-again"),
    "void-forgets": ("pay-after-void",),
    "hold-books": ("hold", "released", "post-released"),
    "hold-renews": ("hold-again", *_COPIES),
    "posts-unheld": ("unheld", "strangers"),
    "posts-released": ("post-released",),
    "keeps-hold": ("released",),
    "hold-other-sum": ("hold-other-sum",),
    "open-door": ("strangers",),
    "door-ajar": ("strangers",),
    "lenient-sum": ("odd-sums",),
    "last-counts": ("two-sums",),
    "crashes": ("http",),
    "not-found-404": ("not-found", "unknown-paid", "http"),
    "wrong-charset": ("written",),
    "no-type": ("written",),
    "slow": ("quick",),
    "other-id": ("written",),
    "unsigned": ("found", "not-found"),
}  # fmt: skip

_TWO_PHASES = {name for name, protocol in PROTOCOLS.items() if protocol.two_phase}
_CALLS = {"payme", "paynet"}

#: Protocols in which a fault does not exist, or cannot be seen from outside, and why.
HIDDEN: dict[str, tuple[set[str], str]] = {
    "takes-other-sum": (_TWO_PHASES, "the sum is that of the announcement"),
    "takes-other-number": (
        {"click", "payme", "paynet"},
        "whatever comes under a booked id gets the same no",
    ),
    "new-receipt": ({"paynet"}, "the answer to a repetition names no receipt"),
    "status-blind": ({*PROTOCOLS} - {"qiwi", "cyberplat", "native", "payme", "uzum", "paynet"}, "no status"),
    "status-says-yes": (
        {*PROTOCOLS} - {"qiwi", "cyberplat", "native", "payme", "uzum", "paynet"},
        "no status",
    ),
    "posts-unheld": ({*PROTOCOLS} - _TWO_PHASES, "nothing is announced"),
    "hold-renews": ({*PROTOCOLS} - _TWO_PHASES, "nothing is announced"),
    "lenient-sum": ({"click", "cyberplat", "native", "sberbank2"}, "the signature is looked at first"),
    "last-counts": ({"cyberplat"}, "the signature is looked at first"),
    "door-ajar": ({"cyberplat", "native"}, "what is not signed cannot be read"),
    "other-id": ({*PROTOCOLS} - _CALLS, "answers name no call"),
    "unsigned": ({*PROTOCOLS} - {"cyberplat"}, "answers are not signed within"),
}

#: Where a fault shows otherwise than in the other protocols, and why.
OTHERWISE = {
    # Its repetitions are answered "it exists", and the rest is told by the status.
    ("paynet", "status-blind"): ("pay-again", "other-sum", "dropped", "status"),
}

#: M-Pesa shows no debt, and its money is taken already: what only the debt or a refusal shows is not seen.
_OF_MPESA = (
    "books-again", "new-receipt", "refuses-again", "takes-other-sum", "takes-other-number", "finds-anyone",
    "takes-zero", "race", "lenient-sum", "last-counts", "crashes", "no-type", "slow",
)  # fmt: skip
_DEBT_ALONE = {("books-again", "dropped"), ("race", "dropped")}


def target_at(base_url: str, protocol: Protocol, door: str = "trial", timeout_s: float = 4.0) -> Target:
    terms = terms_of(protocol.name, door)
    network = Network(base_url, protocol, terms, timeout_s=timeout_s, pauses_s=(0.0,))
    return Target(network, NUMBER, UNKNOWN, SUM_MINOR, OTHER)


def reported(town: Town, protocol: Protocol, fault: str = "") -> Report:
    """A whole run against a new biller with this fault."""
    timeout_s = 1.0 if fault == "slow" else 4.0
    biller = town.biller(protocol, fault, slow_s=timeout_s * 0.6)
    return run(target_at(town.base_url, protocol, biller.terms.agreement_id, timeout_s))


def applies(protocol: Protocol) -> list[str]:
    """The keys of the steps that a protocol has, in their order."""
    target = target_at("http://127.0.0.1:1", protocol)
    orders = target.network.orders()
    return [step.key for step in (*STEPS, *LAST) if not why_not(step, orders, target)]


def expected(protocol: Protocol, fault: str) -> list[str]:
    """The steps that have to fail, in the order of the run."""
    if protocol.name in HIDDEN.get(fault, (set(), ""))[0]:
        return []
    steps = set(OTHERWISE.get((protocol.name, fault), SEEN[fault]))
    if protocol.name == "mpesa":
        steps = {one for one in steps if fault in _OF_MPESA and (fault, one) not in _DEBT_ALONE}
    return [key for key in applies(protocol) if key in steps]


#: One phase, signed, two phases, signed in two phases: each fault is planted in these. The other protocols
#: have their turn where there is time (``KVIT_FAULTS=full``).
FAMILIES = ("qiwi", "cyberplat", "payme", "click")
_PLANTED_IN = tuple(PROTOCOLS) if os.environ.get("KVIT_FAULTS") == "full" else FAMILIES

PLANTED = [
    pytest.param(protocol, fault, id=f"{name}-{fault}")
    for name, protocol in PROTOCOLS.items()
    for fault in FAULTS
    if name in _PLANTED_IN and expected(protocol, fault)
]


@pytest.mark.parametrize("protocol", [pytest.param(one, id=name) for name, one in PROTOCOLS.items()])
def test_a_sound_biller_passes_everything(town: Town, protocol: Protocol) -> None:
    told = reported(town, protocol)
    assert [(one.step.key, one.said) for one in told.outcomes if one.verdict == "failed"] == []
    assert [one.step.key for one in told.outcomes if one.verdict == "passed"] == applies(protocol)
    assert told.good


@pytest.mark.parametrize(
    "protocol", [pytest.param(one, id=name) for name, one in PROTOCOLS.items() if "Void" in one.commands]
)
def test_a_biller_that_gives_nothing_back_is_sound_too(town: Town, protocol: Protocol) -> None:
    biller = town.biller(protocol)
    biller.books.refunds = False
    told = run(target_at(town.base_url, protocol, biller.terms.agreement_id))
    assert told.failed() == []
    (void,) = [one for one in told.outcomes if one.step.key == "void"]
    assert "this biller does not take payments back" in void.said[-1] + void.said[0]


@pytest.mark.parametrize(("protocol", "fault"), PLANTED)
def test_a_fault_is_found_and_named(town: Town, protocol: Protocol, fault: str) -> None:
    told = reported(town, protocol, fault)
    assert told.failed() == expected(protocol, fault), [
        (one.step.key, one.said) for one in told.outcomes if one.verdict == "failed"
    ]
    assert not told.good


def test_every_fault_is_planted_and_every_family_has_ten() -> None:
    assert set(SEEN) == set(FAULTS)
    assert set(HIDDEN) <= set(FAULTS)
    counts = {name: sum(bool(expected(one, fault)) for fault in FAULTS) for name, one in PROTOCOLS.items()}
    assert min(counts.values()) >= 10, counts
    seen = {key for steps in SEEN.values() for key in steps}
    assert seen == {step.key for step in (*STEPS, *LAST)}


def test_every_step_says_what_it_is_for() -> None:
    steps = (*STEPS, *LAST)
    assert len({step.key for step in steps}) == len(steps)
    for step in steps:
        assert step.title
        assert step.expected
        assert step.why.endswith(".")


def test_the_handbook_names_every_step_and_every_mischief() -> None:
    page = (Path(__file__).parents[2] / "docs" / "howto" / "conformance.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    named = {word.strip("`") for row in rows for word in row.split("|")[1].replace(",", " ").split()}
    assert named == {step.key for step in (*STEPS, *LAST)} | set(STORIES) - {"none"}


def test_nobody_there_fails_everything_at_once() -> None:
    told = run(target_at("http://127.0.0.1:1", PROTOCOLS["qiwi"]))
    assert len(told.failed()) == len(STEPS) + len(LAST)
    assert {one.said for one in told.outcomes} == {("nobody answers at this address",)}
