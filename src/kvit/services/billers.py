"""The organisation that is owed: what its settings may be, and how it comes into the books."""

from __future__ import annotations

import re
from typing import Protocol
from zoneinfo import ZoneInfoNotFoundError

from kvit.domain import days
from kvit.domain.errors import NotAllowed, SettingsError
from kvit.domain.journal import digest_of
from kvit.domain.model import Biller, JournalRow
from kvit.domain.numbers import SCHEMES

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
DEFAULT_CURRENCY = "RUB"
DEFAULT_TIMEZONE = "Europe/Moscow"
_CURRENCY = re.compile(r"[A-Z]{3}")


class BillerBook(Protocol):
    """One open write transaction."""

    def find(self, biller_id: str) -> Biller | None: ...

    def add(self, biller: Biller) -> None: ...

    def take_id(self) -> int: ...

    def write_journal(self, record: JournalRow) -> None: ...


def make_biller(book: BillerBook, biller: Biller, author: str) -> bool:
    """Bring the biller into the books; ``False`` when it is there already.

    Currency and zone left empty are ``DEFAULT_CURRENCY`` and ``DEFAULT_TIMEZONE`` for a new biller.
    Raises ``SettingsError`` for a wrong setting, ``NotAllowed`` where it would change the currency.
    """
    known = book.find(biller.biller_id)
    if known is not None:
        if biller.currency and known.currency != biller.currency:
            raise NotAllowed(
                f"biller {biller.biller_id} keeps its accounts in {known.currency}; "
                f"that cannot be changed to {biller.currency}"
            )
        return False
    biller = biller._replace(
        name=biller.name or biller.biller_id,
        currency=biller.currency or DEFAULT_CURRENCY,
        timezone=biller.timezone or DEFAULT_TIMEZONE,
    )
    _check(biller)
    book.add(biller)
    digest = digest_of("biller", *biller[:5])
    book.write_journal(
        JournalRow(
            biller.biller_id, book.take_id(), biller.created_at_us, author,
            "biller.made", biller.biller_id, digest, "",
        )
    )  # fmt: skip
    return True


def _check(biller: Biller) -> None:
    if not _ID.fullmatch(biller.biller_id):
        raise SettingsError("--biller: 1 to 40 small latin letters, digits, - and _")
    if not _CURRENCY.fullmatch(biller.currency):
        raise SettingsError("--currency: a code of three capital letters, such as RUB or KZT")
    if biller.number_scheme not in SCHEMES:
        raise SettingsError(f"--check-digit: one of {', '.join(sorted(SCHEMES))}")
    try:
        days.zone(biller.timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SettingsError(f"--timezone: there is no time zone {biller.timezone}") from error
