"""A bank that keeps what registers tell it, and books whose debts are changed at will."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select, text

from kvit.domain.file_rows import DebtRegisterRow
from kvit.domain.file_terms import BY_ACCOUNT, FULL, DebtTerms, FileTerms
from kvit.domain.model import ACTIVE, Agreement
from kvit.main.debts import form_of
from kvit.services.debts.making import Made, make_register
from kvit.services.debts.ports import DebtOffice
from kvit.storage.billers import find_biller
from kvit.storage.debts import SqlDebts
from kvit.storage.engine import Database
from kvit.storage.schema import accounts, charges
from tests.gateway import HandClock
from tests.seeding import Client, Due, Town, agreement_of, seed

COLUMNS = (("n", "number"), ("d", "document"), ("m", "period"), ("a", "amount"))
OPTIONS = (
    ("encoding", "utf-8"), ("header", "off"), ("amounts", "minor"), ("periods", "yyyy-mm"),
    ("delimiter", "tab"),
)  # fmt: skip

Key = tuple[str, str, str]


def terms_of(**changes: Any) -> DebtTerms:  # noqa: ANN401 - fields of the terms
    return replace(DebtTerms("csv", options=OPTIONS, columns=COLUMNS), **changes)


@dataclass
class Bank:
    """One biller's books, its office of registers, and what the bank holds."""

    database: Database
    town: Town
    clock: HandClock
    holds: dict[Key, int] = field(default_factory=dict)
    terms: DebtTerms = field(default_factory=terms_of)

    @property
    def office(self) -> DebtOffice:
        with self.database.read() as connection:
            biller = find_biller(connection, self.town.biller_id)
        assert biller is not None
        return DebtOffice(
            SqlDebts(self.database, biller.biller_id), self.clock, "cli:anna", biller, self.agreement, form_of
        )

    @property
    def agreement(self) -> Agreement:
        return agreement_of(self.town.biller_id, "bank", protocol="files", files=FileTerms(debts=self.terms))

    def send(self, contents: str = FULL) -> Made:
        self.clock.forward(minutes=1)
        return make_register(self.office, replace(self.terms, contents=contents))

    def file_of(self, row: DebtRegisterRow) -> bytes:
        return b"".join(self.office.store.read(row.file_digest))

    def rows_of(self, row: DebtRegisterRow) -> list[tuple[Key, int]]:
        """The rows as the bank reads them from the file."""
        found = []
        for line in self.file_of(row).decode().splitlines():
            number, document, period, amount = line.split("\t")
            is_dated = row.rows_kind != BY_ACCOUNT and not document and period != "2026-11"
            found.append(((number, document, period if is_dated else ""), int(amount)))
        return found

    def take(self, row: DebtRegisterRow, refused: set[int] | None = None) -> None:
        """The bank loads the file, but for the rows with these numbers."""
        rows = [pair for place, pair in enumerate(self.rows_of(row), 1) if place not in (refused or set())]
        self.holds = dict(rows) if row.contents == FULL else self.holds | dict(rows)

    def owed(self) -> dict[Key, int]:
        """What every client owes now, straight from the tables; nothing is no debt."""
        by_account = self.terms.rows == BY_ACCOUNT
        query = select(
            accounts.c.number,
            accounts.c.balance_minor,
            charges.c.document,
            charges.c.period,
            charges.c.open_minor,
        ).outerjoin(
            charges,
            (charges.c.biller_id == accounts.c.biller_id)
            & (charges.c.account_id == accounts.c.account_id)
            & (charges.c.open_minor > 0),
        )
        found: dict[Key, int] = {}
        with self.database.read() as connection:
            rows = connection.execute(
                query.where(accounts.c.biller_id == self.town.biller_id, accounts.c.status == ACTIVE)
            ).all()
        for number, balance_minor, document, period, open_minor in rows:
            if by_account:
                found[number, "", ""] = balance_minor
            elif open_minor is not None:
                key = (number, document, "" if document else period)
                found[key] = found.get(key, 0) + open_minor
            else:
                found[number, "", ""] = min(balance_minor, 0)
        if self.terms.advance == "zero":
            found = {key: max(amount, 0) for key, amount in found.items()}
        return {key: amount for key, amount in found.items() if amount}

    def held(self) -> dict[Key, int]:
        return {key: amount for key, amount in self.holds.items() if amount}

    def change(self, chance: random.Random) -> None:
        """Some debts become others: paid, paid in part, new, paid in advance; some accounts are closed."""
        with self.database.write() as connection:
            for number, account_id in self.town.account_ids.items():
                if chance.random() < 0.5:
                    continue
                values = {"biller": self.town.biller_id, "account": account_id}
                balance = chance.choice([0, 0, chance.randrange(-500, 0), chance.randrange(1, 1_000)])
                connection.execute(
                    text(
                        "UPDATE accounts SET balance_minor = :balance, status = :status "
                        "WHERE biller_id = :biller AND account_id = :account"
                    ),
                    {**values, "balance": balance, "status": "closed" if chance.random() < 0.1 else ACTIVE},
                )
                for charge_id in self.town.charge_ids[number]:
                    connection.execute(
                        text(
                            "UPDATE charges SET open_minor = :open WHERE biller_id = :biller "
                            "AND charge_id = :charge"
                        ),
                        {**values, "open": chance.choice([0, 0, 1, 250, 1_000]), "charge": charge_id},
                    )


def opened_bank(
    database: Database, clock: HandClock, *, clients: int = 12, names: Sequence[str] = ("Б-1", "А-2")
) -> Bank:
    """A town whose clients owe by invoices and without, with numbers that do not come in their order."""
    numbers = [str(1_000 + place * 7919 % 9_000) for place in range(clients)] + list(names)
    town = seed(
        database,
        [
            Client(
                number,
                [
                    Due(1_000 + place, "2026-09-30", document=f"INV-{place}"),
                    Due(500, "2026-10-31", service="sewerage", document=f"INV-{place}"),
                    Due(700, "2026-08-31"),
                    Due(300, "2026-09-30"),
                    Due(200, "2026-09-15"),
                ],
            )
            for place, number in enumerate(numbers)
        ],
    )
    return Bank(database, town, clock)
