"""Charges from a file: which of them are new, which have another amount, which are there already.

A charge is known by account, service, period and document. Where there is no document, rows of the same
account, service and period are told apart by their occurrence: each is first matched with a known charge
of the same amount, the others with what is left in order, and the rest are new. So a file may be imported
again, with its rows in any order, and changes nothing; but all rows of one such group must be in one file.
With a document there is one charge: the same row again is counted once, another amount is an error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from kvit.domain import days
from kvit.domain.money import AMOUNT_MINOR_MAX, exponent_of, format_amount
from kvit.services.receivables.desk import Booking, Change, Decision, NewCharge, Owner, book_decision
from kvit.services.receivables.ports import KnownCharge, ReceivablesBook
from kvit.services.receivables.run import Act, LineError, Tally

CHARGES_IMPORTED = "charges.imported"
#: The service of charges whose file names none.
SERVICE_DEFAULT = "main"


class ChargeLine(Protocol):
    """A row of a file. ``due`` is an ISO day; texts are empty where the file says nothing."""

    @property
    def line(self) -> int: ...
    @property
    def number(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def period(self) -> str: ...
    @property
    def amount_minor(self) -> int: ...
    @property
    def due(self) -> str: ...
    @property
    def document(self) -> str: ...


#: (service, period, document)
Kind = tuple[str, str, str]


def kind_of(line: ChargeLine) -> Kind:
    """What a charge is known by within its account."""
    return (line.service or SERVICE_DEFAULT, line.period, line.document)


def _by_kind(lines: list[ChargeLine]) -> Iterable[tuple[Kind, list[ChargeLine]]]:
    if len(lines) == 1:
        return [(kind_of(lines[0]), lines)]
    groups: dict[Kind, list[ChargeLine]] = {}
    for line in lines:
        groups.setdefault(kind_of(line), []).append(line)
    return groups.items()


@dataclass(frozen=True, slots=True)
class AccountCharges:
    """All that a file says about one account."""

    owner: Owner
    lines: list[ChargeLine]


@dataclass(frozen=True, slots=True)
class ChargesJob:
    """A whole file, looked through; fit for import where ``errors`` is empty."""

    accounts: list[AccountCharges]
    errors: list[LineError]
    sizes: list[int]
    repeated: int
    total_minor: int
    kind: str = "charges"
    as_of: str = ""

    def slice(self, book: ReceivablesBook, start: int, stop: int, act: Act) -> Tally:
        accounts = self.accounts[start:stop]
        account_ids = [account.owner.account_id for account in accounts]
        if not act.dry_run:
            book.lock_accounts(account_ids)
        kinds = {kind_of(line) for account in accounts for line in account.lines}
        services, periods = ({kind[place] for kind in kinds} for place in (0, 1))
        known: dict[tuple[int, Kind], list[KnownCharge]] = {}
        for charge in book.charges(account_ids, services, periods):
            kind = (charge.service, charge.period, charge.document)
            known.setdefault((charge.account_id, kind), []).append(charge)
        comparison = Comparison(act)
        for account in accounts:
            comparison.account(account, known)
        if comparison.decision and not act.dry_run:
            settled_minor = book_decision(book, comparison.decision, _booking(act))
            comparison.tally.settled_minor = settled_minor
        return comparison.tally


def prepare_charges(lines: Iterable[ChargeLine], account_ids: dict[str, int]) -> ChargesJob:
    """Sort a file's rows by account. ``account_ids``: number -> id of the numbers that are known."""
    errors: list[LineError] = []
    accounts: dict[str, AccountCharges] = {}
    first_lines: dict[tuple[str, Kind], ChargeLine] = {}
    repeated = total_minor = 0
    for line in lines:
        account_id = account_ids.get(line.number)
        if account_id is None:
            errors.append(LineError(line.line, "number", line.number, "no account has this number"))
            continue
        if not 0 <= line.amount_minor <= AMOUNT_MINOR_MAX:
            errors.append(LineError(line.line, "amount", str(line.amount_minor), "not an amount of a charge"))
            continue
        if line.document:
            first = first_lines.setdefault((line.number, kind_of(line)), line)
            if first is not line:
                if (first.amount_minor, first.due) == (line.amount_minor, line.due):
                    repeated += 1
                else:
                    errors.append(_contradiction(first, line))
                continue
        account = accounts.get(line.number)
        if account is None:
            account = accounts[line.number] = AccountCharges(Owner(account_id, line.number), [])
        account.lines.append(line)
        total_minor += line.amount_minor
    ordered = sorted(accounts.values(), key=lambda account: account.owner.account_id)
    sizes = [len(account.lines) for account in ordered]
    return ChargesJob(ordered, errors, sizes, repeated, total_minor)


