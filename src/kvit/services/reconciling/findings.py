"""What a reconciliation says: findings with stable keys, and what can be done about each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from kvit.domain.journal import digest_of

MISSING_HERE = "missing-here"
MISSING_THERE = "missing-there"
DIFFERS = "differs"
TWIN = "twin"
DAY_SHIFTED = "day-shifted"
FEE_DIFFERS = "fee-differs"
REGISTER_LATE = "register-late"
REGISTER_MISSING = "register-missing"
REGISTER_EMPTY = "register-empty"
SETTLEMENT_MISSING = "settlement-missing"
SETTLEMENT_SHORT = "settlement-short"
SETTLEMENT_OVER = "settlement-over"

#: An open finding needs somebody; a note is a difference that nothing has to be done about.
OPEN = "open"
NOTE = "note"
RESOLVED = "resolved"

ACCEPT = "accept"
ASK = "ask"
VOID = "void"
MOVE_DAY = "move-day"

#: What `kvit reconcile resolve` does; ``docs/howto/reconcile.md`` explains each.
REMEDIES: dict[str, str] = {
    ACCEPT: "it stays as it is, for the reason that you give",
    ASK: "write down that the agent was asked; the finding stays open",
    VOID: "take the surplus payment back",
    MOVE_DAY: "let the payment count on the register's day",
}

#: Kind -> what `kvit reconcile resolve --remedy` may do about it.
REMEDIES_OF: dict[str, tuple[str, ...]] = {
    MISSING_HERE: (ACCEPT, ASK),
    MISSING_THERE: (VOID, ACCEPT, ASK),
    DIFFERS: (ACCEPT, ASK),
    TWIN: (VOID, ACCEPT, ASK),
    DAY_SHIFTED: (MOVE_DAY, ACCEPT),
    FEE_DIFFERS: (ACCEPT, ASK),
    REGISTER_LATE: (ACCEPT, ASK),
    REGISTER_MISSING: (ASK, ACCEPT),
    REGISTER_EMPTY: (ASK, ACCEPT),
    SETTLEMENT_MISSING: (ASK, ACCEPT),
    SETTLEMENT_SHORT: (ACCEPT, ASK),
    SETTLEMENT_OVER: (ACCEPT, ASK),
}


class Resolution(NamedTuple):
    """What a person decided, and why."""

    remedy: str
    reason: str
    author: str
    at_us: int


@dataclass(slots=True)
class Finding:
    """One difference. ``here_minor``: by our books, ``there_minor``: by the agent; ``None`` where one has
    nothing. ``receipts``: payments that it is about, the surplus one first. ``commands``: other commands that
    mend it. ``asked``: that the agent was asked, which settles nothing yet.
    """

    kind: str
    agreement_id: str
    day: str
    subject: str
    text: str
    here_minor: int | None = None
    there_minor: int | None = None
    txn: str = ""
    number: str = ""
    receipts: tuple[int, ...] = ()
    line_key: str = ""
    state: str = OPEN
    commands: tuple[str, ...] = ()
    resolution: Resolution | None = None
    asked: Resolution | None = field(default=None)

    @property
    def key(self) -> str:
        """Names this very difference: of other sums it is another one, which nobody has accepted yet."""
        parts = (self.kind, self.subject, str(self.here_minor), str(self.there_minor))
        return f"{self.agreement_id}/{self.day}/{self.kind}/{digest_of(*parts).hex()[:10]}"

    @property
    def remedies(self) -> tuple[str, ...]:
        return REMEDIES_OF[self.kind]


class Key(NamedTuple):
    """A finding's key taken apart."""

    agreement_id: str
    day: str
    kind: str


def read_key(text: str) -> Key | None:
    """``None`` for what is no key of a finding."""
    parts = text.split("/")
    if len(parts) != 4 or parts[2] not in REMEDIES_OF:
        return None
    return Key(*parts[:3])
