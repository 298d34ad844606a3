"""What reached the bank account, against what the agent collected."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from kvit.services.reconciling.facts import Facts
from kvit.services.reconciling.findings import (
    FEE_DIFFERS,
    SETTLEMENT_MISSING,
    SETTLEMENT_OVER,
    SETTLEMENT_SHORT,
    Finding,
)
from kvit.services.reconciling.pairing import Wording
from kvit.services.settling.facts import Block, blocks_of, each_day
from kvit.services.settling.fees import fee_of_days

#: An agent has paid out after so many days: if the statements reach so far, the money has not come.
_DAYS_MAX = 10


def compare_payouts(facts: Facts, words: Wording) -> Iterator[Finding]:
    """Settlements that do not come to what was collected, and days that nobody has paid out."""
    blocks = blocks_of(facts.payouts)
    for block in blocks:
        if facts.span.has(block.last_day):
            yield from _compare(facts, words, block)
    if facts.agreement.files.settlement is None and not facts.paid_through:
        return
    settled = {day for block in blocks for day in each_day(block.span)}
    oldest = ""
    if facts.statements_through:
        reach = date.fromisoformat(facts.statements_through) - timedelta(days=_DAYS_MAX)
        oldest = reach.isoformat()
    for day in each_day(facts.span):
        collected = facts.collected.get(day)
        if day in settled or collected is None or collected.gross_minor <= 0:
            continue
        if day < facts.paid_through or day < oldest:
            gross = words.money(collected.gross_minor)
            text = f"{gross} of {day} ({collected.payments} payments) has not been paid out"
            if day < facts.paid_through:
                text += f", and days up to {facts.paid_through} have"
            yield Finding(SETTLEMENT_MISSING, words.agreement_id, day, day, text, collected.gross_minor)


def _compare(facts: Facts, words: Wording, block: Block) -> Iterator[Finding]:
    days = [facts.collected[day] for day in each_day(block.span) if day in facts.collected]
    gross_minor = sum(day.gross_minor for day in days)
    expected_minor = gross_minor - block.fee_minor
    over_minor = block.net_minor - expected_minor
    of = block.first_day if block.first_day == block.last_day else f"{block.first_day} to {block.last_day}"
    subject = f"{block.first_day}:{block.last_day}"
    numbers = ", ".join(str(payout.settlement_id) for payout in block.payouts)
    if over_minor:
        kind, word = (SETTLEMENT_OVER, "more") if over_minor > 0 else (SETTLEMENT_SHORT, "less")
        why = "; ".join(dict.fromkeys(payout.reason for payout in block.payouts if payout.reason))
        text = (
            f"{words.money(block.net_minor)} was paid out for {of} (settlement {numbers}): "
            f"{words.money(abs(over_minor))} {word} than {words.money(gross_minor)} collected less "
            f"{words.money(block.fee_minor)} fee" + (f" ({why})" if why else "")
        )
        yield Finding(
            kind, words.agreement_id, block.last_day, subject, text, expected_minor, block.net_minor
        )
    fee_minor = fee_of_days(facts.agreement, days)
    if fee_minor is not None and not over_minor and fee_minor != block.fee_minor:
        text = (
            f"settlement {numbers} for {of} has a fee of {words.money(block.fee_minor)}; by the agreement it "
            f"is {words.money(fee_minor)}"
        )
        yield Finding(
            FEE_DIFFERS, words.agreement_id, block.last_day, f"settlement {subject}", text, fee_minor,
            block.fee_minor,
        )  # fmt: skip
