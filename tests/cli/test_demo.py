"""`kvit demo`: books made once and whole, kept, made anew; a server that tells where it is."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx2
import pytest
import typer

from kvit.cli.app import app
from kvit.simulator.clients import STORIES, UNKNOWN
from kvit.simulator.utility import ACCOUNTS, BILLER, make_utility
from kvit.storage.engine import open_database
from tests.books_check import check_books
from tests.demonstration import (
    READY_TIMEOUT_S,
    STOP_TIMEOUT_S,
    Demo,
    copied_demo,
    demo_template,
    running_demo,
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_template(tmp_path_factory.getbasetemp())


@pytest.fixture
def demo(template: Path, tmp_path: Path) -> Demo:
    """Books of the demo that a test may change."""
    return copied_demo(template, tmp_path / "kvit-demo")


@pytest.fixture(scope="module")
def server(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    copied = copied_demo(template, tmp_path_factory.mktemp("server") / "kvit-demo")
    with running_demo(copied.folder) as demo:
        yield demo


# --- the books ------------------------------------------------------------------------------------------


def test_the_books_are_those_of_the_made_up_utility(demo: Demo) -> None:
    note = json.loads((demo.folder / "demo.json").read_text())
    utility = make_utility(datetime.fromisoformat(note["made_on"]).date())
    report = demo.report
    assert report["fresh"]
    assert report["accounts"] == ACCOUNTS
    assert report["charges"] == sum(len(month.charges) for month in utility.months)
    assert report["payments"] == sum(len(month.payments) for month in utility.months)
    assert [one["story"] for one in report["numbers"]] == [*(story.key for story in STORIES), "unknown"]
    assert demo.number("unknown") == UNKNOWN
    for one in report["numbers"]:
        owed_minor = sum(
            charge.amount_minor
            for month in utility.months
            for charge in month.charges
            if charge.number == one["number"]
        )
        paid_minor = sum(
            payment.post.amount_minor
            for month in utility.months
            for payment in month.payments
            if payment.post.number == one["number"]
        )
        assert one["due_minor"] - one["advance_minor"] == owed_minor - paid_minor


def test_the_books_hold(demo: Demo) -> None:
    verdict = demo.json("audit", "verify")
    assert verdict["ok"], verdict["findings"]
    assert verdict["payments"] == demo.report["payments"]


def test_payments_lie_in_the_past_at_the_time_they_were_taken(demo: Demo) -> None:
    shown = demo.json("account", "show", demo.number("debt"))
    assert len(shown["payments"]) == 13
    for payment in shown["payments"]:
        assert payment["accounting_date"] == payment["received_at"][:10]
    periods = [charge["period"] for charge in shown["charges"]]
    assert len(set(periods)) == 14
    assert shown["name"] == STORIES[0].name


def test_agreements_are_in_test_mode_and_speak_two_protocols_and_two_dialects(demo: Demo) -> None:
    done = demo.run("agreement", "list", "--json")
    listed = {one["agreement_id"]: one for one in json.loads(done.stdout)}
    assert {one["mode"] for one in listed.values()} == {"test"}
    assert {one["protocol"] for one in listed.values()} == {"qiwi", "native"}
    assert dict(listed["ibox"]["dialect"])["response_txn_tag"] == "ibox_txn_id"
    again = demo.json("agreement", "apply", str(demo.folder / "agreements.toml"))
    assert {one["state"] for one in again["agreements"]} == {"unchanged"}


def test_a_second_start_keeps_everything(demo: Demo) -> None:
    number = demo.number("no-debt")
    receipt = demo.json("account", "show", number)["payments"][-1]["receipt"]
    assert demo.run("payment", "void", str(receipt), "--reason", "tried out").returncode == 0
    before = (demo.folder / "demo.json").read_bytes(), (demo.folder / "secret.key").read_bytes()
    done = demo.seed("--json")
    report = json.loads(done.stdout)
    assert not report["fresh"]
    assert report["payments"] == demo.report["payments"]
    (kept,) = [one for one in report["numbers"] if one["number"] == number]
    assert kept["due_minor"] > 0, "the void is still there"
    assert ((demo.folder / "demo.json").read_bytes(), (demo.folder / "secret.key").read_bytes()) == before


@pytest.mark.slow
def test_a_crash_while_books_are_made_leaves_none_and_the_next_start_makes_them_whole(demo: Demo) -> None:
    other = demo.folder / "notes.txt"
    other.write_text("mine")
    process = subprocess.Popen(
        demo.command("demo", "--data", str(demo.folder), "--reset", "--seed-only", "--json"),
        env=demo.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    under_work = demo.folder / "kvit.seeding"
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not (under_work.exists() and under_work.stat().st_size > 3_000_000):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not (demo.folder / "kvit.sqlite").exists(), "half of the books are no books"

    report = json.loads(demo.seed("--json").stdout)
    assert report["fresh"]
    assert report["payments"] == demo.report["payments"]
    assert report["numbers"] == demo.report["numbers"]
    assert not list(demo.folder.glob("kvit.seeding*"))
    assert other.read_text() == "mine"
    books = open_database(f"sqlite:///{demo.folder / 'kvit.sqlite'}")
    assert check_books(books) == []
    books.close()


@pytest.mark.parametrize("option", [[], ["--reset"]], ids=["start", "reset"])
def test_books_of_somebody_else_are_not_touched(tmp_path: Path, option: list[str]) -> None:
    demo = Demo(tmp_path / "real")
    demo.folder.mkdir()
    books = demo.folder / "kvit.sqlite"
    books.write_bytes(b"not ours")
    done = demo.seed(*option)
    assert done.returncode == 1
    assert "will not touch them" in done.stderr
    assert books.read_bytes() == b"not ours"


def test_the_installation_in_the_environment_is_left_alone(demo: Demo, tmp_path: Path) -> None:
    real = tmp_path / "real"
    done = demo.seed(
        "--json",
        KVIT_DATABASE=f"sqlite:///{real / 'kvit.sqlite'}",
        KVIT_DATA=str(real),
        KVIT_CONFIG=str(tmp_path / "missing.toml"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["folder"] == str(demo.folder)
    assert not real.exists()


def test_a_folder_that_cannot_be_is_a_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    done = Demo(tmp_path / "kvit-demo").run("demo", "--data", str(file), "--seed-only")
    assert done.returncode == 2
    assert "--data" in done.stderr
    assert "Traceback" not in done.stderr


def test_people_read_where_to_go_and_what_to_try(demo: Demo) -> None:
    done = demo.seed()
    assert done.returncode == 0
    for one in demo.report["numbers"]:
        assert one["number"] in done.stdout
        assert one["name"] in done.stdout
    assert f"export KVIT_DATA={os.path.relpath(demo.folder, demo.folder.parent)}" in done.stdout
    assert BILLER.name in done.stdout
    assert "unset" not in done.stdout
    assert done.stderr == ""
    assert "unset KVIT_DATABASE" in demo.seed(KVIT_DATABASE="postgresql://localhost/real").stdout


def test_the_handbook_tells_every_option() -> None:
    page = (Path(__file__).parents[2] / "docs" / "howto" / "demo.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `(--[a-z-]+)", page, re.MULTILINE))
    command = typer.main.get_command(app).commands["demo"]  # type: ignore[attr-defined]
    assert told == {option for parameter in command.params for option in parameter.opts}


# --- the server -----------------------------------------------------------------------------------------


def test_the_links_lead_somewhere(server: Demo) -> None:
    report = server.report
    with httpx2.Client(trust_env=False, follow_redirects=True) as client:
        home = client.get(server.base_url)
        assert home.url == f"{server.base_url}/kiosk"
        assert BILLER.name in home.text
        for one in report["numbers"]:
            assert one["number"] in home.text
        app = client.get(report["app"])
        assert app.status_code == 200
        assert BILLER.name in app.text
        assert [door["agreement"] for door in report["doors"] if not door["login"]] == ["app"]
        for door in (door for door in report["doors"] if door["login"]):
            assert door["agreement"] in home.text
            query = {"command": "check", "txn_id": "1", "account": server.number("debt"), "sum": "1.00"}
            assert client.get(door["url"], params=query).status_code == 401
            login = (door["login"], door["password"])
            answer = client.get(door["url"], params=query, auth=login)
            assert "<result>0</result>" in answer.text
            assert "С*** А*** П***" in answer.text


def test_a_folder_has_one_demo_at_a_time(server: Demo) -> None:
    done = server.seed("--reset")
    assert done.returncode == 1
    assert "is running already" in done.stderr
    assert httpx2.get(server.report["health"], trust_env=False).status_code == 200


def test_a_port_that_is_taken_is_left_to_its_owner(demo: Demo) -> None:
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        taken = owner.getsockname()[1]
        with running_demo(demo.folder, "--port", str(taken)) as running:
            port = int(running.base_url.rpartition(":")[2])
            assert taken < port < taken + 50
            assert running.report["kiosk"] == f"http://127.0.0.1:{port}/kiosk"


def test_a_host_that_is_not_here_is_a_clear_error(demo: Demo) -> None:
    done = demo.run("demo", "--data", str(demo.folder), "--host", "192.0.2.1")
    assert done.returncode == 2
    assert "cannot listen on 192.0.2.1" in done.stderr


def test_ctrl_c_ends_it_cleanly(demo: Demo) -> None:
    process = subprocess.Popen(
        demo.command("demo", "--data", str(demo.folder), "--port", "0"),
        env=demo.environment(),
        cwd=demo.folder.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl+C" in line:
                break
        process.send_signal(signal.SIGINT)
        rest, faults = process.communicate(timeout=STOP_TIMEOUT_S)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "/kiosk" in said
    assert "Stopped" in rest
    assert faults == ""
    shutil.rmtree(demo.folder)
