"""What the lists of formats and channels say about an agreement's settings for files."""

from __future__ import annotations

from collections.abc import Mapping

from kvit.domain.file_terms import FileTerms
from kvit.files.debts.catalogue import debt_problems


def file_problems(terms: FileTerms, timezone: str) -> Mapping[str, str]:
    """Place (``debts.options.encoding``) -> what is wrong there; empty when nothing is."""
    del timezone
    found: dict[str, str] = {}
    if terms.debts is not None:
        found.update({f"debts.{place}": reason for place, reason in debt_problems(terms.debts).items()})
    return found
