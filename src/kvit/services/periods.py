"""Closing a month: a checklist first, then nothing is dated in it any more. There is no opening again.

Whoever finds a mistake later corrects it by entries of the next open day, with author and reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple, Protocol

from kvit.domain import days
from kvit.domain.errors import NotAllowed, SettingsError
from kvit.domain.journal import digest_of
from kvit.domain.model import Biller, JournalRow
from kvit.domain.money import exponent_of, format_amount

PERIOD_CLOSED = "period.closed"


class Month(NamedTuple):
    """``2026-10`` and its days."""

    name: str
    first_day: str
    last_day: str


def read_month(text: str) -> Month:
    """Raises ``SettingsError`` for anything but a month like ``2026-10``."""
    last_day = days.month_end(text)
    if not last_day:
        raise SettingsError(f"{text} is not a month; write one like 2026-10")
    return Month(text, f"{text}-01", last_day)


class Item(NamedTuple):
    """One point of the checklist. ``command`` mends or shows it. A ``must`` cannot be accepted as it is."""

    name: str
    ok: bool
    text: str
    command: str = ""
    must: bool = False


class Sum(NamedTuple):
    """How many, and how much."""

    rows: int = 0
    sum_minor: int = 0


class Open(NamedTuple):
    """What reconciliation has open for one agreement: findings, and registers that are not here."""

    agreement_id: str
    findings: int
    registers: int


@dataclass(frozen=True, slots=True)
class PeriodFacts:
    """What the checklist is about. Sums and counts are of what is dated in the month or before."""

    biller: Biller
    today: str
    first_booked: str
    suspense: Sum
    quarantine: Sum
    lumps: Sum
    holds: int
    running_imports: int
    unsealed: int
    audit_findings: int
    reconciled: Sequence[Open]


class Closed(NamedTuple):
    """A close that was made. ``detail`` is JSON: what was accepted, and why."""

    journal_id: int
    through: str
    at_us: int
    author: str
    detail: str


class PeriodBook(Protocol):
    """One open write transaction that no other writer of entries runs beside."""

    def wait_for_writers(self) -> None:
        """Whoever has read which periods are open has committed after this, and nobody new begins."""
        ...

    def biller(self) -> Biller: ...

    def set_closed_through(self, day: str) -> None: ...

    def take_id(self) -> int: ...

    def write_journal(self, record: JournalRow) -> None: ...


def checklist(month: Month, facts: PeriodFacts) -> list[Item]:
    """Every point, green or red, in the order in which they are best mended."""
    exponent = exponent_of(facts.biller.currency)
    biller_id, closed_through = facts.biller.biller_id, facts.biller.closed_through

    def waiting(what: Sum) -> str:
        return f"{what.rows} of {format_amount(what.sum_minor, exponent)}" if what.rows else "none"

    day_before = (date.fromisoformat(month.first_day) - timedelta(days=1)).isoformat()
    is_next = closed_through >= day_before or not facts.first_booked or facts.first_booked >= month.first_day
    months_before = day_before[:7]
    findings = [f"{one.agreement_id}: {one.findings}" for one in facts.reconciled if one.findings]
    registers = [f"{one.agreement_id}: {one.registers}" for one in facts.reconciled if one.registers]
    span = f"--from {month.first_day} --to {month.last_day}"
    through = f"closed through {closed_through or 'no day'}"
    imports = f"{facts.running_imports or 'none'} broken off or under way"
    show = f"kvit reconcile {span} --agreement …"
    return [
        Item("over", facts.today > month.last_day, f"the month ended on {month.last_day}", must=True),
        Item("not closed yet", closed_through < month.last_day, through, must=True),
        Item(
            "earlier months", is_next, "closed, or empty" if is_next else f"{months_before} is not closed",
            f"kvit period close {months_before}",
        ),
        Item("imports", not facts.running_imports, imports, "import the same file again"),
        Item("quarantine", not facts.quarantine.rows, waiting(facts.quarantine), "kvit quarantine list"),
        Item("suspense", not facts.suspense.rows, waiting(facts.suspense), "kvit suspense list"),
        Item("lump sums", not facts.lumps.rows, waiting(facts.lumps), "kvit settlement list"),
        Item("holds", not facts.holds, f"{facts.holds or 'none'} stand since then", "kvit payment holds"),
        Item("registers", not registers, ", ".join(registers) or "all here", show),
        Item("reconciliation", not findings, ", ".join(findings) or "nothing is open", show),
        Item(
            "journal", not facts.unsealed, f"{facts.unsealed or 'no'} records wait for their place",
            "kvit audit verify",
        ),
        Item(
            "books", not facts.audit_findings, f"{facts.audit_findings or 'no'} findings of the auditor",
            f"kvit audit verify --biller {biller_id}",
        ),
    ]  # fmt: skip


def close(
    book: PeriodBook,
    month: Month,
    items: Sequence[Item],
    accept: str,
    author: str,
    now: Callable[[], datetime],
) -> Closed:
    """Close through the end of ``month``.

    ``accept``: why it is closed although some points are red; both are recorded. ``now`` is asked behind the
    lock. Raises ``NotAllowed`` where a point is red that nobody has accepted, or cannot be.
    """
    red = [item for item in items if not item.ok]
    stopping = [item for item in red if item.must or not accept.strip()]
    if stopping:
        names = ", ".join(item.name for item in stopping)
        raise NotAllowed(
            f"{month.name} was not closed, since this is open: {names}. Mend it, or close all the same with "
            "--accept and the reason"
            if not any(item.must for item in stopping)
            else f"{month.name} cannot be closed: {names}"
        )
    book.wait_for_writers()
    biller = book.biller()
    if biller.closed_through >= month.last_day:
        raise NotAllowed(f"{month.name} was closed meanwhile, through {biller.closed_through}")
    at_us, journal_id = days.to_us(now()), book.take_id()
    detail = ""
    if red:
        said = {"accepted": accept.strip(), "open": [[item.name, item.text] for item in red]}
        detail = json.dumps(said, ensure_ascii=False)
    book.set_closed_through(month.last_day)
    digest = digest_of("period", biller.biller_id, month.last_day, detail)
    book.write_journal(
        JournalRow(biller.biller_id, journal_id, at_us, author, PERIOD_CLOSED, month.last_day, digest, detail)
    )
    return Closed(journal_id, month.last_day, at_us, author, detail)
