"""Every format of debt registers, and what is wrong with an agreement's settings for one."""

from __future__ import annotations

from kvit.domain.file_terms import DebtTerms
from kvit.files.debts.banks import OSCHADBANK_DBF, PRIVATBANK, PRIVATBANK_DBF
from kvit.files.debts.base import DebtFormat, problems_of
from kvit.files.debts.dbf_table import DBF
from kvit.files.debts.pain013 import PAIN013
from kvit.files.debts.sberbank import HASH, PLAIN
from kvit.files.debts.table import CSV
from kvit.files.debts.xlsx_table import XLSX

_ALL = (CSV, XLSX, DBF, PLAIN, HASH, PRIVATBANK, PRIVATBANK_DBF, OSCHADBANK_DBF, PAIN013)
FORMATS: dict[str, DebtFormat] = {form.name: form for form in _ALL}


def debt_problems(terms: DebtTerms) -> dict[str, str]:
    """Place below ``debts`` (``format``, ``options.encoding``, ``columns.Header``) -> what is wrong there."""
    form = FORMATS.get(terms.format)
    if form is None:
        return {"format": f"there is no format {terms.format!r}; known: {', '.join(sorted(FORMATS))}"}
    return problems_of(form, terms)
