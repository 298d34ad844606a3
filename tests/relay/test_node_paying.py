"""The node takes payments: once, durable, with receipts that prove themselves."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from pathlib import Path

import pytest

from kvit.domain.messages import (
    EXPIRED,
    Command,
    Found,
    Held,
    Hold,
    ListPosted,
    Lookup,
    NoSuchTxn,
    Post,
    Posted,
    Refused,
    Result,
    Statement,
    Status,
    TryLater,
    Void,
    Voided,
)
from kvit.relay import receipts
from kvit.relay.node import inbox, store
from kvit.relay.node.terms import contract
from tests.relay import node_kit as kit
from tests.relay.node_kit import InProcess, Office, OverHttp, agreement, pay, ready, snapshot, started, touch


@pytest.fixture
def send(tmp_path: Path) -> InProcess:
    return InProcess(tmp_path / "data")


@pytest.fixture
def office(send: InProcess, tmp_path: Path) -> Office:
    return ready(send, tmp_path / "data")


def bank(send: InProcess, query: str, door: str = "qiwi") -> tuple[str, str]:
    """Result and receipt of a QIWI answer."""
    told = send("GET", "/pay/" + door, query)
    assert told.status == 200, told
    text = told.body.decode()
    result = re.search(r"<result[^>]*>(\d+)</result>", text)
    receipt = re.search(r"<prv_txn>(\d+)</prv_txn>", text)
    assert result is not None, text
    return result[1], receipt[1] if receipt else ""


def test_a_payment_is_pulled_with_all_that_is_known_of_it(send: InProcess, office: Office) -> None:
    result, receipt = bank(send, pay(1))
    assert result == "0"
    got = office.ask("pull", {"after": 0, "most": 10, "wait_s": 0})
    state = office.ask("state")
    assert got["epoch"] == state["epoch"]
    assert got["high_water"] == 1
    (row,) = got["rows"]
    assert receipts.is_genuine(row["receipt"], got["epoch"], kit.RECEIPT_KEY)
    assert receipts.split(row["receipt"])[:2] == (kit.RELAY, 1)  # type: ignore[index]
    assert row["raw"]["query"] == pay(1)
    del row["raw"]
    assert row == {
        "sequence": 1, "agreement": "qiwi", "txn": "1", "kind": "pay", "number": "1001",
        "amount_minor": 1000, "currency": "RUB", "service": "", "network_time": "2025-03-14T09:15:30",
        "network_time_raw": "20250314091530", "fields": [], "receipt": int(receipt),
        "received_at_us": send.now_us, "snapshot_version": 1, "expires_at_us": None, "taken": False,
    }  # fmt: skip


def test_a_repeat_gets_the_first_answer(send: InProcess, office: Office) -> None:
    first = send("GET", "/pay/qiwi", pay(1))
    send.now_us += 5_000_000_000
    assert send("GET", "/pay/qiwi", pay(1)) == first
    assert len(office.pull_all()) == 1


def test_the_same_id_with_another_sum_changes_nothing(send: InProcess, office: Office) -> None:
    bank(send, pay(1))
    assert bank(send, pay(1, total="11.00"))[0] != "0"
    assert bank(send, pay(1, number="1002"))[0] != "0"
    assert [row["amount_minor"] for row in office.pull_all()] == [1000]
    assert office.ask("state")["conflicts"] == 2


# --- what a copy says --------------------------------------------------------------------------------


def refill(office: Office, version: int, **changes: object) -> None:
    office.ask("snapshot", {**snapshot(version), **changes})


def look(send: InProcess, folder: Path, number: str = "1001") -> object:
    """The result of a check, before a protocol writes it."""
    with store.opened(folder) as connection:
        known = contract(connection, "qiwi")
        assert known is not None
        return inbox.decide(connection, inbox.Case(known, send.now_us, {}), Lookup("1", number))


def test_a_check_shows_the_copy_less_what_is_not_in_it(
    send: InProcess, office: Office, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    assert look(send, folder) == Found("1001", 15_000, 0, "RUB", "И*** А***")
    assert look(send, folder, "1002") == Found("1002", 0, 500, "RUB", "П*** Б***")
    bank(send, pay(1, total="100.00"))
    bank(send, pay(2, total="60.00"))
    assert look(send, folder) == Found("1001", 0, 1_000, "RUB", "И*** А***")
    accounts = [["1001", "И*** А***", 5_000, "active"]]
    refill(office, 2, includes_through=1, accounts=accounts)
    assert look(send, folder) == Found("1001", 0, 1_000, "RUB", "И*** А***")
    refill(office, 3, includes_through=2, accounts=[["1001", "И*** А***", -1_000, "active"]])
    assert look(send, folder) == Found("1001", 0, 1_000, "RUB", "И*** А***")


@pytest.mark.parametrize(
    ("policy", "known", "unknown"),
    [("dated", "0", "1"), ("any", "0", "1"), ("refuse", "1", "1")],
)
def test_an_old_copy(send: InProcess, office: Office, policy: str, known: str, unknown: str) -> None:
    """QIWI: 0 is "yes", 1 is "try later", 5 is "nobody has this number"."""
    refill(office, 2, policy=policy, expires_at_us=send.now_us + 1_000)
    assert (bank(send, pay(1))[0], bank(send, pay(2, number="9"))[0]) == ("0", "5")
    send.now_us += 1_000
    assert (bank(send, pay(3))[0], bank(send, pay(4, number="9"))[0]) == (known, unknown)
    assert bank(send, pay(1))[0] == "0"


def test_an_invoice_is_paid_once_with_its_sum(send: InProcess, tmp_path: Path) -> None:
    office = ready(send, tmp_path / "data", agreement(exact=True))
    assert bank(send, pay(1, total="10.00"))[0] in ("241", "242", "275", "300")
    assert bank(send, pay(2, total="150.00"))[0] == "0"
    refused = bank(send, pay(3, total="150.00"))[0]
    assert refused not in ("0", "1")
    assert [row["txn"] for row in office.pull_all()] == ["2"]
    refill(office, 2, policy="any", expires_at_us=send.now_us, includes_through=1)
    assert bank(send, pay(4, total="3.00"))[0] == "0"


def test_the_caps(send: InProcess, office: Office) -> None:
    refill(office, 2, caps={"payment": 5_000, "account_day": 8_000, "day": 11_000})
    assert bank(send, pay(1, total="50.01"))[0] == "242"
    assert bank(send, pay(2, total="50.00"))[0] == "0"
    assert bank(send, pay(3, total="30.01"))[0] == "1"
    assert bank(send, pay(4, total="30.00"))[0] == "0"
    assert bank(send, pay(5, number="1002", total="30.01"))[0] == "1"
    assert bank(send, pay(6, number="1002", total="30.00"))[0] == "0"
    assert bank(send, pay(2, total="50.00"))[0] == "0"
    send.now_us += 86_400_000_000
    assert bank(send, pay(7, total="50.00"))[0] == "0"


def test_closing_and_closed_accounts_take_nothing(send: InProcess, office: Office) -> None:
    refill(office, 2, closing=["1001"])
    assert bank(send, pay(1))[0] == "79"
    refill(office, 3, accounts=[["1001", "", 0, "closed"]])
    assert bank(send, pay(1))[0] == "79"
    assert office.pull_all() == []


def test_a_door_that_is_being_moved_confirms_only_what_it_has(send: InProcess, office: Office) -> None:
    bank(send, pay(1))
    office.ask("agreements", {"agreements": [agreement(closed=True)]})
    assert bank(send, pay(1))[0] == "0"
    assert bank(send, pay(2))[0] == "1"
    assert bank(send, "command=check&txn_id=3&account=1001&sum=1.00")[0] == "1"


def test_without_a_copy_all_is_later(send: InProcess, tmp_path: Path) -> None:
    touch(send)
    office = Office(send, clock_us=lambda: send.now_us)
    assert send("GET", "/pay/qiwi", pay(1)).status == 503
    office.pair(tmp_path / "data")
    assert send("GET", "/pay/qiwi", pay(1)).status == 503
    office.ask("agreements", {"agreements": [agreement()]})
    assert send("GET", "/pay/other", pay(1)).status == 404
    assert bank(send, pay(1))[0] == "1"
    assert bank(send, "command=check&txn_id=3&account=1001&sum=1.00")[0] == "1"


# --- who knocks --------------------------------------------------------------------------------------


def test_networks_and_proxies(send: InProcess, tmp_path: Path) -> None:
    office = ready(send, tmp_path / "data", agreement(networks=["198.51.100.0/24"]))
    assert send("GET", "/pay/qiwi", pay(1)).status == 403
    forwarded = {"X-Forwarded-For": "198.51.100.7"}
    assert send("GET", "/pay/qiwi", pay(1), headers=forwarded).status == 403
    written = [agreement(networks=["198.51.100.0/24"])]
    office.ask("agreements", {"agreements": written, "trusted_proxies": ["192.0.2.1/32"]})
    assert send("GET", "/pay/qiwi", pay(1), headers=forwarded).status == 200
    behind = {"X-Forwarded-For": "198.51.100.7, 203.0.113.5"}
    assert send("GET", "/pay/qiwi", pay(1), headers=behind).status == 403
    send.environ["REMOTE_ADDR"] = "198.51.100.9"
    assert send("GET", "/pay/qiwi", pay(1)).status == 200


def test_passwords_are_judged_and_not_kept(send: InProcess, tmp_path: Path) -> None:
    office = ready(send, tmp_path / "data", agreement(basic_login="osmp", basic_password="word"))
    assert bank_status(send, {}) == bank_status(send, {"Authorization": "Basic b3NtcDp3cm9uZw=="})
    assert office.pull_all() == []
    right = "Basic " + base64.b64encode(b"osmp:word").decode()
    assert b"<result>0</result>" in send("GET", "/pay/qiwi", pay(1), headers={"Authorization": right}).body
    (row,) = office.pull_all()
    assert "authorization" not in row["raw"]["headers"]
    send.environ["REDIRECT_HTTP_AUTHORIZATION"] = right  # as Apache hands it to CGI after a rewrite
    assert b"<result>0</result>" in send("GET", "/pay/qiwi", pay(1)).body


def bank_status(send: InProcess, headers: dict[str, str]) -> tuple[int, bytes]:
    told = send("GET", "/pay/qiwi", pay(1), headers=headers)
    assert b"<result>0</result>" not in told.body
    return told.status, told.body


@pytest.mark.parametrize(
    ("path", "query", "body", "environ"),
    [
        ("/pay/qiwi", "%ff%fe\x80", b"", {}),
        ("/pay/qiwi", "", b"\x00\xff" * 500, {}),
        ("/pay/qiwi", pay(1), b"x" * 70_000, {}),
        ("/pay/qiwi", pay(1), b"abc", {"CONTENT_LENGTH": "10"}),
        ("/pay/qiwi", pay(1), b"", {"CONTENT_LENGTH": "-1"}),
        ("/pay/qiwi", pay(1), b"", {"CONTENT_LENGTH": "9" * 40}),
        ("/pay/qiwi/../qiwi", pay(1), b"", {}),
        ("/pay/qiwi", pay(1), b"", {"REQUEST_URI": "/pay/q%69wi?x"}),
        ("/pay/", pay(1), b"", {}),
        ("/pay/q\xd0\xb8", pay(1), b"", {}),
        ("/", "", b"", {}),
        ("", "", b"", {}),
        ("/office/state", "", b"\xff" * 10, {}),
        ("/office/", "", b"", {}),
    ],
)
def test_wrong_bytes_are_answered_and_change_nothing(
    send: InProcess, office: Office, path: str, query: str, body: bytes, environ: dict[str, str]
) -> None:
    send.environ.update(environ)
    told = send("POST" if body else "GET", path, query, body)
    assert b"<result>0</result>" not in told.body
    assert told.status in (200, 400, 401, 403, 404, 413, 503)
    for name in environ:
        del send.environ[name]
    assert office.pull_all() == []


def test_other_methods_are_refused(send: InProcess, office: Office) -> None:
    told = send("PUT", "/pay/qiwi", pay(1))
    assert (told.status, told.headers["allow"]) == (405, "GET, POST")


def test_a_file_that_cannot_be_used_is_later(send: InProcess, office: Office, tmp_path: Path) -> None:
    (tmp_path / "data" / "relay.sqlite").write_bytes(b"not a database" * 100)
    assert send("GET", "/pay/qiwi", pay(1)).status == 503
    assert send("GET", "/status").status == 503
    assert office.call("state", checked=False).status == 503


# --- held first --------------------------------------------------------------------------------------


def test_two_steps_are_two_rows_under_one_receipt(send: InProcess, office: Office, tmp_path: Path) -> None:
    with store.opened(tmp_path / "data") as connection:
        known = contract(connection, "qiwi")
        assert known is not None

        def case(after_s: int = 0) -> inbox.Case:
            return inbox.Case(known, send.now_us + after_s * 1_000_000, {})

        def do(command: Command, after_s: int = 0) -> Result:
            return inbox.decide(connection, case(after_s), command)

        held = do(Hold("a", "1001", 700, lifetime_s=60))
        assert isinstance(held, Held)
        posted = do(Post("a", "", 0, held=True), 30)
        assert isinstance(posted, Posted)
        assert posted.receipt == held.receipt
        assert do(Post("a", "", 0, held=True), 90) == replace(posted, repeat=True)
        do(Hold("b", "1001", 800, lifetime_s=60))
        late = do(Post("b", "", 0, held=True), 60)
        assert isinstance(late, Voided)
        assert late.reason == EXPIRED
        again = do(Post("b", "", 0, held=True))  # the clock stepped back
        assert isinstance(again, Voided)
        do(Hold("c", "1001", 900))
        gone = do(Void("c", reason="5", void_txn="v"))
        assert isinstance(gone, Voided)
        assert not gone.repeat
        assert do(Void("c")) == replace(gone, repeat=True)
        assert do(Post("x", "", 0, held=True)) == NoSuchTxn("x")
    rows = office.pull_all()
    assert [(row["sequence"], row["kind"], row["txn"], row["amount_minor"]) for row in rows] == [
        (1, "hold", "a", 700), (2, "post_hold", "a", 700), (3, "hold", "b", 800), (4, "hold", "c", 900),
        (5, "void", "c", 900),
    ]  # fmt: skip
    assert rows[0]["receipt"] == rows[1]["receipt"]
    assert (rows[4]["reason"], rows[4]["void_txn"], rows[4]["was_posted"]) == ("5", "v", False)


def test_a_refund_is_the_offices_to_decide(send: InProcess, tmp_path: Path) -> None:
    office = ready(send, tmp_path / "data", agreement(refund="office"))
    folder = tmp_path / "data"

    def do(command: Command) -> Result:
        with store.opened(folder) as connection:
            known = contract(connection, "qiwi")
            assert known is not None
            return inbox.decide(connection, inbox.Case(known, send.now_us, {}), command)

    for txn in ("1", "2"):
        assert isinstance(do(Post(txn, "1001", 1_000)), Posted)
        assert isinstance(do(Void(txn)), TryLater)
        assert isinstance(do(Void(txn)), TryLater)
    rows = office.pull_all()
    assert [(row["kind"], row["txn"]) for row in rows] == [
        ("pay", "1"),
        ("void", "1"),
        ("pay", "2"),
        ("void", "2"),
    ]
    assert rows[1]["was_posted"]
    assert look(send, folder) == Found("1001", 13_000, 0, "RUB", "И*** А***")
    office.ask("decide", {"sequence": 2, "granted": True})
    office.ask("decide", {"sequence": 4, "granted": False})
    assert office.call("decide", {"sequence": 4, "granted": True}).status == 409
    first, second = do(Void("1")), do(Void("1"))
    assert isinstance(first, Voided)
    assert isinstance(second, Voided)
    assert (first.repeat, second.repeat) == (False, True)
    assert do(Void("2")) == Refused("void-forbidden")
    assert look(send, folder) == Found("1001", 14_000, 0, "RUB", "И*** А***")
    refill(office, 2, includes_through=4, accounts=[["1001", "И*** А***", 14_000, "active"]])
    assert look(send, folder) == Found("1001", 14_000, 0, "RUB", "И*** А***")


def test_what_is_unknown_is_a_no_only_where_the_inbox_has_everything(send: InProcess, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    office = ready(send, folder, agreement(complete=False))
    asked: tuple[Command, ...] = (
        Status("x"), Void("x"), Post("x", "", 0, held=True), ListPosted("2025-03-01", "2025-03-02"),
    )  # fmt: skip

    def answers() -> list[Result]:
        with store.opened(folder) as connection:
            known = contract(connection, "qiwi")
            assert known is not None
            return [inbox.decide(connection, inbox.Case(known, send.now_us, {}), one) for one in asked]

    assert [type(one) for one in answers()] == [TryLater] * 4
    office.ask("agreements", {"agreements": [agreement(complete=True)]})
    assert answers() == [NoSuchTxn("x"), NoSuchTxn("x"), NoSuchTxn("x"), Statement()]


def test_a_time_at_the_end_of_all_times_is_taken_all_the_same(send: InProcess, office: Office) -> None:
    query = pay(1).replace("20250314091530", "99991231235959")
    first = send("GET", "/pay/qiwi", query)
    assert b"<result>0</result>" in first.body
    assert send("GET", "/pay/qiwi", query).body == first.body


def test_a_body_without_a_length_is_not_taken_for_none(send: InProcess, office: Office) -> None:
    assert send("POST", "/pay/qiwi", pay(1), headers={"Transfer-Encoding": "chunked"}).status == 400
    send.environ["wsgi.input_terminated"] = True
    assert send("POST", "/pay/qiwi", pay(1), headers={"Transfer-Encoding": "chunked"}).status == 200


def test_a_name_with_an_underscore_is_nobodys_header(tmp_path: Path) -> None:
    with started(tmp_path) as (_, port):
        over = OverHttp(port)
        office = ready(over, tmp_path, agreement(networks=["198.51.100.0/24"]))
        written = [agreement(networks=["198.51.100.0/24"])]
        office.ask("agreements", {"agreements": written, "trusted_proxies": ["127.0.0.1"]})
        assert over("GET", "/pay/qiwi", pay(1), headers={"X_Forwarded_For": "198.51.100.7"}).status == 403
        assert over("GET", "/pay/qiwi", pay(1), headers={"X-Forwarded-For": "198.51.100.7"}).status == 200
