"""Every command of ``kvit`` in one place."""

from __future__ import annotations

import typer

from kvit import __version__
from kvit.cli import agreements, books, demo, payments, protocols, receivables, server, simulate

app = typer.Typer(
    name="kvit",
    help="Be paid at terminals, in bank apps and at bank counters; every payment in the books exactly once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kvit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


for room in (server, receivables, agreements, payments, books, protocols, simulate, demo):
    room.register(app)
