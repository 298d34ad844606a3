"""The packed node as hosts run it: a zip application, WSGI from the zip, CGI; old Pythons; kills."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path

import pytest

from kvit.relay import build, receipts
from tests.house.test_cheap_hosting import old_python as old_python
from tests.relay import node_kit as kit
from tests.relay.node_kit import Office, OverHttp, Told, agreement, pay, ready, started


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as it is uploaded."""
    folder = tmp_path_factory.mktemp("host")
    path = folder / "kvit-relay.pyz"
    path.write_bytes(build.packed(["qiwi", "payme"]))
    for name, content in build.hosting_files(path.name, ["qiwi", "payme"]).items():
        (folder / name).write_bytes(content)
    return path


def test_the_same_bytes_every_time(pyz: Path) -> None:
    data = pyz.read_bytes()
    assert build.packed(["payme", "qiwi", "qiwi"]) == data
    assert build.packed(["qiwi"]) != data
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert "kvit/protocols/qiwi.py" in names
    assert not [name for name in names if "uzum" in name or "registry" in name or "office/" in name]


def test_protocols_that_need_the_offices_key_are_known() -> None:
    assert build.needs_office_keys("cyberplat")
    assert not build.needs_office_keys("qiwi")


class OverCgi:
    """Each request is a process with ``kvit.cgi``, as a web server starts it."""

    def __init__(self, program: Path, data: Path, python: str = sys.executable) -> None:
        self.program, self.data, self.python = program, data, python
        self.last: subprocess.Popen[bytes] | None = None

    def __call__(
        self, method: str, path: str, query: str = "", body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Told:  # fmt: skip
        environ = {
            "PATH": os.environ["PATH"], "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": method,
            "SCRIPT_NAME": "/kvit.cgi", "PATH_INFO": path, "QUERY_STRING": query, "REMOTE_ADDR": "192.0.2.1",
            "CONTENT_LENGTH": str(len(body)), "KVIT_RELAY_DATA": str(self.data),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REQUEST_URI": "/kvit.cgi" + path + ("?" + query if query else ""),
        }  # fmt: skip
        for name, value in (headers or {}).items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        self.last = subprocess.Popen(
            [self.python, "-I", "-W", "error", str(self.program)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ,
        )  # fmt: skip
        out, err = self.last.communicate(body, timeout=60)
        if self.last.returncode < 0:
            raise ConnectionError("killed")
        head, _, content = out.partition(b"\r\n\r\n")
        assert head, err.decode()
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        told = {name.lower(): value for name, value in lines}
        return Told(int(told.pop("status")[:3]), told, content)


def _round_trip(send: OverHttp | OverCgi, data: Path) -> None:
    office = ready(send, data)
    told = send("GET", "/pay/qiwi", pay(1))
    assert b"<result>0</result>" in told.body, told
    assert send("GET", "/pay/qiwi", pay(1)).body == told.body
    (row,) = office.pull_all()
    assert receipts.is_genuine(row["receipt"], office.ask("state")["epoch"], kit.RECEIPT_KEY)
    assert str(row["receipt"]).encode() in told.body
    assert office.ask("ack", {"through": 1}) == {"acked": 1}
    page = send("GET", "/status", "key=" + kit.STATUS_KEY)
    assert (page.status, b"Waiting for the office<td>0" in page.body) == (200, True)
    assert send("GET", "/status", "key=wrong").status == 403


def test_the_zip_application(pyz: Path, tmp_path: Path) -> None:
    with started(tmp_path / "data", sys.executable, "-I", "-W", "error", str(pyz)) as (_, port):
        _round_trip(OverHttp(port), tmp_path / "data")


def test_the_zip_application_under_python_3_9(pyz: Path, old_python: str, tmp_path: Path) -> None:
    with started(tmp_path / "data", old_python, "-I", "-W", "error", str(pyz)) as (_, port):
        _round_trip(OverHttp(port), tmp_path / "data")


def test_cgi(pyz: Path, tmp_path: Path) -> None:
    _round_trip(OverCgi(pyz.parent / "kvit.cgi", tmp_path / "data"), tmp_path / "data")


def test_cgi_under_python_3_9(pyz: Path, old_python: str, tmp_path: Path) -> None:
    _round_trip(OverCgi(pyz.parent / "kvit.cgi", tmp_path / "data", old_python), tmp_path / "data")


def test_the_file_for_passenger_and_gunicorn(pyz: Path, tmp_path: Path) -> None:
    """It is imported as those servers do, and answers under the standard library's checker of WSGI."""
    script = (
        "import runpy, io, sys\n"
        "from wsgiref.validate import validator\n"
        "from wsgiref.util import setup_testing_defaults\n"
        "application = runpy.run_path(sys.argv[1])['application']\n"
        "environ = {'PATH_INFO': '/status', 'SCRIPT_NAME': ''}\n"
        "setup_testing_defaults(environ)\n"
        "environ['QUERY_STRING'] = ''\n"
        "answer = validator(application)(environ, lambda status, headers, exc=None: print(status))\n"
        "print(b''.join(answer).decode())\n"
        "answer.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, str(pyz.parent / "passenger_wsgi.py")],
        capture_output=True, text=True, check=False, timeout=60,
        env={"KVIT_RELAY_DATA": str(tmp_path / "data")},
    )  # fmt: skip
    assert done.stdout == "403 Forbidden\nkvit relay is here, and waits to be paired\n", done.stderr


def test_eight_first_requests_on_an_empty_folder(pyz: Path, tmp_path: Path) -> None:
    data = tmp_path / "deep" / "data"
    told: list[Told] = []

    def first() -> None:
        told.append(OverCgi(pyz.parent / "kvit.cgi", data)("GET", "/status"))

    threads = [threading.Thread(target=first) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.status for one in told] == [403] * 8, told
    assert {one.body for one in told} == {b"kvit relay is here, and waits to be paired"}
    assert oct(data.stat().st_mode)[-3:] == "700"
    assert oct((data / "relay.sqlite").stat().st_mode)[-3:] == "600"
    office = ready(OverCgi(pyz.parent / "kvit.cgi", data), data)
    assert len(office.ask("state")["epoch"]) == 32


@pytest.mark.slow
def test_eight_processes_and_many_copies_of_one_payment(pyz: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    program = pyz.parent / "kvit.cgi"
    office = ready(OverCgi(program, data), data)
    told: list[bytes] = []

    def copies() -> None:
        for _ in range(3):
            told.append(OverCgi(program, data)("GET", "/pay/qiwi", pay(77)).body)  # noqa: PERF401

    threads = [threading.Thread(target=copies) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 24
    accepted = [body for body in told if b"<result>0</result>" in body]
    assert len(set(accepted)) == 1
    assert len(accepted) == 24, set(told)
    (row,) = office.pull_all()
    assert (row["sequence"], row["amount_minor"]) == (1, 1000)


def _accepted_is_there(office: Office, accepted: dict[int, bytes], asked: int) -> None:
    rows = office.pull_all()
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    by_txn = {int(row["txn"]): row for row in rows}
    assert len(by_txn) == len(rows) <= asked
    missing = [txn for txn, body in accepted.items() if str(by_txn[txn]["receipt"]).encode() not in body]
    assert missing == []


@pytest.mark.slow
def test_killed_while_paying(pyz: Path, tmp_path: Path) -> None:
    """120 payments; the server is killed six times while it works; nothing acknowledged is missing."""
    data = tmp_path / "data"
    accepted: dict[int, bytes] = {}
    kills, txn = 0, 0
    with started(data, sys.executable, str(pyz)) as (_, port):
        office = ready(OverHttp(port), data)
    while txn < 120:
        with started(data, sys.executable, str(pyz)) as (process, port):
            timer = threading.Timer(0.05 + 0.013 * kills, process.kill)
            if kills < 6:
                timer.start()
            send = OverHttp(port)
            while txn < 120:
                txn += 1
                try:
                    told = send("GET", "/pay/qiwi", pay(txn))
                except (OSError, HTTPException):  # no answer, or half of one
                    break
                if b"<result>0</result>" in told.body:
                    accepted[txn] = told.body
        kills += 1
    assert kills >= 6
    assert len(accepted) >= 100
    with started(data, sys.executable, str(pyz)) as (_, port):
        office.send = OverHttp(port)
        _accepted_is_there(office, accepted, 120)
        for one, body in accepted.items():
            assert office.send("GET", "/pay/qiwi", pay(one)).body == body


@pytest.mark.slow
def test_killed_under_cgi(pyz: Path, tmp_path: Path) -> None:
    """Processes are killed at moments spread over their whole work."""
    data = tmp_path / "data"
    program = pyz.parent / "kvit.cgi"
    office = ready(OverCgi(program, data), data)
    begun_s = time.monotonic()
    OverCgi(program, data)("GET", "/pay/qiwi", pay(1))
    whole_s = time.monotonic() - begun_s
    accepted: dict[int, bytes] = {}
    killed = 0
    for txn in range(2, 32):
        send = OverCgi(program, data)
        timer = threading.Timer(whole_s * (0.3 + 0.03 * txn), _kill, [send])
        timer.start()
        try:
            told = send("GET", "/pay/qiwi", pay(txn))
        except ConnectionError:
            killed += 1
        else:
            accepted[txn] = told.body
            assert b"<result>0</result>" in told.body, told
        finally:
            timer.cancel()
            timer.join()
    assert killed >= 5
    _accepted_is_there(office, accepted, 31)


def _kill(send: OverCgi) -> None:
    if send.last is not None and send.last.poll() is None:
        send.last.send_signal(signal.SIGKILL)


def test_a_long_poll_wakes_when_a_payment_comes(pyz: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    program = pyz.parent / "kvit.cgi"
    office = ready(OverCgi(program, data), data)
    assert office.ask("pull", {"after": 0, "most": 5, "wait_s": 0})["rows"] == []
    timer = threading.Timer(1.0, OverCgi(program, data), ["GET", "/pay/qiwi", pay(1)])
    timer.start()
    begun_s = time.monotonic()
    got = office.ask("pull", {"after": 0, "most": 5, "wait_s": 10})
    took_s = time.monotonic() - begun_s
    timer.join()
    assert [row["txn"] for row in got["rows"]] == ["1"]
    assert 0.5 < took_s < 9


def test_a_protocol_that_is_not_packed(pyz: Path, tmp_path: Path) -> None:
    send = OverCgi(pyz.parent / "kvit.cgi", tmp_path / "data")
    office = ready(send, tmp_path / "data")
    told = office.call("agreements", {"agreements": [agreement("u", "uzum")]})
    assert told.status == 409
    assert json.loads(told.body) == {"error": "protocol", "agreement": "u", "packed": ["payme", "qiwi"]}
