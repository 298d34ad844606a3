"""What the rows of a biller's files become."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from kvit.files.errors import RowError

#: Only so many errors are kept; the rest is counted.
ERRORS_MAX = 1_000
#: So much of a wrong value is shown.
VALUE_SHOWN_MAX = 60


class AccountRow(NamedTuple):
    """One client. ``None``: the file has no such column, so nothing is known; ``""``: known to be empty.

    ``attributes``: (header, text) of every other column, empty texts included, in the file's order.
    """

    line: int
    number: str
    name: str | None
    address: str | None
    phone: str | None
    email: str | None
    attributes: tuple[tuple[str, str], ...] = ()


class ChargeRow(NamedTuple):
    """One amount owed, never below zero; zero takes back what was charged before.

    ``period`` is ``YYYY-MM`` where the file names a month, else its own words. ``due`` is an ISO day.
    ``service``, ``period``, ``due`` and ``document`` are ``""`` where the file says nothing.
    """

    line: int
    number: str
    service: str
    period: str
    amount_minor: int
    due: str
    document: str


class BalanceRow(NamedTuple):
    """What one client owes in all; below zero is paid in advance. ``service``: ``""`` if not told."""

    line: int
    number: str
    amount_minor: int
    service: str


Record = TypeVar("Record", AccountRow, ChargeRow, BalanceRow)


@dataclass(slots=True)
class Rows(Generic[Record]):
    """What a file held. It is fit for import if ``errors`` is empty.

    ``columns_used``: (field, header) of the columns understood; ``columns_other``: the headers of the
    rest, kept as attributes of accounts and not looked at in other files. ``row_count`` counts rows with
    errors as well; ``errors_omitted`` the errors beyond the first ``ERRORS_MAX``.
    """

    columns_used: tuple[tuple[str, str], ...]
    columns_other: tuple[str, ...]
    records: list[Record] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    row_count: int = 0
    errors_omitted: int = 0

    def add_error(self, line: int, column: str, value: str, reason: str) -> None:
        """Keep one more error, or count it if there are too many to be read anyway."""
        if len(self.errors) >= ERRORS_MAX:
            self.errors_omitted += 1
            return
        shown = value if len(value) <= VALUE_SHOWN_MAX else value[: VALUE_SHOWN_MAX - 3] + "..."
        self.errors.append(RowError(line, column, str(shown), reason))
