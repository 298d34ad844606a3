"""Payments as CSV and XLSX, for people and for accounting programs that read tables.

Texts that a spreadsheet would run as a formula get an apostrophe: names come from outside.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from xlsxwriter import Workbook

from kvit.domain.errors import NotAllowed
from kvit.domain.exports import ExportHead, PaidEntry
from kvit.domain.money import format_amount
from kvit.files.debts.text_table import guarded
from kvit.files.debts.xlsx_table import EXACT_BELOW_MINOR, SHEET_ROWS_MAX

COLUMNS = (
    "id", "kind", "date", "account", "payer", "amount", "fee", "currency", "agreement", "txn", "service",
    "typed", "paid_at", "reverses",
)  # fmt: skip
_SUMS = (COLUMNS.index("amount"), COLUMNS.index("fee"))
_WIDTHS = {"payer": 30, "txn": 22, "paid_at": 20}


def write_csv(head: ExportHead, entries: Iterable[Sequence[PaidEntry]]) -> Iterator[bytes]:
    """UTF-8 with a mark, semicolons, CRLF; quotation marks only where they must be."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    text.write("\ufeff")
    writer.writerow(COLUMNS)
    for some in entries:
        writer.writerows([_cells(entry, head) for entry in some])
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def write_xlsx(head: ExportHead, entries: Iterable[Sequence[PaidEntry]]) -> Iterator[bytes]:
    """One sheet; ids and numbers are texts, sums numbers. Raises ``NotAllowed`` for too many rows."""
    data = io.BytesIO()
    book = Workbook(data, {"constant_memory": True})
    book.set_properties({"created": datetime.fromisoformat(f"{head.made_on}T{head.made_at}")})
    sheet = book.add_worksheet("Payments")
    sums = book.add_format({"num_format": "0." + "0" * head.exponent if head.exponent else "0"})
    bold = book.add_format({"bold": True})
    for place, name in enumerate(COLUMNS):
        sheet.set_column(place, place, _WIDTHS.get(name, 13))
        sheet.write_string(0, place, name, bold)
    for row, entry in enumerate((entry for some in entries for entry in some), 1):
        if row >= SHEET_ROWS_MAX:
            raise NotAllowed(
                f"a sheet holds {SHEET_ROWS_MAX:,} rows and there are more payments; take csv, or fewer days"
            )
        for place, cell in enumerate(_cells(entry, head)):
            if place in _SUMS and abs(entry.amount_minor) < EXACT_BELOW_MINOR:
                sheet.write_number(row, place, Decimal(cell), sums)
            elif cell:
                sheet.write_string(row, place, cell)
    sheet.freeze_panes(1, 0)
    book.close()
    yield data.getvalue()


def _cells(entry: PaidEntry, head: ExportHead) -> list[str]:
    amount = format_amount(entry.amount_minor, head.exponent)
    fee = format_amount(entry.fee_minor, head.exponent)
    texts = (entry.agreement_id, entry.txn, entry.service, entry.typed, entry.paid_at)
    return [
        str(entry.entry_id), entry.kind, entry.day, guarded(entry.number), guarded(entry.name), amount, fee,
        head.currency, *map(guarded, texts), str(entry.reverses or ""),
    ]  # fmt: skip
