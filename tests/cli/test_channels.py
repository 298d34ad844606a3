"""``kvit channel`` and ``kvit run-due``, from files of a bank to the books and back."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from kvit.channels.base import SHARED
from kvit.channels.registry import NAMES, kind_of
from kvit.cli import agreements, channels, register_room
from kvit.storage.alone import Channels
from kvit.storage.engine import open_database
from kvit.storage.schema_files import due_runs
from tests.cli.registers import CLIENTS, Shell
from tests.web.serving import Office

DOCS = Path(__file__).parents[2] / "docs"
REGISTER = (
    "3049857723\t{day}\t09:15:02\t1002344\t1500.00\n"
    "3049857811\t{day}\t09:15:40\t1002344\t20.00\n"
    "Total: 2\t1520.00\n"
)
TERMS = """
[[agreement]]
id = "bank"
protocol = "files"
mode = "test"
timezone = "Europe/Moscow"
[agreement.debts]
format = "csv"
options = {{ encoding = "utf-8" }}
[agreement.register]
format = "qiwi"
[agreement.channel]
kind = "folder"
options = {{ incoming = "{folder}/in", outgoing = "{folder}/out", ready = "at-once" }}
{schedule}
"""


@pytest.fixture
def shell(books_url: str, tmp_path: Path) -> Shell:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    shell = Shell(tmp_path, books_url, (register_room, agreements, channels))
    shell.seed(CLIENTS)
    agree(shell)
    return shell


def agree(shell: Shell, schedule: str = "") -> None:
    file = shell.folder / "agreements.toml"
    file.write_text(TERMS.format(folder=shell.folder, schedule=schedule))
    shell.run("agreement", "apply", str(file))


def register_of(day: str) -> bytes:
    return REGISTER.format(day=day).encode()


def payments(shell: Shell) -> int:
    office = Office(shell.folder, shell.url)
    assert office.findings() == []
    return office.payments()


def test_files_of_the_bank_are_booked_once(shell: Shell) -> None:
    (shell.folder / "in" / "QIWI_1_202611221.csv").write_bytes(register_of("22.11.2026"))
    (found,) = shell.json("channel", "fetch", "--agreement", "bank")["files"]
    assert (found["verdict"], found["detail"].partition(" (")[0]) == ("taken", "register, 2 lines, 2 new")
    assert payments(shell) == 2
    (shell.folder / "in" / "copy.csv").write_bytes(register_of("22.11.2026"))
    longer = register_of("22.11.2026").replace(
        b"Total: 2\t1520.00", b"9\t22.11.2026\t10:00:00\t1002351\t1.00\nTotal: 3\t1521.00"
    )
    (shell.folder / "in" / "longer.csv").write_bytes(longer)
    told = shell.json("channel", "fetch")["files"]
    assert [one["verdict"] for one in told] == ["duplicate", "taken"]
    assert "1 new, 2 known" in told[1]["detail"]
    assert payments(shell) == 3
    rows = shell.json("channel", "files")
    assert [(row["name"], row["state"]) for row in rows] == [
        ("longer.csv", "done"), ("copy.csv", "done"), ("QIWI_1_202611221.csv", "done"),
    ]  # fmt: skip


def test_a_file_that_was_cut_off_waits_and_says_why(shell: Shell) -> None:
    whole = register_of("22.11.2026")
    (shell.folder / "in" / "a.csv").write_bytes(whole[:-10])
    told = json.loads(shell.run("channel", "fetch", "--json", code=1).stdout)
    assert [one["verdict"] for one in told["files"]] == ["failed"]
    assert payments(shell) == 0
    (shell.folder / "in" / "a.csv").write_bytes(whole)
    assert [one["verdict"] for one in shell.json("channel", "fetch")["files"]] == ["taken"]
    assert payments(shell) == 2


STATEMENT = """1CClientBankExchange
ВерсияФормата=1.03
Кодировка=Windows
ДатаНачала=22.11.2026
ДатаКонца=22.11.2026
РасчСчет=40702810000000000001
СекцияРасчСчет
ДатаНачала=22.11.2026
ДатаКонца=22.11.2026
РасчСчет=40702810000000000001
НачальныйОстаток=0.00
ВсегоПоступило=75.00
ВсегоСписано=0.00
КонечныйОстаток=75.00
КонецРасчСчет
СекцияДокумент=Платежное поручение
Номер=17
Дата=22.11.2026
Сумма=75.00
ПлательщикСчет=40817810000000000002
Плательщик=Тестов Тест
ПолучательСчет=40702810000000000001
ДатаПоступило=22.11.2026
НазначениеПлатежа=За воду, лицевой счет 1002344
КонецДокумента
КонецФайла
"""


def test_a_statement_that_comes_by_the_channel_is_one(shell: Shell) -> None:
    data = STATEMENT.replace("\n", "\r\n").encode("cp1251")
    (shell.folder / "in" / "kl_to_1c.txt").write_bytes(data)
    (found,) = shell.json("channel", "fetch")["files"]
    assert (found["verdict"], found["detail"][:18]) == ("taken", "statement, 1 lines")


def test_a_register_goes_out_by_the_channel_or_is_carried(shell: Shell) -> None:
    made = shell.json("register", "send")
    assert made["state"] == "sent"
    (sent,) = made["sent"]
    assert (shell.folder / "out" / sent["name"]).read_bytes()
    carried = shell.json("register", "send", "--out", str(shell.folder / "mine.csv"))
    assert (carried["sent"], carried["state"]) == ([], "written")
    assert shell.json("channel", "send")["registers"] == []
    told = shell.json("channel", "send", "--number", "2")["registers"]
    assert [(one["number"], one["verdict"]) for one in told] == [(2, "sent")]
    assert len(list((shell.folder / "out").iterdir())) == 2


def test_what_is_known_is_not_decided(shell: Shell) -> None:
    made = shell.json("register", "send")
    name = made["sent"][0]["name"]
    assert "it is known" in shell.run("channel", "decide", name, "--again", code=1).stderr
    assert "no file x" in shell.run("channel", "decide", "x", "--arrived", code=1).stderr
    assert "--arrived" in shell.run("channel", "decide", name, code=2).stderr


def test_the_test_of_a_channel(shell: Shell) -> None:
    assert len(shell.json("channel", "test")["seen"]) == 2
    (shell.folder / "out").rmdir()
    assert "is no folder" in shell.run("channel", "test", code=1).stderr


SCHEDULE = """
[agreement.schedule]
send = "0 6 * * *"
fetch = "0 * * * *"
expect = "0 12 * * *"
holidays = ["sat", "sun"]
"""


def run_due(shell: Shell, at: str, code: int = 0) -> list[tuple[str, str, str]]:
    told = json.loads(shell.run("run-due", "--test-clock", at, "--json", code=code).stdout)
    return [(one["job"], one["state"], one["detail"]) for one in told["runs"]]


def test_a_day_by_the_schedule(shell: Shell) -> None:
    agree(shell, SCHEDULE)
    monday = datetime.now(UTC).date() + timedelta(days=14 - datetime.now(UTC).weekday())
    friday, tuesday = monday - timedelta(days=3), monday + timedelta(days=1)
    runs = run_due(shell, f"{monday}T05:30:00+03:00")
    assert [run[:2] for run in runs] == [("fetch", "done"), ("expect", "skipped"), ("send", "skipped")]
    ((job, state, detail),) = run_due(shell, f"{monday}T06:00:10+03:00")[1:]
    assert (job, state, detail.endswith(": sent")) == ("send", "done", True)
    assert len(list((shell.folder / "out").iterdir())) == 1
    assert run_due(shell, f"{monday}T06:00:20+03:00") == []
    (shell.folder / "in" / "friday.csv").write_bytes(register_of(f"{friday:%d.%m.%Y}"))
    runs = run_due(shell, f"{monday}T12:00:00+03:00")
    assert runs[0][2].startswith("1 taken")
    assert runs[1] == ("expect", "done", friday.isoformat())
    runs = run_due(shell, f"{tuesday}T12:00:00+03:00", code=1)
    assert runs[1] == ("expect", "missing", monday.isoformat())
    assert [run[:2] for run in runs[2:]] == [("send", "done")]
    told = shell.json("channel", "runs", "--limit", "1")
    assert [(one["job"], one["state"]) for one in told] == [("expect", "missing")]


def test_an_empty_register_is_one(shell: Shell) -> None:
    agree(shell, SCHEDULE)
    monday = datetime.now(UTC).date() + timedelta(days=14 - datetime.now(UTC).weekday())
    for week in range(3):
        day = monday + timedelta(days=1 + 7 * week)
        (shell.folder / "in" / f"{day}.csv").write_bytes(b"Total: 0\t0.00\n")
        runs = run_due(shell, f"{day}T12:00:00+03:00")
        assert runs[1] == ("expect", "done", (day - timedelta(days=1)).isoformat())
        missing = day + timedelta(days=1)
        assert run_due(shell, f"{missing}T12:00:00+03:00", code=1)[1][1] == "missing"


def test_a_run_that_is_tried_again_makes_no_second_register(shell: Shell) -> None:
    agree(shell, SCHEDULE)
    monday = datetime.now(UTC).date() + timedelta(days=14 - datetime.now(UTC).weekday())
    (shell.folder / "out").rename(shell.folder / "away")
    runs = run_due(shell, f"{monday}T06:00:10+03:00", code=1)
    assert [run[:2] for run in runs] == [("fetch", "done"), ("expect", "skipped"), ("send", "failed")]
    (shell.folder / "away").rename(shell.folder / "out")
    assert run_due(shell, f"{monday}T06:05:00+03:00") == []
    assert [run[:2] for run in run_due(shell, f"{monday}T06:11:00+03:00")] == [("send", "done")]
    assert [one["state"] for one in shell.json("register", "list")] == ["sent"]


def test_the_clock_is_for_trials(shell: Shell) -> None:
    file = shell.folder / "agreements.toml"
    file.write_text(TERMS.format(folder=shell.folder, schedule="").replace('mode = "test"', ""))
    shell.run("agreement", "apply", str(file))
    assert "test mode" in shell.run("run-due", "--test-clock", "2026-11-23T06:00", code=2).stderr


@pytest.mark.parametrize(
    ("schedule", "place"),
    [
        ('[agreement.schedule]\nfetch = "noon"', "schedule.fetch"),
        ('[agreement.schedule]\nholidays = ["friday"]', "schedule.holidays"),
    ],
)
def test_wrong_times_are_refused_with_their_place(shell: Shell, schedule: str, place: str) -> None:
    file = shell.folder / "agreements.toml"
    file.write_text(TERMS.format(folder=shell.folder, schedule=schedule))
    assert f"agreement[0].{place}" in shell.run("agreement", "apply", str(file), code=2).stderr


def start_run_due(office: Office, at: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        office.command("run-due", "--test-clock", at, "--json"),
        env=office.environment(), cwd=office.folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_several_at_once_run_each_time_once(shell: Shell) -> None:
    agree(shell, SCHEDULE)
    office = Office(shell.folder, shell.url, variables={"KVIT_DATA": str(shell.folder / "data")})
    monday = datetime.now(UTC).date() + timedelta(days=14 - datetime.now(UTC).weekday())
    (shell.folder / "in" / "friday.csv").write_bytes(register_of("20.11.2026"))
    processes = [start_run_due(office, f"{monday}T06:00:10+03:00") for _ in range(4)]
    runs: list[Any] = []
    for process in processes:
        out, complaint = process.communicate(timeout=90)
        assert process.returncode == 0, complaint
        runs += json.loads(out)["runs"]
    assert sorted((run["job"], run["state"]) for run in runs) == [
        ("expect", "skipped"), ("fetch", "done"), ("send", "done"),
    ]  # fmt: skip
    assert len(list((shell.folder / "out").iterdir())) == 1
    assert payments(shell) == 2


def due_rows(shell: Shell) -> int:
    database = open_database(shell.url)
    try:
        with database.read() as connection:
            return connection.execute(select(func.count()).select_from(due_runs)).scalar_one()
    finally:
        database.close()


@pytest.mark.parametrize("delay_s", [0.0, 0.1, 0.3])
def test_a_run_that_is_killed_is_completed_by_the_next(shell: Shell, delay_s: float) -> None:
    """Wherever it died: every payment booked once, one register made, and that one there once."""
    agree(shell, SCHEDULE)
    office = Office(shell.folder, shell.url, variables={"KVIT_DATA": str(shell.folder / "data")})
    monday = datetime.now(UTC).date() + timedelta(days=14 - datetime.now(UTC).weekday())
    for number in range(8):
        rows = register_of("20.11.2026").replace(b"30498", f"{number}0498".encode())
        (shell.folder / "in" / f"{number}.csv").write_bytes(rows)
    process = start_run_due(office, f"{monday}T06:00:10+03:00")
    while due_rows(shell) == 0:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    time.sleep(delay_s)
    process.kill()
    process.communicate()
    run_due(shell, f"{monday}T06:11:00+03:00")
    run_due(shell, f"{monday}T07:00:00+03:00")
    assert payments(shell) == 16
    assert [one["state"] for one in shell.json("register", "list")] == ["sent"]
    assert len(list((shell.folder / "out").iterdir())) == 1
    assert {one["state"] for one in shell.json("channel", "files")} == {"done"}
    assert {one["state"] for one in shell.json("channel", "runs")} <= {"done", "skipped"}


def test_while_another_is_at_work_a_command_says_so(shell: Shell) -> None:
    database = open_database(shell.url)
    try:
        with Channels(database).alone("water", "bank") as is_ours:
            assert is_ours
            assert "another kvit is at work" in shell.run("channel", "fetch", code=1).stderr
            with Channels(database).alone("water", "bank") as again:
                assert not again
        assert shell.json("channel", "fetch")["files"] == []
    finally:
        database.close()


def test_the_lock_goes_with_the_process(shell: Shell) -> None:
    """A runner that is killed keeps nobody waiting, and its run is taken over when its lease is over."""
    program = (
        "import sys, time\n"
        "from kvit.storage.alone import Channels\nfrom kvit.storage.engine import open_database\n"
        "with Channels(open_database(sys.argv[1])).alone('water', 'bank') as ours:\n"
        "    print(ours, flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, shell.url], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        shell.run("channel", "fetch", code=1)
    finally:
        holder.kill()
        holder.communicate()
    until = time.monotonic() + 20
    database = open_database(shell.url)
    try:
        is_free = False
        while not is_free and time.monotonic() < until:
            with Channels(database).alone("water", "bank") as is_free:
                pass
        assert is_free
    finally:
        database.close()


def test_the_server_runs_the_schedule_by_itself(shell: Shell) -> None:
    agree(shell, SCHEDULE)
    office = Office(shell.folder, shell.url, variables={"KVIT_DATA": str(shell.folder / "data")})
    monday = datetime.now(UTC).date() + timedelta(days=14 - datetime.now(UTC).weekday())
    (shell.folder / "in" / "friday.csv").write_bytes(register_of("20.11.2026"))
    with office.serving("--test-clock", f"{monday}T06:00:00+03:00"):
        until = time.monotonic() + 60
        while office.payments() < 2 or not list((shell.folder / "out").glob("bank*")):
            assert time.monotonic() < until, "the server ran nothing"
            time.sleep(0.3)
    assert [one["job"] for one in shell.json("channel", "runs") if one["state"] == "done"] == [
        "fetch",
        "send",
    ]


@pytest.mark.parametrize("kind", NAMES)
def test_every_option_of_a_channel_is_explained(kind: str) -> None:
    text = (DOCS / "reference" / "channels.md").read_text(encoding="utf-8")
    part = text.partition(f"\n## `{kind}`\n")[2].partition("\n## ")[0]
    shared = text.partition("\n## Every kind\n")[2].partition("\n## ")[0]
    for name, option in kind_of(kind).options.items():
        where = shared if SHARED.get(name) == option else part
        (line,) = re.findall(rf"^\| `{name}` \|.*$", where, flags=re.MULTILINE)
        assert f"| `{option.default}` |" in line or (not option.default and "| |" in line), line
        for choice in option.choices:
            assert f"`{choice}`" in line, (line, choice)
