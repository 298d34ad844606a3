"""One import at the shell: read the file, look through all of it, then write it or say what is wrong."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kvit.cli.shared import author, choose_biller, errors, house
from kvit.domain import days
from kvit.domain.errors import NotFound, SettingsError
from kvit.domain.model import Biller, JsonObject
from kvit.files.records import Rows
from kvit.files.tables import FILE_BYTES_MAX, Table, read_table
from kvit.services.receivables.office import unfinished
from kvit.services.receivables.ports import ImportRow
from kvit.services.receivables.run import COUNTS, File, Job, Office, as_of_text, look, run
from kvit.storage.receivables import SqlReceivables

#: So many row errors are reported one by one; the rest is counted.
ERRORS_MAX = 1_000

Tell = Callable[[int], None]
StartBar = Callable[[str, int], Tell]


class Wish(NamedTuple):
    """What the person asked for. ``columns``: ``FIELD=HEADER`` each."""

    path: Path
    biller: str
    dry_run: bool
    json_output: bool
    encoding: str
    columns: Sequence[str]


class Kind(NamedTuple):
    """How one kind of file is read, and how its rows are checked against the books and put in order.

    ``note`` has something to say after a file without errors, or an empty text.
    """

    read: Callable[[Table, Biller, Mapping[str, str], Tell], Rows[Any]]
    sort: Callable[[SqlReceivables, Biller, Rows[Any], datetime], Job]
    note: Callable[[SqlReceivables, Rows[Any]], str] = lambda _store, _rows: ""


def run_import(wish: Wish, kind: Kind) -> JsonObject:
    """Import all of the file, or nothing where a row has errors; returns what there is to report."""
    columns, data = _columns(wish.columns), _bytes(wish.path)
    file = File(wish.path.name, sha256(data).hexdigest())
    with _no_pauses(), house() as opened, _bars(wish) as start_bar:
        owner = choose_biller(opened, wish.biller)
        table = read_table(data, file.name, wish.encoding)
        rows = kind.read(table, owner, columns, start_bar("Reading", table.rows_expected))
        with SqlReceivables(opened.database, owner.biller_id).at_work() as store:
            job = kind.sort(store, owner, rows, opened.clock.now())
            report = _report(wish, owner, rows, job)
            report["description"] = table.description
            if not report["errors"]:
                tell = start_bar("Comparing" if wish.dry_run else "Importing", sum(job.sizes))
                office = Office(store, opened.clock, author(), tell)
                _carry_out(report, office, job, file)
                report["notes"] += filter(None, [kind.note(store, rows)])
            report["unfinished"] = [_named(row, owner) for row in unfinished(store)]
    return report


def _carry_out(report: JsonObject, office: Office, job: Job, file: File) -> None:
    if report["dry_run"]:
        tally = look(office, job, file)
    else:
        outcome = run(office, job, file)
        tally = outcome.tally
        report["import_id"] = outcome.import_id
        if outcome.resumed:
            report["notes"].append("An earlier import of this file was broken off; it is complete now.")
    report.update((name, getattr(tally, name)) for name in COUNTS)
    report["examples"] = [example._asdict() for examples in tally.examples.values() for example in examples]
    if tally.due_differs:
        report["notes"].append(
            f"{tally.due_differs} known charges have another due date in the file; the date they have stays."
        )
    if job.repeated:
        report["notes"].append(f"{job.repeated} rows say the same as an earlier row and were counted once.")


def _report(wish: Wish, owner: Biller, rows: Rows[Any], job: Job) -> JsonObject:
    headers = dict(rows.columns_used)
    found = [asdict(error) for error in rows.errors]
    found += [{**error._asdict(), "column": headers.get(error.column, error.column)} for error in job.errors]
    found.sort(key=lambda error: error["line"])
    report: JsonObject = {"kind": job.kind, "file": wish.path.name, "dry_run": wish.dry_run}
    if job.as_of:
        report["as_of"] = job.as_of
    report |= {
        "currency": owner.currency, "rows": rows.row_count, **dict.fromkeys(COUNTS, 0),
        "total_minor": job.total_minor, "columns_used": headers, "columns_other": list(rows.columns_other),
        "errors": found[:ERRORS_MAX], "errors_count": len(found) + rows.errors_omitted, "examples": [],
        "notes": [], "unfinished": [],
    }  # fmt: skip
    return report


def _named(row: ImportRow, owner: Biller) -> JsonObject:
    started_at = days.from_us(row.started_at_us, owner.timezone).isoformat(timespec="seconds")
    return {
        "kind": row.kind, "file": row.file_name, "as_of": as_of_text(row), "started_at": started_at,
        "author": row.author,
    }  # fmt: skip


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            # One byte more than is taken, so that a larger file is refused and not cut.
            return file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}") from error
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from error


def _columns(texts: Sequence[str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for text in texts:
        name, equals, header = text.partition("=")
        if not equals or not name:
            raise SettingsError(f"--column {text}: write FIELD=HEADER, for example amount=Total")
        columns[name.strip()] = header.strip()
    return columns


@contextmanager
def _no_pauses() -> Iterator[None]:
    """Many small tuples and hardly a cycle: looking for garbage among them takes a sixth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _bars(wish: Wish) -> Iterator[StartBar]:
    """Progress bars on a terminal; nothing anywhere else."""
    if wish.json_output or not errors.is_terminal:
        yield lambda _title, _total: lambda _done: None
        return
    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*parts, console=errors, transient=True) as progress:

        def start(title: str, total: int) -> Tell:
            task = progress.add_task(title, total=total)
            return lambda done: progress.update(task, completed=done)

        yield start
