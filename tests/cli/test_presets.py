"""`kvit preset`: column maps saved, listed, tried on a file and removed, with real files and databases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from kvit.cli import agreements, presets, server

TOML = """
format = "table"
encoding = "cp1251"
[columns]
number = "Код"
amount = "Внесено руб"
[options]
decimal = "comma"
skip_top = 1
numeric_numbers = true
"""
FILE = """Отчёт банка
Код;Внесено руб;Когда;Дата
1002344;1 500,00;x;18.03.2026
1002351;15OO;x;18.03.2026
1002351;1234,50;x;19.03.2026
Итого;2734,50;;
"""


class Shell:
    """Runs commands of this room on one database."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self._environment = {"KVIT_DATABASE": url, "KVIT_DATA": str(folder / "data"), "COLUMNS": "200"}
        self._app = typer.Typer(pretty_exceptions_enable=False)
        for room in (server, agreements, presets):
            room.register(self._app)

    def run(self, *arguments: str, code: int = 0) -> Result:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._environment.items():
                patch.setenv(name, value)
            done = CliRunner().invoke(self._app, list(arguments))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return done

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - whatever the command prints
        return json.loads(self.run(*arguments, "--json").stdout)

    def file(self, name: str, text: str, encoding: str = "utf-8") -> str:
        path = self.folder / name
        path.write_bytes(text.encode(encoding))
        return str(path)


@pytest.fixture
def shell(database_url: str, tmp_path: Path) -> Shell:
    shell = Shell(database_url, tmp_path)
    shell.run("init", "--biller", "water", "--name", "Водоканал")
    return shell


def test_saved_changed_and_unchanged(shell: Shell) -> None:
    toml = shell.file("preset.toml", TOML)
    saved = shell.json("preset", "save", "rosbank", "--from-file", toml)
    assert saved == {
        "preset": "rosbank",
        "state": "new",
        "format": "table",
        "encoding": "cp1251",
        "columns": {"number": "Код", "amount": "Внесено руб"},
        "options": {"decimal": "comma", "skip_top": "1", "numeric_numbers": "yes"},
    }
    assert shell.json("preset", "save", "rosbank", "--from-file", toml)["state"] == "unchanged"
    changed = shell.json(
        "preset", "save", "rosbank", "--from-file", toml, "--column", "date=Дата",
        "--option", "decimal=point", "--encoding", "cp866",
    )  # fmt: skip
    assert (changed["state"], changed["encoding"]) == ("changed", "cp866")
    assert changed["columns"] == {"number": "Код", "amount": "Внесено руб", "date": "Дата"}
    assert shell.json("preset", "show", "rosbank")["options"]["decimal"] == "point"


def test_listed_with_the_ready_ones(shell: Shell) -> None:
    shell.run("preset", "save", "mine", "--format", "tochka", "--column", "number=USER_INFO")
    rows = {row["preset"]: row for row in shell.json("preset", "list")}
    assert rows["mine"]["format"] == "tochka"
    assert not rows["mine"]["ready"]
    assert {name for name, row in rows.items() if row["ready"]} == {
        "yookassa", "tochka", "privatbank-dbf", "oschadbank-dbf", "kaspi", "halyk", "table",
    }  # fmt: skip
    assert "mine" in shell.run("preset", "list").stdout


def test_tried_on_a_file(shell: Shell) -> None:
    shell.run("preset", "save", "rosbank", "--from-file", shell.file("preset.toml", TOML))
    path = shell.file("r.csv", FILE, "cp1251")
    report = shell.json("preset", "try", "rosbank", path)
    assert (report["rows"], report["error_count"], report["total_minor"]) == (2, 1, 273450)
    assert [(row["line"], row["account"], row["amount_minor"], row["date"]) for row in report["records"]] == [
        (3, "1002344", 150000, "2026-03-18"),
        (5, "1002351", 123450, "2026-03-19"),
    ]
    assert [(error["line"], error["raw"]) for error in report["errors"]] == [(4, "1002351;15OO;x;18.03.2026")]
    assert report["problems"] == []
    shown = shell.run("preset", "try", "rosbank", path, "--rows", "1").stdout
    assert "1500.00" in shown
    assert "1002351" not in shown
    assert "2 payments of 2734.50 RUB; 1 lines cannot be read" in shown
    assert shell.json("preset", "try", "table", shell.file("t.csv", "Лицевой счет;Сумма;Дата\n"))["rows"] == 0


REFUSED = [
    (("--column", "numbr=Код"), "columns.numbr: there is no such field"),
    (("--option", "decimal=dot"), "options.decimal: The option decimal cannot be 'dot'"),
    (("--option", "decimals=comma"), "options.decimals: there is no such option"),
    (("--option", "number_mask=("), "no regular expression"),
    (("--option", "date_format=month first"), "does not say where year, month and day stand"),
    (("--option", "timezone=Mars/Base"), "no time zone 'Mars/Base'"),
    (("--option", "widths=1;2"), "Write it like 12,10,40"),
    (("--format", "qiwi"), "there is no table format qiwi"),
    (("--encoding", "latin"), "encoding: it is one of"),
    (("--column", "number"), "write NAME=VALUE"),
    (("--option", "header=no", "--column", "number=Код"), "named by its number"),
    (("--option", "header=no", "--column", "number=1"), "the amount must be named"),
]


def test_what_cannot_be_is_refused(shell: Shell) -> None:
    for arguments, message in REFUSED:
        refused = shell.run("preset", "save", "p", *arguments, code=2)
        assert message in refused.stderr
    shell.run("preset", "show", "p", code=1)


def test_a_file_that_is_no_preset_is_refused(shell: Shell) -> None:
    for text, message in [
        ("format =", "no TOML"),
        ("colums = {}", "a preset has no colums"),
        ("columns = 1", "write [columns]"),
        ("[columns]\nnumber = 1.5", "columns.number: write a text"),
    ]:
        refused = shell.run("preset", "save", "p", "--from-file", shell.file("p.toml", text), code=2)
        assert message in refused.stderr
    assert "1 to 40 small latin letters" in shell.run("preset", "save", "P x", code=2).stderr


def test_removed_unless_an_agreement_uses_it(shell: Shell) -> None:
    shell.run("preset", "save", "rosbank", "--column", "number=Код")
    agreement = (
        '[[agreement]]\nid = "ros"\nprotocol = "files"\nmode = "test"\n[agreement.register]\npreset = "{}"\n'
    )
    shell.run("agreement", "apply", shell.file("a.toml", agreement.format("rosbank")))
    assert "used by agreement ros" in shell.run("preset", "remove", "rosbank", code=1).stderr
    shell.run("agreement", "apply", shell.file("a.toml", agreement.format("")))
    assert shell.json("preset", "remove", "rosbank") == {"preset": "rosbank", "state": "removed"}
    assert "there is no preset rosbank" in shell.run("preset", "remove", "rosbank", code=1).stderr
