"""Every format of money files that kvit reads; each author adds a line."""

from __future__ import annotations

from kvit.files.base import Format
from kvit.files.statements import camt

FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        *camt.formats(),
    )
}  # fmt: skip
