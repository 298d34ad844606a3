"""Registers and statements at the shell: what programs are told, what people see, and that money is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from kvit.cli.app import app
from tests.samples import sample

TOML = """
[[agreement]]
id = "qiwi"
protocol = "qiwi"
networks = ["192.0.2.0/24"]
fee = { percent = "1.5" }
[agreement.register]
format = "qiwi"

[[agreement]]
id = "sber"
protocol = "files"
fee = { percent = "1" }
[agreement.settlement]
payer_accounts = ["30232810000000000001"]
"""
REGISTER = (
    "3049857723\t18.03.2026\t09:15:02\t1002344\t1500.00\n"
    "3049857811\t18.03.2026\t09:15:40\t1002344\t1500.00\n"
    "3049857999\t18.03.2026\t09:16:00\t1002345\t70.00\n"
    "Total: 3\t3070.00\n"
)
HEAD = (
    "1CClientBankExchange\nВерсияФормата=1.03\nКодировка=Windows\nДатаНачала=18.03.2026\n"
    "ДатаКонца=18.03.2026\nРасчСчет=40702810000000000001\n"
)
DOCUMENT = (
    "СекцияДокумент=Платежное поручение\nНомер={number}\nДата=18.03.2026\nСумма={amount}\n"
    "ПлательщикСчет={account}\nПлательщик1={payer}\nПолучательСчет=40702810000000000001\n"
    "ДатаПоступило=18.03.2026\nНазначениеПлатежа={text}\nКонецДокумента\n"
)


def statement(*documents: tuple[str, str, str, str]) -> bytes:
    """(sum, payer's account, payer, purpose) of each."""
    texts = [
        DOCUMENT.format(number=17, amount=amount, account=account, payer=payer, text=text)
        for amount, account, payer, text in documents
    ]
    return (HEAD + "".join(texts) + "КонецФайла\n").replace("\n", "\r\n").encode("cp1251")


class Shell:
    """Runs commands on one installation: a biller with two clients and two agreements."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self._environment = {"KVIT_DATABASE": url, "KVIT_DATA": str(folder / "data"), "COLUMNS": "200"}
        self.run(
            "init", "--biller", "water", "--name", "W", "--currency", "RUB", "--timezone", "Europe/Moscow"
        )
        self.run(
            "account",
            "import",
            self.file("a.csv", "number;name\n1002344;Тестов Тест\n1002351;Пробный Пётр\n"),
        )
        self.run("agreement", "apply", self.file("agreements.toml", TOML))

    def run(self, *arguments: str, code: int = 0) -> Result:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._environment.items():
                patch.setenv(name, value)
            done = CliRunner().invoke(app, list(arguments))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return done

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - whatever the command prints
        return json.loads(self.run(*arguments, "--json").stdout)

    def file(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def owed(self) -> dict[str, int]:
        """Advance of each client, and what is in suspense."""
        sums = {
            number: self.json("account", "show", number)["advance_minor"] for number in ("1002344", "1002351")
        }
        sums[""] = sum(row["left_minor"] for row in self.json("suspense", "list"))
        return {number: amount_minor for number, amount_minor in sums.items() if amount_minor}

    def is_sound(self) -> bool:
        return bool(self.json("audit", "verify")["ok"])


@pytest.fixture
def shell(database_url: str, tmp_path: Path) -> Shell:
    return Shell(database_url, tmp_path)


def test_a_register_from_look_to_undo(shell: Shell) -> None:
    file = shell.file("QIWI_1_202603181.csv", REGISTER)
    seen = shell.json("register", "import", file, "--agreement", "qiwi", "--dry-run")
    assert shell.owed() == {}
    done = shell.json("register", "import", file, "--agreement", "qiwi")
    assert {
        name: value for name, value in seen.items() if name not in ("import_id", "dry_run", "records")
    } == {name: value for name, value in done.items() if name not in ("import_id", "dry_run", "records")}
    counts = ("rows", "new", "known", "confirmed", "twins", "quarantined", "suspense", "total_minor")
    assert [done[name] for name in counts] == [3, 2, 0, 0, 0, 0, 1, 307_000]
    assert (done["format"], done["currency"]) == ("qiwi", "RUB")
    assert [(one["line"], one["id"], one["account"], one["amount_minor"], one["date"], one["verdict"])
            for one in done["records"]] == [
        (1, "3049857723", "1002344", 150_000, "2026-03-18", "new"),
        (2, "3049857811", "1002344", 150_000, "2026-03-18", "new"),
        (3, "3049857999", "1002345", 7_000, "2026-03-18", "suspense"),
    ]  # fmt: skip
    assert shell.owed() == {"1002344": 300_000, "": 7_000}
    again = shell.json("register", "import", shell.file("other.txt", REGISTER), "--agreement", "qiwi")
    assert [again[name] for name in counts] == [3, 0, 3, 0, 0, 0, 0, 307_000]
    assert shell.owed() == {"1002344": 300_000, "": 7_000}
    undone = shell.json("import", "undo", str(done["import_id"]), "--reason", "a trial")
    assert (undone["payments"], undone["amount_minor"]) == (3, 307_000)
    assert shell.owed() == {}
    shell.json("register", "import", file, "--agreement", "qiwi")
    assert shell.owed() == {"1002344": 300_000, "": 7_000}
    states = [row["state"] for row in shell.json("import", "list")]
    assert states == ["undone", "finished", "finished"]
    assert shell.is_sound()


def test_a_file_whose_totals_do_not_hold_changes_nothing(shell: Shell) -> None:
    cut = shell.file("q.csv", REGISTER.replace("Total: 3\t3070.00", "Total: 4\t3170.00"))
    said = shell.run("register", "import", cut, "--agreement", "qiwi", code=1)
    assert "Nothing was imported" in said.stderr
    assert shell.owed() == {}
    shell.run(
        "register", "import", cut, "--agreement", "qiwi", "--despite-totals", "the bank has confirmed it"
    )
    assert shell.owed() == {"1002344": 300_000, "": 7_000}


def test_a_line_that_cannot_be_read_blocks_nothing_and_is_mended(shell: Shell) -> None:
    bad = REGISTER.replace("1500.00\n3049857811", "15OO.00\n3049857811")
    done = shell.json("register", "import", shell.file("q.csv", bad), "--agreement", "qiwi")
    assert (done["new"], done["quarantined"], done["suspense"]) == (1, 1, 1)
    (waiting,) = shell.json("quarantine", "list")
    mended = shell.json(
        "quarantine", "mend", waiting["place"], "--account", "1002344", "--amount", "1500,00", "--day",
        "2026-03-18", "--reason", "letter O for a zero",
    )  # fmt: skip
    assert mended[0]["state"] == "posted"
    assert shell.owed() == {"1002344": 300_000, "": 7_000}
    assert shell.json("quarantine", "list") == []
    assert shell.is_sound()


def test_a_statement_its_lump_sum_and_what_is_in_suspense(shell: Shell) -> None:
    lines = statement(
        ("500.00", "40817810000000000009", "Тестов Тест", "л/с 1002344"),
        ("500.00", "40817810000000000009", "Тестов Тест", "л/с 1002344"),
        ("900.00", "40817810000000000010", "Кто-то", "за воду"),
        ("3030.00", "30232810000000000001", "КИВИ", "Перечисление за 18.03.2026"),
    )
    done = shell.json("statement", "import", shell.file("kl_to_1c.txt", lines))
    assert [one["verdict"] for one in done["records"]] == ["new", "twin", "suspense", "lump"]
    assert (done["new"], done["twins"], done["lumps"], done["by_rule"]) == (1, 1, 1, {"number": 2})
    assert shell.owed() == {"1002344": 100_000, "": 90_000}
    (row,) = shell.json("suspense", "list")
    given = shell.json("suspense", "split", str(row["receipt"]), "--part", "1002351=300", "--part", "1002344",
                       "--reason", "they called")  # fmt: skip
    assert (given["left_minor"], len(given["parts"])) == (0, 2)
    assert shell.owed() == {"1002344": 160_000, "1002351": 30_000}
    assert shell.json("statement", "import", shell.file("again.txt", lines))["known"] == 4
    rules = {one["rule"]: one["state"] for one in shell.json("rule", "list")}
    assert rules["name"] == "propose"
    assert shell.is_sound()


def test_a_wrong_match_is_moved_and_its_rule_switched_off(shell: Shell) -> None:
    lines = statement(("500.00", "40817810000000000009", "Пробный Пётр", "л/с 1002344"))
    done = shell.json("statement", "import", shell.file("s.txt", lines))
    receipt = str(done["records"][0]["receipt"])
    moved = shell.json(
        "payment", "move", receipt, "--account", "1002351", "--rule-off", "--reason", "his own"
    )
    assert moved["rule_off"]
    assert shell.owed() == {"1002351": 50_000}
    assert {one["rule"]: one["state"] for one in shell.json("rule", "list")}["number"] == "off"
    assert shell.is_sound()


def test_what_people_read(shell: Shell) -> None:
    bad = REGISTER.replace("1500.00\n3049857811", "15OO.00\n3049857811")
    shown = shell.run("register", "import", shell.file("q.csv", bad), "--agreement", "qiwi").stdout
    for words in ("1  new payments", "need a look", "kvit suspense list", "Money that came in: 1570.00 RUB"):
        assert words in shown, shown
    assert "1002345" in shell.run("suspense", "list").stdout
    assert "15OO.00" in shell.run("quarantine", "list").stdout
    assert "register qiwi" in shell.run("import", "list").stdout
    assert "would match" in shell.run("rule", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("register", "import", "nowhere.csv"), "there is no file"),
        (("register", "import", "{q}", "--agreement", "x"), "there is no agreement x"),
        (("register", "import", "{q}", "--format", "x"), "There is no format 'x'"),
        (("statement", "import", "{q}", "--format", "qiwi"), "kvit register import"),
        (("register", "import", "{s}", "--format", "1c", "--agreement", "qiwi"), "kvit statement import"),
        (("import", "undo", "7"), "there is no import 7"),
        (("quarantine", "drop", "x", "--reason", "y"), "write IMPORT:LINE"),
        (("quarantine", "drop", "1:2", "--reason", "y"), "import 1 has no line 2"),
        (("suspense", "assign", "7", "--account", "1", "--reason", "y"), "there is no payment with receipt"),
        (("suspense", "split", "7", "--part", "=5", "--reason", "y"), "write NUMBER=SUM"),
        (("rule", "set", "magic", "on"), "there is no rule magic"),
        (("payment", "move", "7", "--account", "1", "--reason", "y"), "did not come by a file"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_clearly(shell: Shell, arguments: tuple[str, ...], said: str) -> None:
    files = {"q": shell.file("q.csv", REGISTER), "s": shell.file("s.txt", statement(("1.00", "4", "P", "t")))}
    outcome = shell.run(*(word.format(**files) for word in arguments), code=2 if "write" in said else 1)
    assert said in outcome.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("path", "currency", "verdicts"),
    [
        ("own-written/onec-v1-cp1251.txt", "RUB", ["new"]),
        ("own-written/onec-v2-kz-utf8.txt", "KZT", ["new", "twin"]),
        ("own-written/mt940-german-86.sta", "EUR", ["new", "new", "ignored"]),
        ("own-written/camt054-v8-batch-of-two.xml", "CHF", ["suspense", "suspense"]),
        ("own-written/ofx102-two-equal.ofx", "USD", ["new", "new"]),
    ],
)
def test_samples_of_statements_become_payments(
    database_url: str, tmp_path: Path, path: str, currency: str, verdicts: list[str]
) -> None:
    file = sample(path)
    shell = Shell(database_url, tmp_path)
    shell.run("init", "--biller", "other", "--name", "O", "--currency", currency, "--timezone", "UTC")
    clients = shell.file("b.csv", "number\n1002344\n")
    shell.run("account", "import", clients, "--biller", "other")
    done = shell.json("statement", "import", str(file), "--biller", "other")
    assert [one["verdict"] for one in done["records"]] == verdicts
    again = shell.json("statement", "import", str(file), "--biller", "other")
    assert again["known"] == len(verdicts)
    assert shell.is_sound()
