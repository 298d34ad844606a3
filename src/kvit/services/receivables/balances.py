"""Balances as of a day, for billers whose books live elsewhere: what is owed is set, and says so.

What a client owed at the end of that day by our entries is compared with the file; the difference becomes
a charge ("as of DATE") or a credit, both against ``opening``. So a payment that was taken after the day
still counts, and the same file again changes nothing. Accounts that the file does not name stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from kvit.domain import days, ledger
from kvit.domain.model import OpenItem
from kvit.domain.money import AMOUNT_MINOR_MAX, exponent_of, format_amount
from kvit.services.receivables.desk import Booking, Credit, Decision, NewCharge, Owner, book_decision
from kvit.services.receivables.ports import ReceivablesBook
from kvit.services.receivables.run import Act, LineError, Tally

BALANCES_IMPORTED = "balances.imported"
#: The service of what is owed where the file names none.
SERVICE_DEFAULT = "balance"


class BalanceLine(Protocol):
    """A row of a file: above zero is owed, below zero is paid in advance. ``service`` may be empty."""

    @property
    def line(self) -> int: ...
    @property
    def number(self) -> str: ...
    @property
    def amount_minor(self) -> int: ...
    @property
    def service(self) -> str: ...


def document_of(as_of: str) -> str:
    """The document of a charge that sets a balance."""
    return f"as of {as_of}"


def reason_of(as_of: str) -> str:
    """The reason of every transaction that sets a balance; the books find the day in it again."""
    return f"{REASON}{as_of}"


REASON = "balance as of "


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """All that a file says about one account: one row, or one for each service."""

    owner: Owner
    lines: list[BalanceLine]

    @property
    def amount_minor(self) -> int:
        return sum(line.amount_minor for line in self.lines)


@dataclass(frozen=True, slots=True)
class BalancesJob:
    """A whole file, looked through; fit for import where ``errors`` is empty."""

    accounts: list[AccountBalance]
    errors: list[LineError]
    sizes: list[int]
    total_minor: int
    as_of: str
    kind: str = "balances"
    repeated: int = 0

    def slice(self, book: ReceivablesBook, start: int, stop: int, act: Act) -> Tally:
        accounts = self.accounts[start:stop]
        numbers = {account.owner.account_id: account.owner.number for account in accounts}
        if not act.dry_run:
            book.lock_accounts(numbers)
        sums = book.client_sums(numbers, self.as_of)
        raised = [each for each in accounts if each.amount_minor > sums.get(each.owner.account_id, 0)]
        raised_ids = [account.owner.account_id for account in raised]
        setting = _Setting(
            self.as_of, _last_occurrences(book, raised, self.as_of), book.open_charges(raised_ids)
        )
        decision, tally = Decision(), Tally()
        exponent = exponent_of(act.biller.currency)
        for account in accounts:
            before_minor = sums.get(account.owner.account_id, 0)
            delta_minor = account.amount_minor - before_minor
            if delta_minor == 0:
                tally.unchanged += len(account.lines)
                continue
            tally.adjusted += len(account.lines)
            tally.added_minor += delta_minor
            if tally.has_room("adjusted"):
                words = " -> ".join(
                    format_amount(each, exponent) for each in (before_minor, account.amount_minor)
                )
                tally.show(account.lines[0].line, account.owner.number, "adjusted", words)
            if delta_minor > 0:
                decision.new.extend(setting.charges(account, delta_minor))
            else:
                decision.credits.append(Credit(account.owner, -delta_minor, self.as_of))
        if decision and not act.dry_run:
            tally.settled_minor = book_decision(book, decision, self._booking(act))
        return tally

    def _booking(self, act: Act) -> Booking:
        biller = act.biller
        return Booking(
            biller.biller_id, biller.currency, ledger.OPENING, BALANCES_IMPORTED, str(act.import_id),
            reason_of(self.as_of), act.author, days.next_open_day(self.as_of, biller.closed_through),
            act.now_us,
        )  # fmt: skip


def prepare_balances(lines: Iterable[BalanceLine], account_ids: Mapping[str, int], as_of: str) -> BalancesJob:
    """Sort a file's rows by account. ``account_ids``: number -> id of the numbers that are known."""
    errors: list[LineError] = []
    accounts: dict[str, AccountBalance] = {}
    first_lines: dict[tuple[str, str], int] = {}
    for line in lines:
        account_id = account_ids.get(line.number)
        first = first_lines.setdefault((line.number, line.service), line.line)
        if account_id is None:
            errors.append(LineError(line.line, "number", line.number, "no account has this number"))
        elif abs(line.amount_minor) > AMOUNT_MINOR_MAX:
            errors.append(LineError(line.line, "amount", str(line.amount_minor), "too large for a balance"))
        elif first != line.line:
            errors.append(
                LineError(line.line, "number", line.number, f"its balance stands in line {first} already")
            )
        else:
            owner = Owner(account_id, line.number)
            accounts.setdefault(line.number, AccountBalance(owner, [])).lines.append(line)
    ordered = sorted(accounts.values(), key=lambda account: account.owner.account_id)
    sizes = [len(account.lines) for account in ordered]
    return BalancesJob(ordered, errors, sizes, sum(each.amount_minor for each in ordered), as_of)


def _last_occurrences(
    book: ReceivablesBook, accounts: list[AccountBalance], as_of: str
) -> dict[tuple[int, str], int]:
    """(account, service) -> how many charges have set this balance before: a corrected file adds one more."""
    if not accounts:
        return {}
    services = {_service(line) for account in accounts for line in account.lines}
    found: dict[tuple[int, str], int] = {}
    for charge in book.charges([account.owner.account_id for account in accounts], services, [""]):
        if charge.document == document_of(as_of):
            place = (charge.account_id, charge.service)
            found[place] = max(found.get(place, 0), charge.occurrence)
    return found


def _service(line: BalanceLine) -> str:
    return line.service or SERVICE_DEFAULT


@dataclass(frozen=True, slots=True)
class _Setting:
    """How a balance is raised."""

    as_of: str
    occurrences: dict[tuple[int, str], int]
    open_charges: Mapping[int, list[OpenItem]]

    def charges(self, account: AccountBalance, delta_minor: int) -> list[NewCharge]:
        """Charges of ``delta_minor`` in all, each service given what it lacks, the first one the rest."""
        owner = account.owner
        shares = self._shares(account, delta_minor)
        return [
            NewCharge(
                owner, service, "", document_of(self.as_of),
                self.occurrences.get((owner.account_id, service), 0) + 1, share_minor, self.as_of,
            )
            for service, share_minor in shares.items()
            if share_minor > 0
        ]  # fmt: skip

    def _shares(self, account: AccountBalance, delta_minor: int) -> dict[str, int]:
        if len(account.lines) == 1:
            return {_service(account.lines[0]): delta_minor}
        lacking: dict[str, int] = {}
        for line in account.lines:
            lacking[_service(line)] = lacking.get(_service(line), 0) + line.amount_minor
        for item in self.open_charges.get(account.owner.account_id, ()):
            if item.service in lacking:
                lacking[item.service] -= item.open_minor
        shares: dict[str, int] = {}
        rest_minor = delta_minor
        for service, lack_minor in lacking.items():
            shares[service] = min(max(lack_minor, 0), rest_minor)
            rest_minor -= shares[service]
        first = _service(account.lines[0])
        shares[first] += rest_minor
        return shares
