"""Row types of the tables about files, fields in the order of the columns."""

from __future__ import annotations

from typing import NamedTuple

#: What may become of a line. ``QUARANTINE`` and ``LUMP`` wait for a person or a settlement.
POSTED_LINE = "posted"
CONFIRMED = "confirmed"
IN_SUSPENSE = "suspense"
QUARANTINE = "quarantine"
LUMP = "lump"
SETTLED = "settled"
IGNORED = "ignored"
MENDED = "mended"
DROPPED = "dropped"
UNDONE = "undone"
LINE_STATES = (
    POSTED_LINE, CONFIRMED, IN_SUSPENSE, QUARANTINE, LUMP, SETTLED, IGNORED, MENDED, DROPPED, UNDONE,
)  # fmt: skip


class FilePartRow(NamedTuple):
    """A stretch of a kept file's bytes (packed with zlib).

    ``digest``: SHA-256 of the whole file, in hexadecimal.
    """

    biller_id: str
    digest: str
    part: int
    content: bytes


class LineRow(NamedTuple):
    """One line of a register or statement, and what became of it.

    Known by (biller, ``source``, ``line_key``) for ever: ``source`` is the agreement's id, or
    ``bank:<account>`` for a statement; the key is a ``kvit.domain.lines.LineIds`` id. ``import_id`` and
    ``line``: where it was seen first (or again, after it was undone). ``file_number``: the client's number
    as the file has it; ``number``: the account that it went to, or a lump sum's agreement. ``state``: one
    of ``LINE_STATES``; ``rule`` and ``reason``: why. ``receipt``: the payment that it became or confirms.
    ``generation``: how often it was undone or moved: part of its payment's txn.
    """

    biller_id: str
    source: str
    line_key: str
    import_id: int
    line: int
    kind: str
    day: str
    at: str
    direction: str
    amount_minor: int
    currency: str
    file_number: str
    payer: str
    payer_account: str
    text: str
    service: str
    document: str
    fee_minor: int | None
    net_minor: int | None
    raw: str
    state: str
    number: str
    rule: str
    reason: str
    receipt: int | None
    generation: int


class LineActRow(NamedTuple):
    """What a person or an import did with a line; nothing of it is ever changed."""

    biller_id: str
    act_id: int
    source: str
    line_key: str
    verb: str
    state: str
    receipt: int | None
    reason: str
    author: str
    at_us: int


class AssignmentRow(NamedTuple):
    """A part of a payment in suspense that found its client (``assigned``) or goes back (``returned``).

    Its id is that of its ledger transaction, and of the credit that the client gets.
    """

    biller_id: str
    assignment_id: int
    receipt: int
    kind: str
    account_id: int
    amount_minor: int
    reason: str
    author: str
    at_us: int


class SettlementRow(NamedTuple):
    """An agent's lump sum on the statement, for what it collected from ``first_day`` to ``last_day``.

    ``gross_minor`` collected, ``fee_minor`` kept, ``net_minor`` paid out; ``difference_minor`` is what was
    paid
    out above (or below) gross less fee. Its id is that of its ledger transaction. ``state``: posted or
    undone.
    """

    biller_id: str
    settlement_id: int
    agreement_id: str
    source: str
    line_key: str
    first_day: str
    last_day: str
    gross_minor: int
    fee_minor: int
    net_minor: int
    difference_minor: int
    reason: str
    author: str
    at_us: int
    state: str


class ResolutionRow(NamedTuple):
    """What a person decided about a finding of a reconciliation, and why."""

    biller_id: str
    resolution_id: int
    agreement_id: str
    day: str
    finding: str
    remedy: str
    reason: str
    author: str
    at_us: int


class RuleRow(NamedTuple):
    """One rule that finds the account of a statement's line; ``place``: the order; ``spec``: JSON."""

    biller_id: str
    rule: str
    place: int
    spec: str
    state: str
    author: str
    changed_at_us: int


class DebtRegisterRow(NamedTuple):
    """One register of debts, known by (agreement, ``register_number``).

    ``base_number``: of ``changes``, the last accepted register before (0: none). ``rows_digest``: the kept
    neutral rows that the file was made from; ``file_digest``: the file. ``state``: written, sent, accepted,
    rejected or superseded.
    """

    biller_id: str
    agreement_id: str
    register_number: int
    rows_kind: str
    contents: str
    base_number: int
    format: str
    file_name: str
    file_digest: str
    rows_digest: str
    row_count: int
    total_minor: int
    as_of_us: int
    author: str
    made_at_us: int
    state: str
    sent_at_us: int | None
    decided_at_us: int | None
    comment: str


class DebtRejectRow(NamedTuple):
    """A row of a register that the bank refused.

    its place from 1, what it was about, and the bank's reason.
    """

    biller_id: str
    agreement_id: str
    register_number: int
    row_number: int
    row_key: str
    reason: str


class PresetRow(NamedTuple):
    """A saved column map; ``spec``: JSON."""

    biller_id: str
    name: str
    spec: str
    author: str
    changed_at_us: int


class ChannelFileRow(NamedTuple):
    """A file that went (``out``) or came (``in``) by an agreement's channel.

    Written down as ``begun`` before anything is sent; ``state``: begun, done or failed.
    """

    biller_id: str
    agreement_id: str
    direction: str
    remote_name: str
    digest: str
    size_bytes: int
    began_at_us: int
    state: str
    detail: str
    ended_at_us: int | None


class DueRunRow(NamedTuple):
    """One run of an agreement's scheduled job: whoever writes the row first runs it."""

    biller_id: str
    agreement_id: str
    job: str
    due_at_us: int
    runner: str
    began_at_us: int
    state: str
    detail: str
    ended_at_us: int | None
