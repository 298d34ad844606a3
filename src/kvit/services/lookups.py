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
        _answer(agreement, command, accounts.get(AccountKey(agreement.biller_id, command.number)), now)
        for agreement, command in demands
    ]


def _answer(agreement: Agreement, command: Lookup, account: AccountView | None, now: datetime) -> Result:
    if not is_open(agreement, now):
        return Refused("agreement-closed")
    if account is None:
        return NoSuchAccount(command.number)
    if account.status != ACTIVE:
        return Refused("account-closed")
    return Found(
        number=command.number,
        due_minor=max(account.balance_minor, 0),
        advance_minor=max(-account.balance_minor, 0),
        currency=agreement.currency,
        display_name=display_name(account.name, agreement.show_name),
    )
