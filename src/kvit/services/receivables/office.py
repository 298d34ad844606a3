"""Clients and what they owe: from files, one by one, and to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple, Protocol

from kvit.domain import days, numbers
from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.journal import digest_of
from kvit.domain.model import ACTIVE, CLOSED, AccountRow, Biller, JournalRow, JsonObject
from kvit.services.receivables.accounts import AccountLine, AccountsJob, prepare_accounts
from kvit.services.receivables.balances import BalanceLine, BalancesJob, prepare_balances
from kvit.services.receivables.charges import ChargeLine, ChargesJob, prepare_charges
from kvit.services.receivables.ports import ImportRow, ReceivablesBook, ReceivablesPlan, ReceivablesStore

ACCOUNT_STATUS = "account.status"
NUMBERS_HANDED_OUT = "account.numbers"
STATUSES = (ACTIVE, CLOSED)

#: Digits of a new number where the biller has none to go by.
WIDTH_DEFAULT = 8
#: What a 64-bit counter holds.
PAYLOAD_WIDTH_MAX = 18
NUMBERS_MAX = 1_000_000


class _Numbered(Protocol):
    @property
    def number(self) -> str: ...


def accounts_job(store: ReceivablesStore, biller: Biller, lines: Sequence[AccountLine]) -> AccountsJob:
    """Clients of a file, checked and put in order."""
    return prepare_accounts(lines, _known(store, lines), biller.number_scheme)


def charges_job(store: ReceivablesStore, lines: Sequence[ChargeLine]) -> ChargesJob:
    """Charges of a file, checked and sorted by account."""
    return prepare_charges(lines, _known(store, lines))


def balances_job(
    store: ReceivablesStore, biller: Biller, lines: Sequence[BalanceLine], as_of: str, now: datetime
) -> BalancesJob:
    """Balances of a file, checked and sorted by account. Raises ``NotAllowed`` for a day to come."""
    today = now.astimezone(days.zone(biller.timezone)).date().isoformat()
    if as_of > today:
        raise NotAllowed(f"balances as of {as_of} cannot be known yet: today is {today}; nothing was changed")
    return prepare_balances(lines, _known(store, lines), as_of)


def _known(store: ReceivablesStore, lines: Iterable[_Numbered]) -> dict[str, int]:
    wanted = {line.number for line in lines}
    return store.read(lambda book: book.account_ids(wanted))


def not_in_file(store: ReceivablesStore, lines: Iterable[_Numbered]) -> int:
    """How many accounts owe something, or are paid in advance, and do not stand in the file."""
    named = {line.number for line in lines}
    return len(store.read(lambda book: book.numbers_with_balance()) - named)


def unfinished(store: ReceivablesStore) -> list[ImportRow]:
    """Imports that are still running, or were broken off; oldest first."""
    return store.read(lambda book: book.unfinished_imports())


def set_status(book: ReceivablesBook, number: str, status: str, author: str, now: datetime) -> bool:
    """Let the account take payments (``active``) or not (``closed``); False if it is so already.

    Raises ``NotFound`` for a number nobody has.
    """
    assert status in STATUSES, status
    book.lock_numbers([number])
    account = book.accounts([number]).get(number)
    if account is None:
        raise NotFound(f"no account has the number {number}")
    if account.status == status:
        return False
    (journal_id,) = book.take_ids(1)
    digest = digest_of(ACCOUNT_STATUS, account.account_id, number, account.status, status)
    record = JournalRow(
        account.biller_id, journal_id, days.to_us(now), author, ACCOUNT_STATUS, number, digest, status
    )
    book.write(ReceivablesPlan(account_changes=[account._replace(status=status)], journal=[record]))
    return True


def hand_out(book: ReceivablesBook, count: int, width: int, author: str, now: datetime) -> list[str]:
    """``count`` new numbers that nobody has, after the largest one there is, never given twice.

    ``width`` is the length of the whole number, check digits included; 0: as long as most numbers are.
    Raises ``NotAllowed`` when there are not so many.
    """
    biller = book.biller()
    scheme = biller.number_scheme
    width = width or _usual_width(book)
    payload_width = width - numbers.CHECK_DIGITS[scheme]
    if not 1 <= payload_width <= PAYLOAD_WIDTH_MAX:
        raise NotAllowed(f"new numbers cannot have {width} digits; choose another --width")
    taken = [number for number in book.numbers_of_length(width) if number.isascii() and number.isdigit()]
    largest = max((int(numbers.payload_of(number, scheme)) for number in taken), default=0)
    after = max(largest, book.handed_out_through(width))
    left = numbers.numbers_left(after, payload_width)
    if left < count:
        raise NotAllowed(f"only {left} numbers of {width} digits are left; choose a larger --width")
    fresh = list(islice(numbers.next_numbers(after, count, scheme, payload_width), count))
    book.set_handed_out(width, int(numbers.payload_of(fresh[-1], scheme)))
    (journal_id,) = book.take_ids(1)
    subject = f"{fresh[0]}..{fresh[-1]}"
    digest = digest_of(NUMBERS_HANDED_OUT, fresh[0], fresh[-1], count)
    record = JournalRow(
        biller.biller_id, journal_id, days.to_us(now), author, NUMBERS_HANDED_OUT, subject, digest, ""
    )
    book.write(ReceivablesPlan(journal=[record]))
    return fresh


def _usual_width(book: ReceivablesBook) -> int:
    lengths = Counter(book.number_lengths())
    return lengths.most_common(1)[0][0] if lengths else WIDTH_DEFAULT


class ChargeView(NamedTuple):
    """A charge as a person sees it: ``amount_minor`` with its adjustments."""

    id: int
    service: str
    period: str
    document: str
    amount_minor: int
    open_minor: int
    due: str


class PaymentView(NamedTuple):
    agreement: str
    txn: str
    amount_minor: int
    state: str
    receipt: int
    received_at_us: int
    accounting_date: str


class AccountPages(Protocol):
    """One snapshot of one biller's books."""

    def account(self, number: str) -> AccountRow | None: ...

    def charge_views(self, account_id: int) -> list[ChargeView]:
        """Oldest due first."""
        ...

    def payment_views(self, account_id: int) -> list[PaymentView]:
        """Oldest first, those that were taken back included."""
        ...


def account_page(pages: AccountPages, biller: Biller, number: str) -> JsonObject:
    """All about one account. Raises ``NotFound``. ``due_minor`` and ``advance_minor`` are never below 0."""
    account = pages.account(number)
    if account is None:
        raise NotFound(f"no account has the number {number}")
    return {
        "number": account.number,
        "name": account.name,
        "status": account.status,
        "currency": biller.currency,
        "due_minor": max(account.balance_minor, 0),
        "advance_minor": max(-account.balance_minor, 0),
        "charges": [charge._asdict() for charge in pages.charge_views(account.account_id)],
        "payments": [_shown(payment, biller.timezone) for payment in pages.payment_views(account.account_id)],
    }


def _shown(payment: PaymentView, timezone: str) -> JsonObject:
    return {
        "agreement": payment.agreement,
        "txn": payment.txn,
        "amount_minor": payment.amount_minor,
        "state": payment.state,
        "receipt": payment.receipt,
        "received_at": days.from_us(payment.received_at_us, timezone).isoformat(),
        "accounting_date": payment.accounting_date,
    }
