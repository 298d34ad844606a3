"""``kvit import list``, ``show`` and ``undo``: what was taken in, and taking a whole import back."""

from __future__ import annotations

import json

import typer

from kvit.cli.shared import BILLER, JSON, author, choose_biller, guarded, house, print_json, print_table, say
from kvit.domain.days import from_us
from kvit.domain.errors import NotFound
from kvit.domain.model import Biller, JsonObject
from kvit.domain.money import exponent_of, format_amount
from kvit.services.intake.undoing import undo
from kvit.services.receivables.ports import ImportRow
from kvit.storage.intake import SqlIntake

KINDS = ("register", "statement")
_SHOWN_MAX = 50


def register(app: typer.Typer) -> None:
    room = typer.Typer(help="Registers and statements that were taken in.", no_args_is_help=True)
    room.command("list")(list_imports)
    room.command("undo")(undo_import)
    app.add_typer(room, name="import")


@guarded
def list_imports(biller: str = BILLER, json_output: bool = JSON) -> None:
    """List registers and statements that were taken in, oldest first."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        rows = SqlIntake(opened.database, owner.biller_id).read(lambda book: book.imports(KINDS))
    if json_output:
        print_json([_told(row, owner) for row in rows])
        return
    exponent = exponent_of(owner.currency)
    print_table(
        f"Taken in by {owner.name}",
        ("import", "when", "what", "file", "lines", "sum", "state"),
        [
            (
                told["import_id"], told["started_at"][:16].replace("T", " "),
                f"{told['kind']} {told['agreement']}".strip(), told["file"], told["summary"].get("rows", ""),
                format_amount(told["summary"].get("total_minor", 0), exponent), told["state"],
            )
            for told in (_told(row, owner) for row in rows[-_SHOWN_MAX:])
        ],
        right=("import", "lines", "sum"),
    )  # fmt: skip


def _told(row: ImportRow, owner: Biller) -> JsonObject:
    return {
        "import_id": row.import_id, "kind": row.kind, "agreement": row.agreement_id, "format": row.format,
        "file": row.file_name, "digest": row.file_digest, "state": row.state,
        "summary": json.loads(row.summary), "author": row.author,
        "started_at": from_us(row.started_at_us, owner.timezone).isoformat(timespec="seconds"),
    }  # fmt: skip


@guarded
def undo_import(
    import_id: int = typer.Argument(..., help="The import's number: `kvit import list`.", min=1),
    reason: str = typer.Option("undone", "--reason", help="Why; it stays in the books."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Take a whole import back: each of its payments by a reversing entry. It can be imported again."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        store = SqlIntake(opened.database, owner.biller_id)
        if not any(row.import_id == import_id for row in store.read(lambda book: book.imports(KINDS))):
            raise NotFound(f"there is no import {import_id}; `kvit import list` shows all")
        done = undo(store, opened.clock, import_id, reason, author())
    if json_output:
        print_json({**done._asdict(), "state": "undone"})
        return
    total = format_amount(done.amount_minor, exponent_of(owner.currency))
    say(
        f"Import {import_id} was undone: {done.payments} payments of {total} {owner.currency} in all were "
        f"taken back, and {done.lines} lines forgotten. What they had settled is owed again."
    )
