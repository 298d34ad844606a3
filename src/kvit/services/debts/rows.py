"""Rows of the books -> slices of debts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from kvit.domain.debts import ADDRESS, ATTRIBUTES, NAME, DebtSlice
from kvit.domain.model import ACTIVE
from kvit.services.debts.ports import FoundDebts, Question

#: Details in the order in which they are read.
DETAILS = (NAME, ADDRESS, ATTRIBUTES)
#: (number, status, balance, name, address, attributes, document, period, service, due, open sum); the last
#: five are None for a client without an open charge.
InvoiceRow = Sequence[Any]

_NUMBER = itemgetter(0)


def wanted(question: Question) -> list[str]:
    """The details that are read."""
    return [name for name in DETAILS if name in question.details]


def account_slice(columns: Iterable[Sequence[Any]], details: Sequence[str], *, are_told: bool) -> FoundDebts:
    """Columns of accounts: number, sum, details. ``are_told``: none of the sums is ``None``."""
    numbers, found, *texts = columns
    amounts = found if are_told else [amount or 0 for amount in found]
    blank = [""] * len(numbers)
    names, addresses, attributes = (
        dict(zip(details, texts, strict=True)).get(name, blank) for name in DETAILS
    )
    debts = DebtSlice(numbers, numbers, amounts, names, addresses, attributes, blank, blank, blank, blank)
    return FoundDebts(debts, found)


def invoice_slices(slices: Iterable[Sequence[InvoiceRow]], question: Question) -> Iterator[FoundDebts]:
    """Rows by client's number, an account's together -> its invoices; an account is never cut in two."""
    waiting: list[InvoiceRow] = []
    for rows in slices:
        last = rows[-1][0]
        cut = len(rows)
        while cut and rows[cut - 1][0] == last:
            cut -= 1
        whole = [*waiting, *rows[:cut]] if cut else []
        waiting = list(rows[cut:]) if cut else [*waiting, *rows]
        if not cut or (whole and whole[-1][0] == last):
            continue
        found = _invoices(whole, question)
        if found is not None:
            yield found
    found = _invoices(waiting, question)
    if found is not None:
        yield found


def _invoices(rows: Sequence[InvoiceRow], question: Question) -> FoundDebts | None:
    debts: list[tuple[Any, ...]] = []
    for _, own in groupby(rows, _NUMBER):
        debts += _invoices_of(list(own), question)
    if not debts:
        return None
    *columns, found = map(list, zip(*debts, strict=True))
    return FoundDebts(DebtSlice(*columns), found)


def _invoices_of(rows: Sequence[InvoiceRow], question: Question) -> list[tuple[Any, ...]]:
    """One client's rows: a debt for each document, and for each month of what has none."""
    number, status, balance_minor, name, address, attributes = rows[0][:6]
    details = (name, address, attributes)
    sums: dict[str, list[Any]] = {}
    if status == ACTIVE:
        for *_, written, month, service, due_on, open_minor in rows:
            if open_minor is None or (not written and not question.undocumented):
                continue
            document, period = _plain(written), _plain(month)
            key = f"{number}\t{document}" if document else f"{number}\t\t{period}"
            debt = sums.setdefault(key, [0, service, period, document, due_on])
            debt[0] += open_minor
            debt[1] = debt[1] if debt[1] == service else ""
            debt[2] = debt[2] if debt[2] == period else ""
            debt[4] = min(debt[4], due_on)
    if not sums:
        told_minor = _without_debts(status, balance_minor, question)
        if told_minor is None and not question.everything:
            return []
        return [(f"{number}\t", number, told_minor or 0, *details, "", "", "", "", told_minor)]
    return [
        (key, number, amount, *details, service, period, document, due_on, amount)
        for key, (amount, service, period, document, due_on) in sorted(sums.items())
    ]


def _without_debts(status: str, balance_minor: int, question: Question) -> int | None:
    """What is told of a client without open debts: nothing, 0, or an advance."""
    if status != ACTIVE:
        return None
    advance_minor = min(balance_minor, 0)
    if advance_minor and question.below_zero:
        return advance_minor
    return 0 if question.keeps_paid else None


def _plain(text: str) -> str:
    """One line without TABs: part of a key."""
    return text if text.isprintable() else " ".join(text.split())
