"""``kvit register import`` and ``kvit statement import``: money that files tell of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from kvit.cli.shared import (
    BILLER,
    JSON,
    author,
    choose_biller,
    errors,
    guarded,
    house,
    print_table,
    say,
)
from kvit.cli.spool import Spool
from kvit.domain.errors import NotFound
from kvit.domain.lines import REGISTER, STATEMENT, MoneyLine
from kvit.domain.model import Biller, JsonObject
from kvit.domain.money import exponent_of, format_amount
from kvit.files.base import ByteSource, source_of_path
from kvit.main.intake import Hearing, Taken, Wish, take
from kvit.services.intake.words import (
    CONFIRMS,
    IGNORED,
    KNOWN,
    LUMP,
    NEW,
    QUARANTINED,
    SUSPENDED,
    TWIN,
    Decided,
)

#: So many lines of each kind are shown to people.
_SHOWN_MAX = 5
_EXPLAINED = {
    NEW: "new payments",
    TWIN: "new, and just like another line: look whether the client really paid twice",
    CONFIRMS: "confirm payments that came online",
    KNOWN: "known already, nothing to do",
    SUSPENDED: "nobody's number: in suspense (kvit suspense list)",
    QUARANTINED: "need a look (kvit quarantine list)",
    LUMP: "an agent's lump sum (kvit settlement list)",
    IGNORED: "not money that comes in",
}
#: What people want to see lines of.
_SHOWN = (QUARANTINED, SUSPENDED, TWIN, LUMP)

FILE = typer.Argument(..., help="The file; an archive may hold several.", show_default=False)
FORMAT = typer.Option("", "--format", help="The format, where it is not recognised: `kvit file formats`.")
ENCODING = typer.Option("", "--encoding", help="The code page, where it is not recognised.")
DRY_RUN = typer.Option(False, "--dry-run", help="Only show what would happen.")
DESPITE = typer.Option(
    "", "--despite-totals", help="Import although the file's own totals do not hold; say why."
)


def register_into(registers: typer.Typer, app: typer.Typer) -> None:
    """Into the room of registers, and a room of its own."""
    registers.command("import")(import_register)
    room = typer.Typer(help="Statements of your own bank account.", no_args_is_help=True)
    room.callback()(lambda: None)
    room.command("import")(import_statement)
    app.add_typer(room, name="statement")


@guarded
def import_register(
    file: Path = FILE,
    agreement: str = typer.Option("", "--agreement", help="Whose register it is, where there are several."),
    format_: str = FORMAT,
    preset: str = typer.Option("", "--preset", help="A saved column map: `kvit preset list`."),
    encoding: str = ENCODING,
    dry_run: bool = DRY_RUN,
    despite_totals: str = DESPITE,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Take in an agent's register of payments: new ones are booked, known ones confirmed, none twice."""
    wish = Wish(
        source_of(file), REGISTER, agreement, format_, encoding, preset, dry_run, despite_totals.strip()
    )
    _run(wish, biller, json_output)


@guarded
def import_statement(
    file: Path = FILE,
    format_: str = FORMAT,
    encoding: str = ENCODING,
    dry_run: bool = DRY_RUN,
    despite_totals: str = DESPITE,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Take in a statement of your bank account: payments find their clients, lump sums are set aside."""
    wish = Wish(source_of(file), STATEMENT, "", format_, encoding, "", dry_run, despite_totals.strip())
    _run(wish, biller, json_output)


def source_of(path: Path) -> ByteSource:
    """The file's bytes. Raises ``NotFound``."""
    try:
        source = source_of_path(path)
        with source.open():
            return source
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}") from error
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from error


def _run(wish: Wish, biller_id: str, json_output: bool) -> None:
    shown: dict[str, list[Decided]] = {}
    with Spool() as spool, house() as opened, _counting(wish.dry_run, json_output) as progress:

        def hear(decided: Decided) -> None:
            if json_output:
                spool.add(_record(decided))
            some = shown.setdefault(decided.verdict, [])
            if len(some) < _SHOWN_MAX:
                some.append(decided)

        owner = choose_biller(opened, biller_id)
        taken = take(opened, owner, author(), wish, Hearing(hear, progress))
        if json_output:
            spool.print_as("records", _document(taken, owner, wish.dry_run))
            return
    for one in taken:
        _show(one, owner, wish.dry_run)
    _show_lines(shown, owner)


