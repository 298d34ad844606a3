"""The command ``kvit``: one command a use case; prints tables for people and JSON for programs."""

from __future__ import annotations


def main() -> None:
    """The entry point of the command."""
    from kvit.cli.app import app

    app()
