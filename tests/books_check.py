"""Recompute the books from their rows, in plain Python, with nothing of what posting uses.

``check_books(database)`` gives one line a finding; an empty list is a set of books that holds together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, select

from kvit.domain.journal import adjustment_digest, charges_digest, hold_digest, payment_digest
from kvit.domain.model import (
    AccountRow,
    AdjustmentRow,
    AllocationRow,
    ChargeRow,
    EntryRow,
    HoldRow,
    JournalRow,
    OutboxRow,
    PaymentRow,
    TransactionRow,
    VoidRow,
)
from kvit.storage import schema
from kvit.storage.engine import Database
from kvit.storage.rows import ROWS, columns_of


class Books(NamedTuple):
    """One biller's rows."""

    accounts: dict[int, AccountRow]
    charges: dict[int, ChargeRow]
    adjustments: dict[int, AdjustmentRow]
    holds: dict[int, HoldRow]
    payments: dict[int, PaymentRow]
    voids: dict[int, VoidRow]
    allocations: list[AllocationRow]
    transactions: dict[int, TransactionRow]
    entries: dict[int, list[EntryRow]]
    outbox: list[OutboxRow]
    journal: dict[int, JournalRow]


def check_books(database: Database) -> list[str]:
    """Everything that does not hold in any biller's books."""
    with database.read() as connection:
        billers = [row.biller_id for row in connection.execute(select(schema.billers.c.biller_id))]
        return [
            f"{biller_id}: {finding}"
            for biller_id in billers
            for finding in findings(_read(connection, biller_id))
        ]


def findings(books: Books) -> Iterator[str]:
    yield from _check_entries(books)
    yield from _check_charges(books)
    yield from _check_payments(books)
    yield from _check_holds(books)
    yield from _check_voids(books)
    yield from _check_adjustments(books)
    yield from _check_allocations(books)
    yield from _check_balances(books)
    yield from _check_acts(books)


def _read(connection: Connection, biller_id: str) -> Books:
    def rows(name: str) -> list[tuple[object, ...]]:
        table = schema.metadata.tables[name]
        wanted = [table.c[column] for column in columns_of(name)]
        found = connection.execute(select(*wanted).where(table.c.biller_id == biller_id))
        return [ROWS[name](*row) for row in found]

    entries: dict[int, list[EntryRow]] = defaultdict(list)
    for entry in rows("entries"):
        assert isinstance(entry, EntryRow)
        entries[entry.transaction_id].append(entry)
    keyed = {name: {row[place]: row for row in rows(name)} for name, place in _KEY_PLACES.items()}
    return Books(
        **keyed,  # type: ignore[arg-type]
        allocations=rows("allocations"),  # type: ignore[arg-type]
        entries=entries,
        outbox=rows("outbox"),  # type: ignore[arg-type]
    )


#: Where in its row a table's id stands.
_KEY_PLACES = {
    name: columns_of(name).index(key)
    for name, key in (
        ("accounts", "account_id"),
        ("charges", "charge_id"),
        ("adjustments", "adjustment_id"),
        ("holds", "receipt"),
        ("payments", "receipt"),
        ("voids", "receipt"),
        ("transactions", "transaction_id"),
        ("journal", "journal_id"),
    )
}


def _client_side(books: Books, transaction_id: int, account_id: int) -> int:
    """What a transaction puts on the account of its client, or into suspense where it has none."""
    name = "client:" + books.accounts[account_id].number if account_id else "suspense"
    return sum(row.amount_minor for row in books.entries[transaction_id] if row.ledger_account == name)


def _check_entries(books: Books) -> Iterator[str]:
    clients = {"client:" + account.number for account in books.accounts.values()}
    for transaction_id, entries in books.entries.items():
        if transaction_id not in books.transactions:
            yield f"entries of transaction {transaction_id}, which does not exist"
        sums: Counter[str] = Counter()
        for entry in entries:
            sums[entry.currency] += entry.amount_minor
            if entry.ledger_account.startswith("client:") and entry.ledger_account not in clients:
                yield f"transaction {transaction_id} books on {entry.ledger_account}, which is nobody's"
        if any(sums.values()):
            yield f"transaction {transaction_id} does not sum to zero: {dict(sums)}"
    for transaction_id in books.transactions.keys() - books.entries.keys():
        yield f"transaction {transaction_id} has no entries"


