"""What is logged: an event a line, who and what became of it, and nothing of the payer."""

from __future__ import annotations

import io
import json
import logging
import time
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from kvit.cli.logs import PlaceFormatter
from kvit.web.traffic import TrafficLog
from tests.web.serving import BASIC, NAME, NUMBER, SUM, Serving, marks_in

KEYS = {"at", "agreement", "asked", "txn", "status", "code", "ms", "wrong", "query"}
SNEAKY = (
    "%0D%0A{%22at%22:%22forged%22}",
    "%1B[2J",
    "%22,%22forged%22:%221",
    "%00",
    "%E2%80%A8forged",
    "%5Cnforged",
)


def said_with(server: Serving, txn: str) -> str:
    """What the server has said once it has spoken of ``txn``: the traffic log is written a moment later."""
    server.check(txn_id=txn)
    end_s = time.monotonic() + 10
    while f'"txn":"{txn}"' not in (said := server.said()):
        assert time.monotonic() < end_s
        time.sleep(0.05)
    return said


def test_a_line_an_event_and_nothing_of_the_payer(server: Serving) -> None:
    server.pay("9001")
    server.pay("9001")
    server.pay("9001", amount="77.00")
    server.pay("9002", number="4040404")
    server.pay("9003", amount=SUM + "5")
    server.check(account=NUMBER, sum=SUM + "e1")
    server.ask(
        f"/pay/qiwi?command=check&txn_id=9004&fio={NAME}&account={NUMBER}&{NUMBER}&sum={SUM}".replace(
            " ", "+"
        )
    )
    server.ask(f"/pay/{NUMBER}?account={NUMBER}")
    server.ask(f"/{NUMBER}/{SUM}?account={NUMBER}")
    server.ask(f"/pay/qiwi/{NUMBER}?command=nonsense&account={NUMBER}", method="DELETE")
    server.ask(f"/pay/qiwi?account={NUMBER}&sum={SUM}", headers=BASIC[:-5] + b"\r\n")
    server.send(f"GET /pay/qiwi?account={NUMBER}\0{NUMBER} HTTP/1.1\r\n\r\n".encode())
    server.send(f"GET /pay/qiwi?account={NUMBER} HTTP/1.1\r\nX-{NUMBER}: {SUM}\r\n{NUMBER}\r\n\r\n".encode())
    said = said_with(server, "9009")
    assert marks_in(said) == []
    assert "4040404" not in said
    records = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert all(set(record) <= KEYS for record in records)
    (first, again, conflict) = [record for record in records if record.get("txn") == "9001"]
    assert (first["asked"], first["status"], first["code"]) == ("post", 200, "0")
    assert (again["code"], conflict["code"]) == ("0", "300")
    (wrong,) = [record for record in records if record.get("wrong") == "sum" and "9003" in record["query"]]
    assert wrong["query"] == "command=pay&txn_id=9003&txn_date=*&account=*&sum=*"


@pytest.mark.parametrize("place", ["txn_id", "account", "command", "data1", "%s", "pay"])
def test_nobody_writes_lines_of_his_own(place: str, server: Serving) -> None:
    for sneaky in SNEAKY:
        name, value = (sneaky, "1") if place == "%s" else (place, sneaky)
        target = f"/pay/{sneaky}" if place == "pay" else "/pay/qiwi"
        server.ask(f"{target}?command=check&txn_id=1&account=1&sum=1.00&{name}={value}")
        server.ask(target, headers=f"X-Forwarded-For: {sneaky}\r\nUser-Agent: {sneaky}\x1b[31m\r\n".encode())
    said = said_with(server, f"91{len(place)}{ord(place[0])}")
    for line in said.splitlines():
        assert line.isprintable()
        assert "forged" not in line.replace("%22forged", "").replace("\\nforged", "") or line.startswith("{")
        if line.startswith("{"):
            assert "forged" not in json.loads(line)
        else:
            assert line.startswith(("20", "door "))


def test_what_cannot_be_written_is_counted_and_does_not_end_the_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "log" / "agents.jsonl"
    log = TrafficLog(path)
    log.start()
    log.note({"bad": object()})  # type: ignore[arg-type]
    time.sleep(0.5)
    log.note({"good": 1})  # type: ignore[arg-type]
    log.close()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lost = {"event": "traffic-lines-lost", "count": 1}
    assert sorted(lines, key=len) == [{"good": 1}, lost]


def test_a_log_that_nobody_reads_does_not_grow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("kvit.web.traffic._WAITING_MAX", 10)
    path = tmp_path / "agents.jsonl"
    log = TrafficLog(path)
    for number in range(25):
        log.note({"number": number})  # type: ignore[arg-type]
    log.start()
    log.close()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 11
    assert lines[-1] == {"event": "traffic-lines-lost", "count": 15}


def formatted(error: BaseException, message: str = "a demand failed alone") -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PlaceFormatter())
    logger = logging.getLogger("kvit.test.logs")
    logger.propagate = False
    logger.handlers = [handler]
    try:
        raise error
    except type(error):
        logger.exception(message)
    return stream.getvalue()


def test_an_exception_is_told_by_its_place_not_by_its_words() -> None:
    driver = ValueError(f"Key (number)=({NUMBER}) already exists")
    error = IntegrityError("INSERT INTO payments", {"number": NUMBER, "name": NAME}, driver)
    error.__cause__ = driver
    text = formatted(error)
    assert marks_in(text) == []
    assert "INSERT" not in text
    assert "sqlalchemy.exc.IntegrityError" in text
    assert "builtins.ValueError" in text
    assert f"{Path(__file__).name}:" in text
    assert " formatted" in text


def test_a_message_is_one_line() -> None:
    text = formatted(ValueError("x"), "first\nsecond \x1b[31m red\r\nthird")
    assert text.splitlines()[0].endswith("first\\nsecond \\x1b[31m red\\r\\nthird")


def test_an_endless_chain_of_causes_ends() -> None:
    one, two = ValueError("1"), ValueError("2")
    one.__cause__, two.__cause__ = two, one
    assert len(formatted(one).splitlines()) < 300


def test_a_cause_that_was_put_aside_is_not_told() -> None:
    error = ValueError("x")
    error.__context__, error.__suppress_context__ = KeyError(NUMBER), True
    assert "KeyError" not in formatted(error)
    error.__suppress_context__ = False
    assert "KeyError" in formatted(error)
