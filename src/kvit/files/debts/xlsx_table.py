"""Debt registers as XLSX: one sheet, a header row, numbers of clients as text and sums as numbers.

Sums are handed over as decimals, never as floats. The same debts give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from decimal import Decimal

from xlsxwriter import Workbook

from kvit.domain.debts import DebtSlice, RegisterHead, Replaced, Totals
from kvit.domain.file_terms import Pairs
from kvit.files.base import Option
from kvit.files.debts.base import DebtFormat, RegisterRefused, file_name_problem, name_values, put_in
from kvit.files.debts.fields import PRINTING, cells_of, column_problems, details_of
from kvit.files.debts.letters import Letters
from kvit.files.debts.text_table import guarded

COLUMNS: Pairs = (
    ("Account", "number"), ("Payer", "name"), ("Period", "period"), ("Invoice", "document"),
    ("Amount", "amount"), ("Due date", "due"),
)  # fmt: skip
OPTIONS: Mapping[str, Option] = {
    "dates": PRINTING["dates"],
    "periods": PRINTING["periods"],
    "month": PRINTING["month"],
    "formula_guard": Option(
        "Texts that a program may take for a formula get an apostrophe; never for a bank.",
        "off",
        ("on", "off"),
    ),
    "sheet": Option("The name of the sheet.", "Debts"),
    "file_name": Option("The file's name.", "{agreement}_{number:06}_{date}.xlsx"),
}  # fmt: skip
#: Rows of a sheet, the header included: Excel's own bound.
SHEET_ROWS_MAX = 1_048_576
#: A spreadsheet keeps fifteen digits; a larger sum stands as text.
EXACT_BELOW_MINOR = 10**15
_FORBIDDEN_IN_NAMES = set("[]:*?/\\'")
_WIDTHS = {"number": 16, "name": 30, "address": 36, "amount": 14, "document": 18}


def _check(options: Mapping[str, str], columns: Pairs) -> Mapping[str, str]:
    found = column_problems(columns)
    reason = file_name_problem(options["file_name"])
    if reason:
        found["options.file_name"] = reason
    if not 1 <= len(options["sheet"]) <= 31 or _FORBIDDEN_IN_NAMES & set(options["sheet"]):
        found["options.sheet"] = "1 to 31 signs, none of [ ] : * ? / \\ '"
    return found


class XlsxWriter:
    """The workbook is handed over as a whole at the end; until then its rows are in a temporary file."""

    def __init__(self, head: RegisterHead, columns: Pairs) -> None:
        self.replaced = Replaced()
        self.notes: Sequence[str] = ()
        self._exponent = head.exponent
        self._guards = head.options["formula_guard"] == "on"
        self._fields = [field for _, field in columns]
        letters = Letters("utf-8", "", self.replaced)
        self._columns = [cells_of(field, head, letters) for field in self._fields]
        self._bytes = io.BytesIO()
        self._book = Workbook(self._bytes, {"constant_memory": True})
        self._book.set_properties({"created": head.as_of.replace(tzinfo=None, microsecond=0)})
        self._sheet = self._book.add_worksheet(head.options["sheet"])
        self._sums = self._book.add_format(
            {"num_format": "0." + "0" * head.exponent if head.exponent else "0"}
        )
        bold = self._book.add_format({"bold": True})
        for place, (name, field) in enumerate(columns):
            self._sheet.set_column(place, place, _WIDTHS.get(field, 12))
            self._sheet.write_string(0, place, name, bold)
        self._row = 0

    def rows(self, debts: DebtSlice) -> bytes:
        if self._row + len(debts.keys) >= SHEET_ROWS_MAX:
            raise RegisterRefused(
                f"a sheet holds {SHEET_ROWS_MAX:,} rows and there are more debts. Nothing was written; take "
                "the format csv."
            )
        columns = [cells(debts, self._row + 1) for cells in self._columns]
        for place, row in enumerate(zip(*columns, strict=True)):
            self._row += 1
            for column, (field, text) in enumerate(zip(self._fields, row, strict=True)):
                if field == "amount":
                    self._write_sum(column, debts.amounts_minor[place])
                elif text:
                    self._sheet.write_string(self._row, column, guarded(text) if self._guards else text)
        return b""

    def _write_sum(self, column: int, amount_minor: int) -> None:
        amount = Decimal(amount_minor).scaleb(-self._exponent)
        if abs(amount_minor) < EXACT_BELOW_MINOR:
            self._sheet.write_number(self._row, column, amount, self._sums)
        else:
            self._sheet.write_string(self._row, column, str(amount))

    def head(self, _totals: Totals) -> bytes:
        return b""

    def foot(self, _totals: Totals) -> bytes:
        self._sheet.freeze_panes(1, 0)
        self._book.close()
        return self._bytes.getvalue()


XLSX = DebtFormat(
    name="xlsx",
    title="Table (Excel)",
    options=OPTIONS,
    open=lambda head: XlsxWriter(head, head.columns or COLUMNS),
    file_name=lambda head: put_in(head.options["file_name"], name_values(head)),
    details=lambda _options, columns: details_of([field for _, field in columns or COLUMNS]),
    check=_check,
    has_columns=True,
)
