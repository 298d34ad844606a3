"""``kvit audit verify``, ``kvit backup`` and ``kvit restore``, and their pages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import text
from typer.testing import CliRunner, Result

from kvit.cli import books
from kvit.services.audit.report import CHECKS
from kvit.storage import schema
from kvit.storage.engine import open_database
from tests.books_check import check_books
from tests.filled import Wish, fill

DOCS = Path(__file__).parents[2] / "docs"
AUDIT_KEYS = {
    "ok", "payments", "entries", "accounts", "charges", "sealed", "unsealed", "heads", "findings_count",
    "findings", "seconds",
}  # fmt: skip


class Shell:
    """The commands on one database."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self._app = typer.Typer(pretty_exceptions_enable=False)
        books.register(self._app)

    def run(self, *arguments: str, url: str = "", code: int = 0) -> Result:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KVIT_DATABASE", url or self.url)
            patch.setenv("KVIT_DATA", str(self.folder / "data"))
            patch.setenv("KVIT_CONFIG", "")
            patch.chdir(self.folder)
            done = CliRunner().invoke(self._app, list(arguments), catch_exceptions=False)
        assert done.exit_code == code, done.output + done.stderr
        return done

    def json(self, *arguments: str, url: str = "", code: int = 0) -> Any:  # noqa: ANN401
        return json.loads(self.run(*arguments, "--json", url=url, code=code).stdout)


@pytest.fixture
def shell(books_url: str, tmp_path: Path) -> Shell:
    """Two billers' books, nothing sealed yet."""
    database = open_database(books_url)
    fill(database, Wish(accounts=6), biller_ids=("water", "heat"))
    database.close()
    folder = tmp_path / "office"
    folder.mkdir()
    return Shell(folder, books_url)


def tamper(url: str) -> None:
    database = open_database(url)
    with database.write() as connection:
        connection.execute(
            text("UPDATE accounts SET balance_minor = balance_minor + 1 WHERE biller_id = 'heat'")
        )
    database.close()


def test_sound_books(shell: Shell) -> None:
    report = shell.json("audit", "verify")
    assert set(report) == AUDIT_KEYS
    assert (report["ok"], report["findings"], report["findings_count"]) == (True, [], 0)
    assert report["payments"] == 42
    assert report["entries"] > 2 * (report["payments"] + report["charges"])
    assert report["sealed"] > 0 == report["unsealed"], "what waited was sealed first"
    assert set(report["heads"]) == {"water", "heat"}
    for_people = shell.run("audit", "verify").stdout
    assert "The books hold: 42 payments" in for_people
    assert report["heads"]["water"] in for_people.replace("\n", "")


def test_falsified_books_end_with_1(shell: Shell) -> None:
    tamper(shell.url)
    report = shell.json("audit", "verify", code=1)
    assert (report["ok"], report["findings_count"]) == (False, 12)
    assert all(set(finding) == {"check", "subject", "message"} for finding in report["findings"])
    assert {finding["check"] for finding in report["findings"]} == {"balance"}
    assert report["findings"][0]["subject"] == "account 000001 of heat"
    for_people = shell.run("audit", "verify", code=1).stdout
    assert "12 findings; nothing was changed" in " ".join(for_people.split())
    assert shell.json("audit", "verify", "--biller", "water")["ok"]
    assert not shell.json("audit", "verify", "--biller", "heat", code=1)["ok"]


def test_heads_that_were_written_down(shell: Shell) -> None:
    head = shell.json("audit", "verify")["heads"]["water"]
    assert shell.json("audit", "verify", "--biller", "water", "--anchor", head)["ok"]
    position, chain = head.split(":")
    gone = shell.json(
        "audit", "verify", "--biller", "water", "--anchor", f"{int(position) + 1}:{chain}", code=1
    )
    assert [finding["check"] for finding in gone["findings"]] == ["chain"]
    assert "several billers" not in shell.run("audit", "verify", "--anchor", head, code=2).stderr
    assert "add --biller" in shell.run("audit", "verify", "--anchor", head, code=2).stderr
    assert (
        "64 hexadecimal" in shell.run("audit", "verify", "--biller", "water", "--anchor", "7", code=2).stderr
    )
    assert "known: heat, water" in shell.run("audit", "verify", "--biller", "gas", code=1).stderr


