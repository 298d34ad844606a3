"""What the store does to one job of a lane: nothing, mostly; else one of these, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from kvit.storage import sqlite


class ProcessDied(BaseException):
    """The gateway's process is gone, at this very statement."""


class Kind(NamedTuple):
    """``moment``: at which statement; ``after``: once it was carried out; ``error``: what is raised then."""

    name: str
    weight: int
    moment: str
    after: bool
    error: Callable[[], BaseException]

    @property
    def is_away(self) -> bool:
        """Is it the database that cannot, so that nobody of a batch can be served?"""
        return isinstance(self.error(), sqlite.OperationalError)


def _away(text: str) -> Callable[[], BaseException]:
    """The database cannot: what the posting takes for "unavailable"."""
    return lambda: sqlite.OperationalError(text)


def _odd() -> BaseException:
    """Something that is the fault of a statement rather than of the database."""
    error: BaseException = sqlite.driver.DatabaseError("malformed")
    return error


KINDS = (
    Kind("locked", 3, "begin", False, _away("database is locked")),
    Kind("i/o error", 3, "statement", False, _away("disk I/O error")),
    Kind("disk full at commit", 3, "commit", False, _away("database or disk is full")),
    Kind("committed, then i/o error", 5, "commit", True, _away("disk I/O error")),
    Kind("odd statement", 3, "statement", False, _odd),
    Kind("odd commit", 1, "commit", False, _odd),
    Kind("committed, then odd", 2, "commit", True, _odd),
    Kind("out of memory", 1, "statement", False, MemoryError),
    Kind("dies at begin", 1, "begin", False, ProcessDied),
    Kind("dies within", 2, "statement", False, ProcessDied),
    Kind("dies before commit", 2, "commit", False, ProcessDied),
    Kind("dies after commit", 4, "commit", True, ProcessDied),
)
_WEIGHTS = [kind.weight for kind in KINDS]
#: A fault within comes at one of so many statements; a job may end before.
_STATEMENTS_MAX = 12


@dataclass(slots=True)
class Fate:
    """What happens to one job. ``poison`` is a txn that no statement about payments survives."""

    kind: Kind | None = None
    countdown: int = 1
    poison: str = ""
    #: Another process had the lock a moment earlier, and did this.
    neighbour: Callable[[], object] | None = None
    fired: bool = False
    poisoned: bool = False

    def before(self, moment: str, statement: str, values: Sequence[Any]) -> None:
        """Called in front of each statement; raises what the fate has in store."""
        if moment == "begin" and self.neighbour is not None:
            neighbour, self.neighbour = self.neighbour, None
            neighbour()
        if self.poison and "INTO payments" in statement and _mentions(values, self.poison):
            self.poisoned = True
            raise _odd()
        self._meet(moment, after=False)

    def after(self, moment: str) -> None:
        """Called behind each statement."""
        self._meet(moment, after=True)

    def _meet(self, moment: str, *, after: bool) -> None:
        kind = self.kind
        if kind is None or self.fired or kind.moment != moment or kind.after is not after:
            return
        self.countdown -= 1
        if self.countdown <= 0:
            self.fired = True
            raise kind.error()


def draw(chance: Random, statements_max: int = _STATEMENTS_MAX) -> Fate:
    """A fate that is not good."""
    (kind,) = chance.choices(KINDS, _WEIGHTS)
    return Fate(kind, chance.randint(1, statements_max) if kind.moment == "statement" else 1)


def moment_of(statement: str) -> str:
    """``begin``, ``commit``, ``rollback`` or ``statement``."""
    word = statement[:8].upper()
    for moment in ("begin", "commit", "rollback"):
        if word.startswith(moment.upper()):
            return moment
    return "statement"


def _mentions(values: object, text: str) -> bool:
    if isinstance(values, str):
        return values == text
    return isinstance(values, Sequence) and any(_mentions(value, text) for value in values)
