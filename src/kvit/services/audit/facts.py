"""What the auditor reads: every row of the books once or twice, in the order of ids, never all at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from kvit.domain.file_rows import AssignmentRow, ResolutionRow, SettlementRow
from kvit.domain.model import (
    AdjustmentRow,
    ChargeRow,
    HoldRow,
    JournalRow,
    NoteRow,
    OutboxRow,
    PaymentRow,
    VoidRow,
)


class TransactionFact(NamedTuple):
    id: int
    kind: str
    accounting_date: str
    created_at_us: int
    reverses: int | None
    reason: str
    author: str


class EntryFact(NamedTuple):
    """``id`` is the transaction's."""

    id: int
    ledger_account: str
    amount_minor: int
    currency: str


class PaymentFact(NamedTuple):
    """``id`` is the receipt; ``number`` of its account and ``void_id`` of its void are null without one."""

    id: int
    row: PaymentRow
    number: str | None
    void_id: int | None


class HoldFact(NamedTuple):
    """A hold as one of its records sees it: ``id`` is the record's; ``number`` is that of its account."""

    id: int
    row: HoldRow
    number: str | None


class NoteFact(NamedTuple):
    """A note on a payment; ``id`` is its record's. The payment's own ids are null without one."""

    id: int
    row: NoteRow
    agreement_id: str | None
    txn: str | None


class ChargeFact(NamedTuple):
    """``id`` is the charge's; the rest of its account and of the act that made it, null without one."""

    id: int
    row: ChargeRow
    number: str | None
    act_verb: str | None
    act_at_us: int | None
    act_actor: str | None


class SliceFact(NamedTuple):
    """A charge as its act sees it: ``id`` is the act's; ``day`` is that of the charge's transaction."""

    id: int
    row: ChargeRow
    number: str | None
    day: str | None


class AdjustmentFact(NamedTuple):
    """``service`` is the adjusted charge's."""

    id: int
    row: AdjustmentRow
    number: str | None
    service: str | None


class VoidFact(NamedTuple):
    """``id`` is the reversing transaction's; the rest is the payment's, null without one."""

    id: int
    row: VoidRow
    account_id: int | None
    agreement_id: str | None
    txn: str | None
    number: str | None
    amount_minor: int | None
    currency: str | None


class AssignmentFact(NamedTuple):
    """A part of a payment in suspense that found its client, or goes back; ``id`` is its own."""

    id: int
    row: AssignmentRow


class AssignedFact(NamedTuple):
    """All such parts of one payment together; ``id`` is the payment's receipt."""

    id: int
    amount_minor: int


class AllocationFact(NamedTuple):
    """``id`` is the source's: a payment's receipt or a credit's id."""

    id: int
    charge_id: int
    act_id: int
    amount_minor: int


class OutboxFact(NamedTuple):
    id: int
    row: OutboxRow


class JournalFact(NamedTuple):
    id: int
    row: JournalRow


class AccountFact(NamedTuple):
    """``entries_minor`` is the sum of the entries on the account's name in the ledger."""

    id: int
    number: str
    balance_minor: int
    entries_minor: int


class OpenChargeFact(NamedTuple):
    """A charge as its account sees it; ``id`` is the account's, as in the next two."""

    id: int
    charge_id: int
    amount_minor: int
    open_minor: int


class ChangeFact(NamedTuple):
    """An adjustment as its account sees it."""

    id: int
    charge_id: int | None
    amount_minor: int


class ShareFact(NamedTuple):
    """A payment or credit as its account sees it, once for each of its allocations (null: it has none)."""

    id: int
    source_id: int
    advance_minor: int
    charge_id: int | None
    amount_minor: int | None


class SettlementFact(NamedTuple):
    """A settlement: ``id`` is its own, or that of the transaction that undid it.

    ``undone_by``: how many transactions undo it.
    """

    id: int
    row: SettlementRow
    undone_by: int


class ResolutionFact(NamedTuple):
    """What a person decided about a finding of a reconciliation."""

    id: int
    row: ResolutionRow


class CloseFact(NamedTuple):
    """The record of a period's close; ``id`` is the record's, ``through`` the last day that is closed."""

    id: int
    through: str
    at_us: int
    digest: bytes
    detail: str
    position: int | None


