"""Only what a command needs is loaded."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
from typer.main import get_command

from kvit.cli import app as everything
from kvit.cli.root import ROOMS, make_root

MAIN = "import sys\nfrom kvit.cli import main\ntry:\n    main()\nfinally:\n    print(*sys.modules)"


@pytest.mark.parametrize("module", sorted(set(ROOMS.values())))
def test_the_commands_that_are_loaded_alone_are_all_in_one_room(module: str) -> None:
    """No other room adds a command that begins with the same word."""
    root = make_root()
    importlib.import_module(f"kvit.cli.{module}").register(root)
    alone, whole = get_command(root), get_command(everything.app)
    for name, command in alone.commands.items():  # type: ignore[attr-defined]
        assert ROOMS[name] == module
        there = whole.commands[name]  # type: ignore[attr-defined]
        assert sorted(getattr(there, "commands", ())) == sorted(getattr(command, "commands", ()))
    assert set(alone.commands) == {name for name, room in ROOMS.items() if room == module}  # type: ignore[attr-defined]


def run(*arguments: str) -> str:
    command = [sys.executable, "-c", MAIN, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_import_loads_no_other_command() -> None:
    for name in ("account", "charge", "balance"):
        said = run(name, "import", "--help")
        assert f" {name} import " in said
        assert "kvit.cli.receivables" in said
        assert "kvit.cli.app" not in said
        assert "kvit.cli.server" not in said


def test_everything_else_is_still_there() -> None:
    said = run("--help")
    for name in (*ROOMS, "serve", "init", "agreement", "backup"):
        assert f" {name} " in said
