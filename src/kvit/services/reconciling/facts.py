"""What a reconciliation compares, and the port it reads it through: few ordered reads, however many rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from kvit.domain.file_rows import CONFIRMED, DROPPED, IN_SUSPENSE, POSTED_LINE, QUARANTINE, ResolutionRow
from kvit.domain.model import Agreement
from kvit.services.settling.facts import Collected, Payout, Span

#: States of a register's row whose money is in the books, and of one whose money is not.
BOOKED_LINES = frozenset((POSTED_LINE, CONFIRMED, IN_SUSPENSE))
UNBOOKED_LINES = frozenset((QUARANTINE, DROPPED))
#: A row in one of these made its payment; ``CONFIRMED`` is that of a payment that came online.
MAKING_LINES = frozenset((POSTED_LINE, IN_SUSPENSE))

#: A payment and its row in a register may be so many days apart before they are looked for one by one.
NEAR_DAYS = 3
#: The rule of a row about which a person has decided.
_BY_HAND = "by hand"
#: Hexadecimal digits behind ``~`` in the key of a row that contradicts an earlier one.
_MARK_LENGTH = 12


class Paid(NamedTuple):
    """A payment as the books have it.

    ``number`` is empty in suspense; ``at_us`` is the network's time, or ours.
    """

    receipt: int
    txn: str
    number: str
    typed: str
    amount_minor: int
    is_voided: bool
    day: str
    at_us: int
    fee_minor: int


class Told(NamedTuple):
    """A row of the agent's register. ``receipt``: of the payment that it made or confirms.

    ``day`` is the register's, ``at`` the payer's local time (may be empty). ``number`` is the account that it
    went to, ``file_number`` what the file has. ``paid_minor`` is what the payer paid, ``amount_minor`` what
    the client is to be credited (``RegisterTerms.amount``). A row of direction ``out`` takes money back.
    """

    line_key: str
    import_id: int
    line: int
    day: str
    at: str
    is_out: bool
    amount_minor: int
    paid_minor: int
    file_number: str
    number: str
    fee_minor: int | None
    state: str
    reason: str
    receipt: int | None
    rule: str = ""

    @property
    def is_by_hand(self) -> bool:
        """Did a person say what the row is about, with a reason?"""
        return self.rule == _BY_HAND

    @property
    def id_there(self) -> str:
        """The agent's id of the payment: a row that contradicts an earlier one is kept under a longer key."""
        head, mark, tail = self.line_key.rpartition("~")
        return head if mark and len(tail) == _MARK_LENGTH else self.line_key


class Came(NamedTuple):
    """One import of a register: the days that it is about (empty: not said), how many rows it had."""

    import_id: int
    first_day: str
    last_day: str
    rows: int
    at_us: int


class Expected(NamedTuple):
    """The schedule found no register for ``day`` at ``due_at_us``."""

    day: str
    due_at_us: int


@dataclass(slots=True)
class Facts:
    """Everything about one agreement and a span of days (and ``NEAR_DAYS`` around)."""

    agreement: Agreement
    span: Span
    today: str
    paid: list[Paid]
    told: list[Told]
    came: Sequence[Came] = ()
    expected: Sequence[Expected] = ()
    payouts: Sequence[Payout] = ()
    #: The last day that any standing settlement is about; empty for none.
    paid_through: str = ""
    #: The last day of any statement that was imported; empty for none.
    statements_through: str = ""
    collected: Mapping[str, Collected] = field(default_factory=dict)
    resolutions: Sequence[ResolutionRow] = ()


class ReconcilingBook(Protocol):
    """One snapshot of one agreement's books."""

    def paid(self, span: Span) -> list[Paid]:
        """The payments booked on these days, voided ones too."""
        ...

    def paid_by_receipts(self, receipts: Collection[int]) -> list[Paid]: ...

    def paid_by_txns(self, txns: Collection[str]) -> list[Paid]: ...

    def told(self, span: Span) -> list[Told]:
        """The rows of the agent's registers of these days, and those without a day that came with them."""
        ...

    def told_by_ids(self, txns: Collection[str]) -> list[Told]:
        """Rows that have these ids of the agent, those that contradict an earlier row included."""
        ...

    def told_by_receipts(self, receipts: Collection[int]) -> list[Told]: ...

    def came(self) -> list[Came]:
        """All registers of the agreement that were imported and not undone."""
        ...

    def expected(self) -> list[Expected]:
        """The registers that the schedule missed."""
        ...

    def payouts(self, span: Span) -> list[Payout]:
        """The settlements that stand and touch these days."""
        ...

    def paid_through(self) -> str:
        """The last day that any standing settlement is about; empty for none."""
        ...

    def statements_through(self) -> str:
        """The last day of any statement of the biller's that was imported; empty for none."""
        ...

    def collected(self, span: Span) -> dict[str, Collected]: ...

    def resolutions(self, span: Span) -> list[ResolutionRow]: ...
