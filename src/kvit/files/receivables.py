"""What a biller is owed, from table files: accounts, charges, and balances as of a day.

Each reader takes a ``Table`` and gives ``Rows``: records of the rows that hold, and a ``RowError`` for
every cell that does not. Nothing is decided here about what is already in the books. A file whose
columns cannot be told apart raises ``FileRefused``.

``columns`` everywhere: field -> header, where the headers do not speak for themselves (``""``: the file
has no such column). ``progress`` is called with the number of rows read, about each thousand rows.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import partial
from itertools import repeat

from kvit.domain.money import exponent_of
from kvit.domain.numbers import is_valid
from kvit.files.cells import Unreadable, read_amount, read_day, read_number, read_period, read_text
from kvit.files.columns import read_amounts, read_numbers, read_texts
from kvit.files.errors import naming
from kvit.files.headers import ACCOUNT_HEADERS, BALANCE_HEADERS, CHARGE_HEADERS, match_columns
from kvit.files.reading import Column, Progress, Reader, empty_rows, plan_columns, readable
from kvit.files.records import AccountRow, BalanceRow, ChargeRow, Rows
from kvit.files.tables import Table

NAME_LENGTH_MAX = 200
ADDRESS_LENGTH_MAX = 500
PHONE_LENGTH_MAX = 60
EMAIL_LENGTH_MAX = 254
ATTRIBUTE_LENGTH_MAX = 500
SERVICE_LENGTH_MAX = 60
DOCUMENT_LENGTH_MAX = 60

_NUMBER = Reader(read_number, read_numbers)


def read_accounts(
    table: Table,
    *,
    columns: Mapping[str, str] | None = None,
    check_scheme: str = "none",
    progress: Progress | None = None,
) -> Rows[AccountRow]:
    """Clients: ``number``, and ``name, address, phone, email`` where the file has them.

    Every other column becomes an attribute. ``check_scheme``: the check digits that every number must
    end in (``kvit.domain.numbers``). A number that stands in the file twice is an error of the later row.
    """
    readers = {
        "number": _NUMBER if check_scheme == "none" else Reader(partial(_checked_number, check_scheme)),
        "name": _text(NAME_LENGTH_MAX),
        "address": _text(ADDRESS_LENGTH_MAX),
        "phone": _text(PHONE_LENGTH_MAX),
        "email": _text(EMAIL_LENGTH_MAX),
    }
    places = _places(table, ACCOUNT_HEADERS, columns, ["number"])
    rows: Rows[AccountRow] = empty_rows(table, places)
    plan = plan_columns(table, places, readers, None)
    others, read_attribute = rows.columns_other, _text(ATTRIBUTE_LENGTH_MAX)
    plan += [Column(header, table.header.index(header), read_attribute) for header in others]
    first_lines: dict[Hashable, int] = {}
    for lines, values in readable(table, plan, rows, progress):
        attributes = _attributes(others, values[len(readers) :])
        records = map(AccountRow, lines, *values[: len(readers)], attributes)
        if _all_new(first_lines, values[0], lines):
            rows.records.extend(records)
            continue
        for record in records:
            first = first_lines.setdefault(record.number, record.line)
            if first == record.line:
                rows.records.append(record)
            else:
                reason = f"this number stands in line {first} already"
                rows.add_error(record.line, plan[0].header, record.number, reason)
    return rows


def read_charges(
    table: Table,
    currency: str,
    *,
    columns: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Rows[ChargeRow]:
    """Charges: ``number`` and ``amount``; ``service, period, due, document`` where the file has them.

    ``currency`` tells how many digits an amount may have after the decimal mark. Equal rows are kept:
    two equal charges may both be meant.
    """
    readers = {
        "number": _NUMBER,
        "service": _text(SERVICE_LENGTH_MAX),
        "period": Reader(read_period),
        "amount": _amount(exponent_of(currency)),
        "due": Reader(read_day),
        "document": _text(DOCUMENT_LENGTH_MAX),
    }
    places = _places(table, CHARGE_HEADERS, columns, ["number", "amount"])
    rows: Rows[ChargeRow] = empty_rows(table, places)
    for lines, values in readable(table, plan_columns(table, places, readers, ""), rows, progress):
        rows.records.extend(map(ChargeRow, lines, *values))
    return rows


def read_balances(
    table: Table,
    currency: str,
    *,
    columns: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Rows[BalanceRow]:
    """What each client owes in all, for billers whose books live elsewhere; below zero is an advance.

    A client may stand in the file once, or once for each service; a second balance for the same is an
    error of the later row.
    """
    readers = {
        "number": _NUMBER,
        "amount": _amount(exponent_of(currency), signed=True),
        "service": _text(SERVICE_LENGTH_MAX),
    }
    places = _places(table, BALANCE_HEADERS, columns, ["number", "amount"])
    rows: Rows[BalanceRow] = empty_rows(table, places)
    plan = plan_columns(table, places, readers, "")
    first_lines: dict[Hashable, int] = {}
    for lines, values in readable(table, plan, rows, progress):
        records = map(BalanceRow, lines, *values)
        if _all_new(first_lines, zip(values[0], values[2], strict=True), lines):
            rows.records.extend(records)
            continue
        for record in records:
            first = first_lines.setdefault((record.number, record.service), record.line)
            if first == record.line:
                rows.records.append(record)
            else:
                reason = f"its balance stands in line {first} already"
                rows.add_error(record.line, plan[0].header, record.number, reason)
    return rows


def _all_new(first_lines: dict[Hashable, int], keys: Iterable[Hashable], lines: Sequence[int]) -> bool:
    """Note at which lines ``keys`` stand; False, and nothing is noted, where one of them stood before."""
    found = dict(zip(keys, lines, strict=True))
    if len(found) < len(lines) or not first_lines.keys().isdisjoint(found):
        return False
    first_lines.update(found)
    return True


def _attributes(
    headers: Sequence[str], columns: Sequence[Sequence[str]]
) -> Iterable[tuple[tuple[str, str], ...]]:
    """The other columns of each row, with their headers."""
    if not headers:
        return repeat(())
    return zip(
        *(zip(repeat(header), texts) for header, texts in zip(headers, columns, strict=True)), strict=True
    )


def _text(length_max: int) -> Reader:
    return Reader(partial(read_text, length_max=length_max), partial(read_texts, length_max=length_max))


def _amount(exponent: int, *, signed: bool = False) -> Reader:
    return Reader(
        partial(read_amount, exponent=exponent, signed=signed), partial(read_amounts, exponent=exponent)
    )


def _places(
    table: Table, synonyms: Mapping[str, str], columns: Mapping[str, str] | None, required: list[str]
) -> dict[str, int]:
    with naming(table.name):
        return match_columns(table.header, synonyms, columns or {}, required)


def _checked_number(scheme: str, text: str) -> str | Unreadable:
    number = read_number(text)
    if isinstance(number, str) and not is_valid(number, scheme):
        return Unreadable(f"the check digits ({scheme}) are wrong: a digit is mistyped, or they are missing")
    return number
