"""``kvit register send``, ``again``, ``list``, ``show``, ``accept`` and ``reject``."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from tests.cli.registers import Shell

CSV = 'format = "csv"\noptions = { encoding = "utf-8" }\n'


@pytest.fixture
def shell(books_url: str, tmp_path: Path) -> Shell:
    shell = Shell(tmp_path, books_url)
    shell.seed()
    shell.agree(CSV)
    return shell


def test_the_first_register(shell: Shell) -> None:
    made = shell.json("register", "send", "--agreement", "bank", "--out", str(shell.folder))
    assert (made["number"], made["kind"], made["contents"], made["state"]) == (
        1,
        "accounts",
        "full",
        "written",
    )
    assert (made["rows"], made["total_minor"], made["currency"]) == (2, 273_450, "RUB")
    file = Path(made["out"])
    assert file.parent == shell.folder
    assert file.name == made["file_name"]
    data = file.read_bytes()
    assert sha256(data).hexdigest() == made["sha256"]
    month = made["as_of"][5:7] + made["as_of"][2:4]
    assert data.decode().splitlines() == [
        "account;payer;period;invoice;amount;due_date",
        f"1002344;Т*** Т*** Т***;{month};;1500.00;",
        f"1002351;П*** П. П.;{month};;1234.50;",
    ]
    assert shell.json("register", "list", "--agreement", "bank")[0]["sha256"] == made["sha256"]
    shell.run("register", "again", "--agreement", "bank", "--number", "1", "--out", "copy.csv")
    assert (shell.folder / "copy.csv").read_bytes() == data


def test_by_invoice(shell: Shell) -> None:
    made = shell.json(
        "register", "send", "--agreement", "bank", "--kind", "invoices", "--out", "by-invoice.csv"
    )
    assert (made["rows"], made["total_minor"]) == (3, 273_450)
    assert (shell.folder / "by-invoice.csv").read_text(encoding="utf-8").splitlines()[1:] == [
        "1002344;Т*** Т*** Т***;0326;INV-000123;1500.00;2026-03-31",
        "1002351;П*** П. П.;0226;;234.50;2026-02-28",
        "1002351;П*** П. П.;0326;;1000.00;2026-03-31",
    ]


def test_numbers_go_on_and_files_come_again(shell: Shell) -> None:
    for number in (1, 2):
        assert shell.json("register", "send", "--out", str(shell.folder))["number"] == number
    listed = shell.json("register", "list")
    assert [(row["number"], row["state"]) for row in listed] == [(1, "written"), (2, "written")]
    shown = shell.json("register", "show", "--number", "2", "--rows")
    assert shown["told"] == [
        {"row": 1, "account": "1002344", "document": "", "period": "", "amount_minor": 150_000},
        {"row": 2, "account": "1002351", "document": "", "period": "", "amount_minor": 123_450},
    ]
    assert "1002351" in shell.run("register", "show", "--number", "2", "--rows").stdout
    assert "accounts" in shell.run("register", "list").stdout
    again = shell.json("register", "again", "--number", "2", "--out", "again.csv")
    assert (
        sha256((shell.folder / "again.csv").read_bytes()).hexdigest()
        == again["sha256"]
        == listed[1]["sha256"]
    )


def test_accepted_and_then_only_what_changed(shell: Shell) -> None:
    shell.run("register", "send", "--full")
    shell.run("register", "send", "--full")
    accepted = shell.json("register", "accept", "--number", "2", "--reason", "taken")
    assert (accepted["state"], accepted["changed"], accepted["superseded"]) == ("accepted", True, [1])
    assert shell.json("register", "accept", "--number", "2")["changed"] is False
    said = shell.run("register", "send", "--changes", "--out", "empty.csv").stdout
    assert "Nothing has changed" in said
    assert (shell.folder / "empty.csv").read_text(encoding="utf-8").count("\n") == 1
    refused = shell.run("register", "accept", "--number", "1", code=1).stderr
    assert "superseded" in refused
    assert "send the next register" in refused


def test_the_banks_file_of_refused_rows(shell: Shell) -> None:
    shell.run("register", "send")
    (shell.folder / "bad.csv").write_text(
        "row;account;error\n2;1002351;no such client\n9;;?\n", encoding="utf-8"
    )
    mixed = shell.run("register", "reject", "--number", "1", "--rejects", "bad.csv", code=1).stdout
    assert "the register has 2 rows" in mixed
    assert "Nothing was changed" in mixed
    assert shell.json("register", "show", "--number", "1")["state"] == "written"
    done = shell.json("register", "reject", "--number", "1", "--rejects", "bad.csv", "--skip-unknown")
    assert (done["state"], done["changed"], len(done["unplaced"])) == ("accepted", True, 1)
    row = {"row": 2, "account": "1002351", "document": "", "reason": "no such client"}
    assert done["rejects"] == shell.json("register", "show", "--number", "1")["rejects"] == [row]
    told = shell.json("register", "send", "--changes", "--out", "next.csv")
    assert (told["rows"], told["base"]) == (1, 1), "the refused row is told again, and nothing else"
    assert "1002351" in (shell.folder / "next.csv").read_text(encoding="utf-8")


def test_rejected_as_a_whole(shell: Shell) -> None:
    shell.run("register", "send")
    assert "--reason" in shell.run("register", "reject", "--number", "1", code=2).stderr
    rejected = shell.json("register", "reject", "--number", "1", "--reason", "wrong template")
    assert (rejected["state"], rejected["comment"]) == ("rejected", "wrong template")
    told = shell.json("register", "send", "--changes")
    assert (told["rows"], told["base"]) == (2, 0)


def test_words_for_what_cannot_be(shell: Shell) -> None:
    assert "there is no register yet" in shell.run("register", "show", "--number", "1", code=1).stderr
    assert "no folder" in shell.run("register", "send", "--out", "nowhere/x.csv", code=1).stderr
    assert shell.json("register", "list") == [], "nothing was made"
    assert "known: bank" in shell.run("register", "send", "--agreement", "other", code=1).stderr


def test_replaced_letters_are_said(shell: Shell) -> None:
    shell.agree('format = "csv"\npaid = "zero"\noptions = { encoding = "windows-1251" }\n')
    made = shell.json("register", "send", "--out", "names.csv")
    assert made["replaced"] == {"count": 1, "examples": [{"from": "Қ*** Ә***", "to": "К*** А***"}]}
    assert "К*** А***" in (shell.folder / "names.csv").read_bytes().decode("cp1251")
    assert "К*** А***" in shell.run("register", "send").stdout


def test_wrong_settings_are_refused_when_they_are_applied(shell: Shell) -> None:
    file = shell.folder / "wrong.toml"
    file.write_text('[[agreement]]\nid = "x"\nprotocol = "files"\n[agreement.debts]\nformat = "sberbank"\n')
    said = shell.run("agreement", "apply", str(file), code=2).stderr
    assert "agreement[0].debts.options.inn" in said


def test_a_place_that_cannot_be_written(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("kvit.cli.writing.os.fsync", full)
        said = shell.run("register", "send", "--out", "a.csv", code=1).stderr
    assert "No space left on device" in said
    assert "kvit register again --number 1" in said
    assert sorted(each.name for each in shell.folder.glob("*a.csv*")) == []
    shell.run("register", "again", "--number", "1", "--out", "a.csv")
    assert (shell.folder / "a.csv").exists()


def test_an_agreement_that_says_nothing_of_debts_gets_the_plain_table(shell: Shell) -> None:
    file = shell.folder / "door.toml"
    file.write_text('[[agreement]]\nid = "door"\nprotocol = "qiwi"\nnetworks = ["10.0.0.0/8"]\n')
    shell.run("agreement", "apply", str(file))
    made = shell.json("register", "send", "--agreement", "door", "--kind", "invoices", "--out", "d.csv")
    assert (made["format"], made["kind"], made["rows"], made["file_name"][:12]) == (
        "csv",
        "invoices",
        3,
        "door_000001_",
    )
    assert "[agreement.debts]" in made["notes"][0]
