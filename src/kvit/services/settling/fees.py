"""What an agent keeps of many payments: each rounded by itself, or all of them once."""

from __future__ import annotations

from collections.abc import Sequence

from kvit.domain.file_terms import SettlementTerms
from kvit.domain.model import Agreement, Fee
from kvit.services.settling.facts import Collected

MILLION = 1_000_000
BY_ROW = "row"
ON_TOTAL = "total"


def exact_fee(fee: Fee, amount_minor: int) -> int:
    """The fee on one payment in millionths of a minor unit, not rounded; else as ``Fee.of``."""
    exact = amount_minor * fee.percent_millionths + fee.fixed_minor * MILLION
    exact = max(exact, fee.min_minor * MILLION)
    if fee.max_minor is not None:
        exact = min(exact, fee.max_minor * MILLION)
    return min(exact, amount_minor * MILLION)


def rounded(fee_millionths: int) -> int:
    """Millionths of a minor unit -> minor units, half a unit up."""
    return (fee_millionths + MILLION // 2) // MILLION


def is_stated(agreement: Agreement) -> bool:
    """Does the agreement say anything about a fee?"""
    return agreement.fee != Fee()


def settlement_terms(agreement: Agreement) -> SettlementTerms:
    return agreement.files.settlement or SettlementTerms()


def is_on_total(agreement: Agreement) -> bool:
    return settlement_terms(agreement).rounding == ON_TOTAL


def fee_of_days(agreement: Agreement, days: Sequence[Collected]) -> int | None:
    """The fee withheld of these days by the agreement; ``None`` where it does not say."""
    if not is_stated(agreement):
        return None
    if not settlement_terms(agreement).withheld:
        return 0
    if is_on_total(agreement):
        return rounded(sum(day.fee_millionths for day in days))
    return sum(day.fee_minor for day in days)
