"""The fees that a register names, against those of the agreement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from kvit.services.reconciling.facts import BOOKED_LINES, Facts, Told
from kvit.services.reconciling.findings import FEE_DIFFERS, Finding
from kvit.services.reconciling.pairing import Pairs, Wording
from kvit.services.settling.fees import exact_fee, is_on_total, is_stated, rounded

#: Above so many rows of a day, another tariff is the reason: one finding for all of them.
_ROWS_MAX = 20


def compare_fees(facts: Facts, pairs: Pairs, words: Wording) -> Iterator[Finding]:
    """Nothing where the agreement names no fee, or the register none."""
    if not is_stated(facts.agreement):
        return
    by_day: dict[str, list[Told]] = defaultdict(list)
    for row in pairs.rows:
        if row.fee_minor is not None and row.state in BOOKED_LINES:
            by_day[row.day].append(row)
    for day, rows in sorted(by_day.items()):
        yield from (_on_total if is_on_total(facts.agreement) else _by_row)(facts, words, day, rows)


def _by_row(facts: Facts, words: Wording, day: str, rows: list[Told]) -> Iterator[Finding]:
    fee = facts.agreement.fee
    differing = [(row, fee.of(row.paid_minor)) for row in rows if row.fee_minor != fee.of(row.paid_minor)]
    if len(differing) > _ROWS_MAX:
        ours_minor, theirs_minor = sum(ours for _, ours in differing), _told(row for row, _ in differing)
        text = (
            f"the register of {day} has fees of {words.money(theirs_minor)} in {len(differing)} rows; by the "
            f"agreement they are {words.money(ours_minor)}: another tariff?"
        )
        yield Finding(FEE_DIFFERS, words.agreement_id, day, day, text, ours_minor, theirs_minor)
        return
    for row, ours_minor in differing:
        text = (
            f"the fee on {words.money(row.paid_minor)} for {row.file_number} is "
            f"{words.money(row.fee_minor or 0)} in the register, {words.money(ours_minor)} by the agreement"
        )
        yield Finding(
            FEE_DIFFERS, words.agreement_id, day, row.line_key, text, ours_minor, row.fee_minor, row.line_key,
            row.file_number, () if row.receipt is None else (row.receipt,), row.line_key,
        )  # fmt: skip


def _on_total(facts: Facts, words: Wording, day: str, rows: list[Told]) -> Iterator[Finding]:
    """Rows may each be rounded as the agent likes: half a minor unit a row is no difference."""
    ours_minor = rounded(sum(exact_fee(facts.agreement.fee, row.paid_minor) for row in rows))
    theirs_minor = _told(rows)
    if abs(ours_minor - theirs_minor) > (len(rows) + 1) // 2:
        text = (
            f"the register of {day} has fees of {words.money(theirs_minor)} in {len(rows)} rows; by the "
            f"agreement they are {words.money(ours_minor)}"
        )
        yield Finding(FEE_DIFFERS, words.agreement_id, day, day, text, ours_minor, theirs_minor)


def _told(rows: Iterator[Told] | list[Told]) -> int:
    return sum(row.fee_minor or 0 for row in rows)
