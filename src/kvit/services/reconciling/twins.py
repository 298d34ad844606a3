"""Two that look like one: payments, rows of a register, or one of each.

A twin is one finding, not a payment that is missing there and a row that is missing here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date

from kvit.services.reconciling.facts import MAKING_LINES, UNBOOKED_LINES, Paid, Told
from kvit.services.reconciling.findings import DIFFERS, TWIN, Finding
from kvit.services.reconciling.pairing import Pairs, Wording

#: Payments of one account and sum so close together may be one that was told twice.
CLOSE_US = 120_000_000
#: A row and a payment so many days apart may be of one.
DAYS_APART_MAX = 1
#: ``2026-10-05T09:15``: shorter, and the row has a day only.
_TIME_LENGTH_MIN = 16


class Twins:
    """What looks alike; ``findings`` fills ``payments`` and ``rows`` with what needs no other finding."""

    def __init__(self, pairs: Pairs, words: Wording) -> None:
        self._pairs, self._words = pairs, words
        self.payments: set[int] = set()
        self.rows: set[str] = set()

    def findings(self) -> Iterator[Finding]:
        yield from self._booked_twice()
        yield from self._under_another_id()
        yield from self._close_payments()
        yield from self.equal_rows()

    def _booked_twice(self) -> Iterator[Finding]:
        """A payment that came online and has no row, beside one that a row made."""
        made = _rows_by_content(row for row in self._pairs.facts.told if row.state in MAKING_LINES)
        for paid, row in self._matched(made):
            assert row.receipt is not None
            text = (
                f"payment {row.receipt} of {self._words.money(row.amount_minor)} for {row.number} was booked "
                f"from the register; payment {paid.receipt} is the same sum for the same account, came "
                "online, and is not in the register: one payment booked twice?"
            )
            yield self._twin(paid, (paid.receipt, row.receipt), text, row.line_key)

    def _under_another_id(self) -> Iterator[Finding]:
        """The same with a row that waits for a person."""
        waiting = _rows_by_content(row for row in self._pairs.facts.told if row.state in UNBOOKED_LINES)
        for paid, row in self._matched(waiting):
            if row.id_there in self._pairs.paid_by_txn:
                continue
            self.payments.add(paid.receipt)
            self.rows.add(row.line_key)
            money = self._words.money(paid.amount_minor)
            text = (
                f"payment {paid.receipt} of {money} for {paid.number or paid.typed} has the id {paid.txn} "
                f"here; the register has the same account and sum as {row.id_there}, which waits: one "
                "payment with two ids?"
            )
            yield Finding(
                DIFFERS, self._words.agreement_id, paid.day, str(paid.receipt), text, paid.amount_minor,
                row.amount_minor, paid.txn, paid.number or paid.typed, (paid.receipt,), row.line_key,
            )  # fmt: skip

    def _matched(self, rows_of: dict[tuple[str, int], list[Told]]) -> Iterator[tuple[Paid, Told]]:
        """Payments that nobody there knows, each with a row of its own of the same account and sum."""
        for paid in self._pairs.unknown_there:
            if paid.receipt in self.payments:
                continue
            rows = rows_of.get((paid.number or paid.typed, paid.amount_minor), [])
            row = next((row for row in rows if _days_apart(row.day, paid.day) <= DAYS_APART_MAX), None)
            if row is not None:
                rows.remove(row)
                yield paid, row

    def _close_payments(self) -> Iterator[Finding]:
        """Two that came online within two minutes, unless the register has them both."""
        groups: dict[tuple[str, int], list[Paid]] = defaultdict(list)
        for paid in self._pairs.unknown_there:
            if paid.receipt not in self.payments:
                groups[paid.number or paid.typed, paid.amount_minor].append(paid)
        if not groups:
            return
        online: dict[tuple[str, int], list[Paid]] = defaultdict(list)
        for paid in self._pairs.facts.paid:
            content = (paid.number or paid.typed, paid.amount_minor)
            if content in groups and not paid.is_voided and not self._pairs.made_by_row(paid):
                online[content].append(paid)
        for content, lonely in groups.items():
            for paid in lonely:
                first = next((one for one in online[content] if _is_earlier_twin(one, paid)), None)
                if first is None:
                    first = next((one for one in online[content] if self._is_confirmed_twin(one, paid)), None)
                if first is not None and paid.receipt not in self.payments:
                    money = self._words.money(paid.amount_minor)
                    text = (
                        f"payment {paid.receipt} of {money} for {content[0]} came within two minutes of "
                        f"payment {first.receipt}, which is equal, and the register does not have both: "
                        "one payment told twice?"
                    )
                    yield self._twin(paid, (paid.receipt, first.receipt), text)

    def _is_confirmed_twin(self, one: Paid, paid: Paid) -> bool:
        is_confirmed = one.receipt in self._pairs.row_of
        return is_confirmed and abs(one.at_us - paid.at_us) <= CLOSE_US and one.receipt != paid.receipt

    def equal_rows(self) -> Iterator[Finding]:
        """Rows that made payments and are equal to the second, or to the last letter."""
        seen: dict[tuple[str, int, str], Told] = {}
        for row in self._pairs.rows:
            if row.state not in MAKING_LINES or row.receipt is None or row.line_key in self.rows:
                continue
            mark = row.at if len(row.at) >= _TIME_LENGTH_MIN else _without_occurrence(row.line_key)
            first = seen.setdefault((row.file_number, row.amount_minor, mark), row)
            if first is row:
                continue
            assert first.receipt is not None
            text = (
                f"the register has {self._words.money(row.amount_minor)} for {row.file_number} twice with "
                f"the same time (payments {first.receipt} and {row.receipt}): is it one payment?"
            )
            self.rows.add(row.line_key)
            yield Finding(
                TWIN, self._words.agreement_id, row.day, row.line_key, text, row.amount_minor,
                row.amount_minor, row.line_key, row.file_number, (row.receipt, first.receipt), row.line_key,
            )  # fmt: skip

    def _twin(self, paid: Paid, receipts: tuple[int, ...], text: str, line_key: str = "") -> Finding:
        self.payments.add(paid.receipt)
        if line_key:
            self.rows.add(line_key)
        return Finding(
            TWIN, self._words.agreement_id, paid.day, str(paid.receipt), text, paid.amount_minor, None,
            paid.txn, paid.number or paid.typed, receipts, line_key,
        )  # fmt: skip


def _rows_by_content(rows: Iterable[Told]) -> dict[tuple[str, int], list[Told]]:
    """By account and sum."""
    groups: dict[tuple[str, int], list[Told]] = defaultdict(list)
    for row in rows:
        groups[row.number or row.file_number, row.amount_minor].append(row)
    return groups


def _is_earlier_twin(one: Paid, paid: Paid) -> bool:
    return one.receipt < paid.receipt and abs(one.at_us - paid.at_us) <= CLOSE_US


def _days_apart(one: str, other: str) -> int:
    if not one or not other:
        return DAYS_APART_MAX + 1
    return abs((date.fromisoformat(one) - date.fromisoformat(other)).days)


def _without_occurrence(line_key: str) -> str:
    """A key made of what the row says, without the number among equal rows; else the key itself."""
    return line_key.rpartition(":")[0] if line_key.startswith("f:") else line_key
