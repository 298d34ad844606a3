"""`kvit init` and `kvit serve`: what they refuse, what they say, and how a server comes and goes."""

from __future__ import annotations

import re
import signal
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
    AGREEMENT,
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

BILLER = ("--biller", "water", "--name", "Водоканал", "--currency", "RUB", "--timezone", "Europe/Moscow")


@pytest.fixture
def bare(tmp_path: Path) -> Desk:
    """Commands where nothing is yet."""
    return Desk(Office(tmp_path, f"sqlite:///{tmp_path / 'kvit.sqlite'}"))


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


# --- init ------------------------------------------------------------------------------------------


def test_init_makes_and_can_be_repeated(bare: Desk) -> None:
    first = bare.run("init", *BILLER, "--json").json
    assert (first["schema_before"], first["biller"], first["biller_state"]) == (None, "water", "new")
    again = bare.run("init", *BILLER, "--json").json
    assert again["schema_before"] == again["schema"] == first["schema"] == migrate.newest()
    assert again["biller_state"] == "known"
    assert "is up to date" in bare.run("init").out
    key = bare.office.folder / "secret.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert bare.run("init", "--biller", "heat", "--name", "Теплосеть").code == 0
    assert "add --biller with one of: heat, water" in bare.apply(AGREEMENT).err


def test_init_keeps_the_password_of_the_database_to_itself(postgres_url: str, tmp_path: Path) -> None:
    desk = Desk(Office(tmp_path, postgres_url))
    password = postgres_url.split(":")[2].partition("@")[0]
    done = desk.run("init", *BILLER)
    assert done.code == 0, done.err
    assert "The database was created" in done.out
    assert password not in done.out + done.err
    assert password not in desk.run("init", "--json").out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--biller", "Water"), 2, "--biller: 1 to 40 small latin letters"),
        (("--biller", "../water"), 2, "--biller"),
        (("--biller", "w" * 41), 2, "--biller"),
        (("--biller", "water", "--currency", "rub"), 2, "--currency: a code of three capital letters"),
        (("--biller", "water", "--timezone", "Moscow"), 2, "--timezone: there is no time zone Moscow"),
        (("--biller", "water", "--timezone", "Europe"), 2, "--timezone: there is no time zone Europe"),
        (("--biller", "water", "--check-digit", "crc"), 2, "--check-digit: one of"),
        (("--bill", "water"), 2, "No such option"),
        (("water",), 2, "unexpected extra argument"),
    ],
)
def test_init_refuses_what_is_wrong(arguments: tuple[str, ...], code: int, said: str, bare: Desk) -> None:
    done = bare.run("init", *arguments)
    assert done.code == code
    assert said in done.err
    assert bare.run("init", *BILLER, "--json").json["biller_state"] == "new", "nothing of it was kept"


