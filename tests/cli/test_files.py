"""`kvit file`: what a statement says, without any books."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from kvit.cli import files
from kvit.domain.model import JsonObject
from kvit.files.formats import FORMATS
from tests.files.statements.writing import Paid, written

PAYMENTS = [Paid(17, 1_500_00, "Тестов [Т]", "Счет 1002344", "A1"), Paid(18, -2_50, "Банк", "Комиссия", "A2")]
PROMISED = {"format", "encoding", "currency", "opening_minor", "closing_minor", "records", "errors"}
PROMISED_OF_RECORDS = {"id", "amount_minor", "direction", "date", "payer", "payer_account", "account", "text"}


def run(*arguments: str) -> Result:
    """The command, where there is neither a database nor settings."""
    app = typer.Typer(pretty_exceptions_enable=False)
    files.register(app)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KVIT_DATABASE", "sqlite:////nowhere/at/all.db")
        patch.setenv("COLUMNS", "200")
        done = CliRunner().invoke(app, ["file", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def read(*arguments: str, code: int = 0) -> JsonObject:
    done = run("read", *arguments, "--json")
    assert done.exit_code == code, done.output
    told: JsonObject = json.loads(done.stdout)
    return told


@pytest.fixture
def statement(tmp_path: Path) -> Path:
    path = tmp_path / "kl_to_1c.txt"
    path.write_bytes(written("1c", PAYMENTS))
    return path


def test_what_a_program_gets(statement: Path) -> None:
    told = read(str(statement), "--currency", "RUB")
    assert told.keys() >= PROMISED
    assert (told["format"], told["encoding"], told["currency"]) == ("1c", "utf-8", "RUB")
    assert (told["opening_minor"], told["closing_minor"]) == (10_000_000, 10_149_750)
    first, second = told["records"]
    assert first.keys() >= PROMISED_OF_RECORDS
    assert {name: first[name] for name in PROMISED_OF_RECORDS - {"id"}} == {
        "amount_minor": 150_000, "direction": "in", "date": "2026-03-17", "payer": "Тестов [Т]",
        "payer_account": "40817810000000000009", "account": "", "text": "Счет 1002344",
    }  # fmt: skip
    assert first["id"].startswith("f:")
    assert (second["amount_minor"], second["direction"]) == (250, "out")
    assert (told["errors"], told["problems"], told["refused"]) == ([], [], "")
    assert (told["record_count"], told["error_count"]) == (2, 0)
    assert told["sums"] == {"RUB": {"in_minor": 150_000, "out_minor": 250}}
    assert read(str(statement), "--currency", "RUB") == told


def test_bad_lines_are_listed_and_the_rest_is_read(statement: Path) -> None:
    statement.write_text(
        statement.read_text("utf-8").replace("Сумма=2.50", "Сумма=two").replace("\r", ""), "utf-8"
    )
    told = read(str(statement))
    assert told["record_count"] == 1
    (error,) = told["errors"]
    assert error.keys() >= {"line", "reason", "raw"}
    assert error["line"] == 25
    assert "'two'" in error["reason"]
    assert "Сумма=two" in error["raw"]


def test_no_lines_at_all(statement: Path) -> None:
    statement.write_bytes(written("1c", []))
    told = read(str(statement))
    assert (told["records"], told["errors"], told["sums"]) == ([], [], {})


def test_an_archive_is_read_file_by_file(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("one.sta", written("mt940", PAYMENTS))
        archive.writestr("two.sta", written("mt940", PAYMENTS))
        archive.writestr("two.xml", written("camt.053", PAYMENTS[:1]))
    path = tmp_path / "mail.zip"
    path.write_bytes(stream.getvalue())
    told = read(str(path))
    assert [record["file"] for record in told["records"]] == ["one.sta"] * 2 + ["two.sta"] * 2 + ["two.xml"]
    # The same line in another file is the same line.
    assert told["records"][0]["id"] == told["records"][2]["id"]
    assert (told["format"], told["currency"], told["opening_minor"]) == ("", "", None)
    assert [(file["name"], file["format"], file["closing_minor"]) for file in told["files"]] == [
        ("one.sta", "mt940", 10_149_750),
        ("two.sta", "mt940", 10_149_750),
        ("two.xml", "camt.053", 10_150_000),
    ]


def test_what_people_see(statement: Path) -> None:
    out = run("read", str(statement), "--currency", "RUB").stdout
    for words in (
        "1CClientBankExchange",
        "Account 40702810000000000001",
        "100000.00 RUB",
        "Тестов [Т]",
        "-2.50",
        "2 lines",
    ):
        assert words in out
    statement.write_bytes(written("1c", PAYMENTS)[:-20])
    assert "Problem: The file breaks off" in run("read", str(statement)).stdout


def test_only_the_first_lines_are_shown_to_people(statement: Path) -> None:
    statement.write_bytes(written("1c", [Paid(1, 100)] * (files.SHOWN_MAX + 7)))
    assert "and 7 more; --json has all" in run("read", str(statement)).stdout


@pytest.mark.parametrize("flag", ["--json", "--format=ofx"])
def test_what_cannot_be_read(tmp_path: Path, flag: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0\0\0\0\0")
    done = run("read", str(path), flag)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "photo.jpg" in done.stderr


def test_a_file_that_is_refused_midway_still_ends_as_json(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    whole = written("camt.053", [Paid(1, 100)] * 1_500).decode()
    path.write_text(whole.replace("</Stmt>", "<a>" * 100), "utf-8")
    done = run("read", str(path), "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["record_count"] == len(told["records"]) == 1_000
    assert "nested" in told["refused"]
    assert "nested" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere.txt"], 1, "there is no file"),
        ([".", "--json"], 1, "there is no file"),
        (["{}", "--format", "excel"], 1, "no format 'excel'"),
        (["{}", "--encoding", "klingon"], 1, "no encoding 'klingon'"),
        (["{}", "--currency", "rub"], 2, "three capital letters"),
    ],
)
def test_mistakes_of_the_person(statement: Path, arguments: list[str], code: int, words: str) -> None:
    done = run("read", *[argument.format(statement) for argument in arguments])
    assert done.exit_code == code
    assert words in done.stderr


def test_the_list_of_formats() -> None:
    told = json.loads(run("formats", "--json").stdout)
    assert [row["format"] for row in told["formats"]] == list(FORMATS)
    out = run("formats").stdout
    assert all(name in out for name in FORMATS)
