"""``kvit period close``, ``list`` and ``show``: a month is closed after a checklist, and for good."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime, time, timedelta

import typer
from sqlalchemy import Connection

from kvit.cli.agreement_choice import agreements_of, today_of
from kvit.cli.shared import BILLER, JSON, author, choose_biller, guarded, house, print_json, print_table, say
from kvit.domain import days
from kvit.domain.errors import DatabaseUnavailable
from kvit.domain.model import Agreement, Biller, JsonObject
from kvit.main import House
from kvit.services.audit.verify import verify
from kvit.services.periods import Closed, Item, Month, Open, PeriodFacts, checklist, close, read_month
from kvit.services.reconciling.findings import OPEN, REGISTER_EMPTY, REGISTER_MISSING
from kvit.services.reconciling.run import reconcile
from kvit.services.settling.facts import Span
from kvit.storage.audit import SqlAuditBook
from kvit.storage.closing import SqlClosing
from kvit.storage.reconciling import SqlReconcilingBook
from kvit.storage.sealing import seal_all
from kvit.storage.snapshot import snapshot

MONTH = typer.Argument(..., help="The month, like 2026-10.")


def register(app: typer.Typer) -> None:
    room = typer.Typer(help="Months: what is still open in them, and closing them.", no_args_is_help=True)
    room.command("close")(close_period)
    room.command("list")(list_periods)
    room.command("show")(show)
    app.add_typer(room, name="period")


@guarded
def close_period(
    month: str = MONTH,
    accept: str = typer.Option("", "--accept", help="Close although something is red, for this reason."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Close a month, and all before it: nothing is dated in it any more. There is no opening again."""
    wanted = read_month(month)
    with house() as opened:
        owner = choose_biller(opened, biller)
        items = _checklist(opened, owner, wanted)
        if not json_output:
            _print_items(wanted, items)
        who = author()
        with opened.database.write() as connection:
            book = SqlClosing(connection, owner.biller_id)
            done = close(book, wanted, items, accept, who, opened.clock.now)
        _seal(opened)
    if json_output:
        print_json({"closed_through": done.through} | _items_values(wanted, items) | _closed_values(done))
        return
    say(f"{wanted.name} is closed by {who}: nothing is dated on or before {done.through} any more.")


@guarded
def show(month: str = MONTH, biller: str = BILLER, json_output: bool = JSON) -> None:
    """Show the checklist of a month; nothing is changed."""
    wanted = read_month(month)
    with house() as opened:
        owner = choose_biller(opened, biller)
        items = _checklist(opened, owner, wanted)
    if json_output:
        print_json({"closed_through": owner.closed_through} | _items_values(wanted, items))
        return
    _print_items(wanted, items)


@guarded
def list_periods(biller: str = BILLER, json_output: bool = JSON) -> None:
    """List the closes, oldest first: through which day, when, by whom, and what was accepted."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        with opened.database.read() as connection:
            closes = SqlClosing(connection, owner.biller_id).closes()
    if json_output:
        closed = [{"closed_through": one.through} | _closed_values(one) for one in closes]
        print_json({"closed_through": owner.closed_through, "closes": closed})
        return
    rows = [
        (
            one.through, days.from_us(one.at_us, owner.timezone).isoformat()[:16].replace("T", " "),
            one.author, _accepted(one).get("accepted", ""),
        )
        for one in closes
    ]  # fmt: skip
    print_table(f"Closed periods of {owner.name}", ("through", "closed at", "by", "accepted"), rows)
    if not closes:
        say("No month was closed yet: `kvit period show 2026-10` shows what is still open in one.")


def _checklist(opened: House, owner: Biller, month: Month) -> list[Item]:
    _seal(opened)
    agreements, today = agreements_of(opened, owner), today_of(opened, owner)
    now_us = days.to_us(opened.clock.now())
    with snapshot(opened.database) as connection:
        book = SqlClosing(connection, owner.biller_id)
        reconciled = [_open_of(connection, one, month, today) for one in agreements]
        report = verify(SqlAuditBook(connection), [owner.biller_id], now_us)
        facts = PeriodFacts(
            biller=book.biller(),
            today=today,
            first_booked=book.first_booked(),
            suspense=book.suspense(month.last_day),
            quarantine=book.quarantine(month.last_day),
            lumps=book.lumps(month.last_day),
            holds=book.holds(_end_us(month, owner), now_us),
            running_imports=book.running_imports(),
            unsealed=book.unsealed(),
            audit_findings=report.findings_count,
            reconciled=reconciled,
        )
    return checklist(month, facts)


def _open_of(connection: Connection, agreement: Agreement, month: Month, today: str) -> Open:
    span = Span(month.first_day, month.last_day)
    report = reconcile(SqlReconcilingBook(connection, agreement, today), agreement, span, today)
    kinds = [finding.kind for finding in report.findings if finding.state == OPEN]
    registers = sum(kind in (REGISTER_MISSING, REGISTER_EMPTY) for kind in kinds)
    return Open(agreement.agreement_id, len(kinds) - registers, registers)


def _end_us(month: Month, owner: Biller) -> int:
    """The last instant of the month where the biller is."""
    last = datetime.fromisoformat(month.last_day) + timedelta(days=1)
    return days.to_us(datetime.combine(last.date(), time(), days.zone(owner.timezone))) - 1


def _seal(opened: House) -> None:
    """Chain what waits for it, as the server does."""
    with suppress(DatabaseUnavailable):  # a database that only lets itself be read can be looked at
        while seal_all(opened.database):
            pass


def _items_values(month: Month, items: list[Item]) -> JsonObject:
    return {
        "month": month.name,
        "ok": all(item.ok for item in items),
        "items": [
            {"item": item.name, "ok": item.ok, "text": item.text, "command": item.command, "must": item.must}
            for item in items
        ],
    }


def _closed_values(closed: Closed) -> JsonObject:
    said = _accepted(closed)
    return {
        "author": closed.author,
        "closed_at": days.from_us(closed.at_us).isoformat(),
        "accepted": said.get("accepted", ""),
        "open": [name for name, _ in said.get("open", [])],
    }


def _accepted(closed: Closed) -> JsonObject:
    said: JsonObject = json.loads(closed.detail or "{}")
    return said


def _print_items(month: Month, items: list[Item]) -> None:
    rows = [
        (item.name, "green" if item.ok else "RED", item.text, "" if item.ok else item.command)
        for item in items
    ]
    print_table(f"The close of {month.name}", ("", "is", "what", "what to do"), rows)
