"""What the lists of formats and channels say about an agreement's settings for files."""

from __future__ import annotations

from collections.abc import Mapping

from kvit.domain.file_terms import FileTerms


def file_problems(terms: FileTerms, timezone: str) -> Mapping[str, str]:
    """Place (``debts.options.encoding``) -> what is wrong there; empty when nothing is."""
    del terms, timezone
    return {}
