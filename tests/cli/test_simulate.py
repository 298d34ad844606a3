"""`kvit simulate`: the terminal network at the shell, against a real server."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from kvit.cli.app import app
from tests.demonstration import Demo, copied_demo, demo_template, running_demo


class Shell:
    """Commands on the demo's books, in this process; the server is in its own."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self._runner = CliRunner()

    def run(self, *arguments: str) -> Result:
        variables: dict[str, str | None] = {
            "KVIT_DATA": str(self.demo.folder), "KVIT_DATABASE": None, "KVIT_CONFIG": None, "COLUMNS": "200",
        }  # fmt: skip
        return self._runner.invoke(app, list(arguments), env=variables)

    def simulate(self, *arguments: str, agreement: str = "qiwi") -> Result:
        options = ["--agreement", agreement] if agreement else []
        return self.run("simulate", *arguments, "--url", self.demo.base_url, *options)

    def account(self, number: str) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.run("account", "show", number, "--json").stdout)
        return shown

    def paid(self, number: str) -> tuple[int, list[tuple[str, int]]]:
        """What is owed (below zero: ahead), and (txn, sum) of every payment."""
        shown = self.account(number)
        payments = [(one["txn"], one["amount_minor"]) for one in shown["payments"]]
        return shown["due_minor"] - shown["advance_minor"], payments


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    template = demo_template(tmp_path_factory.getbasetemp())
    copied = copied_demo(template, tmp_path_factory.mktemp("simulate") / "kvit-demo")
    with running_demo(copied.folder) as demo:
        yield Shell(demo)


@pytest.fixture
def number(shell: Shell) -> str:
    return shell.demo.number("old-debt")


# --- check -------------------------------------------------------------------------------------------------


def test_a_check_shows_the_exact_bytes_and_says_what_is_owed(shell: Shell, number: str) -> None:
    due_minor = shell.account(number)["due_minor"]
    done = shell.simulate("check", number)
    assert done.exit_code == 0
    asked = re.search(rf"> GET /pay/qiwi\?command=check&txn_id=[0-9]+&account={number}&sum=", done.stdout)
    assert asked, done.stdout
    assert "< HTTP/1.1 200 OK" in done.stdout
    assert "<result>0</result>" in done.stdout
    last = done.stdout.splitlines()[-1]
    assert last == f"Қ*** Е*** Б*** owes {due_minor // 100}.{due_minor % 100:02} RUB."


def test_the_dialect_is_the_agreements(shell: Shell, number: str) -> None:
    done = shell.simulate("check", number, agreement="ibox")
    assert done.exit_code == 0
    assert "<ibox_txn_id>" in done.stdout


@pytest.mark.parametrize(("story", "code"), [("unknown", "5"), ("closed", "79")])
def test_a_number_that_cannot_be_paid_ends_with_1(shell: Shell, story: str, code: str) -> None:
    done = shell.simulate("check", shell.demo.number(story))
    assert done.exit_code == 1
    assert f"(code {code}: " in done.stdout.splitlines()[-1]


