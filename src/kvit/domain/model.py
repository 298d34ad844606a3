"""The nouns of the books. Row types are named tuples in the order of the tables' columns.

A row can be handed to a database driver as it is; ``tests/storage/test_schema.py`` holds the columns
and these fields together. Instants are integers, microseconds since 1970 in UTC (``_at_us``); days are
ISO text (``_on``, ``_date``); sums are integers of minor units (``_minor``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kvit.domain.file_terms import NO_FILES, FileTerms
from kvit.domain.relay_terms import NO_RELAY, RelayTerms

POSTED = "posted"
VOIDED = "voided"
#: States of a hold, beside ``POSTED`` and ``messages.EXPIRED``.
HELD = "held"
RELEASED = "released"
#: The account of a payment whose money is in suspense: there is no account with this id.
NOBODY = 0
BY_INVOICE = "invoice"  # what payers of an agreement type where it is not an account's number
ACTIVE = "active"
CLOSED = "closed"
#: The protocol of an agreement whose agent only sends and takes files: it has no door.
FILES_ONLY = "files"


class Biller(NamedTuple):
    """The organisation that is owed. ``closed_through``: no entry may be dated on or before this day."""

    biller_id: str
    name: str
    currency: str
    timezone: str
    number_scheme: str
    closed_through: str
    created_at_us: int


class AccountRow(NamedTuple):
    """A client's account. ``balance_minor`` > 0 is owed by the client, < 0 is paid in advance."""

    biller_id: str
    account_id: int
    number: str
    status: str
    name: str
    address: str
    phone: str
    email: str
    attributes: str
    balance_minor: int
    created_at_us: int


class ChargeRow(NamedTuple):
    """One amount owed. Its id is also the id of its ledger transaction."""

    biller_id: str
    charge_id: int
    account_id: int
    service: str
    period: str
    document: str
    occurrence: int
    amount_minor: int
    open_minor: int
    due_on: str
    act_id: int


class AdjustmentRow(NamedTuple):
    """A change of what is owed: of one charge, or a free credit whose unused rest is ``advance_minor``."""

    biller_id: str
    adjustment_id: int
    account_id: int
    charge_id: int | None
    amount_minor: int
    advance_minor: int
    as_of: str
    reason: str
    author: str


class PaymentRow(NamedTuple):
    """One collection, known by (biller, agreement, txn) for ever. ``receipt`` is its transaction's id.

    ``typed`` is what the payer typed where that is not the account's number: an invoice's, or one that
    nobody has (then ``account_id`` is ``NOBODY``). ``service_code`` is the network's own name of the service
    where it is not ours.
    """

    biller_id: str
    agreement_id: str
    txn: str
    receipt: int
    account_id: int
    amount_minor: int
    currency: str
    service: str
    state: str
    attempts: int
    advance_minor: int
    payer_fee_minor: int
    biller_fee_minor: int
    network_time: str
    network_at_us: int | None
    received_at_us: int
    accounting_date: str
    fields: str
    typed: str = ""
    service_code: str = ""


class HoldRow(NamedTuple):
    """A payment that was announced: ``receipt`` will be its payment's. Never deleted, whatever becomes of it.

    ``expires_at_us`` null: it does not end by itself. ``ended_at_us`` is when it was posted, released or
    found to have expired. ``targets`` are the ids of the charges it is for, joined by commas. ``act_id`` and
    ``end_act_id`` are the journal's records of its beginning and of its end.
    """

    biller_id: str
    agreement_id: str
    txn: str
    receipt: int
    account_id: int
    amount_minor: int
    currency: str
    service: str
    state: str
    attempts: int
    network_time: str
    network_at_us: int | None
    held_at_us: int
    expires_at_us: int | None
    ended_at_us: int | None
    reason: str
    void_txn: str
    targets: str
    fields: str
    typed: str
    service_code: str
    act_id: int
    end_act_id: int | None


class NoteRow(NamedTuple):
    """Facts that came after a payment, such as a fiscal receipt; ``fields`` is JSON."""

    biller_id: str
    receipt: int
    note_id: int
    kind: str
    noted_at_us: int
    fields: str


class AllocationRow(NamedTuple):
    """Part of a payment or credit (``source_id``) -> a charge; undone by a row with the sum negated.

    ``act_id`` names the transaction or journal record that made it.
    """

    biller_id: str
    source_id: int
    charge_id: int
    act_id: int
    amount_minor: int


class TransactionRow(NamedTuple):
    """One atomic fact of double-entry book-keeping. ``reverses`` is the id of what it takes back."""

    biller_id: str
    transaction_id: int
    kind: str
    accounting_date: str
    created_at_us: int
    reverses: int | None
    reason: str
    author: str


class EntryRow(NamedTuple):
    """One side of a transaction: debit > 0, credit < 0."""

    biller_id: str
    transaction_id: int
    ledger_account: str
    amount_minor: int
    currency: str


class VoidRow(NamedTuple):
    """A payment taken back: when, by whom, why, and by which reversing transaction."""

    biller_id: str
    receipt: int
    transaction_id: int
    void_txn: str
    voided_at_us: int
    reason: str
    author: str


class OutboxRow(NamedTuple):
    """Something still to be told to other systems; it carries the id of its journal record."""

    biller_id: str
    outbox_id: int
    kind: str
    subject: str
    created_at_us: int


class JournalRow(NamedTuple):
    """Who did what. The sealer adds its place in the hash chain a moment later."""

    biller_id: str
    journal_id: int
    at_us: int
    actor: str
    verb: str
    subject: str
    digest: bytes
    detail: str


@dataclass(frozen=True, slots=True)
class Fee:
    """What the agent keeps of each payment: a share (1.2 % = 12000 millionths) and a fixed part."""

    percent_millionths: int = 0
    fixed_minor: int = 0
    min_minor: int = 0
    max_minor: int | None = None

    def of(self, amount_minor: int) -> int:
        """The biller's fee on ``amount_minor``, half a minor unit rounded up, never above the sum."""
        share = (amount_minor * self.percent_millionths + 500_000) // 1_000_000
        fee = max(share + self.fixed_minor, self.min_minor)
        if self.max_minor is not None:
            fee = min(fee, self.max_minor)
        return min(fee, amount_minor)


@dataclass(frozen=True, slots=True)
class ServiceTerms:
    """One of several services at one door: the network's ``code``, our ``service``, and limits of its own."""

    code: str
    service: str
    min_minor: int | None = None
    max_minor: int | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The contract with one agent as data. Secrets are in clear here and never printed.

    ``payer_key``: payers type an account's number (empty) or an invoice's (``BY_INVOICE``); ``payer_fields``
    names the request's fields that hold it, where it is not the protocol's own one. ``may_refund``: the
    agent may take posted payments back. ``may_hold``: its protocol announces payments.
    """

    agreement_id: str
    biller_id: str
    protocol: str
    mode: str
    currency: str
    exponent: int
    timezone: str
    networks: tuple[str, ...] = ()
    basic_login: str = ""
    basic_password: str = field(default="", repr=False)
    min_minor: int | None = None
    max_minor: int | None = None
    show_name: str = "masked"
    valid_from: str = ""
    valid_until: str = ""
    fee: Fee = Fee()
    dialect: tuple[tuple[str, str], ...] = ()
    title: str = ""
    secret: str = field(default="", repr=False)
    public_key: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    services: tuple[ServiceTerms, ...] = ()
    payer_key: str = ""
    payer_fields: tuple[str, ...] = ()
    may_refund: bool = True
    may_hold: bool = False
    files: FileTerms = NO_FILES
    relay: RelayTerms = NO_RELAY
    version: int = 0

    @property
    def has_door(self) -> bool:
        """Does its agent speak with us online?"""
        return self.protocol != FILES_ONLY

    @property
    def by_invoice(self) -> bool:
        """Do payers type the number of an invoice?"""
        return self.payer_key == BY_INVOICE

    @property
    def is_test(self) -> bool:
        return self.mode == "test"


class PaymentKey(NamedTuple):
    """What a payment is known by, for ever."""

    biller_id: str
    agreement_id: str
    txn: str


class AccountKey(NamedTuple):
    biller_id: str
    number: str


@dataclass(slots=True)
class StoredPayment:
    """A payment as the books know it; ``number`` is its account's number, empty in suspense."""

    receipt: int
    account_id: int
    number: str
    amount_minor: int
    currency: str
    service: str
    state: str
    received_at_us: int
    network_at_us: int | None
    attempts: int = 1
    typed: str = ""
    service_code: str = ""


@dataclass(slots=True)
class StoredHold:
    """A hold as the books know it; ``number`` is its account's number."""

    receipt: int
    account_id: int
    number: str
    amount_minor: int
    currency: str
    service: str
    state: str
    held_at_us: int
    expires_at_us: int | None
    ended_at_us: int | None
    network_at_us: int | None
    network_time: str
    reason: str
    void_txn: str
    targets: str
    fields: str
    typed: str = ""
    service_code: str = ""


@dataclass(slots=True)
class StoredInvoice:
    """All charges of one document: whose they are, and their ids."""

    account_id: int
    number: str
    charge_ids: list[int]


@dataclass(slots=True)
class AccountState:
    """A locked account as a posting needs it."""

    account_id: int
    number: str
    status: str
    balance_minor: int


@dataclass(slots=True)
class OpenItem:
    """A charge with something still open, or a source with something still unused."""

    item_id: int
    open_minor: int
    due_on: str = ""
    service: str = ""


JsonObject = dict[str, Any]
