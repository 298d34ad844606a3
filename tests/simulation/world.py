"""What all parts of one history share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kvit.main import make_terms
from kvit.protocols.base import Protocol, Terms
from kvit.protocols.registry import PROTOCOLS
from kvit.storage import sqlite
from kvit.web.doors import Directory
from tests.simulation.loop import VirtualLoop, WallClock
from tests.simulation.plan import Plan
from tests.simulation.store import Store
from tests.simulation.trace import Trace

if TYPE_CHECKING:
    from tests.simulation.process import Process

QIWI: Protocol = PROTOCOLS["qiwi"]


@dataclass(eq=False)
class World:
    """``observer`` is a connection that sees what is committed and nothing else."""

    plan: Plan
    loop: VirtualLoop
    trace: Trace
    store: Store
    observer: sqlite.Connection
    clock: WallClock
    directory: Directory = field(default_factory=Directory)
    terms: dict[str, Terms] = field(default_factory=dict)
    #: The one that serves; ``None`` while there is none.
    process: Process | None = None

    def __post_init__(self) -> None:
        self.terms = {name: make_terms(one) for name, one in self.plan.agreements.items()}

    @property
    def is_quiet(self) -> bool:
        """Nothing bad happens any more."""
        return self.loop.time() >= self.plan.quiet_s
