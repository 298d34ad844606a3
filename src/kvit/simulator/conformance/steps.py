"""What a step of the acceptance test is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kvit.simulator.conformance.bench import Target, Trial


def _always(_: Target) -> str:
    return ""


@dataclass(frozen=True)
class Step:
    """One step: what it does, what has to come of it, and why that matters for the money.

    ``needs`` names the kinds of commands that the agreement has to offer; ``unfit`` gives a reason why the
    step does not apply to a target, or nothing.
    """

    key: str
    title: str
    expected: str
    why: str
    play: Callable[[Trial], Awaitable[None]]
    needs: tuple[str, ...] = ()
    unfit: Callable[[Target], str] = _always


def two_phases(target: Target) -> str:
    """Only where payments are announced before they are booked."""
    return "" if target.network.protocol.two_phase else "this protocol books in one phase"


def may_refuse(target: Target) -> str:
    """Only where a payment can be refused."""
    return "this network tells of money that is already taken" if target.network.protocol.habits.taken else ""