def test_backup_and_restore(shell: Shell, database_url: str) -> None:
    saved = shell.json("backup", "books.kvit")
    file = shell.folder / "books.kvit"
    assert (saved["file"], saved["bytes"]) == ("books.kvit", file.stat().st_size)
    assert saved["rows"] == sum(saved["tables"].values())
    assert set(saved["tables"]) == {table.name for table in schema.metadata.sorted_tables}
    done = shell.json("restore", "books.kvit", url=database_url)
    assert done["rows"] == saved["rows"]
    assert done["audit"]["ok"]
    assert done["audit"]["payments"] == 42
    restored = open_database(database_url)
    assert check_books(restored) == []
    restored.close()
    again = shell.run("restore", "books.kvit", url=database_url, code=1)
    assert "holds books already" in again.stderr
    assert "KVIT_DATABASE" in again.stderr


def test_what_a_person_is_told(shell: Shell, sqlite_url: str) -> None:
    database = open_database(shell.url)
    with database.write() as connection:
        values = dict.fromkeys(("protocol", "mode", "spec"), "")
        key = {
            "biller_id": "water",
            "agreement_id": "qiwi",
            "version": 1,
            "applied_at_us": 1,
            "secrets": b"x",
        }
        connection.execute(schema.agreements.insert(), values | key)
    database.close()
    told = shell.run("backup", "books.kvit").stdout
    assert "written and read back" in told
    assert "secret.key" in told
    told = " ".join(shell.run("restore", "books.kvit", url=sqlite_url).stdout.split())
    assert "What was paid after that is not in them" in told
    assert "The agreements' secrets need their key" in told
    assert "The books hold: 42 payments" in told


def test_a_restore_of_falsified_books_says_so(shell: Shell, sqlite_url: str) -> None:
    tamper(shell.url)
    shell.run("backup", "books.kvit")
    done = shell.json("restore", "books.kvit", url=sqlite_url, code=1)
    assert done["audit"]["findings_count"] == 12


def test_what_cannot_be_done_is_one_line(shell: Shell, sqlite_url: str) -> None:
    (shell.folder / "letter.txt").write_text("Dear Anna")
    for arguments, reason in (
        (("restore", "letter.txt"), "not a backup made by kvit"),
        (("restore", "none.kvit"), "there is no file none.kvit"),
        (("backup", "letter.txt"), "is not a backup"),
        (("backup", "nowhere/books.kvit"), "there is no folder"),
    ):
        said = shell.run(*arguments, code=1).stderr
        assert reason in said
        assert said.startswith("kvit: ")
        assert said.count("\n") == 1
    assert "no books yet" in shell.run("backup", "books.kvit", url=sqlite_url, code=1).stderr
    assert "kvit init" in shell.run("audit", "verify", url=sqlite_url, code=1).stderr


def test_every_check_is_explained() -> None:
    page = (DOCS / "reference" / "audit.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)
    assert explained == list(CHECKS)
    for key in AUDIT_KEYS:
        assert f'"{key}"' in page


def test_the_pages_name_every_option() -> None:
    pages = "".join(
        (DOCS / name).read_text(encoding="utf-8") for name in ("reference/audit.md", "howto/backup.md")
    )
    group = typer.main.get_group(_app())
    audit = group.commands["audit"]
    for command in (audit.commands["verify"], group.commands["backup"], group.commands["restore"]):  # type: ignore[attr-defined]
        for parameter in command.params:
            if parameter.opts[0].startswith("--"):
                assert parameter.opts[0] in pages, parameter.opts


def _app() -> typer.Typer:
    app = typer.Typer()
    books.register(app)
    return app
