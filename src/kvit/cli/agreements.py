"""``kvit agreement apply``, ``list`` and ``show``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from kvit.cli.shared import BILLER, JSON, author, choose_biller, guarded, house, print_json, print_table, say
from kvit.domain.days import to_us
from kvit.domain.errors import NotFound, SettingsError
from kvit.domain.journal import digest_of
from kvit.domain.model import Agreement, JournalRow
from kvit.domain.money import format_amount
from kvit.main import House, RegistryCatalogue, load_agreements
from kvit.services.agreements import read_file, to_spec
from kvit.storage import agreements as storage
from kvit.storage import billers
from kvit.storage.secretbox import open_box

_FILE_BYTES_MAX = 1_000_000


def register(app: typer.Typer) -> None:
    room = typer.Typer(help="Contracts with banks and terminal networks.", no_args_is_help=True)
    room.command("apply")(apply)
    room.command("list")(list_agreements)
    room.command("show")(show)
    app.add_typer(room, name="agreement")


@guarded
def apply(
    file: Path = typer.Argument(..., help="TOML file with [[agreement]] tables."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only check the file."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Check the agreements of a file and put them into force; a running server takes them up by itself."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        agreements = read_file(_read(file), owner, RegistryCatalogue(file.parent))
        states = {} if dry_run else save(opened, agreements)
        report = [
            {
                "id": agreement.agreement_id,
                "state": states.get(agreement.agreement_id, "checked"),
                "mode": agreement.mode,
                "protocol": agreement.protocol,
                "door": f"/pay/{agreement.agreement_id}" if agreement.has_door else "",
            }
            for agreement in agreements
        ]
    if json_output:
        print_json({"agreements": report, "dry_run": dry_run})
        return
    for row in report:
        door = f"door {row['door']}" if row["door"] else "no door"
        say(f"agreement {row['id']}: {row['state']} ({row['protocol']}, {row['mode']}), {door}")


def _read(file: Path) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror or error}") from error
    if len(data) > _FILE_BYTES_MAX:
        raise SettingsError(f"{file} is too large for a file of agreements")
    return data


def save(opened: House, agreements: list[Agreement]) -> dict[str, str]:
    """Put checked agreements into force; for each, whether it is ``new``, ``changed`` or ``unchanged``."""
    box = open_box(opened.settings.data_folder)
    now_us = to_us(opened.clock.now())
    states = {}
    with opened.database.write() as connection:
        for agreement in agreements:
            state = storage.save(connection, agreement, box, now_us)
            states[agreement.agreement_id] = state
            if state != "unchanged":
                digest = digest_of("agreement", agreement.agreement_id, to_spec(agreement)[0])
                record = JournalRow(
                    agreement.biller_id, billers.take_ids(connection, 1)[0], now_us, author(),
                    "agreement.applied", agreement.agreement_id, digest, to_spec(agreement)[0],
                )  # fmt: skip
                billers.write_journal(connection, [record])
    return states


@guarded
def list_agreements(biller: str = BILLER, json_output: bool = JSON) -> None:
    """List the agreements and their doors."""
    with house() as opened:
        rows = [_public(agreement) for agreement in load_agreements(opened)]
        if biller:
            choose_biller(opened, biller)
            rows = [row for row in rows if row["biller_id"] == biller]
    if json_output:
        print_json(rows)
        return
    print_table(
        "Agreements",
        ("id", "title", "protocol", "mode", "limits", "networks", "valid"),
        [
            (
                row["agreement_id"], row["title"], row["protocol"], row["mode"], row["limits"],
                ", ".join(row["networks"]) or "any",
                f"{row['valid_from'] or '…'} – {row['valid_until'] or '…'}",
            )
            for row in rows
        ],
    )  # fmt: skip


@guarded
def show(
    agreement_id: str = typer.Argument(..., help="The agreement's id."), json_output: bool = JSON
) -> None:
    """Show one agreement; secrets are not shown."""
    with house() as opened:
        found = [one for one in load_agreements(opened) if one.agreement_id == agreement_id]
    if not found:
        raise NotFound(f"there is no agreement {agreement_id}; `kvit agreement list` shows all")
    values = _public(found[0])
    if json_output:
        print_json(values)
        return
    print_table(
        f"Agreement {agreement_id}", ("setting", "value"), [(key, value) for key, value in values.items()]
    )


def _public(agreement: Agreement) -> dict[str, Any]:

    values: dict[str, Any] = json.loads(to_spec(agreement)[0])
    values["basic_password"] = "set" if agreement.basic_password else ""
    low, high = (
        "…" if limit is None else format_amount(limit, agreement.exponent)
        for limit in (agreement.min_minor, agreement.max_minor)
    )
    values["limits"] = f"{low} – {high} {agreement.currency}"
    values["version"] = agreement.version
    return values
