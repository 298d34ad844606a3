"""``kvit reconcile``: what came online, what the agent's register says, what reached the bank."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import typer

from kvit.cli.agreement_choice import choose_agreement, today_of
from kvit.cli.reconciling_values import gone_values, print_report, report_values
from kvit.cli.shared import BILLER, JSON, author, choose_biller, guarded, house, print_json, say
from kvit.documents.certificate import Maker, certificate
from kvit.domain.days import zone
from kvit.domain.errors import NotFound, SettingsError
from kvit.domain.model import Agreement
from kvit.main import House
from kvit.services.reconciling.findings import REMEDIES, read_key
from kvit.services.reconciling.resolving import Decision, find, resolve
from kvit.services.reconciling.run import Report, check_span, reconcile
from kvit.services.settling.facts import Span
from kvit.storage.reconciling import SqlReconcilingBook
from kvit.storage.resolutions import SqlResolutions
from kvit.storage.snapshot import snapshot

AGREEMENT = typer.Option("", "--agreement", help="Which agreement, where there are several.")


def register(app: typer.Typer) -> None:
    room = typer.Typer(
        help="What came online, what the agent's register says, what reached the bank.",
        invoke_without_command=True,
    )
    room.callback()(compare)
    room.command("resolve")(resolve_findings)
    app.add_typer(room, name="reconcile")


@guarded
def compare(
    context: typer.Context,
    agreement: str = AGREEMENT,
    date: str = typer.Option("", "--date", help="The day, like 2026-10-05."),
    first: str = typer.Option("", "--from", help="The first of several days."),
    last: str = typer.Option("", "--to", help="The last of several days."),
    certificate_file: Path | None = typer.Option(
        None, "--certificate", help="Write the certificate here, to be printed, if nothing is open."
    ),
    language: str = typer.Option("en", "--language", help="Of the certificate: en or ru."),
    is_check: bool = typer.Option(False, "--check", help="Exit code 1 while something is open."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Compare what came online, the agent's register, and what reached the bank, of a day or of several."""
    if context.invoked_subcommand is not None:
        return
    if bool(date) == bool(first or last):
        raise SettingsError("say which day by --date, or which days by --from and --to")
    span = check_span(date or first, date or last or first)
    with house() as opened:
        owner = choose_biller(opened, biller)
        chosen, today = choose_agreement(opened, owner, agreement), today_of(opened, owner)
        report = _reconciled(opened, chosen, span, today)
        made_at = opened.clock.now().astimezone(zone(owner.timezone))
    if certificate_file is not None:
        page = certificate(report, Maker(owner, author(), made_at), language)
        certificate_file.write_text(page, encoding="utf-8")
    if json_output:
        print_json(report_values(report))
    else:
        print_report(report)
        if certificate_file is not None:
            say(f"The certificate is in {certificate_file}.")
    if is_check and not report.is_ok:
        raise typer.Exit(1)


@guarded
def resolve_findings(
    finding: list[str] = typer.Argument(..., help="Findings as `kvit reconcile` names them."),
    remedy: str = typer.Option(..., "--remedy", help="accept, ask, void or move-day, as it fits."),
    reason: str = typer.Option(..., "--reason", help="Why; it stays in the books."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Decide about findings: do the remedy where it can be done, and write down who decided and why."""
    done = []
    with house() as opened:
        owner, decision = choose_biller(opened, biller), Decision(remedy, reason, author())
        today, store = today_of(opened, owner), SqlResolutions(opened.database)
        for name in finding:
            place = read_key(name)
            if place is None:
                raise NotFound(f"{name} is no finding; `kvit reconcile` names them")
            chosen = choose_agreement(opened, owner, place.agreement_id)
            report = _reconciled(opened, chosen, check_span(place.day, place.day), today)
            found = find(report, name)
            work = partial(
                resolve, biller_id=owner.biller_id, finding=found, decision=decision, now=opened.clock.now()
            )
            done.append(store.run(work))
    if json_output:
        print_json([gone_values(row) for row in done])
        return
    for row in done:
        say(f"{row.finding}: {REMEDIES[row.remedy]}.")


def _reconciled(opened: House, agreement: Agreement, span: Span, today: str) -> Report:
    with snapshot(opened.database) as connection:
        return reconcile(SqlReconcilingBook(connection, agreement, today), agreement, span, today)
