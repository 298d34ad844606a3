"""Debt registers as DBF tables (dBase III): fields with names, widths and one code page.

Names of fields are agreed between the two sides; the defaults are the usual words. A value that is longer
than its field is cut and noted, a number or a sum never: then the register is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from kvit.domain.debts import DebtSlice, RegisterHead, Replaced, Totals
from kvit.domain.file_terms import Pairs
from kvit.files.base import Option
from kvit.files.dbf import NUMBER_LENGTH_MAX, TEXT_LENGTH_MAX, DbfField, write_dbf
from kvit.files.debts.base import DebtFormat, RegisterRefused, file_name_problem, name_values, put_in
from kvit.files.debts.fields import FIXED, PRINTING, Cells, cells_of, column_problems, details_of
from kvit.files.debts.letters import Letters

#: Field of ours -> kind and length of the column.
_SHAPES: dict[str, tuple[str, int]] = {
    "number": ("C", 40), "name": ("C", 100), "address": ("C", 150), "amount": ("N", 15), "period": ("C", 10),
    "document": ("C", 40), "service": ("C", 40), "due": ("D", 8), "currency": ("C", 3), "row": ("N", 10),
    "as_of": ("D", 8), "empty": ("C", 1),
}  # fmt: skip
_OTHER_LENGTH = 100
_NAME_LENGTH_MAX = 10

COLUMNS: Pairs = (
    ("ACCOUNT", "number"), ("NAME", "name"), ("AMOUNT", "amount"), ("PERIOD", "period"), ("DOC", "document"),
    ("DUE", "due"),
)  # fmt: skip


def dbf_options(encoding: str, file_name: str) -> Mapping[str, Option]:
    """The options of DBF registers."""
    return {
        "encoding": Option("The code page.", encoding, ("cp866", "windows-1251")),
        "periods": PRINTING["periods"],
        "month": PRINTING["month"],
        "file_name": Option("The file's name.", file_name),
    }


def check(options: Mapping[str, str], columns: Pairs) -> Mapping[str, str]:
    """What is wrong with the settings, by place."""
    found = column_problems(columns)
    seen: set[str] = set()
    for header, field in columns:
        name, _, length = header.upper().partition(":")
        longest = {"C": TEXT_LENGTH_MAX, "N": NUMBER_LENGTH_MAX, "D": 8}[_SHAPES.get(field, ("C", 0))[0]]
        if length and not (length.isascii() and length.isdigit() and 1 <= int(length) <= longest):
            found[f"columns.{header}"] = f"after the colon stands the field's length, 1 to {longest}"
        if not (1 <= len(name) <= _NAME_LENGTH_MAX and name.isascii() and name.replace("_", "A").isalnum()):
            found[f"columns.{header}"] = (
                f"a DBF field has 1 to {_NAME_LENGTH_MAX} latin letters, digits and _"
            )
        if name in seen:
            found[f"columns.{header}"] = "is there twice"
        seen.add(name)
    reason = file_name_problem(options["file_name"])
    if reason:
        found["options.file_name"] = reason
    return found


class DbfWriter:
    """One table; its header is written last, since it holds the number of rows."""

    def __init__(self, head: RegisterHead, columns: Pairs) -> None:
        self.replaced = Replaced()
        self.notes: Sequence[str] = ()
        self._codec = {"cp866": "cp866", "windows-1251": "cp1251"}[head.options["encoding"]]
        self._day = head.as_of.date().isoformat()
        self._fields = [_shape(header, field, head.exponent) for header, field in columns]
        letters = Letters(self._codec, "", self.replaced)
        self._columns = [
            self._cells(field, head, letters, shape.length)
            for (_, field), shape in zip(columns, self._fields, strict=True)
        ]
        self._row_count = 0

    def _cells(self, field: str, head: RegisterHead, letters: Letters, length: int) -> Cells:
        if field == "due":
            return lambda debts, _first: debts.due_on
        if field == "as_of":
            return lambda debts, _first: [self._day] * len(debts.keys)
        plain = cells_of(field, head, letters)
        if field == "number":
            return _whole(plain, length)
        return plain if field in ("amount", "row") else self._cut(plain, length)

    def _cut(self, plain: Cells, length: int) -> Cells:
        def cells(debts: DebtSlice, first: int) -> Sequence[str]:
            texts = plain(debts, first)
            if max(map(len, texts), default=0) <= length:
                return texts
            return [text if len(text) <= length else self._shortened(text, length) for text in texts]

        return cells

    def _shortened(self, text: str, length: int) -> str:
        self.replaced.note(text, text[:length])
        return text[:length]

    def rows(self, debts: DebtSlice) -> bytes:
        if not debts.keys:
            return b""
        columns = [cells(debts, self._row_count + 1) for cells in self._columns]
        self._row_count += len(debts.keys)
        *_, end = pieces = list(self._table(list(zip(*columns, strict=True)), len(debts.keys)))
        assert len(end) == 1
        return b"".join(pieces[1:-1])

    def head(self, totals: Totals) -> bytes:
        return next(self._table((), totals.row_count))

    def foot(self, _totals: Totals) -> bytes:
        return b"\x1a"

    def _table(self, rows: Sequence[Sequence[str]], count: int) -> Iterator[bytes]:
        try:
            yield from write_dbf(self._fields, iter(rows), self._codec, row_count=count, day=self._day)
        except ValueError as error:
            raise RegisterRefused(
                f"a row cannot stand in the table: {error}. Nothing was written."
            ) from error


def _whole(plain: Cells, length: int) -> Cells:
    def cells(debts: DebtSlice, first: int) -> Sequence[str]:
        numbers = plain(debts, first)
        long = next(islice((number for number in numbers if len(number) > length), 1), None)
        if long is not None:
            raise RegisterRefused(f"the number {long!r} is longer than {length} signs. Nothing was written.")
        return numbers

    return cells


def _shape(header: str, field: str, exponent: int) -> DbfField:
    """``ACCOUNT`` or, with a length of its own, ``ACCOUNT:12``."""
    kind, length = _SHAPES.get(field, ("C", _OTHER_LENGTH))
    if field.startswith(FIXED):
        length = max(1, len(field) - len(FIXED))
    name, _, chosen = header.upper().partition(":")
    return DbfField(name, kind, int(chosen or length), exponent if field == "amount" else 0)


def dbf_format(name: str, title: str, columns: Pairs, options: Mapping[str, Option]) -> DebtFormat:
    """A DBF register with its own default columns."""
    return DebtFormat(
        name=name,
        title=title,
        options=options,
        open=lambda head: DbfWriter(head, head.columns or columns),
        file_name=lambda head: put_in(head.options["file_name"], name_values(head)),
        details=lambda _options, chosen: details_of([field for _, field in chosen or columns]),
        check=check,
        has_columns=True,
    )


DBF = dbf_format("dbf", "Table (DBF)", COLUMNS, dbf_options("cp866", "{agreement}_{number:06}.dbf"))
