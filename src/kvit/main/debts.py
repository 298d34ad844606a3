"""Registers of debts put together: an agreement, its format, and where debts and files are kept."""

from __future__ import annotations

from dataclasses import replace

from kvit.domain.errors import SettingsError
from kvit.domain.file_terms import DebtTerms
from kvit.domain.model import Agreement, Biller
from kvit.main import House
from kvit.services.debts.ports import DebtOffice, Form
from kvit.storage.debts import SqlDebts


def debt_office(house: House, biller: Biller, agreement: Agreement, author: str) -> DebtOffice:
    """Everything to make this agreement's registers with."""
    store = SqlDebts(house.database, biller.biller_id)
    return DebtOffice(store, house.clock, author, biller, agreement, form_of)


def form_of(terms: DebtTerms) -> Form:
    """Raises ``SettingsError`` naming what is wrong with the settings."""
    from kvit.files.debts.base import filled  # formats bring libraries along: loaded where one is written
    from kvit.files.debts.catalogue import FORMATS, debt_problems

    for place, reason in debt_problems(terms).items():
        raise SettingsError(f"debts.{place}: {reason}")
    form = FORMATS[terms.format]
    options = filled(form, dict(terms.options))
    return Form(
        terms, options, form.open, form.file_name, form.details(options, terms.columns), form.only_positive
    )


def debt_terms(agreement: Agreement, rows: str = "", contents: str = "") -> DebtTerms:
    """The agreement's settings, with other rows or contents if so wished. Raises ``SettingsError``."""
    terms = agreement.files.debts
    if terms is None:
        from kvit.files.debts.catalogue import FORMATS

        raise SettingsError(
            f"the agreement {agreement.agreement_id} has no register of debts; add [agreement.debts] with a "
            f"format to its file and apply it: {', '.join(sorted(FORMATS))}"
        )
    return replace(terms, rows=rows or terms.rows, contents=contents or terms.contents)
