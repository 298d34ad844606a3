"""``kvit protocol list`` and ``kvit protocol show``."""

from __future__ import annotations

from typing import Any

import typer

from kvit.cli.shared import JSON, guarded, print_json, print_table
from kvit.domain.errors import NotFound
from kvit.protocols.registry import PROTOCOLS


def register(app: typer.Typer) -> None:
    room = typer.Typer(help="The bank protocols that kvit speaks.", no_args_is_help=True)
    room.command("list")(list_protocols)
    room.command("show")(show)
    app.add_typer(room, name="protocol")


@guarded
def list_protocols(json_output: bool = JSON) -> None:
    """List the protocols, with how far each has been proven."""
    rows: list[dict[str, Any]] = [
        {
            "name": one.name,
            "title": one.title,
            "grade": one.grade,
            "two_phase": one.two_phase,
            "commands": sorted(one.commands),
        }
        for one in PROTOCOLS.values()
    ]
    if json_output:
        print_json(rows)
        return
    print_table(
        "Protocols",
        ("name", "title", "grade", "commands"),
        [(row["name"], row["title"], row["grade"], ", ".join(row["commands"])) for row in rows],
    )


@guarded
def show(name: str = typer.Argument(..., help="The protocol's name."), json_output: bool = JSON) -> None:
    """Show a protocol's dialect switches: what an agreement's [agreement.dialect] may set."""
    protocol = PROTOCOLS.get(name)
    if protocol is None:
        raise NotFound(f"there is no protocol {name}; known: {', '.join(sorted(PROTOCOLS))}")
    rows = [
        {
            "switch": key,
            "default": one.default,
            "choices": list(one.choices),
            "pattern": one.pattern,
            "about": one.about,
        }
        for key, one in protocol.dialect.items()
    ]
    if json_output:
        print_json({"name": name, "title": protocol.title, "grade": protocol.grade, "dialect": rows})
        return
    print_table(
        f"{protocol.title}: dialect switches",
        ("switch", "default", "may be", "about"),
        [
            (row["switch"], row["default"], ", ".join(row["choices"]) or row["pattern"], row["about"])
            for row in rows
        ],
    )
