"""The books against the model: everything again, one by one, in the order of the ids."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from kvit.domain.messages import Post
from kvit.domain.model import AdjustmentRow, ChargeRow, PaymentRow, VoidRow
from tests.books_check import Books
from tests.model import Account, Model, Terms


def replay_findings(books: Books, closed_through: str) -> Iterator[str]:
    """Ids are drawn under the write lock, so their order is the order in which things were committed.

    Whatever was batched, repeated or broken off in between: what each payment settles, and what each client
    owes, must be as if everything had been done once and alone.
    """
    model = _played(books)
    for account in books.accounts.values():
        owed_minor = model.owed_minor(account.number)
        if account.balance_minor != owed_minor:
            yield f"{account.number} owes {account.balance_minor}, in the model {owed_minor}"
    for charge in books.charges.values():
        number = books.accounts[charge.account_id].number
        open_minor = model.open_minor(number, str(charge.charge_id))
        if charge.open_minor != open_minor:
            yield f"charge {charge.charge_id} has {charge.open_minor} open, in the model {open_minor}"
    for payment in books.payments.values():
        played = model.payments[payment.agreement_id, payment.txn]
        if (payment.state, payment.advance_minor) != (played.state, played.unused_minor):
            yield f"payment {payment.receipt} is {payment}, in the model {played}"


def _played(books: Books) -> Model:
    model = Model()
    for account in books.accounts.values():
        model.accounts[account.number] = Account()
    acts: list[tuple[int, Any]] = [
        *((row.charge_id, row) for row in books.charges.values()),
        *((row.adjustment_id, row) for row in books.adjustments.values()),
        *((row.receipt, row) for row in books.payments.values()),
        *((row.transaction_id, row) for row in books.voids.values()),
    ]
    for _, row in sorted(acts, key=lambda act: act[0]):
        _play(model, books, row)
    return model


def _play(model: Model, books: Books, row: ChargeRow | AdjustmentRow | PaymentRow | VoidRow) -> None:
    if isinstance(row, VoidRow):
        paid = books.payments[row.receipt]
        model.void(Terms(paid.agreement_id), paid.txn, by_network=True)
        return
    number = books.accounts[row.account_id].number
    if isinstance(row, ChargeRow):
        model.set_charge(number, str(row.charge_id), row.amount_minor, row.due_on, row.service)
    elif isinstance(row, AdjustmentRow):
        assert row.charge_id is not None
        charge, known = books.charges[row.charge_id], model.accounts[number].charges[str(row.charge_id)]
        amount_minor = known.amount_minor + row.amount_minor
        model.set_charge(number, str(row.charge_id), amount_minor, charge.due_on, charge.service)
    else:
        post = Post(row.txn, number, row.amount_minor, service=row.service)
        model.post(Terms(row.agreement_id), date.fromisoformat(row.accounting_date), post, None)