def _record(decided: Decided) -> JsonObject:
    line = decided.line
    record: JsonObject = {"line": line.line, "id": decided.key}
    if isinstance(line, MoneyLine):
        record |= {
            "account": decided.number or line.number, "amount_minor": line.amount_minor, "date": line.day,
            "payer": line.payer, "text": line.text, "direction": line.direction,
        }  # fmt: skip
    else:
        record |= {
            "account": "",
            "amount_minor": 0,
            "date": "",
            "payer": "",
            "text": line.raw,
            "direction": "",
        }
    record |= {
        "verdict": decided.verdict,
        "reason": decided.reason,
        "rule": decided.rule,
        "receipt": decided.receipt,
    }
    record["proposals"] = [
        {"account": hit.number, "rule": hit.rule, "why": hit.why} for hit in decided.proposals
    ]
    return record


def _document(taken: list[Taken], owner: Biller, dry_run: bool) -> JsonObject:
    """One document of one file; the counts of several together, and each by itself under ``files``."""
    files = [_facts(one) for one in taken]
    first = files[0] if files else {}
    document: JsonObject = {"format": first.get("format", ""), "currency": owner.currency, "dry_run": dry_run}
    for name, value in first.items():
        if isinstance(value, int) and not isinstance(value, bool) and name != "import_id":
            document[name] = sum(int(one[name]) for one in files)
        elif len(files) == 1:
            document[name] = value
    if len(files) != 1:
        document["files"] = files
    return document


def _facts(one: Taken) -> JsonObject:
    counts, facts = one.outcome.counts, one.facts
    return {
        "format": facts.format, "file": one.name, "encoding": facts.encoding, "agreement": one.agreement_id,
        "import_id": one.outcome.import_id, "rows": counts.rows, **counts.as_texts(),
        "total_minor": counts.total_minor, "by_rule": counts.by_rule, "settled": one.settled,
        "first_day": one.outcome.first_day, "last_day": one.outcome.last_day, "problems": facts.problems,
        "notes": one.notes,
    }  # fmt: skip


def _show(one: Taken, owner: Biller, dry_run: bool) -> None:
    counts, exponent = one.outcome.counts, exponent_of(owner.currency)
    what = "would do" if dry_run else f"is import {one.outcome.import_id}"
    days = " – ".join(dict.fromkeys(filter(None, (one.outcome.first_day, one.outcome.last_day))))
    say(f"{one.name} ({one.facts.format}, {one.facts.encoding}) {what}" + (f"; {days}" if days else ""))
    rows = [(count, _EXPLAINED[verdict]) for verdict, count in counts.by_verdict.items() if count]
    print_table("", ("lines", ""), [*rows, (counts.rows, "in all")], right=("lines",))
    say(f"Money that came in: {format_amount(counts.total_minor, exponent)} {owner.currency}.")
    if counts.by_rule:
        found = sum(counts.by_rule.values())
        rules = ", ".join(f"{rule} {count}" for rule, count in counts.by_rule.items())
        say(f"Matched {found} lines: {rules}.")
    if one.settled:
        say(f"{one.settled} lump sums of agents came to the last unit and are settled.")
    for note in [*one.facts.problems, *one.notes]:
        say(note)


def _show_lines(shown: dict[str, list[Decided]], owner: Biller) -> None:
    exponent = exponent_of(owner.currency)
    rows = []
    for verdict in _SHOWN:
        for decided in shown.get(verdict, ()):
            line = decided.line
            if isinstance(line, MoneyLine):
                sum_ = format_amount(line.amount_minor, exponent)
                told = (line.day, sum_, decided.number or line.number)
            else:
                told = ("", "", "")
            rows.append((line.line, verdict, *told, decided.reason))
    if rows:
        print_table("To look at", ("line", "", "day", "sum", "account", "why"), rows, right=("line", "sum"))


@contextmanager
def _counting(dry_run: bool, json_output: bool) -> Iterator[Callable[[int], None]]:
    """How many lines are done, on a terminal."""
    if json_output or not errors.is_terminal:
        yield lambda _done: None
        return
    parts = (SpinnerColumn(), TextColumn("{task.description} {task.completed} lines"), TimeElapsedColumn())
    with Progress(*parts, console=errors, transient=True) as progress:
        task = progress.add_task("Looking at" if dry_run else "Importing", total=None)
        yield lambda done: progress.update(task, completed=done)
