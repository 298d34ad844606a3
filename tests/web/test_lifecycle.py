"""A server comes, serves, stops and outlives its database; and what it loads when it does."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kvit.storage import migrate
from kvit.storage.engine import open_database
from tests.cli.commands import Desk, Served
from tests.missing import missing
from tests.postgres import (
    QUICK,
    Cluster,
    PostgresUnavailable,
    _answers,
    _fixed_settings,
    _launch,
    _stop,
    find_owner,
    find_programs,
    running_cluster,
)
from tests.web.serving import (
    BASIC,
    NUMBER,
    Office,
    Serving,
    furnish,
    marks_in,
    open_office,
    read_all,
    read_answer,
    statuses,
)


@pytest.fixture
def desk(sqlite_template: Path, tmp_path: Path) -> Desk:
    """Commands on an installation with one account and one agreement in test mode."""
    return Desk(open_office(tmp_path, sqlite_template))


def eventually(condition: Callable[[], bool], timeout_s: float = 10) -> float:
    """Wait for ``condition``; how long it took, in seconds."""
    started_s = time.monotonic()
    while not condition():
        assert time.monotonic() - started_s < timeout_s
        time.sleep(0.05)
    return time.monotonic() - started_s


def test_one_file_has_one_server_and_it_ends_well(desk: Desk) -> None:
    office = desk.office
    with office.serving() as server:
        assert server.port > 0
        said = server.said()
        assert "door /pay/qiwi: qiwi, qiwi (test mode: what it sends is booked all the same)" in said
        assert server.is_well()
        done = desk.run("serve")
        assert (done.code, "another `kvit serve` is already serving this SQLite file" in done.err) == (
            1,
            True,
        )
        assert server.is_well()
        assert desk.run("agreement", "list").code == 0, "commands run beside it"
        started_s = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started_s < 5
    with pytest.raises(Served):
        desk.run("serve")


def test_a_port_in_use_is_named(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = desk.office.run("serve", "--port", str(port))
    assert done.returncode != 0
    assert f"('127.0.0.1', {port}): address already in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_ledger_that_is_away_on_purpose(desk: Desk) -> None:
    with desk.office.serving("--test-fault", "ledger-unavailable") as server:
        for answer in (server.check(), server.pay("1"), server.check("nobody")):
            assert (answer.status, answer.result) == (200, "1")
        assert server.pay("2", amount="1e3").result == "300"
        assert server.ask("/pay/qiwi", headers=b"").status == 401
    assert desk.office.payments() == 0


def test_answers_under_way_arrive_when_it_is_told_to_end(desk: Desk) -> None:
    """Payments keep coming on 16 connections while it stops: a confirmed one is booked, a booked one once."""
    confirmed: set[str] = set()
    asked = threading.Event()

    def pay_on(server: Serving, first: int) -> None:
        with server.connect() as peer:
            for txn in range(first, first + 10_000):
                query = f"command=pay&txn_id={txn}&txn_date=20261101120000&account={NUMBER}&sum=11.00"
                try:
                    peer.sendall(
                        f"GET /pay/qiwi?{query} HTTP/1.1\r\nHost: kvit\r\n".encode() + BASIC + b"\r\n"
                    )
                    answer = read_answer(peer)
                except ConnectionError:
                    return
                if answer is None:
                    return
                assert answer.result in ("0", "1")
                if answer.result == "0":
                    confirmed.add(str(txn))
                    asked.set()

    with desk.office.serving() as server:
        threads = [threading.Thread(target=pay_on, args=(server, 100_000 * place)) for place in range(1, 17)]
        for thread in threads:
            thread.start()
        assert asked.wait(10)
        time.sleep(0.3)
        started_s = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started_s < 10
        for thread in threads:
            thread.join()
    assert len(confirmed) > 16
    with desk.office.database() as database, database.read() as connection:
        booked = [row[0] for row in connection.exec_driver_sql("SELECT txn FROM payments")]
    assert len(booked) == len(set(booked))
    # Whoever was answered is booked; and nobody's answer was lost, since all under way were waited for.
    assert set(booked) == confirmed
    assert desk.office.findings() == []
    assert "Traceback" not in server.said()
    assert marks_in(server.said()) == []


def test_a_request_that_is_half_sent_does_not_hold_up_the_end(desk: Desk) -> None:
    desk.office.settings = "[limits]\nbody_timeout_s = 1.0\nshutdown_s = 3.0\n"
    with desk.office.serving() as server, server.connect() as head, server.connect() as body:
        head.sendall(b"GET /pay/qiwi?command=check")
        body.sendall(
            b"POST /pay/qiwi HTTP/1.1\r\nHost: kvit\r\n" + BASIC + b"Content-Length: 90\r\n\r\ncommand=pay"
        )
        time.sleep(0.2)
        started_s = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started_s < 5
        assert statuses(read_all(head)) in ([], [408])
        assert statuses(read_all(body)) in ([], [408])
    assert desk.office.payments() == 0


# --- PostgreSQL ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL that the test may stop."""
    try:
        with running_cluster() as cluster:
            yield cluster
    except PostgresUnavailable as reason:
        missing(str(reason))


