"""Where money goes: what the payer typed -> an account, and the charges that the money is for."""

from __future__ import annotations

from typing import NamedTuple

from kvit.domain.messages import NoSuchAccount, Refused, Result
from kvit.domain.model import ACTIVE, NOBODY, AccountKey, AccountState, Agreement, StoredInvoice
from kvit.services.ports import Situation


class Place(NamedTuple):
    """Where money goes: the account, and the charges that it is for (none: as the rules of settling say).

    ``due_minor`` is the only sum that is taken, where there is only one.
    """

    account: AccountState
    targets: tuple[int, ...] = ()
    due_minor: int | None = None


def place_of(situation: Situation, agreement: Agreement, number: str, now_us: int) -> Place | Result:
    """The account that may be paid under what the payer typed, or why there is none."""
    asked = AccountKey(agreement.biller_id, number)
    if not agreement.payer_key:
        account = situation.accounts.get(asked)
        if account is None:
            return NoSuchAccount(number)
        return Place(account) if account.status == ACTIVE else Refused("account-closed")
    invoice = situation.invoices.get(asked)
    if invoice is None:
        return NoSuchAccount(number)
    account = situation.accounts[AccountKey(agreement.biller_id, invoice.number)]
    if account.status != ACTIVE:
        return Refused("account-closed")
    due_minor = _due_minor(situation, agreement.biller_id, invoice)
    if due_minor == 0:
        return Refused("already-paid")
    if any(stands(one.expires_at_us, now_us) for one in situation.reserved.get(asked, ())):
        return Refused("being-paid")
    return Place(account, tuple(invoice.charge_ids), due_minor)


def place_at_all(situation: Situation, agreement: Agreement, number: str) -> Place:
    """The same for money that is taken already: what belongs to nobody is in suspense."""
    asked = AccountKey(agreement.biller_id, number)
    targets: tuple[int, ...] = ()
    if agreement.by_invoice:
        invoice = situation.invoices.get(asked)
        asked = AccountKey(agreement.biller_id, "" if invoice is None else invoice.number)
        targets = () if invoice is None else tuple(invoice.charge_ids)
    account = situation.accounts.get(asked)
    if account is None or account.status != ACTIVE:
        return Place(AccountState(NOBODY, "", "", 0))
    return Place(account, targets)


def stands(expires_at_us: int | None, now_us: int) -> bool:
    """Does a hold with this end stand at ``now_us``?"""
    return expires_at_us is None or now_us < expires_at_us


def _due_minor(situation: Situation, biller_id: str, invoice: StoredInvoice) -> int:
    """What is open of an invoice, as the batch has left it so far."""
    return sum(
        charge.open_minor
        for charge in situation.charges.get((biller_id, invoice.account_id), ())
        if charge.item_id in invoice.charge_ids
    )
