"""The command ``kvit`` before it has any commands."""

from __future__ import annotations

import typer

from kvit import __version__

#: First word of a command -> the module that has all commands which begin so: nothing else is loaded for it.
ROOMS = {
    "account": "receivables", "charge": "receivables", "balance": "receivables", "agreement": "agreements",
    "payment": "payments", "suspense": "suspense", "quarantine": "quarantine", "rule": "rules",
    "import": "imports", "preset": "presets", "register": "register_room", "statement": "register_room",
    "file": "files", "channel": "channels", "run-due": "channels",
    "reconcile": "reconciling", "settlement": "settlements",
    "period": "periods", "export": "exports",
}  # fmt: skip


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
