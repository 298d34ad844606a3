"""The commands about registers of debts, on books of a few clients."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from kvit.cli import agreements, register_room
from kvit.storage.engine import Database, open_database
from tests.seeding import Client, Due, Town, seed

CLIENTS = (
    Client("1002344", [Due(150_000, "2026-03-31", document="INV-000123")], name="Тестов Тест Тестович"),
    Client("1002351", [Due(100_000, "2026-03-31"), Due(23_450, "2026-02-28")], name="Пробный П. П."),
    Client("1002369", [], name="Құдайбергенова Әсем"),
    Client("1002377", [Due(700, "2026-03-31")], status="closed"),
)
AGREEMENT = """
[[agreement]]
id = "bank"
protocol = "files"
title = "Bank"
show_name = "masked"
[agreement.debts]
"""


class Shell:
    """The commands on one database."""

    def __init__(self, folder: Path, url: str, rooms: Iterable[Any] = (register_room, agreements)) -> None:
        self.folder, self.url = folder, url
        self._app = typer.Typer(pretty_exceptions_enable=False)
        for room in rooms:
            room.register(self._app)

    def seed(self, clients: Iterable[Client] = CLIENTS) -> Town:
        database = self.database()
        try:
            return seed(database, clients, biller_id="water")
        finally:
            database.close()

    def database(self) -> Database:
        return open_database(self.url)

    def agree(self, debts: str) -> None:
        """Put an agreement with these settings for registers of debts into force."""
        file = self.folder / "agreements.toml"
        file.write_text(AGREEMENT + debts, encoding="utf-8")
        self.run("agreement", "apply", str(file))

    def run(self, *arguments: str, code: int = 0) -> Result:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KVIT_DATABASE", self.url)
            patch.setenv("KVIT_DATA", str(self.folder / "data"))
            patch.setenv("KVIT_CONFIG", "")
            patch.chdir(self.folder)
            done = CliRunner().invoke(self._app, list(arguments), catch_exceptions=False)
        assert done.exit_code == code, done.output + done.stderr
        return done

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - whatever the command prints
        return json.loads(self.run(*arguments, "--json").stdout)