def _check_charges(books: Books) -> Iterator[str]:
    adjusted: Counter[int] = Counter()
    for row in books.adjustments.values():
        if row.charge_id is not None:
            adjusted[row.charge_id] += row.amount_minor
    settled: Counter[int] = Counter()
    for allocation in books.allocations:
        settled[allocation.charge_id] += allocation.amount_minor
    for charge_id, charge in books.charges.items():
        owed_minor = charge.amount_minor + adjusted[charge_id]
        open_minor = owed_minor - settled[charge_id]
        if charge.open_minor != open_minor:
            yield f"charge {charge_id} says {charge.open_minor} is open, its rows say {open_minor}"
        if owed_minor < 0 or charge.open_minor < 0:
            yield f"charge {charge_id} fell below zero: owed {owed_minor}, open {charge.open_minor}"
        booked_minor = _client_side(books, charge_id, charge.account_id)
        if booked_minor != charge.amount_minor:
            yield f"charge {charge_id} of {charge.amount_minor} is booked as {booked_minor}"
        if charge.act_id not in books.journal:
            yield f"charge {charge_id} was made by act {charge.act_id}, which no journal record names"
    for charge_id in adjusted.keys() - books.charges.keys():
        yield f"an adjustment of charge {charge_id}, which does not exist"


def _check_payments(books: Books) -> Iterator[str]:
    told = Counter(int(row.subject) for row in books.outbox if row.kind == "payment.posted")
    recorded = Counter(int(row.subject) for row in books.journal.values() if row.verb == "payment.posted")
    used = _used(books)
    for receipt, payment in books.payments.items():
        if told[receipt] != 1:
            yield f"payment {receipt} has {told[receipt]} outbox rows"
        if recorded[receipt] != 1:
            yield f"payment {receipt} has {recorded[receipt]} journal records"
        record = books.journal.get(receipt)
        number = books.accounts[payment.account_id].number if payment.account_id else ""
        if record is None or record.digest != payment_digest(payment, number):
            yield f"payment {receipt} is not what its journal record sealed"
        booked_minor = _client_side(books, receipt, payment.account_id)
        if booked_minor != -payment.amount_minor:
            yield f"payment {receipt} of {payment.amount_minor} is booked as {booked_minor}"
        rest_minor = 0 if payment.state == "voided" else payment.amount_minor - used[receipt]
        if payment.advance_minor != rest_minor or rest_minor < 0:
            yield f"payment {receipt} says {payment.advance_minor} is unused, its rows say {rest_minor}"
        if payment.state == "voided" and used[receipt] != 0:
            yield f"voided payment {receipt} still settles {used[receipt]}"
        if (payment.state == "voided") != (receipt in books.voids):
            yield f"payment {receipt} is {payment.state}, and its void row says otherwise"
    for receipt in told.keys() - books.payments.keys():
        yield f"payment {receipt} was told, and is not in the books"
    for receipt in recorded.keys() - books.payments.keys():
        yield f"payment {receipt} is in the journal, and not in the books"


def _check_holds(books: Books) -> Iterator[str]:
    """A hold books nothing; once posted it is the payment of the same id, receipt and sum, and only then."""
    standing: set[str] = set()
    for receipt, hold in books.holds.items():
        payment = books.payments.get(receipt)
        if (payment is not None) != (hold.state == "posted"):
            yield f"hold {receipt} is {hold.state}, and its payment says otherwise"
        if payment is not None and (payment.txn, payment.amount_minor) != (hold.txn, hold.amount_minor):
            yield f"hold {receipt} was posted as another payment"
        record = books.journal.get(hold.act_id)
        number = books.accounts[hold.account_id].number
        if record is None or (record.verb, record.digest) != ("payment.held", hold_digest(hold, number)):
            yield f"hold {receipt} is not what its journal record sealed"
        if (hold.state == "held") != (hold.end_act_id is None):
            yield f"hold {receipt} is {hold.state}, ended by {hold.end_act_id}"
        if hold.end_act_id is not None and hold.end_act_id not in books.journal:
            yield f"hold {receipt} was ended by act {hold.end_act_id}, which no journal record names"
        if hold.state == "held" and hold.typed and hold.expires_at_us is None:
            if hold.typed in standing:
                yield f"two holds stand for invoice {hold.typed}"
            standing.add(hold.typed)
    txns = {(payment.agreement_id, payment.txn): receipt for receipt, payment in books.payments.items()}
    for receipt, hold in books.holds.items():
        if txns.get((hold.agreement_id, hold.txn), receipt) != receipt:
            yield f"hold {receipt} and a payment of another receipt have one id"


