"""Clients from a file: new ones are added, known ones get what the file says otherwise.

A column that the file does not have stays as it is; an empty cell empties the field. Other columns are
kept as attributes and merged, column by column. Nobody is closed or deleted by a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from kvit.domain.journal import digest_of
from kvit.domain.model import ACTIVE, AccountRow, JournalRow
from kvit.domain.numbers import is_valid
from kvit.services.receivables.ports import ReceivablesBook, ReceivablesPlan
from kvit.services.receivables.run import Act, LineError, Tally

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
            book.lock_accounts(book.account_ids(numbers).values())
        known = book.accounts(numbers)
        tally, plan = Tally(), ReceivablesPlan()
        fresh: list[AccountLine] = []
        for line in lines:
            account = known.get(line.number)
            if account is None:
                fresh.append(line)
                tally.new += 1
                tally.show(line.line, line.number, "new", "")
                continue
            changed, differing = _changed(account, line)
            if not differing:
                tally.unchanged += 1
                continue
            plan.account_changes.append(changed)
            tally.changed += 1
            tally.show(line.line, line.number, "changed", ", ".join(differing))
        if not act.dry_run and (fresh or plan.account_changes):
            self._write(book, plan, fresh, act)
        return tally

    def _write(
        self, book: ReceivablesBook, plan: ReceivablesPlan, fresh: list[AccountLine], act: Act
    ) -> None:
        biller_id = act.biller.biller_id
        journal_id, *account_ids = book.take_ids(len(fresh) + 1)
        for account_id, line in zip(account_ids, fresh, strict=True):
            plan.accounts.append(
                AccountRow(
                    biller_id, account_id, line.number, ACTIVE, line.name or "", line.address or "",
                    line.phone or "", line.email or "", _attributes_text({}, line), 0, act.now_us,
                )
            )  # fmt: skip
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
    lines: Iterable[AccountLine], account_ids: Mapping[str, int], scheme: str
) -> AccountsJob:
    """Put a file's rows in the order of the accounts, new ones last. ``scheme``: that of the check digits."""
    errors: list[LineError] = []
    kept: dict[str, AccountLine] = {}
    repeated = 0
    for line in lines:
        first = kept.setdefault(line.number, line)
        if not is_valid(line.number, scheme):
            errors.append(
                LineError(line.line, "number", line.number, f"the check digits ({scheme}) are wrong")
            )
        elif first is not line:
            if _content(first) == _content(line):
                repeated += 1
            else:
                reason = f"this number stands in line {first.line} already, with other data"
                errors.append(LineError(line.line, "number", line.number, reason))
    new = 1 << 63
    ordered = sorted(kept.values(), key=lambda line: (account_ids.get(line.number, new), line.number))
    return AccountsJob(ordered, errors, [1] * len(ordered), repeated)


def _content(line: AccountLine) -> tuple[object, ...]:
    return (line.name, line.address, line.phone, line.email, line.attributes)


def _changed(account: AccountRow, line: AccountLine) -> tuple[AccountRow, list[str]]:
    """The account as the file says, and the names of what differs."""
    stated = {name: value for name in FIELDS if (value := getattr(line, name)) is not None}
    before = json.loads(account.attributes) if account.attributes else {}
    stated["attributes"] = _attributes_text(before, line)
    differing = [name for name, value in stated.items() if value != getattr(account, name)]
    return account._replace(**stated), differing


def _attributes_text(before: Mapping[str, str], line: AccountLine) -> str:
    attributes = dict(before)
    for header, text in line.attributes:
        if text:
            attributes[header] = text
        else:
            attributes.pop(header, None)
    return json.dumps(attributes, ensure_ascii=False, sort_keys=True) if attributes else ""
