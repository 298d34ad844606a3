"""Can this client be paid, and how much is owed? Reads only; a batch costs one query."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kvit.domain.masking import display_name
from kvit.domain.messages import Found, Lookup, NoSuchAccount, Refused, Result
from kvit.domain.model import ACTIVE, AccountKey, Agreement
from kvit.services.ports import AccountView, LookupBook
from kvit.services.terms import is_open


def lookup_batch(
    book: LookupBook, demands: Sequence[tuple[Agreement, Lookup]], now: datetime
) -> list[Result]:
    """Answer every lookup, in order."""
    keys = {AccountKey(agreement.biller_id, command.number) for agreement, command in demands}
    accounts = book.accounts(sorted(keys))
    return [
        look_up(agreement, command, accounts.get(AccountKey(agreement.biller_id, command.number)), now)
        for agreement, command in demands
    ]


def look_up(agreement: Agreement, command: Lookup, account: AccountView | None, now: datetime) -> Result:
    """The answer to one lookup, of which the books say ``account``."""
    if not is_open(agreement, now):
        return Refused("agreement-closed")
    if account is None:
        return NoSuchAccount(command.number)
    status, balance_minor, name = account
    if status != ACTIVE:
        return Refused("account-closed")
    due_minor, advance_minor = (balance_minor, 0) if balance_minor > 0 else (0, -balance_minor)
    shown = display_name(name, agreement.show_name)
    return Found(command.number, due_minor, advance_minor, agreement.currency, shown)
