"""What reached the bank account, against what the agent collected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from kvit.services.reconciling.facts import Collected, Facts, Payout, Span
from kvit.services.reconciling.findings import (
    FEE_DIFFERS,
    SETTLEMENT_MISSING,
    SETTLEMENT_OVER,
    SETTLEMENT_SHORT,
    Finding,
)
from kvit.services.reconciling.pairing import Wording
from kvit.services.reconciling.registers import each_day
from kvit.services.settling.fees import is_on_total, is_stated, rounded, settlement_terms

#: An agent that pays out at all has done so after so many days.
_DAYS_MAX = 10


@dataclass(slots=True)
class Block:
    """Days that were settled together, by one lump sum or several."""

    first_day: str
    last_day: str
    payouts: list[Payout]

    @property
    def span(self) -> Span:
        return Span(self.first_day, self.last_day)

    @property
    def net_minor(self) -> int:
        return sum(payout.net_minor for payout in self.payouts)

    @property
    def fee_minor(self) -> int:
        return sum(payout.fee_minor for payout in self.payouts)

    @property
    def gross_minor(self) -> int:
        return sum(payout.gross_minor for payout in self.payouts)


def blocks_of(payouts: Iterable[Payout]) -> list[Block]:
    """Settlements whose days overlap belong together; by their first day."""
    blocks: list[Block] = []
    for payout in sorted(payouts, key=lambda payout: (payout.first_day, payout.last_day)):
        if blocks and payout.first_day <= blocks[-1].last_day:
            blocks[-1].payouts.append(payout)
            blocks[-1].last_day = max(blocks[-1].last_day, payout.last_day)
        else:
            blocks.append(Block(payout.first_day, payout.last_day, [payout]))
    return blocks


def compare_payouts(facts: Facts, words: Wording) -> Iterator[Finding]:
    """Settlements that do not come to what was collected, and days that nobody has paid out."""
    blocks = blocks_of(facts.payouts)
    for block in blocks:
        if facts.span.has(block.last_day):
            yield from _compare(facts, words, block)
    if facts.agreement.files.settlement is None and not facts.paid_through:
        return
    settled = {day for block in blocks for day in each_day(block.span)}
    oldest = (date.fromisoformat(facts.today) - timedelta(days=_DAYS_MAX)).isoformat()
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
    fee_minor = fee_of(facts, days)
    if fee_minor is not None and block.gross_minor == gross_minor and fee_minor != block.fee_minor:
        text = (
            f"settlement {numbers} for {of} has a fee of {words.money(block.fee_minor)}; by the agreement it "
            f"is {words.money(fee_minor)}"
        )
        yield Finding(
            FEE_DIFFERS, words.agreement_id, block.last_day, f"settlement {subject}", text, fee_minor,
            block.fee_minor,
        )  # fmt: skip


def fee_of(facts: Facts, days: Sequence[Collected]) -> int | None:
    """The fee withheld of these days by the agreement; ``None`` where it does not say."""
    if not is_stated(facts.agreement):
        return None
    if not settlement_terms(facts.agreement).withheld:
        return 0
    if is_on_total(facts.agreement):
        return rounded(sum(day.fee_millionths for day in days))
    return sum(day.fee_minor for day in days)