def _contradiction(first: ChargeLine, line: ChargeLine) -> LineError:
    reason = (
        f"the same account, service, period and document as line {first.line}, with another amount or due day"
    )
    return LineError(line.line, "document", line.document, reason)


def _booking(act: Act) -> Booking:
    biller = act.biller
    return Booking(
        biller.biller_id, biller.currency, "", CHARGES_IMPORTED, str(act.import_id),
        f"changed by {act.file_name}", act.author, days.next_open_day(act.today, biller.closed_through),
        act.now_us,
    )  # fmt: skip


class Comparison:
    """A slice's rows against what the books hold."""

    def __init__(self, act: Act) -> None:
        self.decision = Decision()
        self.tally = Tally()
        self._today = act.today
        self._exponent = exponent_of(act.biller.currency)

    def account(self, account: AccountCharges, known: dict[tuple[int, Kind], list[KnownCharge]]) -> None:
        for kind, lines in _by_kind(account.lines):
            charges = known.get((account.owner.account_id, kind))
            if charges:
                self._match(account.owner, kind, lines, charges)
            else:
                self._add(account.owner, kind, lines, 0)

    def _match(self, owner: Owner, kind: Kind, lines: list[ChargeLine], known: list[KnownCharge]) -> None:
        """Equal amounts first, then what is left in order; rows beyond that are new."""
        ordered = sorted(known, key=lambda charge: charge.occurrence)
        by_amount: dict[int, deque[KnownCharge]] = {}
        for charge in ordered:
            by_amount.setdefault(charge.amount_minor, deque()).append(charge)
        others: list[ChargeLine] = []
        for line in lines:
            same = by_amount.get(line.amount_minor)
            if same:
                self.tally.unchanged += 1
                self._compare_due(line, same.popleft())
            else:
                others.append(line)
        left = sorted(chain.from_iterable(by_amount.values()), key=lambda charge: charge.occurrence)
        for line, charge in zip(others, left, strict=False):
            self._change(owner, line, charge)
        self._add(owner, kind, others[len(left) :], ordered[-1].occurrence)

    def _add(self, owner: Owner, kind: Kind, lines: list[ChargeLine], occurrence: int) -> None:
        for line in lines:
            if line.amount_minor:
                occurrence += 1
                self._new(owner, kind, line, occurrence)
            else:
                # Nothing was charged before, so there is nothing to take back.
                self.tally.unchanged += 1

    def _new(self, owner: Owner, kind: Kind, line: ChargeLine, occurrence: int) -> None:
        due_on = line.due or days.month_end(line.period) or self._today
        self.decision.new.append(NewCharge(owner, *kind, occurrence, line.amount_minor, due_on))
        self.tally.new += 1
        self.tally.added_minor += line.amount_minor
        if self.tally.has_room("new"):
            self._show(line, "new", format_amount(line.amount_minor, self._exponent))

    def _change(self, owner: Owner, line: ChargeLine, charge: KnownCharge) -> None:
        self.decision.changes.append(Change(owner, charge, line.amount_minor))
        self.tally.adjusted += 1
        self.tally.added_minor += line.amount_minor - charge.amount_minor
        if self.tally.has_room("adjusted"):
            before, after = (format_amount(each.amount_minor, self._exponent) for each in (charge, line))
            self._show(line, "adjusted", f"{before} -> {after}")
        self._compare_due(line, charge)

    def _compare_due(self, line: ChargeLine, charge: KnownCharge) -> None:
        if line.due and line.due != charge.due_on:
            self.tally.due_differs += 1
            self._show(line, "note", f"due {charge.due_on} stays; the file says {line.due}")

    def _show(self, line: ChargeLine, what: str, text: str) -> None:
        self.tally.show(line.line, line.number, what, ", ".join(filter(None, (*kind_of(line), text))))
