"""The command ``kvit``: one command a use case; prints tables for people and JSON for programs."""

from __future__ import annotations

import gc
import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer


def main() -> None:
    """The entry point of the command."""
    app = _load(sys.argv[1] if len(sys.argv) > 1 else "")
    app()


def _load(first: str) -> typer.Typer:
    """All commands, or those that begin with ``first`` where they have nothing to do with the others.

    Loading makes very many objects that stay, so nobody looks for garbage among them, now or later.
    """
    gc.disable()
    try:
        from kvit.cli.root import ROOMS, make_root

        if first not in ROOMS:
            from kvit.cli.app import app

            return app
        root = make_root()
        importlib.import_module(f"kvit.cli.{ROOMS[first]}").register(root)
        return root
    finally:
        gc.freeze()
        gc.enable()
