"""Only what a command needs is loaded."""

from __future__ import annotations

import subprocess
import sys

from kvit.cli import receivables
from kvit.cli.root import RECEIVABLES, make_root

MAIN = "import sys\nfrom kvit.cli import main\ntry:\n    main()\nfinally:\n    print(*sys.modules)"


def test_the_commands_that_are_loaded_alone_are_all_in_one_room() -> None:
    root = make_root()
    receivables.register(root)
    assert {group.name for group in root.registered_groups} == RECEIVABLES
    assert root.registered_commands == []


def run(*arguments: str) -> str:
    command = [sys.executable, "-c", MAIN, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_import_loads_no_other_command() -> None:
    for name in sorted(RECEIVABLES):
        said = run(name, "import", "--help")
        assert f" {name} import " in said
        assert "kvit.cli.receivables" in said
        assert "kvit.cli.app" not in said
        assert "kvit.cli.server" not in said


def test_everything_else_is_still_there() -> None:
    said = run("--help")
    for name in (*RECEIVABLES, "serve", "init", "agreement", "backup"):
        assert f" {name} " in said
