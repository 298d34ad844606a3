"""``kvit protocol list`` and ``kvit protocol show``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import typer

from kvit.cli.shared import JSON, guarded, print_json, print_table, say
from kvit.domain.errors import NotFound
from kvit.protocols.base import Protocol
from kvit.protocols.registry import PROTOCOLS


def register(app: typer.Typer) -> None:
    room = typer.Typer(help="The bank protocols that kvit speaks.", no_args_is_help=True)
    room.command("list")(list_protocols)
    room.command("show")(show)
    app.add_typer(room, name="protocol")


@guarded
def list_protocols(json_output: bool = JSON) -> None:
    """List the protocols: how far each has been proven, and how sure its description is.

    Grade: simulated (tried against its published description), certified (a bank's test stand passed), live
    (payments seen). Confidence, from A to D: how many sources agree on the description. Locks: what the
    network shows to prove who it is.
    """
    rows = [_row(one) for one in PROTOCOLS.values()]
    if json_output:
        print_json(rows)
        return
    print_table(
        "Protocols",
        ("name", "title", "grade", "confidence", "phases", "locks", "commands"),
        [
            (
                row["name"], row["title"], row["grade"], row["confidence"],
                "two" if row["two_phase"] else "one", ", ".join(row["locks"]) or "addresses alone",
                ", ".join(row["commands"]),
            )
            for row in rows
        ],
    )  # fmt: skip


def _row(one: Protocol) -> dict[str, Any]:
    return {
        "name": one.name,
        "title": one.title,
        "grade": one.grade,
        "confidence": one.facts.confidence,
        "two_phase": one.two_phase,
        "locks": list(one.locks),
        "commands": sorted(one.commands),
    }


@guarded
def show(name: str = typer.Argument(..., help="The protocol's name."), json_output: bool = JSON) -> None:
    """Show a protocol: where its description is from, what that leaves open, how its network behaves, and its
    dialect switches, which the table agreement.dialect of an agreement's file may set.
    """
    protocol = PROTOCOLS.get(name)
    if protocol is None:
        raise NotFound(f"there is no protocol {name}; known: {', '.join(sorted(PROTOCOLS))}")
    switches = [
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
        facts = {"sources": protocol.facts.sources, "unconfirmed": protocol.facts.unconfirmed}
        print_json({**_row(protocol), **facts, "habits": asdict(protocol.habits), "dialect": switches})
        return
    print_table(protocol.title, ("", ""), _about(protocol))
    _print_list("Sources", protocol.facts.sources)
    _print_list("Not confirmed, to be settled with the network", protocol.facts.unconfirmed)
    print_table(
        "Dialect switches",
        ("switch", "default", "may be", "about"),
        [
            (row["switch"], row["default"], ", ".join(row["choices"]) or row["pattern"], row["about"])
            for row in switches
        ],
    )


def _about(protocol: Protocol) -> list[tuple[str, str]]:
    habits = protocol.habits
    pauses = ", ".join(f"{pause_s:g}" for pause_s in habits.pauses_s)
    return [
        ("grade", protocol.grade),
        ("confidence", protocol.facts.confidence),
        ("phases", "two: a payment is held, then posted" if protocol.two_phase else "one"),
        ("locks", ", ".join(protocol.locks) or "none: addresses alone"),
        ("commands", ", ".join(sorted(protocol.commands))),
        ("payers", "hold the bank's app" if habits.face == "app" else "stand at a terminal"),
        (
            "simulated as",
            f"waits {habits.timeout_s:g} s, repeats after {pauses} s, {habits.connections} at once",
        ),
    ]


def _print_list(title: str, texts: Sequence[str]) -> None:
    if texts:
        say(f"{title}:")
        for text in texts:
            say(f"  - {text}")
        say("")
