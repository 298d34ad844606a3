"""``kvit preset save``, ``list``, ``show``, ``remove`` and ``try``: how a bank's tables are to be read."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import typer

from kvit.cli.shared import BILLER, JSON, author, choose_biller, guarded, house, print_json, print_table, say
from kvit.domain.errors import NotFound, SettingsError
from kvit.domain.lines import IN, BadLine, MoneyLine
from kvit.domain.model import Biller, JsonObject
from kvit.domain.money import exponent_of, format_amount
from kvit.files.base import ReadOptions, source_of_path
from kvit.files.registers.checking import READY, problems_of
from kvit.main import House, load_agreements
from kvit.services.presets import (
    Hand,
    Preset,
    find_preset,
    from_spec,
    from_toml,
    remove_preset,
    save_preset,
)
from kvit.storage.presets import SqlPresets

NAME = typer.Argument(..., help="The preset's name.")
_FILE_BYTES_MAX = 1_000_000


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    room = typer.Typer(help="Saved column maps: how a bank's tables are to be read.", no_args_is_help=True)
    room.command("save")(save)
    room.command("list")(list_presets)
    room.command("show")(show)
    room.command("remove")(remove)
    room.command("try")(try_out)
    app.add_typer(room, name="preset")


@guarded
def save(
    name: str = NAME,
    from_file: Path | None = typer.Option(
        None, "--from-file", help="TOML: format, encoding, [columns], [options].", show_default=False
    ),
    format_: str = typer.Option("", "--format", help=f"What to start from: {', '.join(READY)}."),
    encoding: str = typer.Option("", "--encoding", help="The file's letters: cp1251, cp866 …"),
    column: list[str] = typer.Option(
        [], "--column", metavar="FIELD=HEADER", help="Which column is what; several headers parted by |."
    ),
    option: list[str] = typer.Option(
        [],
        "--option",
        metavar="NAME=VALUE",
        help="A switch of the format; `kvit file formats --json` has all.",
    ),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Save a column map under a name; what is given beside a file goes before what the file says."""
    base = from_toml(_read(from_file)) if from_file else Preset()
    preset = Preset(
        format_ or base.format,
        encoding or base.encoding,
        dict(base.columns) | _pairs("--column", column),
        dict(base.options) | _pairs("--option", option),
    )
    with house() as opened:
        owner = choose_biller(opened, biller)
        hand = Hand(owner.biller_id, author(), opened.clock.now())
        with opened.database.write() as connection:
            state = save_preset(SqlPresets(connection, owner.biller_id), name, preset, _problems, hand)
    if json_output:
        print_json({"preset": name, "state": state, **_public(preset)})
    else:
        say(f"preset {name}: {state}")


@guarded
def list_presets(biller: str = BILLER, json_output: bool = JSON) -> None:
    """List the presets, the ready ones at the end."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        with opened.database.read() as connection:
            rows = SqlPresets(connection, owner.biller_id).all()
    saved = [{"preset": row.name, "ready": False, **_public(from_spec(row.spec))} for row in rows]
    names = {row.name for row in rows}
    ready = [
        {"preset": name, "ready": True, **_public(Preset(name)), "title": form.title}
        for name, form in READY.items()
        if name not in names
    ]
    if json_output:
        print_json([*saved, *ready])
        return
    print_table(
        "Presets",
        ("preset", "format", "columns", "options"),
        [
            (row["preset"], row["format"] if not row["ready"] else "(ready)", _told(row["columns"]),
             _told(row["options"]) if not row["ready"] else row["title"])
            for row in chain(saved, ready)
        ],
    )  # fmt: skip


@guarded
def show(name: str = NAME, biller: str = BILLER, json_output: bool = JSON) -> None:
    """Show one preset."""
    with house() as opened:
        preset = _found(opened, choose_biller(opened, biller), name)
    if json_output:
        print_json({"preset": name, **_public(preset)})
        return
    rows = [("format", preset.format), ("encoding", preset.encoding or "found out")]
    rows += [(f"columns.{field}", header) for field, header in preset.columns.items()]
    rows += [(f"options.{switch}", value) for switch, value in preset.options.items()]
    print_table(f"Preset {name}", ("setting", "value"), rows)


@guarded
def remove(name: str = NAME, biller: str = BILLER, json_output: bool = JSON) -> None:
    """Remove a preset that no agreement uses."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        used_by = [
            one.agreement_id
            for one in load_agreements(opened)
            if one.biller_id == owner.biller_id and one.files.register and one.files.register.preset == name
        ]
        hand = Hand(owner.biller_id, author(), opened.clock.now())
        with opened.database.write() as connection:
            remove_preset(SqlPresets(connection, owner.biller_id), name, used_by, hand)
    if json_output:
        print_json({"preset": name, "state": "removed"})
    else:
        say(f"preset {name}: removed")


