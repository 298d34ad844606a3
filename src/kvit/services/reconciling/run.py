"""One reconciliation: read both sides, compare them, and say what was decided about each difference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import NamedTuple

from kvit.domain.errors import SettingsError
from kvit.domain.file_rows import ResolutionRow
from kvit.domain.model import Agreement
from kvit.services.reconciling.facts import BOOKED_LINES, Facts, ReconcilingBook
from kvit.services.reconciling.fees import compare_fees
from kvit.services.reconciling.findings import ASK, OPEN, RESOLVED, Finding, Resolution, read_key
from kvit.services.reconciling.pairing import Pairs, Wording, around, booked_by_rows, compare
from kvit.services.reconciling.payouts import compare_payouts
from kvit.services.reconciling.registers import Registers
from kvit.services.reconciling.twins import Twins
from kvit.services.settling.facts import Block, Span, blocks_of, each_day

#: Days of one reconciliation: a quarter, so that both sides have room in memory.
SPAN_DAYS_MAX = 100


class Column(NamedTuple):
    """One side of a day; ``fee_minor`` where it says one."""

    rows: int = 0
    sum_minor: int = 0
    fee_minor: int | None = None


NOTHING = Column()


@dataclass(slots=True)
class Day:
    """The three columns of one day, and what differs.

    ``online``: payments that came online; ``register``: the rows of the agent's register that are money;
    ``booked``: all payments of the day in the books. ``payout``: the settlement that it is part of.
    ``digest``: SHA-256 over every payment, row and settlement that was compared.
    """

    day: str
    online: Column = NOTHING
    register: Column = NOTHING
    booked: Column = NOTHING
    has_register: bool = False
    payout: Block | None = None
    digest: str = ""
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        return not any(finding.state == OPEN for finding in self.findings)


@dataclass(slots=True)
class Report:
    """``settled``: decisions about differences that are no longer there."""

    agreement: Agreement
    span: Span
    days: list[Day]
    settled: list[ResolutionRow]

    @property
    def findings(self) -> list[Finding]:
        return [finding for day in self.days for finding in day.findings]

    @property
    def is_ok(self) -> bool:
        return all(day.is_ok for day in self.days)


def check_span(first: str, last: str) -> Span:
    """ISO days -> a span. Raises ``SettingsError``."""
    try:
        length = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
    except ValueError as error:
        raise SettingsError("write days like 2026-10-05") from error
    if not 0 < length <= SPAN_DAYS_MAX:
        raise SettingsError(
            f"the last day must not be before the first, and at most {SPAN_DAYS_MAX} days at once"
        )
    return Span(first, last)


def reconcile(book: ReconcilingBook, agreement: Agreement, span: Span, today: str) -> Report:
    """Everything that differs on these days. Few reads, whatever the number of payments."""
    payouts = book.payouts(span)
    settled = [Span(block.first_day, block.last_day) for block in blocks_of(payouts)]
    wide = Span(
        min([span.first, *(one.first for one in settled)]), max([span.last, *(one.last for one in settled)])
    )
    near = around(span)
    facts = Facts(
        agreement=agreement,
        span=span,
        today=today,
        paid=book.paid(near),
        told=book.told(near),
        came=book.came(),
        expected=book.expected(),
        payouts=payouts,
        paid_through=book.paid_through(),
        statements_through=book.statements_through(),
        collected=book.collected(wide),
        resolutions=book.resolutions(span),
    )
    pairs, words = Pairs(facts, book), Wording(facts)
    findings = [finding for finding in _findings(facts, pairs, words) if span.has(finding.day)]
    settled_rows = _decide(findings, facts.resolutions)
    return Report(agreement, span, _days(facts, pairs, findings), settled_rows)


def _findings(facts: Facts, pairs: Pairs, words: Wording) -> Iterator[Finding]:
    registers, twins = Registers(facts, pairs), Twins(pairs, words)
    if facts.agreement.has_door:
        yield from twins.findings()
    else:
        yield from twins.equal_rows()
    single = [*compare(pairs, words, registers.filled)]
    if facts.agreement.has_door:
        single += booked_by_rows(pairs, words)
    for finding in single:
        # A twin says all of it; else a payment would be missing there and its row missing here.
        is_told = finding.line_key in twins.rows or (
            not finding.line_key and twins.payments.intersection(finding.receipts)
        )
        if not is_told:
            yield finding
    yield from registers.findings(words)
    yield from compare_fees(facts, pairs, words)
    yield from compare_payouts(facts, words)


def _decide(findings: Iterable[Finding], resolutions: Iterable[ResolutionRow]) -> list[ResolutionRow]:
    """What was decided, to each finding; and the decisions whose findings are gone. The last word counts."""
    by_key: dict[str, list[ResolutionRow]] = {}
    for row in resolutions:
        by_key.setdefault(row.finding, []).append(row)
    for finding in findings:
        for row in by_key.pop(finding.key, ()):
            said = Resolution(row.remedy, row.reason, row.author, row.at_us)
            if row.remedy == ASK:
                finding.asked = said
            else:
                finding.state, finding.resolution = RESOLVED, said
    return [rows[-1] for rows in by_key.values() if read_key(rows[-1].finding) is not None]


def _days(facts: Facts, pairs: Pairs, findings: Iterable[Finding]) -> list[Day]:
    days = {day: Day(day) for day in each_day(facts.span)}
    online: dict[str, list[int]] = {day: [] for day in days}
    booked: dict[str, list[int]] = {day: [] for day in days}
    register: dict[str, list[int]] = {day: [] for day in days}
    fees: dict[str, int] = {}
    for paid in pairs.payments:
        if not paid.is_voided:
            booked[paid.day].append(paid.amount_minor)
            if not pairs.made_by_row(paid):
                online[paid.day].append(paid.amount_minor)
    for row in pairs.rows:
        register[row.day].append(-row.amount_minor if row.is_out else row.amount_minor)
        if row.fee_minor is not None and row.state in BOOKED_LINES:
            fees[row.day] = fees.get(row.day, 0) + row.fee_minor
    empty = Registers(facts, pairs).empty
    for name, day in days.items():
        day.online = Column(len(online[name]), sum(online[name]))
        day.booked = Column(len(booked[name]), sum(booked[name]))
        day.register = Column(len(register[name]), sum(register[name]), fees.get(name))
        day.has_register = bool(register[name]) or name in empty
    for block in blocks_of(facts.payouts):
        for name in each_day(block.span):
            if name in days:
                days[name].payout = block
    for name, digest in _digests(facts, pairs).items():
        days[name].digest = digest
    for finding in findings:
        days[finding.day].findings.append(finding)
    return list(days.values())


def _digests(facts: Facts, pairs: Pairs) -> dict[str, str]:
    """By day: the same facts give the same digest, in whatever order they were read."""
    lines: dict[str, list[str]] = {day: [] for day in each_day(facts.span)}
    for paid in pairs.payments:
        state = "voided" if paid.is_voided else "posted"
        number = paid.number or paid.typed
        lines[paid.day].append(f"paid {paid.receipt} {paid.txn} {number} {paid.amount_minor} {state}")
    for row in pairs.rows:
        said = (row.line_key, row.file_number, row.amount_minor, row.fee_minor, row.state, row.receipt)
        lines[row.day].append("told " + " ".join(map(str, said)))
    for payout in facts.payouts:
        for day in each_day(Span(payout.first_day, payout.last_day)):
            if day in lines:
                lines[day].append("settled " + " ".join(map(str, payout)))
    return {
        day: sha256("\n".join(sorted([facts.agreement.agreement_id, day, *some])).encode()).hexdigest()
        for day, some in lines.items()
    }
