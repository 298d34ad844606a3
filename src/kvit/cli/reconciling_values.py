"""What ``kvit reconcile`` prints: JSON for programs, tables for people."""

from __future__ import annotations

from kvit.cli.shared import print_table, say
from kvit.domain.days import from_us
from kvit.domain.file_rows import ResolutionRow
from kvit.domain.model import JsonObject
from kvit.domain.money import format_amount
from kvit.services.reconciling.findings import NOTE, OPEN, Finding, Resolution
from kvit.services.reconciling.run import Column, Day, Report
from kvit.services.settling.facts import Block


def report_values(report: Report) -> JsonObject:
    """What ``--json`` prints."""
    resolved = [finding for finding in report.findings if finding.state not in (OPEN, NOTE)]
    return {
        "ok": report.is_ok,
        "agreement": report.agreement.agreement_id,
        "from": report.span.first,
        "to": report.span.last,
        "currency": report.agreement.currency,
        "days": [_day_values(day) for day in report.days],
        "findings": [finding_values(one) for one in report.findings if one.state in (OPEN, NOTE)],
        "resolved": [finding_values(one) for one in resolved] + [gone_values(row) for row in report.settled],
    }


def _day_values(day: Day) -> JsonObject:
    return {
        "date": day.day,
        "ok": day.is_ok,
        "online": _column_values(day.online),
        "register": _column_values(day.register) if day.has_register else None,
        "booked": _column_values(day.booked),
        "digest": day.digest,
        "settlement": None if day.payout is None else _payout_values(day.payout),
    }


def _column_values(column: Column) -> JsonObject:
    return {"count": column.rows, "sum_minor": column.sum_minor, "fee_minor": column.fee_minor}


def _payout_values(block: Block) -> JsonObject:
    return {
        "from": block.first_day,
        "to": block.last_day,
        "gross_minor": block.gross_minor,
        "fee_minor": block.fee_minor,
        "net_minor": block.net_minor,
        "settlements": [payout.settlement_id for payout in block.payouts],
    }


def finding_values(finding: Finding) -> JsonObject:
    return {
        "finding": finding.key,
        "kind": finding.kind,
        "state": finding.state,
        "date": finding.day,
        "agreement": finding.agreement_id,
        "txn": finding.txn,
        "account": finding.number,
        "receipts": list(finding.receipts),
        "here_minor": finding.here_minor,
        "there_minor": finding.there_minor,
        "text": finding.text,
        "remedies": list(finding.remedies),
        "commands": list(finding.commands),
        "resolution": _said(finding.resolution),
        "asked": _said(finding.asked),
    }


def _said(resolution: Resolution | None) -> JsonObject | None:
    if resolution is None:
        return None
    return resolution._asdict() | {"at": from_us(resolution.at_us).isoformat()}


def gone_values(row: ResolutionRow) -> JsonObject:
    """A decision about a difference that is no longer there."""
    return {
        "finding": row.finding,
        "kind": row.finding.split("/")[2],
        "state": "resolved",
        "date": row.day,
        "agreement": row.agreement_id,
        "resolution": _said(Resolution(row.remedy, row.reason, row.author, row.at_us)),
    }


def print_report(report: Report) -> None:
    exponent = report.agreement.exponent

    def money(amount_minor: int) -> str:
        return format_amount(amount_minor, exponent)

    def column(side: Column) -> tuple[object, str]:
        return side.rows, money(side.sum_minor)

    rows = []
    for day in report.days:
        told = column(day.register) if day.has_register else ("", "no register")
        payout = "" if day.payout is None else f"{money(day.payout.net_minor)} for {_span_text(day.payout)}"
        open_count = sum(finding.state == OPEN for finding in day.findings)
        rows.append((day.day, *column(day.online), *told, *column(day.booked), payout, open_count or "ok"))
    print_table(
        f"{report.agreement.title or report.agreement.agreement_id}, {report.agreement.currency}",
        ("day", "online", "sum", "register", "sum ", "booked", "sum  ", "reached the bank", "open"),
        rows,
        right=("online", "sum", "register", "sum ", "booked", "sum  ", "open"),
    )
    for state, title in ((OPEN, "Open"), (NOTE, "To know")):
        found = [finding for finding in report.findings if finding.state == state]
        if found:
            print_table(f"{title}: {len(found)}", ("finding", "what"), [(one.key, one.text) for one in found])
    done = [one for one in report.findings if one.resolution is not None]
    if done:
        texts = [
            (one.key, one.text, f"{one.resolution.remedy}: {one.resolution.reason}")
            for one in done
            if one.resolution
        ]
        print_table("Resolved", ("finding", "what", "how"), texts)
    if report.is_ok:
        say("Nothing is open.")
    else:
        say(
            "`kvit reconcile resolve FINDING --remedy … --reason …` settles one; see docs/howto/reconcile.md."
        )


def _span_text(block: Block) -> str:
    return block.first_day if block.first_day == block.last_day else f"{block.first_day} to {block.last_day}"