@guarded
def try_out(
    name: str = NAME,
    file: Path = typer.Argument(..., help="A file of that bank.", show_default=False),
    rows: int = typer.Option(10, "--rows", min=1, max=1_000, help="So many rows are shown."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Show the first rows of a file as the preset understands them; all of it is read, nothing is booked."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        preset = _found(opened, owner, name)
    report = _tried(owner, preset, file, rows)
    if json_output:
        print_json(report)
    else:
        _print(report, owner)


def _tried(owner: Biller, preset: Preset, file: Path, rows: int) -> JsonObject:
    try:
        source = source_of_path(file)
    except OSError as fault:
        raise NotFound(f"{file} cannot be read: {fault.strerror}") from fault
    options = ReadOptions(owner.currency, preset.encoding, preset.columns, preset.options)
    reading = READY[preset.format].read(source, options)
    lines: list[MoneyLine] = []
    bad: list[BadLine] = []
    count = bad_count = total_minor = 0
    for batch in reading.batches():
        count += len(batch.lines)
        bad_count += len(batch.bad)
        total_minor += sum(
            line.amount_minor if line.direction == IN else -line.amount_minor for line in batch.lines
        )
        lines += batch.lines[: rows - len(lines)]
        bad += batch.bad[: rows - len(bad)]
    facts = reading.facts
    return {
        "format": facts.format, "encoding": facts.encoding, "rows": count, "total_minor": total_minor,
        "currency": owner.currency, "first_day": facts.first_day, "last_day": facts.last_day,
        "records": [
            {
                "line": line.line, "id": line.key, "account": line.number, "amount_minor": line.amount_minor,
                "direction": line.direction, "fee_minor": line.fee_minor, "net_minor": line.net_minor,
                "date": line.day, "at": line.at, "payer": line.payer, "text": line.text,
                "service": line.service, "document": line.document,
            }
            for line in lines
        ],
        "error_count": bad_count,
        "errors": [each._asdict() for each in bad],
        "problems": facts.problems,
        "notes": facts.notes,
    }  # fmt: skip


def _print(report: JsonObject, owner: Biller) -> None:
    def money(amount_minor: int | None) -> str:
        return "" if amount_minor is None else format_amount(amount_minor, exponent_of(owner.currency))

    print_table(
        "As understood",
        ("line", "id", "account", "paid", "fee", "day", "payer", "text"),
        [
            (row["line"], row["id"], row["account"],
             ("-" if row["direction"] != IN else "") + money(row["amount_minor"]), money(row["fee_minor"]),
             row["at"] or row["date"], row["payer"], row["text"])
            for row in report["records"]
        ],
        right=("line", "paid", "fee"),
    )  # fmt: skip
    for error in report["errors"]:
        say(f"line {error['line']}: {error['reason']}")
    total = money(report["total_minor"])
    say(
        f"{report['rows']} payments of {total} {owner.currency}; {report['error_count']} lines cannot be read"
    )
    for text in (*report["problems"], *report["notes"]):
        say(text)


def _found(opened: House, owner: Biller, name: str) -> Preset:
    with opened.database.read() as connection:
        return find_preset(SqlPresets(connection, owner.biller_id), name, READY)


def _problems(preset: Preset) -> dict[str, str]:
    return problems_of(preset.format, ReadOptions("", preset.encoding, preset.columns, preset.options))


def _public(preset: Preset) -> JsonObject:
    return {
        "format": preset.format, "encoding": preset.encoding, "columns": dict(preset.columns),
        "options": dict(preset.options),
    }  # fmt: skip


def _told(pairs: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in pairs.items())


def _pairs(option: str, texts: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise SettingsError(f"{option} {text}: write NAME=VALUE")
        pairs[name.strip()] = value.strip()
    return pairs


def _read(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as fault:
        raise SettingsError(f"{file}: {fault.strerror or fault}") from fault
    if len(data) > _FILE_BYTES_MAX:
        raise SettingsError(f"{file} is too large for a preset")
    try:
        return data.decode()
    except UnicodeDecodeError as fault:
        raise SettingsError(f"{file} is not UTF-8") from fault
