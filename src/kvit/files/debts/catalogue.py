"""Every format of debt registers, and what is wrong with an agreement's settings for one."""

from __future__ import annotations

from kvit.domain.file_terms import DebtTerms
from kvit.files.debts.base import DebtFormat, problems_of
from kvit.files.debts.table import CSV

FORMATS: dict[str, DebtFormat] = {form.name: form for form in (CSV,)}


def debt_problems(terms: DebtTerms) -> dict[str, str]:
    """Place below ``debts`` (``format``, ``options.encoding``, ``columns.Header``) -> what is wrong there."""
    form = FORMATS.get(terms.format)
    if form is None:
        return {"format": f"there is no format {terms.format!r}; known: {', '.join(sorted(FORMATS))}"}
    return problems_of(form, terms)
