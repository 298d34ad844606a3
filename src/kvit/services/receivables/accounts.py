"""Clients from a file: new ones are added, known ones get what the file says otherwise.

A column that the file does not have stays as it is; an empty cell empties the field. Other columns are
kept as attributes and merged, column by column. Nobody is closed or deleted by a file.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from kvit.domain.journal import digest_of
from kvit.domain.model import ACTIVE, AccountRow, JournalRow
from kvit.domain.numbers import wrong_numbers
from kvit.services.receivables.ports import ReceivablesBook, ReceivablesPlan
from kvit.services.receivables.run import EXAMPLES_MAX, Act, LineError, Tally

ACCOUNTS_IMPORTED = "accounts.imported"
FIELDS = ("name", "address", "phone", "email")


class AccountLine(Protocol):
    """A row of a file. ``None``: the file has no such column. ``attributes``: (header, text)."""

    @property
    def line(self) -> int: ...
    @property
    def number(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def address(self) -> str | None: ...
    @property
    def phone(self) -> str | None: ...
    @property
    def email(self) -> str | None: ...
    @property
    def attributes(self) -> tuple[tuple[str, str], ...]: ...


@dataclass(frozen=True, slots=True)
class AccountsJob:
    """A whole file, looked through; fit for import where ``errors`` is empty."""

    lines: list[AccountLine]
    errors: list[LineError]
    sizes: list[int]
    repeated: int
    kind: str = "accounts"
    as_of: str = ""
    total_minor: int = 0

    def slice(self, book: ReceivablesBook, start: int, stop: int, act: Act) -> Tally:
        lines = self.lines[start:stop]
        numbers = [line.number for line in lines]
        if not act.dry_run:
            book.lock_numbers(numbers)
        known = book.accounts(numbers)
        tally, plan = Tally(), ReceivablesPlan()
        fresh = [line for line in lines if line.number not in known] if known else lines
        tally.new = len(fresh)
        for line in fresh[:EXAMPLES_MAX]:
            tally.show(line.line, line.number, "new", "")
        for line in lines if known else ():
            account = known.get(line.number)
            if account is None:
                continue
            changed = _changed(account, line)
            if changed is None:
                tally.unchanged += 1
                continue
            plan.account_changes.append(changed)
            tally.changed += 1
            if tally.has_room("changed"):
                tally.show(line.line, line.number, "changed", _differing(account, changed))
        if not act.dry_run and (fresh or plan.account_changes):
            self._write(book, plan, fresh, act)
        return tally

    def _write(
        self, book: ReceivablesBook, plan: ReceivablesPlan, fresh: list[AccountLine], act: Act
    ) -> None:
        biller_id = act.biller.biller_id
        journal_id, *account_ids = book.take_ids(len(fresh) + 1)
        plan.accounts = [
            AccountRow(
                biller_id, account_id, line.number, ACTIVE, line.name or "", line.address or "",
                line.phone or "", line.email or "", _attributes_text("", line), 0, act.now_us,
            )
            for account_id, line in zip(account_ids, fresh, strict=True)
        ]  # fmt: skip
        plan.account_changes.sort(key=lambda account: account.account_id)
        changed_ids = [account.account_id for account in plan.account_changes]
        digest = digest_of("accounts", act.import_id, len(account_ids), *account_ids, *changed_ids)
        detail = json.dumps({"new": len(account_ids), "changed": len(changed_ids)})
        plan.journal.append(
            JournalRow(
                biller_id, journal_id, act.now_us, act.author, ACCOUNTS_IMPORTED, str(act.import_id), digest,
                detail,
            )
        )  # fmt: skip
        book.write(plan)


def prepare_accounts(
    lines: Collection[AccountLine], account_ids: Mapping[str, int], scheme: str
) -> AccountsJob:
    """Put a file's rows in the order of the accounts, new ones last. ``scheme``: that of the check digits."""
    errors: list[LineError] = []
    # Of equal numbers the first row counts.
    kept = {line.number: line for line in reversed(list(lines))}
    repeated = 0
    for line in lines if len(kept) < len(lines) else ():
        first = kept[line.number]
        if first is line:
            continue
        if _content(first) == _content(line):
            repeated += 1
        else:
            reason = f"this number stands in line {first.line} already, with other data"
            errors.append(LineError(line.line, "number", line.number, reason))
    reason = f"the check digits ({scheme}) are wrong"
    wrong = [kept[number] for number in wrong_numbers(kept, scheme)]
    errors += [LineError(line.line, "number", line.number, reason) for line in wrong]
    errors.sort(key=lambda error: error.line)
    known = [number for number in kept if number in account_ids]
    fresh = [number for number in kept if number not in account_ids]
    ordered = [kept[number] for number in sorted(known, key=account_ids.__getitem__) + sorted(fresh)]
    return AccountsJob(ordered, errors, [1] * len(ordered), repeated)


def _content(line: AccountLine) -> tuple[object, ...]:
    return (line.name, line.address, line.phone, line.email, line.attributes)


def _changed(account: AccountRow, line: AccountLine) -> AccountRow | None:
    """The account as the file says; ``None`` where the books say the same."""
    if (
        (line.name is None or line.name == account.name)
        and (line.address is None or line.address == account.address)
        and (line.phone is None or line.phone == account.phone)
        and (line.email is None or line.email == account.email)
        and (not line.attributes or _attributes_text(account.attributes, line) == account.attributes)
    ):
        return None
    stated = {name: value for name in FIELDS if (value := getattr(line, name)) is not None}
    return account._replace(**stated, attributes=_attributes_text(account.attributes, line))


def _differing(before: AccountRow, after: AccountRow) -> str:
    names = (*FIELDS, "attributes")
    return ", ".join(name for name in names if getattr(before, name) != getattr(after, name))


def _attributes_text(before: str, line: AccountLine) -> str:
    """Those of before and those of the file; an empty text takes one away."""
    if not line.attributes:
        return before
    attributes: dict[str, str] = json.loads(before) if before else {}
    for header, text in line.attributes:
        if text:
            attributes[header] = text
        else:
            attributes.pop(header, None)
    return json.dumps(attributes, ensure_ascii=False, sort_keys=True) if attributes else ""
