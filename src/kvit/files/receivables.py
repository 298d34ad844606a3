"""What a biller is owed, from table files: accounts, charges, and balances as of a day.

Each reader takes a ``Table`` and gives ``Rows``: records of the rows that hold, and a ``RowError`` for
every cell that does not. Nothing is decided here about what is already in the books. A file whose
columns cannot be told apart raises ``FileRefused``.

``columns`` everywhere: field -> header, where the headers do not speak for themselves (``""``: the file
has no such column). ``progress`` is called with the number of rows read, each ``PROGRESS_ROWS`` rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from kvit.domain.money import exponent_of
from kvit.domain.numbers import is_valid
from kvit.files.cells import Unreadable, read_amount, read_day, read_number, read_period, read_text
from kvit.files.errors import naming
from kvit.files.headers import ACCOUNT_HEADERS, BALANCE_HEADERS, CHARGE_HEADERS, match_columns
from kvit.files.reading import CellReader, Column, Progress, empty_rows, plan_columns, readable_rows
from kvit.files.records import AccountRow, BalanceRow, ChargeRow, Rows
from kvit.files.tables import Table

NAME_LENGTH_MAX = 200
ADDRESS_LENGTH_MAX = 500
PHONE_LENGTH_MAX = 60
EMAIL_LENGTH_MAX = 254
ATTRIBUTE_LENGTH_MAX = 500
SERVICE_LENGTH_MAX = 60
DOCUMENT_LENGTH_MAX = 60


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
    readers: dict[str, CellReader] = {
        "number": read_number if check_scheme == "none" else partial(_checked_number, check_scheme),
        "name": partial(read_text, length_max=NAME_LENGTH_MAX),
        "address": partial(read_text, length_max=ADDRESS_LENGTH_MAX),
        "phone": partial(read_text, length_max=PHONE_LENGTH_MAX),
        "email": partial(read_text, length_max=EMAIL_LENGTH_MAX),
    }
    places = _places(table, ACCOUNT_HEADERS, columns, ["number"])
    rows: Rows[AccountRow] = empty_rows(table, places)
    plan = plan_columns(table, places, readers, None)
    read_attribute = partial(read_text, length_max=ATTRIBUTE_LENGTH_MAX)
    plan += [Column(header, table.header.index(header), read_attribute) for header in rows.columns_other]
    first_lines: dict[str, int] = {}
    for line, values in readable_rows(table, plan, rows, progress):
        number, name, address, phone, email, *others = values
        first = first_lines.setdefault(number, line)
        if first != line:
            rows.add_error(line, plan[0].header, number, f"this number stands in line {first} already")
            continue
        attributes = tuple(zip(rows.columns_other, others, strict=True))
        rows.records.append(AccountRow(line, number, name, address, phone, email, attributes))
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
    readers: dict[str, CellReader] = {
        "number": read_number,
        "service": partial(read_text, length_max=SERVICE_LENGTH_MAX),
        "period": read_period,
        "amount": partial(read_amount, exponent=exponent_of(currency)),
        "due": read_day,
        "document": partial(read_text, length_max=DOCUMENT_LENGTH_MAX),
    }
    places = _places(table, CHARGE_HEADERS, columns, ["number", "amount"])
    rows: Rows[ChargeRow] = empty_rows(table, places)
    plan = plan_columns(table, places, readers, "")
    for line, values in readable_rows(table, plan, rows, progress):
        rows.records.append(ChargeRow(line, *values))
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
    readers: dict[str, CellReader] = {
        "number": read_number,
        "amount": partial(read_amount, exponent=exponent_of(currency), signed=True),
        "service": partial(read_text, length_max=SERVICE_LENGTH_MAX),
    }
    places = _places(table, BALANCE_HEADERS, columns, ["number", "amount"])
    rows: Rows[BalanceRow] = empty_rows(table, places)
    plan = plan_columns(table, places, readers, "")
    first_lines: dict[tuple[str, str], int] = {}
    for line, (number, amount_minor, service) in readable_rows(table, plan, rows, progress):
        first = first_lines.setdefault((number, service), line)
        if first != line:
            rows.add_error(line, plan[0].header, number, f"its balance stands in line {first} already")
            continue
        rows.records.append(BalanceRow(line, number, amount_minor, service))
    return rows


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
