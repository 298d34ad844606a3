"""`kvit init` and `kvit serve`: what they make, refuse and say."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from kvit.storage import migrate
from kvit.storage.engine import open_database
from tests.cli.commands import Desk, Served
from tests.web.serving import (
    AGREEMENT,
    Office,
    open_office,
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
