"""The journal's hash chain, computed anew, and held against heads that were written down earlier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kvit.domain.errors import SettingsError
from kvit.domain.journal import GENESIS, chained
from kvit.services.audit.facts import AuditBook
from kvit.services.audit.report import Findings, Report

#: A record that waits for its place longer than this is a fault: the sealer does not run.
UNSEALED_AGE_MAX_US = 60_000_000


class Anchor(NamedTuple):
    """A head of the chain that was written down outside the database."""

    position: int
    chain: bytes


def read_anchor(text: str) -> Anchor:
    """``412:ab12…`` as a report gives it. Raises ``SettingsError`` for anything else."""
    position, _, chain = text.strip().partition(":")
    try:
        anchor = Anchor(int(position), bytes.fromhex(chain))
    except ValueError:
        anchor = Anchor(0, b"")
    if anchor.position < 1 or len(anchor.chain) != len(GENESIS):
        raise SettingsError(
            f"{text} is not a head of the chain; write the position, a colon and 64 hexadecimal digits, "
            "as an earlier `kvit audit verify` printed them"
        )
    return anchor


def head_text(position: int, chain: bytes) -> str:
    return f"{position}:{chain.hex()}"


def check_chain(
    findings: Findings, book: AuditBook, biller_id: str, anchors: Mapping[int, bytes], report: Report
) -> None:
    """Positions 1, 2, 3 … and every value from the one before; counts into ``report``."""
    position, chain, missing_anchors = 0, GENESIS, dict(anchors)
    for link in book.links(biller_id):
        position += 1
        subject = f"journal record {link.row.journal_id}"
        if link.position != position:
            text = f"follows at position {link.position}, where {position} was due: records are missing"
            findings.add("chain", subject, text)
            position = link.position
        if link.chain != chained(chain, link.position, link.row):
            text = f"at position {position} does not follow from the record before: one of them was changed"
            findings.add("chain", subject, text)
        # On with what is stored: one changed record is one finding, not one for each record after it.
        chain = link.chain or GENESIS
        if missing_anchors.pop(position, chain) != chain:
            text = "is not the head that was written down for it: the chain was made anew"
            findings.add("chain", f"position {position}", text)
        report.sealed += 1
    for written_down in sorted(missing_anchors):
        text = f"was a head of the chain, which now ends at {position}: its tail was cut off"
        findings.add("chain", f"position {written_down}", text)
    report.heads[biller_id] = head_text(position, chain)


def check_unsealed(findings: Findings, book: AuditBook, biller_id: str, now_us: int, report: Report) -> None:
    """Records without a place are no fault while they are fresh."""
    count, oldest_at_us = book.unsealed(biller_id)
    report.unsealed += count
    if oldest_at_us is not None and now_us - oldest_at_us > UNSEALED_AGE_MAX_US:
        minutes = (now_us - oldest_at_us) // 60_000_000
        text = f"wait for their place in the chain, the oldest for {minutes} min: does `kvit serve` run?"
        findings.add("unsealed", f"{count} journal records", text)