def _used(books: Books) -> Counter[int]:
    used: Counter[int] = Counter()
    for allocation in books.allocations:
        used[allocation.source_id] += allocation.amount_minor
    return used


def _check_voids(books: Books) -> Iterator[str]:
    for receipt, void in books.voids.items():
        if receipt not in books.payments:
            yield f"a void of payment {receipt}, which does not exist"
            continue
        back = books.transactions.get(void.transaction_id)
        if back is None or back.reverses != receipt:
            yield f"payment {receipt} is voided without a reversing transaction"
        taken = sorted((row.ledger_account, row.currency, row.amount_minor) for row in books.entries[receipt])
        given = sorted(
            (row.ledger_account, row.currency, -row.amount_minor)
            for row in books.entries[void.transaction_id]
        )
        if taken != given:
            yield f"the void of payment {receipt} does not take back what the payment booked"


def _check_adjustments(books: Books) -> Iterator[str]:
    used = _used(books)
    for adjustment_id, row in books.adjustments.items():
        is_credit = row.charge_id is None
        if is_credit and row.amount_minor >= 0:
            yield f"adjustment {adjustment_id} names no charge and gives no credit: {row.amount_minor}"
        rest_minor = -row.amount_minor - used[adjustment_id] if is_credit else 0
        if row.advance_minor != rest_minor or rest_minor < 0:
            yield f"adjustment {adjustment_id} says {row.advance_minor} is unused, its rows say {rest_minor}"
        if row.charge_id is not None and used[adjustment_id]:
            yield f"adjustment {adjustment_id} changes a charge and settles {used[adjustment_id]} too"
        booked_minor = _client_side(books, adjustment_id, row.account_id)
        if booked_minor != row.amount_minor:
            yield f"adjustment {adjustment_id} of {row.amount_minor} is booked as {booked_minor}"
        record, transaction = books.journal.get(adjustment_id), books.transactions.get(adjustment_id)
        number = books.accounts[row.account_id].number
        if record is None or transaction is None:
            yield f"adjustment {adjustment_id} lacks its journal record or its transaction"
        elif record.digest != adjustment_digest(row, number, transaction.accounting_date):
            yield f"adjustment {adjustment_id} is not what its journal record sealed"


def _check_allocations(books: Books) -> Iterator[str]:
    parts: Counter[tuple[int, int]] = Counter()
    for row in books.allocations:
        parts[row.source_id, row.charge_id] += row.amount_minor
        if row.act_id not in books.journal and row.act_id not in books.transactions:
            yield f"an allocation by act {row.act_id}, which nothing names"
    for (source_id, charge_id), part_minor in parts.items():
        if part_minor < 0:
            yield f"source {source_id} settles {part_minor} of charge {charge_id}"
        source = books.payments.get(source_id) or books.adjustments.get(source_id)
        charge = books.charges.get(charge_id)
        if source is None or charge is None or source.account_id != charge.account_id:
            yield f"source {source_id} and charge {charge_id} are not of one account"


def _check_balances(books: Books) -> Iterator[str]:
    balances: Counter[str] = Counter()
    for entries in books.entries.values():
        for entry in entries:
            balances[entry.ledger_account] += entry.amount_minor
    nets: Counter[int] = Counter()
    for charge in books.charges.values():
        nets[charge.account_id] += charge.open_minor
    for payment in books.payments.values():
        nets[payment.account_id] -= payment.advance_minor
    for adjustment in books.adjustments.values():
        nets[adjustment.account_id] -= adjustment.advance_minor
    for account_id, account in books.accounts.items():
        entries_minor = balances["client:" + account.number]
        if account.balance_minor != entries_minor:
            yield f"account {account.number} says {account.balance_minor}, its entries say {entries_minor}"
        net_minor = nets[account_id]
        if account.balance_minor != net_minor:
            yield f"account {account.number} says {account.balance_minor}, open less unused is {net_minor}"


def _check_acts(books: Books) -> Iterator[str]:
    numbers = {account_id: account.number for account_id, account in books.accounts.items()}
    made: dict[int, list[ChargeRow]] = defaultdict(list)
    for charge in books.charges.values():
        made[charge.act_id].append(charge)
    for journal_id, record in books.journal.items():
        is_import = record.verb in ("charges.imported", "balances.imported")
        if (is_import or journal_id in made) and record.digest != charges_digest(made[journal_id], numbers):
            yield f"the charges of act {journal_id} are not what its journal record sealed"
