"""What is decided about a line of a file, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from kvit.domain import file_rows as states
from kvit.domain.lines import BadLine, MoneyLine
from kvit.domain.messages import Post
from kvit.domain.model import Agreement
from kvit.services.intake.matching import Hit

NEW = "new"
KNOWN = "known"
CONFIRMS = "confirmed"
TWIN = "twin"
QUARANTINED = "quarantined"
SUSPENDED = "suspense"
IGNORED = "ignored"
LUMP = "lump"
VERDICTS = (NEW, KNOWN, CONFIRMS, TWIN, QUARANTINED, SUSPENDED, IGNORED, LUMP)

#: The verdict of a line that an import has dealt with already, by its state.
VERDICT_OF = {
    states.POSTED_LINE: NEW,
    states.CONFIRMED: CONFIRMS,
    states.IN_SUSPENSE: SUSPENDED,
    states.QUARANTINE: QUARANTINED,
    states.IGNORED: IGNORED,
    states.LUMP: LUMP,
    states.SETTLED: LUMP,
}


class Item(NamedTuple):
    """A line with its id."""

    key: str
    line: MoneyLine | BadLine


@dataclass(slots=True)
class Decided:
    """What is to become of a line.

    ``post`` books it (then ``state`` is what it will be if that succeeds); ``receipt`` is a payment that it
    confirms. ``number`` is the account, or a lump sum's agreement. ``generation``: see ``LineRow``.
    ``key`` is the id under which it is kept (``is_kept``: it is there from before); lines that are not kept
    (known before, no money yet) have an empty ``state``.
    """

    key: str
    line: MoneyLine | BadLine
    verdict: str
    state: str = ""
    number: str = ""
    rule: str = ""
    reason: str = ""
    receipt: int | None = None
    post: tuple[Agreement, Post] | None = None
    generation: int = 0
    is_kept: bool = False
    proposals: tuple[Hit, ...] = ()


@dataclass(slots=True)
class Counts:
    """What an import did, or would do: lines by verdict, by rule, and the sum of what came in."""

    rows: int = 0
    by_verdict: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VERDICTS, 0))
    by_rule: dict[str, int] = field(default_factory=dict)
    total_minor: int = 0

    def add(self, decided: Decided) -> None:
        self.rows += 1
        self.by_verdict[decided.verdict] += 1
        if decided.rule and decided.verdict in (NEW, TWIN):
            self.by_rule[decided.rule] = self.by_rule.get(decided.rule, 0) + 1
        line = decided.line
        if isinstance(line, MoneyLine) and line.direction == "in" and line.is_final:
            self.total_minor += line.amount_minor

    def as_texts(self) -> Mapping[str, int]:
        """The counts by the names that reports give them."""
        names = {TWIN: "twins", LUMP: "lumps"}
        return {names.get(verdict, verdict): count for verdict, count in self.by_verdict.items()}
