"""What is applied while the server runs it takes up by itself; where it may not, it closes its doors."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.fernet import Fernet

from kvit.config import Settings
from kvit.main import ServeOptions, open_house
from kvit.main.server import Server
from kvit.storage import agreements as storage
from kvit.storage.secretbox import KEY_VARIABLE, open_box
from tests.cli.commands import Desk
from tests.web.serving import AGREEMENT, LOGIN, PASSWORD, Office, Serving, marks_in, open_office

#: The server looks every two seconds.
TAKEN_UP_S = 8.0


def eventually(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + TAKEN_UP_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def basic(password: str) -> bytes:
    return b"Authorization: Basic " + base64.b64encode(f"{LOGIN}:{password}".encode()) + b"\r\n"


def status(server: Serving, password: str = PASSWORD, door: str = "qiwi") -> int:
    return server.ask(f"/pay/{door}?command=nonsense", headers=basic(password)).status


def is_ready(server: Serving) -> bool:
    return server.ask("/healthz").status == 200


def test_what_is_applied_takes_force_in_a_running_server(sqlite_template: Path, tmp_path: Path) -> None:
    """And what it cannot read closes its own door alone."""
    office = open_office(tmp_path, sqlite_template)
    desk = Desk(office)
    stranger = Desk(Office(tmp_path, office.url, variables={KEY_VARIABLE: Fernet.generate_key().decode()}))
    ibox = AGREEMENT.replace('id = "qiwi"', 'id = "ibox"').replace('"test"', '"live"')
    pegas = AGREEMENT.replace('id = "qiwi"', 'id = "pegas"')
    with office.serving() as server:
        assert (status(server), status(server, "new"), status(server, door="ibox")) == (200, 401, 404)
        assert "unchanged" in desk.apply(AGREEMENT).out
        assert "changed" in desk.apply(AGREEMENT.replace(PASSWORD, "new")).out
        assert "new" in desk.apply(ibox).out
        assert "new" in stranger.apply(pegas).out
        eventually(lambda: (status(server, "new"), status(server, door="ibox")) == (200, 200))
        eventually(lambda: status(server, door="pegas") == 503)
        assert status(server) == 401
        answer = server.ask("/pay/pegas?command=check&txn_id=1&account=1&sum=1.00")
        assert (answer.status, answer.body) == (503, b"")
        assert is_ready(server)

        half = ibox.replace("127.0.0.0/8", "192.0.2.0/24") + AGREEMENT.replace("127.0.0.0/8", "127.0.0.1/8")
        refused = desk.apply(half)
        assert (refused.code, "agreement[1].networks[0]" in refused.err) == (2, True)
        desk.apply(AGREEMENT.replace("127.0.0.0/8", "192.0.2.0/24"))
        desk.apply(pegas)
        eventually(lambda: (status(server), status(server, door="pegas")) == (403, 200))
        assert status(server, door="ibox") == 200, "nothing of a refused file is applied"
        assert server.stop() == 0
    said = server.said()
    assert marks_in(said) == []
    assert "door pegas stays closed: the agreements' secrets cannot be read" in said
    assert "Traceback" not in said


def test_an_agreement_of_a_later_version_closes_its_own_door(sqlite_template: Path, tmp_path: Path) -> None:
    office = open_office(tmp_path, sqlite_template)
    box = open_box(tmp_path, {})
    with office.database() as database, database.write() as connection:
        (qiwi,) = storage.load(connection, box)
        storage.save(connection, replace(qiwi, agreement_id="later", protocol="later"), box, 1)
    house = open_house(Settings(database=office.url, data=str(tmp_path)))
    server = Server(house, ServeOptions())
    server.refresh()
    house.close()
    doors = server._directory
    assert [door.agreement.agreement_id for door in doors.doors()] == ["qiwi"]
    assert (doors.is_closed("later"), doors.is_closed("qiwi"), doors.is_closed("none")) == (
        True,
        False,
        False,
    )


def test_beside_a_clock_of_trials_nothing_live_is_served(sqlite_template: Path, tmp_path: Path) -> None:
    """The clock stands shortly before the agreement's last midnight."""
    until = AGREEMENT + "valid_until = 2026-12-31\n"
    office = open_office(tmp_path, sqlite_template, agreement=until)
    desk = Desk(office)
    with office.serving("--test-clock", "2026-12-31T23:59:54+03:00") as server:
        started_s = time.monotonic()
        first = server.pay("1")
        assert first.result == "0"

        desk.apply(until.replace('"test"', '"live"'))
        desk.apply(AGREEMENT.replace('id = "qiwi"', 'id = "ibox"'))
        eventually(lambda: status(server) == 503)
        assert not is_ready(server)
        assert (server.pay("2").status, server.pay("2").body) == (503, b"")
        assert server.ask("/pay/none").status == 503
        assert status(server, door="ibox") == 503, "one live agreement closes every door of a trial"
        assert server.process.poll() is None

        desk.apply(until)
        eventually(lambda: status(server) == 200)
        assert is_ready(server)
        time.sleep(max(0.0, 6.5 - (time.monotonic() - started_s)))
        assert server.check().result == "8"
        assert server.pay("2").result == "8"
        assert server.pay("1").body == first.body, "what is known is answered after the last day too"
        assert server.stop() == 0
    said = server.said()
    assert said.count("--test-clock works only while every agreement is in test mode; live: qiwi") == 1
    assert "Traceback" not in said
    assert office.payments() == 1
    with office.database() as database, database.read() as connection:
        booked = connection.exec_driver_sql("SELECT received_at_us, accounting_date FROM payments").one()
    received_at = datetime.fromtimestamp(booked[0] / 1_000_000, UTC)
    assert received_at.isoformat() > "2026-12-31T20:59:54"
    assert booked[1] == "2026-12-31"
