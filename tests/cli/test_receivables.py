"""`kvit account`, `kvit charge` and `kvit balance`, with real files and real databases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
import xlsxwriter
from typer.testing import CliRunner, Result

from kvit.cli import receivables, server
from kvit.domain.model import JsonObject

CLIENTS = """number;name;address;Район
00017;Иванова Анна;ул. Ленина, 5;Центр
00025;Петров Пётр;;Восток
"""
CHARGES = """Лицевой счёт;Услуга;Период;Начислено;Срок оплаты;Документ
00017;Вода;Сентябрь 2026;1 520,50;10.10.2026;A-1
00017;Вода;2026-10;700;;A-2
00025;Вода;2026-10;99,90;;A-3
"""


class Shell:
    """Runs commands of this room on one database."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self._environment = {"KVIT_DATABASE": url, "KVIT_DATA": str(folder / "data"), "COLUMNS": "200"}
        self._app = typer.Typer(pretty_exceptions_enable=False)
        for room in (server, receivables):
            room.register(self._app)

    def run(self, *arguments: str) -> Result:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._environment.items():
                patch.setenv(name, value)
            done = CliRunner().invoke(self._app, list(arguments))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    def json(self, *arguments: str, code: int = 0) -> JsonObject:
        done = self.run(*arguments, "--json")
        assert done.exit_code == code, done.output
        report: JsonObject = json.loads(done.stdout)
        return report

    def file(self, name: str, text: str, encoding: str = "utf-8") -> str:
        path = self.folder / name
        path.write_bytes(text.encode(encoding))
        return str(path)


@pytest.fixture
def shell(database_url: str, tmp_path: Path) -> Shell:
    shell = Shell(database_url, tmp_path)
    assert shell.run("init", "--biller", "water", "--name", "Водоканал").exit_code == 0
    return shell


@pytest.fixture
def stocked(shell: Shell) -> Shell:
    """With clients."""
    shell.json("account", "import", shell.file("clients.csv", CLIENTS))
    return shell


def test_files_of_both_encodings_and_kinds_say_the_same(stocked: Shell) -> None:
    first = stocked.json("charge", "import", stocked.file("charges.csv", CHARGES, "cp1251"))
    assert (first["kind"], first["rows"], first["new"], first["errors"]) == ("charges", 3, 3, [])
    assert (first["total_minor"], first["added_minor"], first["dry_run"]) == (232040, 232040, False)
    path = stocked.folder / "charges.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet()
        for row, line in enumerate(CHARGES.splitlines()):
            for column, text in enumerate(line.split(";")):
                sheet.write_string(row, column, text)
    again = stocked.json("charge", "import", str(path))
    assert (again["new"], again["adjusted"], again["unchanged"]) == (0, 0, 3)


def test_a_page_has_exactly_these_keys(stocked: Shell) -> None:
    stocked.json("charge", "import", stocked.file("charges.csv", CHARGES))
    page = stocked.json("account", "show", "00017")
    assert list(page) == [
        "number", "name", "status", "currency", "due_minor", "advance_minor", "charges", "payments",
    ]  # fmt: skip
    assert (page["number"], page["name"], page["status"]) == ("00017", "Иванова Анна", "active")
    assert (page["currency"], page["due_minor"], page["advance_minor"]) == ("RUB", 222050, 0)
    assert [(each["document"], each["due"]) for each in page["charges"]] == [
        ("A-1", "2026-10-10"), ("A-2", "2026-10-31"),
    ]  # fmt: skip
    text = stocked.run("account", "show", "00017").stdout
    for part in ("Иванова Анна", "Owed now: 2220.50 RUB", "1520.50", "No payments yet."):
        assert part in text


def test_row_errors_are_a_table_and_nothing_is_imported(stocked: Shell) -> None:
    text = CHARGES + "99999;Вода;2026-10;10;;A-4\n00017;Вода;2026-10;ten;;A-5\n"
    path = stocked.file("charges.csv", text)
    done = stocked.run("charge", "import", path)
    assert done.exit_code == 1
    for part in (
        "line",
        "Лицевой счёт",
        "99999",
        "no account has this number",
        "ten",
        "Nothing was imported",
    ):
        assert part in done.stdout
    report = stocked.json("charge", "import", path, code=1)
    assert [(error["line"], error["column"], error["value"]) for error in report["errors"]] == [
        (5, "Лицевой счёт", "99999"), (6, "Начислено", "ten"),
    ]  # fmt: skip
    assert report["errors_count"] == 2
    assert stocked.json("account", "show", "00017")["charges"] == []


def test_a_dry_run_changes_nothing(stocked: Shell) -> None:
    path = stocked.file("charges.csv", CHARGES)
    report = stocked.json("charge", "import", path, "--dry-run")
    assert (report["dry_run"], report["new"]) == (True, 3)
    assert report["examples"][0] == {
        "line": 2, "number": "00017", "what": "new", "text": "Вода, 2026-09, A-1, 1520.50",
    }  # fmt: skip
    assert stocked.json("account", "show", "00017")["charges"] == []
    text = stocked.run("charge", "import", path, "--dry-run").stdout
    assert "Would import 3 charges: 3 new." in text
    assert "clients would owe 2320.40 RUB more" in text


