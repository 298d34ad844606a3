"""Days of one agreement made to order: payments online, rows of registers, lump sums on statements.

Payments go through the services; lines of files are written as an import leaves them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from kvit.domain import days, ledger
from kvit.domain.file_rows import CONFIRMED, LUMP, POSTED_LINE, QUARANTINE, DueRunRow, LineRow
from kvit.domain.file_terms import FileTerms, RegisterTerms, SettlementTerms
from kvit.domain.lines import REGISTER, STATEMENT
from kvit.domain.messages import Post, Posted
from kvit.domain.model import Agreement, Fee
from kvit.services.corrections import void_payment
from kvit.services.receivables.ports import FINISHED, ImportRow
from kvit.services.reconciling.run import Report, check_span, reconcile
from kvit.storage.billers import take_ids
from kvit.storage.bulk import insert_rows
from kvit.storage.reconciling import SqlReconcilingBook
from kvit.storage.schema import imports
from tests.gateway import Gateway
from tests.seeding import Client, Town, agreement_of, seed

DAY = "2026-11-20"
FILES = FileTerms(register=RegisterTerms())
PAID_OUT = FileTerms(register=RegisterTerms(), settlement=SettlementTerms(words=("qiwi",)))
OWN_ACCOUNT = "40702810000000000001"

LineValue = str | int | None


def day_after(day: str, count: int = 1) -> str:
    return (date.fromisoformat(day) + timedelta(days=count)).isoformat()


@dataclass
class DayBook:
    """One agreement of a biller of its own. ``today`` is three days after ``DAY``."""

    gateway: Gateway
    town: Town
    agreement: Agreement
    today: str = "2026-11-23"
    _lines: int = field(default=0)

    @property
    def biller_id(self) -> str:
        return self.town.biller_id

    def pay(
        self, txn: str, amount_minor: int = 50_000, number: str = "1001", at: str = f"{DAY}T12:00:00"
    ) -> int:
        """A payment online; its receipt."""
        done = self.gateway.ask(self.agreement, Post(txn, number, amount_minor, network_time=at))
        assert isinstance(done, Posted), done
        return done.receipt

    def void(self, receipt: int) -> None:
        self.gateway.corrections.run(
            lambda book: void_payment(
                book, self.biller_id, receipt, "wrong", "cli:anna", self.gateway.clock.now()
            )
        )

    def row(
        self, key: str, amount_minor: int = 50_000, file_number: str = "1001", **changes: LineValue
    ) -> LineRow:
        """A row of the agent's register, as an import that is not written down leaves it."""
        self._lines += 1
        values: dict[str, Any] = dict.fromkeys(LineRow._fields, "") | {
            "biller_id": self.biller_id, "source": self.agreement.agreement_id, "line_key": key,
            "import_id": 1, "line": self._lines, "kind": REGISTER, "day": DAY, "at": f"{DAY}T12:00:00",
            "direction": "in",
            "amount_minor": amount_minor, "currency": "RUB", "file_number": file_number, "fee_minor": None,
            "net_minor": None, "state": QUARANTINE, "receipt": None, "generation": 0,
        }  # fmt: skip
        row = LineRow(**(values | changes))
        with self.gateway.database.write() as connection:
            insert_rows(connection, "money_lines", [row])
        return row

    def confirm(
        self, receipt: int, key: str, amount_minor: int = 50_000, number: str = "1001", **changes: LineValue
    ) -> None:
        """A row that confirms a payment that came online."""
        default: dict[str, LineValue] = {"number": number, "state": CONFIRMED, "receipt": receipt}
        self.row(key, amount_minor, number, **(default | changes))

    def book_row(
        self, key: str, amount_minor: int = 50_000, file_number: str = "1001", **changes: LineValue
    ) -> int:
        """A row that became a payment; its receipt."""
        day, at = str(changes.get("day", DAY)), str(changes.get("at", f"{DAY}T12:00:00"))
        post = Post(key, file_number, amount_minor, taken=True, booked_on=day, network_time=at)
        done = self.gateway.ask(self.agreement, post)
        assert isinstance(done, Posted), done
        default: dict[str, LineValue] = {
            "number": file_number, "state": POSTED_LINE, "receipt": done.receipt,
        }  # fmt: skip
        self.row(key, amount_minor, file_number, **(default | changes))
        return done.receipt

    def came(
        self, rows: int, first_day: str = DAY, last_day: str = "", at_us: int = 0, kind: str = REGISTER
    ) -> int:
        """An import of a register; its id."""
        with self.gateway.database.write() as connection:
            (import_id,) = take_ids(connection, 1)
            summary = {"rows": rows, "first_day": first_day, "last_day": last_day or first_day}
            at_us = at_us or days.to_us(datetime.fromisoformat(f"{day_after(DAY)}T06:00:00+00:00"))
            row = ImportRow(
                self.biller_id, import_id, kind, "r.csv", "d" * 64, FINISHED, json.dumps(summary),
                "cli:anna", at_us, at_us, self.agreement.agreement_id, "qiwi",
            )  # fmt: skip
            connection.execute(insert(imports), row._asdict())
        return import_id

    def missed(self, day: str) -> None:
        """The schedule found that the register of ``day`` is not here."""
        due_us = days.to_us(datetime.fromisoformat(f"{day_after(day)}T08:00:00+00:00"))
        row = DueRunRow(
            self.biller_id,
            self.agreement.agreement_id,
            "expect",
            due_us,
            "me",
            due_us,
            "missing",
            day,
            due_us,
        )
        with self.gateway.database.write() as connection:
            insert_rows(connection, "due_runs", [row])

    def lump(self, key: str, amount_minor: int, day: str = "", text: str = "qiwi") -> LineRow:
        """The agent's lump sum on the statement, which waits."""
        source = ledger.bank(OWN_ACCOUNT)
        return self.row(
            key, amount_minor, "", source=source, kind=STATEMENT, day=day or day_after(DAY), at="", text=text,
            state=LUMP, number=self.agreement.agreement_id,
        )  # fmt: skip

    def report(self, first: str = DAY, last: str = "") -> Report:
        with self.gateway.database.read() as connection:
            book = SqlReconcilingBook(connection, self.agreement, self.today)
            return reconcile(book, self.agreement, check_span(first, last or first), self.today)

    def kinds(self, first: str = DAY, last: str = "") -> list[str]:
        return sorted(finding.kind for finding in self.report(first, last).findings)


def daybook(gateway: Gateway, **changes: Any) -> DayBook:  # noqa: ANN401 - fields of ``Agreement``
    """A biller with the clients 1001 to 1009, and one agreement with online payments and registers."""
    town = seed(gateway.database, [Client(str(number)) for number in range(1001, 1010)])
    terms: Mapping[str, Any] = {"files": FILES, "fee": Fee(percent_millionths=12_000)}
    return DayBook(gateway, town, replace(agreement_of(town.biller_id), **(dict(terms) | changes)))


def only(items: Iterable[Any]) -> Any:  # noqa: ANN401
    """The one item."""
    (one,) = items
    return one
