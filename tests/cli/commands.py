"""Commands of `kvit` run in the test's own process: the same functions, without the start of Python."""

from __future__ import annotations

import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from kvit.cli import agreements, server
from tests.web.serving import Office


class Desk:
    """Runs commands on one installation."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self._app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
        for room in (server, agreements):
            room.register(self._app)

    def run(self, *arguments: str) -> Outcome:
        """What the command says and how it ends. An exception that it lets out is a failure of the test."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.office.environment().items():
                patch.setenv(name, value)
            patch.chdir(self.office.folder)
            patch.setattr("kvit.cli.server.run", _served)
            done = CliRunner().invoke(self._app, list(arguments))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Outcome(done.exit_code, done.stdout, done.stderr)

    def apply(self, text: str, *arguments: str) -> Outcome:
        """`kvit agreement apply` of a file with ``text``."""
        file = self.office.folder / "agreements.toml"
        file.write_text(text, encoding="utf-8")
        return self.run("agreement", "apply", str(file), *arguments)


class Served(Exception):
    """`kvit serve` found nothing wrong, and would now serve."""


def _served(*_options: object) -> None:
    raise Served


class Outcome:
    """How a command ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the command prints
        assert self.code == 0, self.err
        return json.loads(self.out)
