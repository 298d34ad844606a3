"""``kvit register``: the room of registers that go out and come in."""

from __future__ import annotations

import typer

from kvit.cli import intake, registers_out

room = typer.Typer(
    help="Registers: debts that go to banks, payments that come from them.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    registers_out.register(room)
    intake.register_into(room, app)
    app.add_typer(room, name="register")