class AnnouncedFact(NamedTuple):
    """The transaction of a payment whose id does not say when it was booked; ``position``: of its record.

    It was announced before it was posted; or a relay gave its receipt, which is above every id of ours, and
    then ``created_at_us`` is set.
    """

    id: int
    accounting_date: str
    position: int | None
    created_at_us: int | None = None

    def is_after(self, close: CloseFact) -> bool:
        """Records are given places after their commit, all that wait at once, in the order of their ids.

        So a relay's record comes after that of a close which waited with it: there the clock decides.
        """
        if self.created_at_us is not None and self.created_at_us <= close.at_us:
            return False
        return close.position is not None and (self.position is None or self.position > close.position)


class LinkFact(NamedTuple):
    """A sealed record and the chain's value that is stored with it."""

    position: int
    chain: bytes | None
    row: JournalRow


class AuditBook(Protocol):
    """One snapshot of the books. Each method gives one biller's rows, lowest ``id`` first."""

    def billers(self) -> list[tuple[str, str]]:
        """(biller, currency)"""
        ...

    def strangers(self) -> list[tuple[str, str]]:
        """(table, biller) of rows whose biller does not exist."""
        ...

    def transactions(self, biller_id: str) -> Iterable[TransactionFact]: ...

    def entries(self, biller_id: str) -> Iterable[EntryFact]: ...

    def payments(self, biller_id: str) -> Iterable[PaymentFact]: ...

    def holds_begun(self, biller_id: str) -> Iterable[HoldFact]:
        """The holds by the record of their beginning."""
        ...

    def holds_ended(self, biller_id: str) -> Iterable[HoldFact]:
        """Those that have ended, by the record of that."""
        ...

    def notes(self, biller_id: str) -> Iterable[NoteFact]: ...

    def charges(self, biller_id: str) -> Iterable[ChargeFact]: ...

    def slices(self, biller_id: str) -> Iterable[SliceFact]:
        """The charges again, by the act that made them."""
        ...

    def adjustments(self, biller_id: str) -> Iterable[AdjustmentFact]: ...

    def voids(self, biller_id: str) -> Iterable[VoidFact]: ...

    def allocations(self, biller_id: str) -> Iterable[AllocationFact]: ...

    def assignments(self, biller_id: str) -> Iterable[AssignmentFact]: ...

    def assigned(self, biller_id: str) -> Iterable[AssignedFact]: ...

    def settlements(self, biller_id: str) -> Iterable[SettlementFact]: ...

    def unsettled(self, biller_id: str) -> Iterable[SettlementFact]:
        """The settlements that a transaction undoes, by that transaction."""
        ...

    def resolutions(self, biller_id: str) -> Iterable[ResolutionFact]: ...

    def closes(self, biller_id: str) -> list[CloseFact]:
        """The records of closed periods."""
        ...

    def announced_before(self, biller_id: str, through: str) -> Iterable[AnnouncedFact]:
        """The payments that were announced first or came by a relay, and are dated on or before this day."""
        ...

    def closed_through(self, biller_id: str) -> str:
        """What the biller's own row says."""
        ...

    def outbox(self, biller_id: str) -> Iterable[OutboxFact]: ...

    def journal(self, biller_id: str) -> Iterable[JournalFact]: ...

    def accounts(self, biller_id: str) -> Iterable[AccountFact]: ...

    def open_charges(self, biller_id: str) -> Iterable[OpenChargeFact]: ...

    def changes(self, biller_id: str) -> Iterable[ChangeFact]: ...

    def payment_shares(self, biller_id: str) -> Iterable[ShareFact]: ...

    def credit_shares(self, biller_id: str) -> Iterable[ShareFact]: ...

    def unnamed_acts(self, biller_id: str) -> Iterable[int]:
        """Ids of acts of allocations that neither a transaction nor a journal record carries."""
        ...

    def links(self, biller_id: str) -> Iterable[LinkFact]:
        """The sealed records by position."""
        ...

    def unsealed(self, biller_id: str) -> tuple[int, int | None]:
        """How many records have no place yet, and the instant of the oldest, in microseconds."""
        ...

    def highest_id(self, biller_id: str) -> int:
        """The highest id of the books' own series that any row carries; 0 for empty books."""
        ...

    def next_id(self) -> int:
        """An id below which every id was given before."""
        ...
