"""``kvit audit verify``, ``kvit backup`` and ``kvit restore``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from kvit.cli.shared import JSON, errors, guarded, house, print_json, print_table, say
from kvit.domain import days
from kvit.domain.errors import DatabaseUnavailable, NotFound, SettingsError
from kvit.main import House
from kvit.services.audit.chain import Anchor, read_anchor
from kvit.services.audit.report import Report
from kvit.services.audit.verify import verify
from kvit.storage.audit import SqlAuditBook
from kvit.storage.backup import count_rows, write_backup
from kvit.storage.restore import Restoring
from kvit.storage.sealing import seal_all
from kvit.storage.secretbox import KEY_FILE
from kvit.storage.snapshot import snapshot

#: A table for people shows the first so many; ``--json`` gives a thousand.
_SHOWN_MAX = 50


def register(app: typer.Typer) -> None:
    room = typer.Typer(help="Are the books whole and true?", no_args_is_help=True)
    room.command("verify")(verify_books)
    app.add_typer(room, name="audit")
    app.command("backup")(backup)
    app.command("restore")(restore)


@guarded
def verify_books(
    biller: str = typer.Option("", "--biller", help="Only this biller's books; else everybody's."),
    anchor: list[str] = typer.Option(
        [], "--anchor", help="A head of the journal's chain that an earlier run printed, POSITION:HEX."
    ),
    json_output: bool = JSON,
) -> None:
    """Compute all books anew from their entries, and say what does not hold. Exit code 1 if anything."""
    began_s = time.monotonic()
    with house() as opened:
        _seal(opened)
        report = _audit(opened, biller, anchor, quiet=json_output)
    values = _report_values(report) | {"seconds": round(time.monotonic() - began_s, 1)}
    if json_output:
        print_json(values)
    else:
        _print_report(report)
    if not report.ok:
        raise typer.Exit(1)


@guarded
def backup(
    file: Path = typer.Argument(..., help="The file to write; an older backup there is replaced."),
    json_output: bool = JSON,
) -> None:
    """Write all books to one file while payments go on, and read it back to see that it is whole."""
    began_s = time.monotonic()
    with house(checked=False) as opened:
        rows = count_rows(opened.database)
        with _progress("Backing up", 2 * rows, quiet=json_output) as progress:
            manifest = write_backup(opened.database, file, opened.clock.now(), progress)
        key = opened.settings.data_folder / KEY_FILE
    bytes_ = file.stat().st_size
    if json_output:
        values = {"file": str(file), "bytes": bytes_, "rows": manifest.rows, "schema": manifest.schema}
        tables = {table.name: table.rows for table in manifest.tables}
        print_json(values | {"tables": tables, "seconds": round(time.monotonic() - began_s, 1)})
        return
    say(f"{file}: {manifest.rows:,} rows, {decimal(bytes_)}, written and read back.")
    say(f"The key of the agreements' secrets is not in it: keep a copy of {key} in another place.")


@guarded
def restore(
    file: Path = typer.Argument(..., help="A backup that `kvit backup` wrote, on whichever engine."),
    json_output: bool = JSON,
) -> None:
    """Put a backup into an empty database, all of it or nothing, and verify the books."""
    began_s = time.monotonic()
    with house(checked=False) as opened:
        restoring = Restoring(file)
        try:
            with _progress("Restoring", 2 * restoring.manifest.rows, quiet=json_output) as progress:
                restoring.check(progress)
                done = restoring.load(opened.database, progress)
        finally:
            restoring.close()
        _seal(opened)
        report = _audit(opened, "", [], quiet=json_output)
        key = opened.settings.data_folder / KEY_FILE
    manifest = done.manifest
    if json_output:
        values = {"file": str(file), "rows": manifest.rows, "created_at": manifest.created_at}
        schemas = {"backup_schema": manifest.schema, "schema": done.schema, "next_id": done.next_id}
        seconds = {"seconds": round(time.monotonic() - began_s, 1)}
        print_json(values | schemas | seconds | {"audit": _report_values(report)})
    else:
        taken_at = manifest.created_at[:19].replace("T", " ")
        say(f"Restored {manifest.rows:,} rows as they were at {taken_at} UTC.")
        say(
            "What was paid after that is not in them. A network that asks again is booked again, once, with "
            f"receipts from {done.next_id} on; compare the rest with the banks' registers."
        )
        if not key.exists() and any(table.rows for table in manifest.tables if table.name == "agreements"):
            say(
                f"The agreements' secrets need their key: put it back at {key}, or apply the agreements anew."
            )
        _print_report(report)
    if not report.ok:
        raise typer.Exit(1)


def _seal(opened: House) -> None:
    """Chain what waits for it, as the server does: without one, records of the command line would wait."""
    try:
        while seal_all(opened.database):
            pass
    except DatabaseUnavailable:
        return  # a database that only lets itself be read can be verified all the same


def _audit(opened: House, biller_id: str, anchors: Sequence[str], *, quiet: bool) -> Report:
    with snapshot(opened.database) as connection, _progress("Verifying", None, quiet=quiet) as progress:
        book = SqlAuditBook(connection)
        known = [known_id for known_id, _ in book.billers()]
        if biller_id and biller_id not in known:
            raise NotFound(f"there is no biller {biller_id}; known: {', '.join(known) or 'none'}")
        wanted = [biller_id] if biller_id else known
        now_us = days.to_us(opened.clock.now())
        return verify(book, wanted, now_us, anchors=_anchors(anchors, wanted), progress=progress)


def _anchors(texts: Sequence[str], biller_ids: Sequence[str]) -> dict[str, list[Anchor]]:
    if texts and len(biller_ids) != 1:
        raise SettingsError("a chain belongs to one biller; add --biller to say whose --anchor it is")
    return {biller_ids[0]: [read_anchor(text) for text in texts]} if texts else {}


def _report_values(report: Report) -> dict[str, object]:
    return {
        "ok": report.ok,
        "payments": report.payments,
        "entries": report.entries,
        "accounts": report.accounts,
        "charges": report.charges,
        "sealed": report.sealed,
        "unsealed": report.unsealed,
        "heads": report.heads,
        "findings_count": report.findings_count,
        "findings": [finding._asdict() for finding in report.findings],
    }


def _print_report(report: Report) -> None:
    if report.ok:
        say(
            f"The books hold: {report.payments:,} payments, {report.entries:,} entries, "
            f"{report.accounts:,} accounts, {report.charges:,} charges, {report.sealed:,} sealed records."
        )
        for biller_id, head in report.heads.items():
            say(f"Head of the chain of {biller_id}, to be written down elsewhere: {head}")
        return
    shown = report.findings[:_SHOWN_MAX]
    print_table("What does not hold", ("check", "what", "finding"), shown)
    if report.findings_count > len(shown):
        say(f"These are {len(shown)} of {report.findings_count:,}; --json gives more.")
    say(
        f"{report.findings_count:,} findings; nothing was changed. Something wrote to the database past "
        "kvit, or its disk fails: take a backup now, keep it apart, and compare it with the last one that "
        "was verified. docs/reference/audit.md explains each check."
    )


@contextmanager
def _progress(label: str, total: int | None, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A bar on standard error while a terminal looks on; without ``total`` a count."""
    shown = [
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    ]
    if total is None:
        shown = [SpinnerColumn(), TextColumn("{task.description} {task.completed:,}"), TimeElapsedColumn()]
    is_off = quiet or not errors.is_terminal
    with Progress(*shown, console=errors, transient=True, disable=is_off) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.advance(task, done)