def test_a_changed_amount_is_an_adjustment(stocked: Shell) -> None:
    stocked.json("charge", "import", stocked.file("charges.csv", CHARGES))
    changed = CHARGES.replace("1 520,50", "1 500,00").replace("10.10.2026", "20.10.2026")
    report = stocked.json("charge", "import", stocked.file("mended.csv", changed))
    assert (report["adjusted"], report["unchanged"], report["added_minor"]) == (1, 2, -2050)
    assert report["due_differs"] == 1
    assert "the date they have stays" in report["notes"][0]
    assert stocked.json("account", "show", "00017")["charges"][0]["amount_minor"] == 150000


def test_balances_are_set(stocked: Shell) -> None:
    path = stocked.file("balances.csv", "number,balance\n00017,120.00\n")
    report = stocked.json("balance", "import", path, "--as-of", "2026-01-31")
    assert (report["kind"], report["as_of"], report["adjusted"]) == ("balances", "2026-01-31", 1)
    assert stocked.json("account", "show", "00017")["due_minor"] == 12000
    assert stocked.json("balance", "import", path, "--as-of", "2026-01-31")["unchanged"] == 1
    other = stocked.file("other.csv", "number,balance\n00025,-7.50\n")
    report = stocked.json("balance", "import", other, "--as-of", "2026-01-31")
    assert "1 accounts" in report["notes"][0]
    assert stocked.json("account", "show", "00025")["advance_minor"] == 750


@pytest.mark.parametrize("day", ["31.01.2026", "2026-1-31", "20260131", "2026-02-30", "tomorrow"])
def test_a_day_is_written_in_one_way(stocked: Shell, day: str) -> None:
    path = stocked.file("balances.csv", "number,balance\n00017,120.00\n")
    done = stocked.run("balance", "import", path, "--as-of", day)
    assert done.exit_code == 2
    assert "2026-10-31" in done.stderr


def test_columns_and_encodings_can_be_named(stocked: Shell) -> None:
    text = "Лицо;Всего к уплате;Прочее\n00017;12,00;x\n"
    path = stocked.file("odd.csv", text, "cp866")
    named = ("--column", "number=Лицо", "--column", "amount=Всего к уплате", "--encoding", "cp866")
    assert stocked.json("charge", "import", path, *named)["columns_other"] == ["Прочее"]
    assert stocked.run("charge", "import", path, "--column", "number").exit_code == 2
    done = stocked.run("charge", "import", path)
    assert done.exit_code == 1
    assert "odd.csv" in done.stderr


def test_an_account_is_closed_and_opened(stocked: Shell) -> None:
    closed = stocked.json("account", "set", "00017", "--status", "closed")
    assert closed == {"number": "00017", "status": "closed", "changed": True}
    assert stocked.json("account", "show", "00017")["status"] == "closed"
    assert "already" in stocked.run("account", "set", "00017", "--status", "closed").stdout
    assert stocked.json("account", "set", "00017", "--status", "active")["changed"] is True
    assert stocked.run("account", "set", "00017", "--status", "gone").exit_code == 2
    assert stocked.run("account", "set", "9", "--status", "closed").exit_code == 1


def test_new_numbers_are_printed_one_a_line(shell: Shell) -> None:
    shell.run("init", "--biller", "heat", "--name", "Тепло", "--check-digit", "mod97")
    lines = shell.run("account", "numbers", "--biller", "heat", "--count", "3", "--width", "8").stdout.split()
    assert len(set(lines)) == 3
    assert all(int(line) % 97 == 1 and len(line) == 8 for line in lines)
    more = shell.json("account", "numbers", "--biller", "heat", "--count", "2", "--width", "8")
    assert not set(more["numbers"]) & set(lines)
    wrong = shell.file("clients.csv", f"number\n{lines[0]}\n{int(lines[1]) + 1}\n")
    report = shell.json("account", "import", wrong, "--biller", "heat", code=1)
    assert [error["line"] for error in report["errors"]] == [3]


def test_where_there_are_several_billers_one_is_named(stocked: Shell) -> None:
    stocked.run("init", "--biller", "heat", "--name", "Тепло")
    path = stocked.file("charges.csv", CHARGES)
    done = stocked.run("charge", "import", path)
    assert done.exit_code == 2
    assert "--biller" in done.stderr
    assert stocked.json("charge", "import", path, "--biller", "water")["new"] == 3
    assert stocked.json("charge", "import", path, "--biller", "heat", code=1)["errors_count"] == 3


def test_a_file_that_is_not_there_is_said(stocked: Shell) -> None:
    done = stocked.run("charge", "import", str(stocked.folder / "none.csv"))
    assert done.exit_code == 1
    assert "there is no file" in done.stderr
    assert stocked.run("charge", "import", str(stocked.folder)).exit_code == 1