def test_a_billers_currency_stays(desk: Desk) -> None:
    done = desk.run("init", "--biller", "water", "--currency", "KZT")
    assert (done.code, "cannot be changed to KZT" in done.err) == (1, True)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"KVIT_DATABASE": "mysql://localhost/kvit"}, "mysql is not supported"),
        ({"KVIT_DATABASE": "kvit.sqlite"}, "KVIT_DATABASE is not a database address"),
        ({"KVIT_DATABASE": "sqlite://"}, "needs a file"),
        ({"KVIT_CONFIG": "nowhere.toml"}, "KVIT_CONFIG: there is no file nowhere.toml"),
        ({"KVIT_CONFIG": "."}, "KVIT_CONFIG"),
    ],
)
def test_a_wrong_environment_is_named(variables: dict[str, str], said: str, bare: Desk) -> None:
    bare.office.variables = variables
    done = bare.run("init")
    assert (done.code, done.out) == (2, "")
    assert said in done.err


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("limit = 1", "unknown field `limit`"),
        ("limits = 1", "limits: Expected"),
        ("[limits]\nqueue = 1", "limits: Object contains unknown field `queue`"),
        ('[limits]\nqueue_max = "many"', "limits.queue_max: Expected `int`"),
        ("[limits]\nqueue_max = 0", "limits.queue_max"),
        ("[limits]\nbody_bytes_max = -1", "limits.body_bytes_max"),
        ("[limits]\nwrite_lanes = 65", "limits.write_lanes"),
        ("[limits]\nqueue_share_percent = 101", "limits.queue_share_percent"),
        ("[limits]\ndeadline_s = 0", "limits.deadline_s"),
        ("[limits]\nhead_timeout_s = nan", "limits.head_timeout_s"),
        ("[limits]\nkeep_alive_s = inf", "limits.keep_alive_s"),
        ('trusted_proxies = "10.0.0.1"', "trusted_proxies: Expected `array`"),
        ('trusted_proxies = ["10.0.0.1", "proxy"]', "trusted_proxies[1]: 'proxy'"),
        ('trusted_proxies = ["0.0.0.0/0"]', "trusted_proxies[0]: 0.0.0.0/0 is everybody"),
        ("limits = {", "KVIT_CONFIG"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(settings: str, said: str, bare: Desk) -> None:
    bare.office.settings = settings
    for command in (("init",), ("serve", "--port", "0")):
        done = bare.run(*command)
        assert done.code == 2
        assert said in done.err


# --- what serve refuses ----------------------------------------------------------------------------


def test_serve_wants_books_of_its_own_version(bare: Desk) -> None:
    done = bare.run("serve")
    assert (done.code, "there are no books yet; run `kvit init` first" in done.err) == (1, True)
    database = open_database(bare.office.url)
    migrate.upgrade(database, "0001")
    done = bare.run("serve")
    assert (done.code, "run `kvit init` to upgrade it" in done.err) == (1, True)
    upgraded = bare.run("init", *BILLER, "--json").json
    assert (upgraded["schema_before"], upgraded["schema"]) == ("0001", migrate.newest())
    with pytest.raises(Served):
        bare.run("serve")
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    assert "9999" in bare.run("serve").err
    done = bare.run("init")
    assert (done.code, "newer than this kvit knows" in done.err) == (1, True)


LIVE = AGREEMENT.replace('"test"', '"live"').replace('id = "qiwi"', 'id = "bank"')


@pytest.mark.parametrize(
    "trial",
    [("--test-fault", "ledger-unavailable"), ("--test-clock", "2026-11-23T10:00:00+03:00"), ("--kiosk",)],
    ids=lambda trial: str(trial[0]),
)
def test_trials_are_for_agreements_in_test_mode_alone(trial: tuple[str, ...], desk: Desk) -> None:
    with pytest.raises(Served):
        desk.run("serve", *trial)
    assert desk.apply(LIVE).code == 0
    done = desk.run("serve", *trial)
    assert done.code == 2
    assert f"{trial[0]} works only while every agreement is in test mode; live: bank" in done.err
    with pytest.raises(Served):
        desk.run("serve")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--workers", "2"), "an SQLite file has one serving process; use PostgreSQL for several"),
        (("--workers", "0"), "--workers: at least one"),
        (("--workers", "two"), "is not a valid int"),
        (("--port", "65536"), "65536"),
        (("--port", "-1"), "-1"),
        (("--test-fault", "fire"), "there is no fault fire; known: ledger-unavailable"),
        (("--test-clock", "yesterday"), "--test-clock: write an instant like"),
        (("--test-clock", "2026-02-30"), "--test-clock: write an instant like"),
        (("--tls",), "No such option"),
    ],
)
def test_serve_refuses_what_is_wrong_and_says_what_is_right(
    arguments: tuple[str, ...], said: str, desk: Desk
) -> None:
    done = desk.run("serve", *arguments)
    assert done.code == 2
    assert said in done.err


def test_serve_without_an_agreement_says_how_to_get_one(bare: Desk) -> None:
    """And Ctrl-C ends it."""
    bare.run("init", *BILLER)
    bare.office.variables["COLUMNS"] = "200"
    with bare.office.serving() as server:
        assert (
            "There is no agreement yet, so there is no door; see `kvit agreement apply --help`."
            in server.said()
        )
        assert server.ask("/healthz").status == 200
        assert server.ask("/pay/qiwi").status == 404
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 0
    assert "Traceback" not in server.said()


# --- a server that runs ----------------------------------------------------------------------------


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