def test_nobody_there_ends_with_4(shell: Shell, number: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        done = shell.run("simulate", "check", number, "--agreement", "qiwi", "--url", url)
    assert done.exit_code == 4
    assert "unreachable" in done.stdout


def test_programs_get_every_exchange(shell: Shell, number: str) -> None:
    done = shell.simulate("check", number, "--json")
    told = json.loads(done.stdout)
    (exchange,) = told["exchanges"]
    assert exchange["next_step"] == "done"
    assert exchange["due_minor"] == shell.account(number)["due_minor"]
    assert exchange["request"].startswith("GET /pay/qiwi?command=check&")
    assert told["good"]


# --- pay ---------------------------------------------------------------------------------------------------


def test_a_payment_is_in_the_books_under_its_receipt(shell: Shell, number: str) -> None:
    due_minor, before = shell.paid(number)
    told = json.loads(shell.simulate("pay", number, "12.5", "--json").stdout)
    (exchange,) = told["exchanges"]
    assert shell.paid(number) == (due_minor - 1_250, [*before, (exchange["txn"], 1_250)])
    receipts = [str(one["receipt"]) for one in shell.account(number)["payments"]]
    assert receipts[-1] == exchange["receipt"]


@pytest.mark.parametrize(
    ("options", "copies"),
    [
        (["--times", "3"], 3),
        (["--at-once", "5"], 5),
        (["--drop"], 2),
        (["--times", "2", "--at-once", "4"], 8),
    ],
    ids=["in a row", "at once", "answer dropped", "rounds of copies"],
)
def test_however_often_it_is_sent_it_is_booked_once(
    shell: Shell, number: str, options: list[str], copies: int
) -> None:
    due_minor, before = shell.paid(number)
    done = shell.simulate("pay", number, "10.01", *options, "--json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert len(told["exchanges"]) == copies
    assert len({one["txn"] for one in told["exchanges"]}) == 1
    assert len({one["receipt"] for one in told["exchanges"] if one["failure"] != "dropped"}) == 1
    assert told["conclusion"].startswith("Booked once")
    after_minor, after = shell.paid(number)
    assert after_minor == due_minor - 1_001
    assert len(after) == len(before) + 1


def test_an_id_that_is_named_is_the_payments_for_ever(shell: Shell, number: str) -> None:
    first = shell.simulate("pay", number, "20", "--txn", "700000000001")
    again = shell.simulate("pay", number, "20", "--txn", "700000000001")
    assert first.stdout.splitlines()[-1] == again.stdout.splitlines()[-1]
    assert re.fullmatch(r"Booked, receipt [0-9]+\.", first.stdout.splitlines()[-1])
    other = shell.simulate("pay", number, "21", "--txn", "700000000001")
    assert other.exit_code == 1
    assert "code 300" in other.stdout.splitlines()[-1]
    assert [amount for txn, amount in shell.paid(number)[1] if txn == "700000000001"] == [2_000]


@pytest.mark.parametrize(("amount", "code"), [("9.99", "241"), ("15000.01", "242")])
def test_a_sum_outside_the_limits_ends_with_1(shell: Shell, number: str, amount: str, code: str) -> None:
    before = shell.paid(number)
    done = shell.simulate("pay", number, amount)
    assert done.exit_code == 1
    assert f"Refused with code {code}: nothing was booked." in done.stdout
    assert shell.paid(number) == before


# --- what is refused before anything is sent -----------------------------------------------------------


def test_where_several_agreements_are_in_test_mode_one_is_to_be_named(shell: Shell, number: str) -> None:
    done = shell.simulate("check", number, agreement="")
    assert done.exit_code == 2
    assert "add --agreement with one of: app, ibox, qiwi" in done.stderr


def test_an_agreement_that_is_not_there(shell: Shell, number: str) -> None:
    done = shell.simulate("check", number, agreement="kaspi")
    assert done.exit_code == 1
    assert "there is no agreement kaspi; in test mode: app, ibox, qiwi" in done.stderr


@pytest.mark.parametrize("amount", ["1e3", "12,50", "1.234", "ten", "１０"])
def test_what_is_not_a_sum_is_not_sent(shell: Shell, number: str, amount: str) -> None:
    done = shell.simulate("pay", number, amount)
    assert done.exit_code == 2
    assert f"{amount} is not a sum" in done.stderr


def test_an_address_that_is_none(shell: Shell, number: str) -> None:
    done = shell.run("simulate", "check", number, "--agreement", "qiwi", "--url", "localhost:8080")
    assert done.exit_code == 2
    assert "--url" in done.stderr


@pytest.fixture
def live(tmp_path: Path) -> Shell:
    """An installation whose one agreement is live; no server."""
    shell = Shell(Demo(tmp_path / "live"))
    assert shell.run("init", "--biller", "water").exit_code == 0
    file = tmp_path / "qiwi.toml"
    file.write_text(
        '[[agreement]]\nid = "qiwi"\nprotocol = "qiwi"\nmode = "live"\nnetworks = ["127.0.0.0/8"]\n'
    )
    assert shell.run("agreement", "apply", str(file)).exit_code == 0
    return shell


@pytest.mark.parametrize("command", [["check", "1"], ["pay", "1", "10"]], ids=["check", "pay"])
def test_a_live_agreement_is_not_played_with(live: Shell, command: list[str]) -> None:
    done = live.run("simulate", *command, "--agreement", "qiwi")
    assert done.exit_code == 1
    assert "agreement qiwi is live" in done.stderr
    assert 'mode = "test"' in done.stderr
    unnamed = live.run("simulate", *command)
    assert unnamed.exit_code == 1
    assert "no agreement is in test mode" in unnamed.stderr


# --- more than one payment, and what comes after one ---------------------------------------------------


def test_a_busy_day_ends_with_a_verdict(shell: Shell, number: str) -> None:
    due_minor, before = shell.paid(number)
    options = ["--payments", "16", "--mischief", "all", "--hurry", "50", "--number", number]
    told = json.loads(shell.simulate("run", *options, "--sum", "10.02", "--json").stdout)
    assert told["good"]
    assert told["conclusion"].startswith("Every payment is final: 16 booked, each once.")
    assert {
        row["kind"]: (row["payments"], row["booked"], row["broken"]) for row in told["rows"]
    } == dict.fromkeys(("none", "double", "reorder", "drop", "wrong-sum", "flip", "clock", "slow"), (2, 2, 0))
    assert told["clients"][0]["verdict"] == "debt-fell-once"
    after_minor, after = shell.paid(number)
    assert after_minor == due_minor - 16 * 1_002
    assert len(after) == len(before) + 16


def test_a_day_finds_a_client_by_itself_and_prints_a_table(shell: Shell) -> None:
    done = shell.simulate("run", "--payments", "2", "--mischief", "drop")
    assert done.exit_code == 0
    assert re.search(r"drop +2 +2 +0 +0 +[0-9]+ +0", done.stdout), done.stdout
    assert "Every payment is final: 2 booked, each once." in done.stdout


def test_a_mischief_that_there_is_not(shell: Shell) -> None:
    done = shell.simulate("run", "--mischief", "double,nonsense")
    assert done.exit_code == 2
    assert "there is no nonsense; known: double, reorder" in done.stderr


@pytest.mark.parametrize("command", [["status", "1"], ["cancel", "1"], ["statement"]], ids=lambda one: one[0])
def test_what_the_agreement_does_not_offer_is_not_asked(shell: Shell, command: list[str]) -> None:
    done = shell.simulate(*command)
    assert done.exit_code == 1
    assert "has no such command" in done.stderr
