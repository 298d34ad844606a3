"""What an agent keeps of many payments: each rounded by itself, or all of them once."""

from __future__ import annotations

from kvit.domain.file_terms import SettlementTerms
from kvit.domain.model import Agreement, Fee

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
