"""Can this client be paid, and how much is owed? Reads only; a batch costs one query."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kvit.domain import days
from kvit.domain.masking import display_name
from kvit.domain.messages import BadAmount, Found, Lookup, NoSuchAccount, Refused, Result
from kvit.domain.model import ACTIVE, AccountKey, Agreement
from kvit.services.places import stands
from kvit.services.ports import AccountView, InvoiceView, LookupBook
from kvit.services.terms import is_open, not_allowed, outside_limits, service_terms


def lookup_batch(
    book: LookupBook, demands: Sequence[tuple[Agreement, Lookup]], now: datetime
) -> list[Result]:
    """Answer every lookup, in order."""
    numbers: set[AccountKey] = set()
    documents: set[AccountKey] = set()
    for agreement, command in demands:
        asked = AccountKey(agreement.biller_id, command.number)
        (documents if agreement.by_invoice else numbers).add(asked)
    accounts = book.accounts(sorted(numbers)) if numbers else {}
    invoices = book.invoices(sorted(documents)) if documents else {}
    results = []
    for agreement, command in demands:
        asked = AccountKey(agreement.biller_id, command.number)
        if agreement.by_invoice:
            results.append(look_up_invoice(agreement, command, invoices.get(asked), now))
        else:
            results.append(look_up(agreement, command, accounts.get(asked), now))
    return results


def look_up(agreement: Agreement, command: Lookup, account: AccountView | None, now: datetime) -> Result:
    """The answer to one lookup, of which the books say ``account``."""
    if not is_open(agreement, now):
        return Refused("agreement-closed")
    if agreement.services and service_terms(agreement, command.service) is None:
        return Refused("service")
    if account is None:
        return NoSuchAccount(command.number)
    status, balance_minor, name = account
    if status != ACTIVE:
        return Refused("account-closed")
    if command.amount_minor is not None:
        refusal = outside_limits(agreement, command.amount_minor, command.service)
        if refusal is not None:
            return refusal
    due_minor, advance_minor = (balance_minor, 0) if balance_minor > 0 else (0, -balance_minor)
    shown = display_name(name, agreement.show_name)
    return Found(command.number, due_minor, advance_minor, agreement.currency, shown)


def look_up_invoice(
    agreement: Agreement, command: Lookup, invoice: InvoiceView | None, now: datetime
) -> Result:
    """The same for an invoice: one sum, once."""
    refusal: Result | None = not_allowed(agreement, command, "", now)
    if refusal is not None:
        return refusal
    if invoice is None:
        return NoSuchAccount(command.number)
    if invoice.status != ACTIVE:
        return Refused("account-closed")
    due_minor = invoice.open_minor
    if due_minor == 0:
        return Refused("already-paid")
    if stands(invoice.held_until_us, days.to_us(now)):
        return Refused("being-paid")
    if command.amount_minor is not None:
        if command.amount_minor != due_minor:
            return BadAmount(command.amount_minor, due_minor, due_minor)
        refusal = outside_limits(agreement, command.amount_minor, command.service)
        if refusal is not None:
            return refusal
    shown = display_name(invoice.name, agreement.show_name)
    return Found(command.number, due_minor, 0, agreement.currency, shown, exact=True)
