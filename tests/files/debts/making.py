"""Registers written from a few debts, without books."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from kvit.domain.debts import DebtSlice, RegisterHead, Totals
from kvit.domain.file_terms import BY_ACCOUNT, FULL, DebtTerms, Pairs
from kvit.files.debts.base import DebtWriter, filled
from kvit.files.debts.catalogue import FORMATS, debt_problems

AS_OF = datetime(2026, 3, 18, 9, 5, tzinfo=ZoneInfo("Europe/Moscow"))


class Debt(NamedTuple):
    """One row of a register."""

    number: str
    amount_minor: int
    name: str = ""
    address: str = ""
    period: str = ""
    document: str = ""
    due_on: str = ""
    service: str = ""
    attributes: str = ""


#: The two clients of the fact sheets.
TWO = (
    Debt(
        "1002344", 150_000, "Тестов Тест Тестович", "г.Пример,ул.Мира,1,2", "2026-03", "INV-000123",
        "2026-03-31",
    ),
    Debt("1002351", 123_450, "Пробный П. П.", "г.Пример,ул.Мира,1,3", "2026-03", "INV-000124", "2026-03-31"),
)  # fmt: skip


def slice_of(debts: tuple[Debt, ...] | list[Debt]) -> DebtSlice:
    return DebtSlice(
        [f"{debt.number}\t{debt.document}" for debt in debts],
        [debt.number for debt in debts],
        [debt.amount_minor for debt in debts],
        [debt.name for debt in debts],
        [debt.address for debt in debts],
        [debt.attributes for debt in debts],
        [debt.service for debt in debts],
        [debt.period for debt in debts],
        [debt.document for debt in debts],
        [debt.due_on for debt in debts],
    )


def head_of(
    form: str,
    settings: Mapping[str, str] | None = None,
    *,
    columns: Pairs = (),
    currency: str = "RUB",
    **more: str,
) -> RegisterHead:
    """The head of a register whose options are ``settings`` and ``more``; none of them is wrong."""
    options = {**(settings or {}), **more}
    terms = DebtTerms(form, options=tuple(options.items()), columns=columns)
    assert debt_problems(terms) == {}
    return RegisterHead(
        "bank", 1, "Водоканал", currency, 2, AS_OF, BY_ACCOUNT, FULL, filled(FORMATS[form], options), columns
    )


def written(
    head: RegisterHead, form: str, debts: tuple[Debt, ...] | list[Debt] = TWO, *, at_once: int = 5_000
) -> tuple[bytes, DebtWriter]:
    """The file, and what its writer has to say."""
    writer = FORMATS[form].open(head)
    body = b"".join(
        writer.rows(slice_of(debts[start : start + at_once])) for start in range(0, len(debts), at_once)
    )
    totals = Totals(len(debts), sum(debt.amount_minor for debt in debts))
    foot = writer.foot(totals)
    return writer.head(totals) + body + foot, writer