def restart(cluster: Cluster) -> None:
    owner = find_owner()
    programs = cluster.folder / "programs"
    found = next(programs.rglob("postgres")).parent if programs.exists() else find_programs()
    settings = {**_fixed_settings(cluster.port), **QUICK}
    cluster.process = _launch(found, cluster.folder, owner, cluster.folder / "server.log", settings)
    assert _answers(cluster)


def test_a_database_that_goes_and_comes_back(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.database() as url:
        database = open_database(url)
        migrate.upgrade(database)
        database.close()
        office = Office(tmp_path, url)
        furnish(office)
        with office.serving("--workers", "1") as server:
            assert server.is_well()
            first = server.pay("1")
            assert first.result == "0"

            _stop(cluster.process)
            answers = [server.pay("1"), server.pay("2"), server.check()]
            assert [(answer.status, answer.result) for answer in answers] == [(200, "1")] * 3
            assert eventually(lambda: server.ask("/healthz").status == 503) < 5
            assert server.process.poll() is None

            restart(cluster)
            assert eventually(lambda: server.ask("/healthz").status == 200) < 8
            eventually(server.is_well)
            assert server.pay("1").body == first.body
            assert server.pay("2").result == "0"
            assert server.stop() == 0
        assert office.payments() == 2
        assert office.findings() == []
        said = server.said()
        assert "Traceback" not in said
        assert marks_in(said) == []
        assert url.split(":")[2].partition("@")[0] not in said, "no password of the database in the log"


def test_several_workers_share_one_port(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.database() as url:
        database = open_database(url)
        migrate.upgrade(database)
        database.close()
        office = Office(tmp_path, url)
        furnish(office)
        with office.serving("--workers", "2") as server:
            eventually(lambda: server.said().count("Application startup complete") == 2, 30)
            assert [server.pay(str(txn)).result for txn in range(1, 21)] == ["0"] * 20
            assert server.stop() == 0
        assert office.payments() == 20
        assert "Traceback" not in server.said()


# --- what is loaded --------------------------------------------------------------------------------

LOADED = """
import sys
from kvit.cli import server
from kvit.main import ServeOptions, open_house
import json, os
os.environ["KVIT_SERVE_OPTIONS"] = json.dumps({"host": "127.0.0.1"})
import asyncio
async def build():
    return server.application()
asyncio.run(build())
print("\\n".join(sorted(sys.modules)))
"""


def test_the_simulator_is_not_loaded_in_production(desk: Desk) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        env=desk.office.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    modules = set(done.stdout.split())
    assert "kvit.web.agents" in modules
    strange = re.compile(
        r"kvit\.(simulator|relay)\b|kvit\.cli\.(demo\w*|simulate)$|httpx|jinja2|playwright|hypothesis"
    )
    assert sorted(name for name in modules if strange.match(name)) == []


def test_the_start_of_the_command_brings_in_no_simulator() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, kvit.cli.app; print('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [name for name in done.stdout.split() if name.startswith("kvit.simulator")] == []
