"""Every format of money files that kvit reads; each author adds a line."""

from __future__ import annotations

from kvit.files.base import Format
from kvit.files.registers import (
    layouts,
    privatbank_text,
    qiwi,
    sberbank_a,
    sberbank_b,
    sberbank_c,
    table,
)
from kvit.files.statements import camt, mt940, ofx, onec

FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        onec.format_(),
        *camt.formats(),
        mt940.format_(),
        ofx.format_(),
        qiwi.FORMAT,
        sberbank_a.FORMAT,
        sberbank_b.FORMAT,
        sberbank_c.FORMAT,
        privatbank_text.FORMAT,
        *layouts.FORMATS,
        table.FORMAT,
    )
}  # fmt: skip
