"""Is an answer that has left the house true? One judgement for each kind of question."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from kvit.domain.messages import ListPosted, Lookup, Post, Status, Void
from kvit.domain.model import Agreement
from kvit.domain.money import format_amount
from kvit.protocols.base import Heard
from tests.simulation.trace import Trace

if TYPE_CHECKING:
    from tests.simulation.witness import Visit, Witness


class Row(NamedTuple):
    """A payment as it is committed."""

    receipt: int
    number: str
    amount_minor: int
    service: str
    state: str
    attempts: int
    accounting_date: str

    def is_of(self, post: Post) -> bool:
        return (self.number, self.amount_minor, self.service) == (
            post.number,
            post.amount_minor,
            post.service,
        )


class Verdicts:
    """Compares what was said with what is committed at the moment in which it is said."""

    def __init__(self, trace: Trace, witness: Witness) -> None:
        self._trace = trace
        self._witness = witness

    def post(self, visit: Visit, post: Post, heard: Heard, body: bytes) -> None:
        row = self._witness.row(visit.agreement, post.txn)
        if heard.step == "done":
            self._confirmed(visit, post, heard, row)
            record = self._witness.record(visit.agreement, post.txn)
            record.answers.add(body)
            if len(record.answers) > 1:
                self._fail(visit, f"{post.txn} was confirmed in other words: {record.answers}")
        elif heard.code == "215":
            if row is None or row.is_of(post):
                self._fail(visit, f"a conflict with nothing: {row}")
            self._witness.conflict(visit, post)
        else:  # that it was in the books even so is seen where its batch is judged
            self._refused(visit, post.number, heard.code, post.amount_minor)

    def _confirmed(self, visit: Visit, post: Post, heard: Heard, row: Row | None) -> None:
        if row is None:
            self._fail(visit, f"{post.txn} was confirmed, and is not in the books")
        elif not row.is_of(post):
            self._fail(visit, f"{post} was confirmed, and the books say {row}")
        else:
            self._told(visit, post.txn, heard, row)

    def _told(self, visit: Visit, txn: str, heard: Heard, row: Row) -> None:
        """A telling confirms, so it stands behind a write of its own and names the one receipt."""
        record = self._witness.record(visit.agreement, txn)
        record.tellings += 1
        if heard.receipt:
            record.receipts.add(int(heard.receipt))
        if record.receipts - {row.receipt}:
            self._fail(visit, f"{txn} has receipt {row.receipt}, and was told {record.receipts}")
        if heard.amount_minor not in (-1, row.amount_minor):
            self._fail(visit, f"{txn} is of {row.amount_minor}, and was told {heard.amount_minor}")
        needed = record.tellings + max(record.voids - 1, 0)
        if row.attempts < needed:
            self._fail(visit, f"{txn} was told {needed} times, and was written {row.attempts} times")

    def lookup(self, visit: Visit, lookup: Lookup, heard: Heard) -> None:
        key = (visit.agreement.biller_id, lookup.number)
        if heard.step != "done":
            self._refused(visit, lookup.number, heard.code, None)
            return
        shown = {name: text.split()[-1] for name, text in heard.shown}
        states = [moment.accounts.get(key, ("none", 0)) for moment in self._witness.moments[visit.since :]]
        true = [
            {"debt": format_amount(max(balance, 0)), "advance": format_amount(max(-balance, 0))}
            for status, balance in states
            if status == "active"
        ]
        if shown not in true:
            self._fail(visit, f"the check showed {shown} of {lookup.number}; true is one of {true}")

    def _refused(self, visit: Visit, number: str, code: str, amount_minor: int | None) -> None:
        """A final no must have been true at some time while the request was here."""
        moments = self._witness.moments[visit.since :]
        key = (visit.agreement.biller_id, number)
        states = [moment.accounts[key][0] if key in moment.accounts else "none" for moment in moments]
        agreement = visit.agreement
        low_minor, high_minor = agreement.min_minor or 1, agreement.max_minor
        closed_code = dict(agreement.dialect)["closed_code"]
        reasons = {
            "5": "none" in states,
            closed_code: "closed" in states,
            "8": any(
                is_over(agreement, instant + moment.ahead)
                for moment in moments
                for instant in (visit.entered_at, self._witness.true_time())
            ),
            "241": amount_minor is not None and amount_minor < low_minor,
            "242": amount_minor is not None and high_minor is not None and amount_minor > high_minor,
        }
        if not reasons.get(code):
            self._fail(visit, f"a final no ({code}) that nothing explains: {number}, {amount_minor}")

    def status(self, visit: Visit, status: Status, heard: Heard) -> None:
        row = self._witness.row(visit.agreement, status.txn)
        if heard.code == "79":
            if status.txn in visit.known:
                self._fail(visit, f"{status.txn} was in the books, and its status is: unknown")
        elif row is None:
            self._fail(visit, f"{status.txn} is not in the books, and its status is {heard.code}")
        elif heard.step == "done" or (heard.code == "300" and row.state == "voided"):
            self._told(visit, status.txn, heard, row)
        else:
            self._fail(visit, f"{status.txn} is {row.state}, and its status is {heard.code}")

    def void(self, visit: Visit, void: Void, heard: Heard) -> None:
        found = [
            (txn, row) for txn, row in visit.known.items() if void.receipt == row.receipt or void.txn == txn
        ]
        if not found:
            if heard.code != "79":
                self._fail(visit, f"{void} of nothing was answered with {heard.code}")
            return
        ((txn, before),) = found
        contradicts = void.amount_minor not in (None, before.amount_minor)
        if contradicts or heard.step != "done":
            if heard.code != "215" or not contradicts:
                self._fail(visit, f"{void} of {before} was answered with {heard.code}")
            return
        row = self._witness.row(visit.agreement, txn)
        self._witness.record(visit.agreement, txn).voids += 1
        if row is None or row.state != "voided":
            self._fail(visit, f"{txn} was said to be taken back, and is {row and row.state}")

    def statement(self, visit: Visit, asked: ListPosted, heard: Heard) -> None:
        """All that stood throughout, and nothing that never did."""
        if heard.step != "done":
            self._fail(visit, f"a day's payments were refused: {heard.code}")
            return
        before, after = (
            {
                (txn, format_amount(row.amount_minor))
                for txn, row in rows.items()
                if row.accounting_date == asked.since and row.state == "posted"
            }
            for rows in (visit.known, self._witness.rows(visit.agreement))
        )
        shown = set(heard.shown)
        if len(shown) != len(heard.shown) or not before & after <= shown <= before | after:
            self._fail(visit, f"payments of {asked.since}: {shown}; before {before}, after {after}")

    def _fail(self, visit: Visit, text: str) -> None:
        self._trace.fail(f"visit {visit.number} at {visit.agreement.agreement_id}: {text}")


def is_over(agreement: Agreement, instant: datetime) -> bool:
    """Has the agreement ended by then?"""
    day = instant.astimezone(ZoneInfo(agreement.timezone)).date().isoformat()
    return bool(agreement.valid_until) and day > agreement.valid_until
