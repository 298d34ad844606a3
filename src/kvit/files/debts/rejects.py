"""The rows that a bank refused, as its own file says it: CSV, text or XLSX, by header or by column numbers.

Source: one bank answers with row numbers and errors (fact sheet, debts by SFTP); others name the client. Good
rows are taken, bad ones refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from kvit.domain.debts import Reject
from kvit.files.delimited import delimited_source
from kvit.files.errors import FileRefused, RowError, naming
from kvit.files.source import ConvertedText, Source
from kvit.files.tables import header_key
from kvit.files.workbook import workbook_source

_ZIP = b"PK\x03\x04"
_TEXT_MAX = 500
_SHOWN_MAX = 80

#: Field -> what a header may call it.
HEADERS = {
    "row": """row, row number, row no, line, line number, record, строка, строки, номер строки, строка файла,
        номер записи, запись, п п, no п п, жол, жол нөмірі""",
    "number": """number, account, account number, client, client number, customer, customer code, contract,
        лицевой счет, лицевой, лс, номер лс, номер лицевого счета, счет, абонент, номер абонента,
        код абонента, договор, номер договора, дербес шот, жеке шот""",
    "document": """document, document number, invoice, invoice number, bill, debt, debt reference, документ,
        номер документа, квитанция, номер квитанции, счет на оплату, құжат""",
    "reason": """reason, error, error text, error description, message, description, comment, status, result,
        причина, причина отказа, ошибка, текст ошибки, описание, описание ошибки, сообщение, комментарий,
        примечание, результат, себебі, қате""",
}
_MEANINGS = {header_key(word): field for field, words in HEADERS.items() for word in words.split(",")}


class Rejects(NamedTuple):
    """What the file says, and lines of it that cannot be read."""

    rejects: Sequence[Reject]
    errors: Sequence[RowError]


def read_rejects(
    data: bytes, name: str, columns: Mapping[str, str], *, first_row: int = 1, encoding: str = ""
) -> Rejects:
    """Raises ``FileRefused``.

    ``columns``: field -> header, or the column's number from 1 in a file without a header. ``first_row``: the
    number that the bank gives to the first row of the register.
    """
    with naming(name):
        source = workbook_source(data) if data.startswith(_ZIP) else delimited_source(data, encoding)
        rows = _rows(source)
        places, has_header = _places(next(rows, (0, [])), columns)
        rejects: list[Reject] = []
        errors: list[RowError] = []
        for line, cells in rows if has_header else _rows(source):
            found = _reject(line, cells, places, first_row)
            if isinstance(found, Reject):
                rejects.append(found)
            else:
                errors.append(found)
        return Rejects(rejects, errors)


def _rows(source: Source) -> Iterator[tuple[int, list[str]]]:
    for lines, rows in source.stretches():
        for line, row in zip(lines, rows, strict=True):
            cells = source.trim(row)
            if any(cells):
                yield line, cells


def _places(first: tuple[int, list[str]], columns: Mapping[str, str]) -> tuple[dict[str, int], bool]:
    """Field -> place of its column; and whether the first row is a header."""
    _, header = first
    for field in columns:
        if field not in HEADERS:
            raise FileRefused(f"There is no field {field!r} here.", f"The fields are {', '.join(HEADERS)}.")
    if columns and all(name.isascii() and name.isdigit() and name not in header for name in columns.values()):
        places = {field: int(name) - 1 for field, name in columns.items()}
        has_header = False
    else:
        places = _named(header, columns)
        has_header = True
    if "row" not in places and "number" not in places:
        raise FileRefused(
            f"No column tells which rows are refused; the first row is {header[:8]}.",
            "Say it with --column row=HEADER or number=HEADER, or by numbers of columns: --column row=1.",
        )
    return places, has_header


def _named(header: Sequence[str], columns: Mapping[str, str]) -> dict[str, int]:
    keys = [header_key(name) for name in header]
    places = {}
    for field, name in columns.items():
        if header_key(name) not in keys:
            raise FileRefused(f"There is no column {name!r}.", f"The columns are {', '.join(header)}.")
        places[field] = keys.index(header_key(name))
    for place, key in enumerate(keys):
        field = _MEANINGS.get(key, "")
        if field and field not in columns and place not in places.values():
            places.setdefault(field, place)
    return places


def _reject(line: int, cells: Sequence[str], places: Mapping[str, int], first_row: int) -> Reject | RowError:
    def cell(field: str) -> str:
        place = places.get(field, len(cells))
        return cells[place] if 0 <= place < len(cells) else ""

    row, number = cell("row"), cell("number")
    shown = " ".join(cells)[:_SHOWN_MAX]
    if row and not (row.isascii() and row.isdigit() and len(row) < 10 and int(row) >= first_row):
        return RowError(line, "row", shown, f"not a number of a row, from {first_row} on")
    if not row and not number:
        return RowError(line, "", shown, "names neither a row nor a client's number")
    if isinstance(number, ConvertedText) and not number.isdigit():
        return RowError(line, "number", shown, "the spreadsheet has made a quantity or a date of this number")
    at = int(row) - first_row + 1 if row else 0
    return Reject(line, at, str(number), str(cell("document")), str(cell("reason"))[:_TEXT_MAX])
