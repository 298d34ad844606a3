"""The command ``kvit`` before it has any commands."""

from __future__ import annotations

import typer

from kvit import __version__

#: First words of commands that are all in ``kvit.cli.receivables``: for them nothing else is loaded.
RECEIVABLES = frozenset({"account", "charge", "balance"})


def make_root() -> typer.Typer:
    """``kvit`` with ``--version`` and ``--help``."""
    root = typer.Typer(
        name="kvit",
        help="Be paid at terminals, in bank apps and at bank counters; every payment in the books exactly"
        " once.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    root.callback()(_root)
    return root


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kvit {__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass
