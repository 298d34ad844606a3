"""``kvit file``: look into a file of money without touching any books."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec
import typer

from kvit.cli.shared import JSON, guarded, print_json, print_table, say
from kvit.domain.errors import NotFound, SettingsError
from kvit.domain.lines import IN, BadLine, FileFacts, LineIds, MoneyLine
from kvit.domain.model import JsonObject
from kvit.domain.money import exponent_of, format_amount
from kvit.files.base import ByteSource, Reading, ReadOptions, source_of_path
from kvit.files.errors import FileRefused
from kvit.files.formats import FORMATS
from kvit.files.recognising import read_file
from kvit.files.statements.kit import CURRENCY

FILE = typer.Argument(..., help="A statement or a register, or a ZIP archive of some.", show_default=False)
FORMAT = typer.Option(
    "", "--format", help="The file's format, where it is not recognised; `kvit file formats` lists them."
)
ENCODING = typer.Option("", "--encoding", help="The file's letters, where guessing fails: cp1251, cp866 …")
CURRENCY_OPTION = typer.Option(
    "", "--currency", metavar="CODE", help="Of sums where the file names none: RUB, KZT …"
)

#: So many lines are shown to people; ``--json`` has them all.
SHOWN_MAX = 50
_SPOOL_BYTES = 1 << 20


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    room = typer.Typer(help="Files of money: look into them; nothing is booked.", no_args_is_help=True)
    room.command("read")(read)
    room.command("formats")(formats)
    app.add_typer(room, name="file")


@guarded
def read(
    file: Path = FILE,
    form: str = FORMAT,
    encoding: str = ENCODING,
    currency: str = CURRENCY_OPTION,
    json_output: bool = JSON,
) -> None:
    """Show what a statement or a register says. No database is needed and none is touched."""
    if currency and not CURRENCY.fullmatch(currency):
        raise SettingsError(f"--currency {currency}: write a code of three capital letters, like RUB")
    readings = read_file(_source(file), ReadOptions(currency, encoding), form)
    if json_output:
        _write_json(readings)
    else:
        _print(readings)


@guarded
def formats(json_output: bool = JSON) -> None:
    """List the formats that can be read."""
    rows = [
        {
            "format": form.name, "title": form.title, "kind": form.kind,
            "options": {
                name: {"meaning": option.meaning, "default": option.default, "choices": list(option.choices)}
                for name, option in form.options.items()
            },
        }
        for form in FORMATS.values()
    ]  # fmt: skip
    if json_output:
        print_json({"formats": rows})
    else:
        columns = ("format", "kind", "title")
        print_table("", columns, [[row[column] for column in columns] for row in rows])


def _source(path: Path) -> ByteSource:
    try:
        if not path.is_file():
            raise NotFound(f"there is no file {path}")
        return source_of_path(path)
    except OSError as fault:
        raise NotFound(f"{path} cannot be read: {fault.strerror}") from fault


def _items(reading: Reading) -> Iterator[tuple[str, MoneyLine | BadLine]]:
    """The lines with their ids, which are those of this file alone."""
    ids = LineIds()
    for batch in reading.batches():
        for line in batch.lines:
            yield ids.of(line), line
        for bad in batch.bad:
            yield ids.of_bad(bad), bad


def _write_json(readings: list[tuple[ByteSource, Reading]]) -> None:
    """One document, written as it is read: records, then errors, then what the files say of themselves."""
    out = sys.stdout.buffer
    encode = msgspec.json.encode
    several = len(readings) > 1
    refused: FileRefused | None = None
    counts = {"record_count": 0, "error_count": 0}
    sums: dict[str, dict[str, int]] = {}
    with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as bad_lines:
        out.write(b'{"records": [')
        gap = b"\n"
        try:
            for source, reading in readings:
                for line_id, item in _items(reading):
                    if isinstance(item, BadLine):
                        counts["error_count"] += 1
                        _spool(bad_lines, encode(_error(item, line_id, source.name if several else "")))
                        continue
                    counts["record_count"] += 1
                    moved = sums.setdefault(item.currency, {"in_minor": 0, "out_minor": 0})
                    moved[f"{item.direction}_minor"] += item.amount_minor
                    out.write(gap + encode(_record(item, line_id, source.name if several else "")))
                    gap = b",\n"
        except FileRefused as fault:
            # What was told before stands; a program sees that it is not all.
            refused = fault
        out.write(b'\n], "errors": [')
        bad_lines.seek(0)
        while piece := bad_lines.read(_SPOOL_BYTES):
            out.write(piece)
        rest = encode({**_summary(readings), **counts, "sums": sums, "refused": str(refused or "")})
        out.write(b"\n], " + rest.removeprefix(b"{") + b"\n")
        out.flush()
    if refused:
        raise refused


def _spool(bad_lines: IO[bytes], text: bytes) -> None:
    bad_lines.write((b",\n" if bad_lines.tell() else b"\n") + text)


def _record(line: MoneyLine, line_id: str, file: str) -> JsonObject:
    """The promised keys first; then what else is known."""
    record: JsonObject = {
        "id": line_id, "amount_minor": line.amount_minor, "direction": line.direction, "date": line.day,
        "payer": line.payer, "payer_account": line.payer_account, "account": line.number, "text": line.text,
        "line": line.line, "currency": line.currency, "at": line.at, "own_account": line.own_account,
        "service": line.service, "document": line.document, "fee_minor": line.fee_minor,
        "net_minor": line.net_minor, "final": line.is_final, "reversal": line.is_reversal,
        "more": [list(pair) for pair in line.more],
    }  # fmt: skip
    if file:
        record["file"] = file
    return record


def _error(line: BadLine, line_id: str, file: str) -> JsonObject:
    error: JsonObject = {"line": line.line, "reason": line.reason, "raw": line.raw, "id": line_id}
    if file:
        error["file"] = file
    return error


def _facts(name: str, facts: FileFacts) -> JsonObject:
    return {
        "name": name, "format": facts.format, "encoding": facts.encoding, "currency": facts.currency,
        "opening_minor": facts.opening_minor, "closing_minor": facts.closing_minor,
        "own_account": facts.own_account, "first_day": facts.first_day, "last_day": facts.last_day,
        "order_number": facts.order_number, "order_date": facts.order_date,
        "problems": facts.problems, "notes": facts.notes,
    }  # fmt: skip


def _summary(readings: list[tuple[ByteSource, Reading]]) -> JsonObject:
    """What holds of all the files together, and what each says; balances only where there is one file."""
    files = [_facts(source.name, reading.facts) for source, reading in readings]
    summary: JsonObject = {
        name: _common([file[name] for file in files])
        for name in ("format", "encoding", "currency", "own_account")
    }
    for name in ("opening_minor", "closing_minor"):
        summary[name] = files[0][name] if len(files) == 1 else None
    summary["first_day"] = min(filter(None, (file["first_day"] for file in files)), default="")
    summary["last_day"] = max(file["last_day"] for file in files)
    for name in ("problems", "notes"):
        summary[name] = [
            text if len(files) == 1 else f"{file['name']}: {text}" for file in files for text in file[name]
        ]
    summary["files"] = files
    return summary


def _common(values: list[str]) -> str:
    return values[0] if len(set(values)) == 1 else ""


def _print(readings: list[tuple[ByteSource, Reading]]) -> None:
    for source, reading in readings:
        shown: list[MoneyLine] = []
        bad: list[BadLine] = []
        line_count = bad_count = 0
        for batch in reading.batches():
            line_count += len(batch.lines)
            bad_count += len(batch.bad)
            shown += batch.lines[: SHOWN_MAX - len(shown)]
            bad += batch.bad[: SHOWN_MAX - len(bad)]
        _print_one(source.name, reading.facts, shown, line_count)
        _print_bad(bad, bad_count)


def _print_one(name: str, facts: FileFacts, shown: list[MoneyLine], count: int) -> None:
    form = FORMATS.get(facts.format)
    say(f"{name}: {form.title if form else facts.format}, {facts.encoding}")
    exponent = exponent_of(facts.currency)
    if facts.own_account:
        say(f"Account {facts.own_account}")
    for word, amount_minor in (("Opening", facts.opening_minor), ("Closing", facts.closing_minor)):
        if amount_minor is not None:
            say(f"{word} balance: {format_amount(amount_minor, exponent)} {facts.currency}".rstrip())
    rows = [
        (line.line, line.day, _signed(line), line.currency, line.number, line.payer, line.text, _remark(line))
        for line in shown
    ]
    if rows:
        columns = ("line", "date", "sum", "currency", "number", "payer", "text", "")
        print_table(f"{count} lines", columns, rows, right=("line", "sum"))
    else:
        say("No lines.")
    if count > len(shown):
        say(f"… and {count - len(shown)} more; --json has all of them.")
    for problem in facts.problems:
        say(f"Problem: {problem}")
    for note in facts.notes:
        say(f"Note: {note}")


def _print_bad(bad: list[BadLine], count: int) -> None:
    if bad:
        print_table(
            f"{count} lines that cannot be read", ("line", "why", "text"),
            [(line.line, line.reason, line.raw[:200]) for line in bad], right=("line",),
        )  # fmt: skip


def _signed(line: MoneyLine) -> str:
    text = format_amount(line.amount_minor, exponent_of(line.currency))
    return text if line.direction == IN else f"-{text}"


def _remark(line: MoneyLine) -> str:
    words = (("not booked yet", not line.is_final), ("taken back", line.is_reversal))
    return ", ".join(word for word, holds in words if holds)
