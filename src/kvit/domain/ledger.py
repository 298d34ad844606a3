"""Double entry: the chart of accounts and the transactions that may exist.

Debit is positive, credit negative; every transaction sums to zero. What a client owes (or has in
advance) is the sign of the one client account.
"""

from __future__ import annotations

from collections.abc import Iterable

from kvit.domain.model import EntryRow

SUSPENSE = "suspense"
OPENING = "opening"
WRITE_OFF = "write-off"
REFUND = "refund"
ROUNDING = "rounding"
_BANK = "bank:"

#: The kinds of transactions, and what the debit and the credit side of each are.
CHARGE = "charge"
PAYMENT = "payment"
ADJUSTMENT = "adjustment"
VOID = "void"


def client(number: str) -> str:
    return "client:" + number


def income(service: str) -> str:
    return "income:" + service


def clearing(agent: str) -> str:
    return "clearing:" + agent


def bank(account: str) -> str:
    """The biller's own bank account; also the source of the lines of its statements."""
    return _BANK + account


def collected(source: str) -> str:
    """Where the money of a payment is: with the agent, or on the biller's account already."""
    return source if source.startswith(_BANK) else clearing(source)


def two_sided(
    biller_id: str, transaction_id: int, debit: str, credit: str, amount_minor: int, currency: str
) -> tuple[EntryRow, EntryRow]:
    """The two entries of a simple transaction; a negative amount turns the sides round."""
    return (
        EntryRow(biller_id, transaction_id, debit, amount_minor, currency),
        EntryRow(biller_id, transaction_id, credit, -amount_minor, currency),
    )


def reversal(entries: Iterable[EntryRow], transaction_id: int) -> list[EntryRow]:
    """The entries that take ``entries`` back."""
    return [
        entry._replace(transaction_id=transaction_id, amount_minor=-entry.amount_minor) for entry in entries
    ]


def sums_to_zero(entries: Iterable[EntryRow]) -> bool:
    """Per currency."""
    sums: dict[str, int] = {}
    for entry in entries:
        sums[entry.currency] = sums.get(entry.currency, 0) + entry.amount_minor
    return not any(sums.values())
