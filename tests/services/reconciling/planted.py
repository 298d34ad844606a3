"""A day of very many payments with differences planted in it, each known to the test alone.

Rows are written straight into the tables, as posting and imports leave them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from kvit.domain import days
from kvit.domain.days import local_instant
from kvit.domain.file_rows import CONFIRMED, QUARANTINE, LineRow, SettlementRow
from kvit.domain.lines import REGISTER
from kvit.domain.model import POSTED, PaymentRow
from kvit.storage.billers import take_ids
from kvit.storage.bulk import insert_rows
from tests.daybooks import DAY, DayBook, day_after
from tests.seeding import ZONE

#: Kind -> how many are planted: fifty in all, with five of whole days.
PLANTED = {
    "missing-here": 8, "missing-there": 8, "differs": 8, "twin": 6, "day-shifted": 7, "fee-differs": 8,
}  # fmt: skip


@dataclass
class Plan:
    """``expected``: (kind, day, what tells the finding from others)."""

    book: DayBook
    count: int
    seed: int
    expected: set[tuple[str, str, str]] = field(default_factory=set)
    _payments: list[PaymentRow] = field(default_factory=list)
    _lines: list[LineRow] = field(default_factory=list)

    def fill(self) -> None:
        chance = random.Random(self.seed)  # noqa: S311
        accounts = sorted(self.book.town.account_ids.items())
        with self.book.gateway.database.write() as connection:
            receipts = take_ids(connection, self.count)
        fates = [kind for kind, count in PLANTED.items() for _ in range(count)]
        places = dict(zip(chance.sample(range(self.count), len(fates)), fates, strict=True))
        for place, receipt in enumerate(receipts):
            number, account_id = accounts[place % len(accounts)]
            # No two equal sums of one account within two minutes, save those that are planted.
            amount_minor = 10_000 + place * 7 % 900_000
            second = 1 + place * 86_000 // self.count
            at = f"{DAY}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
            payment = self._payment(receipt, f"t{place}", account_id, amount_minor, at)
            line = self._line(payment, number)
            self._plant(places.get(place, ""), payment, line, number)
        with self.book.gateway.database.write() as connection:
            for start in range(0, len(self._payments), 10_000):
                insert_rows(connection, "payments", self._payments[start : start + 10_000])
            for start in range(0, len(self._lines), 10_000):
                insert_rows(connection, "money_lines", self._lines[start : start + 10_000])

    def _plant(self, kind: str, payment: PaymentRow, line: LineRow, number: str) -> None:
        """The payment and its row, or what has become of them; each difference is one finding."""
        if kind:
            subject = payment.txn if kind != "twin" else f"{payment.txn}-again"
            self.expected.add((kind, DAY, subject))
        if kind != "missing-here":
            self._payments.append(payment)
        if kind == "missing-there":
            return
        if kind == "missing-here":
            line = line._replace(state=QUARANTINE, receipt=None, number="", reason="nobody has it")
        elif kind == "differs":
            line = line._replace(state=QUARANTINE, receipt=None, amount_minor=line.amount_minor + 100)
        elif kind == "day-shifted":
            line = line._replace(day=day_after(DAY))
        elif kind == "fee-differs":
            line = line._replace(fee_minor=(line.fee_minor or 0) + 50)
        elif kind == "twin":
            with self.book.gateway.database.write() as connection:
                (receipt,) = take_ids(connection, 1)
            self._payments.append(payment._replace(receipt=receipt, txn=f"{payment.txn}-again"))
        self._lines.append(line)

    def _payment(self, receipt: int, txn: str, account_id: int, amount_minor: int, at: str) -> PaymentRow:
        agreement = self.book.agreement
        instant = local_instant(at, ZONE)
        assert instant is not None
        at_us = days.to_us(instant)
        return PaymentRow(
            agreement.biller_id, agreement.agreement_id, txn, receipt, account_id, amount_minor, "RUB", "",
            POSTED, 1, amount_minor, 0, agreement.fee.of(amount_minor), at, at_us, at_us + 2_000_000, DAY, "",
        )  # fmt: skip

    def _line(self, payment: PaymentRow, number: str) -> LineRow:
        values: dict[str, Any] = dict.fromkeys(LineRow._fields, "") | {
            "biller_id": payment.biller_id, "source": payment.agreement_id, "line_key": payment.txn,
            "import_id": 1, "line": len(self._lines) + 1, "kind": REGISTER, "day": DAY,
            "at": payment.network_time, "direction": "in", "amount_minor": payment.amount_minor,
            "currency": "RUB", "file_number": number, "net_minor": None,
            "fee_minor": payment.biller_fee_minor,
            "state": CONFIRMED, "number": number, "receipt": payment.receipt, "generation": 0,
        }  # fmt: skip
        return LineRow(**values)

    def plant_whole_days(self) -> None:
        """Days whose register is missing, empty, or late; one not paid out, and one not to the end."""
        book = self.book
        missing, empty, late, unpaid, short = (day_after(DAY, -step) for step in (5, 4, 3, 2, 1))
        for day in (missing, empty):
            book.pay(f"of {day}", at=f"{day}T12:00:00")
        book.came(0, empty)
        book.missed(late)
        for day in (late, unpaid, short):
            at = f"{day}T12:00:00"
            book.confirm(book.pay(f"of {day}", at=at), f"of {day}", day=day, at=at, fee_minor=600)
        self._settled(missing, late, 150_000, 1_800, 0)
        self._settled(short, short, 50_000, 600, -500)
        self.expected |= {
            ("register-missing", missing, ""), ("register-empty", empty, ""), ("register-late", late, ""),
            ("settlement-missing", unpaid, ""), ("settlement-short", short, ""),
        }  # fmt: skip

    def _settled(self, first: str, last: str, gross_minor: int, fee_minor: int, over_minor: int) -> None:
        agreement = self.book.agreement
        with self.book.gateway.database.write() as connection:
            (settlement_id,) = take_ids(connection, 1)
            row = SettlementRow(
                agreement.biller_id, settlement_id, agreement.agreement_id, "bank:1", f"l{settlement_id}",
                first, last, gross_minor, fee_minor, gross_minor - fee_minor + over_minor, over_minor,
                "planted", "cli:anna", 1, "posted",
            )  # fmt: skip
            insert_rows(connection, "settlements", [row])
