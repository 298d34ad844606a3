"""The office's calls: who may, in which order, and what is kept how long."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from kvit.domain.messages import Found, Lookup
from kvit.relay import wire
from kvit.relay.node import copies, inbox, store
from kvit.relay.node.terms import contract
from tests.relay import node_kit as kit
from tests.relay.node_kit import InProcess, Office, OverHttp, agreement, pay, ready, snapshot, started, touch

DAY_US = 86_400_000_000


@pytest.fixture
def send(tmp_path: Path) -> InProcess:
    return InProcess(tmp_path / "data")


@pytest.fixture
def office(send: InProcess, tmp_path: Path) -> Office:
    return ready(send, tmp_path / "data")


def test_the_state_tells_all_that_is_promised(send: InProcess, office: Office) -> None:
    send("GET", "/pay/qiwi", pay(1))
    at_us = send.now_us
    send.now_us += 5_000_000
    state = office.ask("state")
    assert re.fullmatch("[0-9a-f]{32}", state.pop("epoch"))
    test = state.pop("self_test")
    assert state == {
        "version": "0.1.0", "last_sequence": 1, "acked": 0, "generation": 1, "conflicts": 0,
        "snapshot": {"version": 1, "as_of_us": 1, "includes_through": 0, "number_of_accounts": 2},
        "snapshots": {"": {"version": 1, "as_of_us": 1, "includes_through": 0, "number_of_accounts": 2}},
        "agreements": ["qiwi"], "oldest_unacked_at_us": at_us, "clock_us": send.now_us,
    }  # fmt: skip
    assert (test["journal_mode"], test["synchronous"], test["https"]) == ("delete", 3, True)
    assert "qiwi" in test["protocols"]
    assert test["authorization_seen"] is False


def test_the_code_pairs_once(send: InProcess, tmp_path: Path) -> None:
    touch(send)
    file = tmp_path / "data" / "pairing-code.txt"
    code = file.read_text().strip()
    assert re.fullmatch("[0-9a-f]{24}", code)
    wrong = Office(send, "pair", b"0" * 24, clock_us=lambda: send.now_us)
    assert wrong.call("pair", {}, checked=False).status == 401
    office = Office(send, clock_us=lambda: send.now_us)
    office.pair(tmp_path / "data")
    assert not file.exists()
    second = Office(send, "pair", code.encode(), clock_us=lambda: send.now_us)
    assert second.call("pair", {}, checked=False).json["error"] == "key"
    file.write_text(code)
    assert second.call("pair", {}, checked=False).json["error"] == "key"
    file.write_text("a new word of the owner\n")
    office.pair(tmp_path / "data")
    assert office.generation == 2
    assert office.ask("pull", {"after": 0})["rows"] == []


def test_a_pairing_that_cannot_be_read_changes_nothing(send: InProcess, tmp_path: Path) -> None:
    touch(send)
    code = (tmp_path / "data" / "pairing-code.txt").read_text().strip().encode()
    pairing = Office(send, "pair", code, clock_us=lambda: send.now_us)
    good = {"office_id": "o", "relay": 1, "key_id": "k", "key": "00" * 32, "receipt_key": "00" * 32,
            "status_key": "s"}  # fmt: skip
    for name, value in (("relay", 256), ("key", "zz"), ("key", "00"), ("key_id", "pair"), ("status_key", "")):
        assert pairing.call("pair", {**good, name: value}).status == 400, name
    assert pairing.ask("pair", good)["generation"] == 1


def test_calls_that_are_not_the_offices(send: InProcess, office: Office) -> None:
    assert send("GET", "/office/state").json["error"] == "headers"
    stranger = Office(send, key=b"x" * 32, clock_us=lambda: send.now_us)
    assert stranger.call("state", checked=False).json["error"] == "mac"
    unknown = Office(send, key_id="k9", clock_us=lambda: send.now_us)
    assert unknown.call("state", checked=False).json["error"] == "key"
    assert office.call("nothing", {}).status == 404
    for place, body in enumerate((b"[]", b"{", b"\xff", b"[" * 100_000)):
        call = wire.Call("POST", "/office/ack", "", body)
        headers = wire.call_headers("k1", kit.KEY, call, send.now_us // 1_000_000, f"{place:016d}", 1)
        assert send("POST", "/office/ack", "", body, headers).status == 400, body[:9]


def test_a_caught_call_is_of_no_use(send: InProcess, office: Office) -> None:
    call = wire.Call("POST", "/office/ack", "", b'{"through": 0}')
    headers = wire.call_headers("k1", kit.KEY, call, send.now_us // 1_000_000, "a" * 16, 1)
    assert send("POST", call.path, "", call.body, headers).status == 200
    again = send("POST", call.path, "", call.body, headers)
    assert (again.status, again.json["error"]) == (401, "nonce")


@pytest.mark.parametrize("off_s", [301, -301, 40_000_000])
def test_a_clock_that_is_off_is_told_and_learnt(send: InProcess, office: Office, off_s: int) -> None:
    office.offset_s = off_s
    told = office.call("state")  # signed: the office may believe it
    assert (told.status, told.json) == (401, {"error": "time", "clock_us": send.now_us})
    office.offset_s = off_s - round(
        (office.clock_us() + off_s * 1_000_000 - told.json["clock_us"]) / 1_000_000
    )
    assert office.call("state").status == 200


def test_keys_are_replaced_without_a_gap(send: InProcess, office: Office) -> None:
    office.ask("keys", {"keys": {"k1": kit.KEY.hex(), "k2": "ab" * 32}})
    second = Office(send, "k2", b"\xab" * 32, office.generation, clock_us=lambda: send.now_us)
    assert second.ask("state")["epoch"] == office.ask("state")["epoch"]
    second.ask("keys", {"keys": {"k2": "ab" * 32}})
    assert office.call("state", checked=False).json["error"] == "key"
    assert second.ask("pull", {"after": 0})["rows"] == []
    for keys in ({}, {"a": "00" * 32, "b": "00" * 32, "c": "00" * 32}, {"a": "00"}, {"pair": "00" * 32}):
        assert second.call("keys", {"keys": keys}).status == 400
    assert second.ask("state")["generation"] == 1


def test_one_office_at_a_time(send: InProcess, office: Office) -> None:
    assert office.ask("lease", {"office_id": "office-1", "generation": 1}) == {
        "office_id": "office-1", "generation": 1,
    }  # fmt: skip
    for generation in (0, 1):
        told = office.call("lease", {"office_id": "office-2", "generation": generation})
        assert (told.status, told.json["generation"], told.json["office_id"]) == (409, 1, "office-1")
    taken = office.ask("lease", {"office_id": "office-2", "generation": 1, "take_over": True})
    assert taken["generation"] == 2
    for name, body in (("pull", {"after": 0}), ("ack", {"through": 0}), ("snapshot", snapshot(2)),
                       ("agreements", {"agreements": []})):  # fmt: skip
        told = office.call(name, body)
        assert (told.status, told.json) == (409, {"error": "generation", "generation": 2})
    assert office.call("lease", {"office_id": "office-1", "generation": 1}).status == 409
    office.generation = 2
    assert office.ask("pull", {"after": 0})["rows"] == []
    assert office.ask("state")["agreements"] == ["qiwi"]


def test_rows_come_in_order_and_acknowledgements_never_go_back(send: InProcess, office: Office) -> None:
    for txn in range(1, 8):
        send("GET", "/pay/qiwi", pay(txn))
    got = office.ask("pull", {"after": 2, "most": 3, "wait_s": 5})
    assert [row["sequence"] for row in got["rows"]] == [3, 4, 5]
    assert got["high_water"] == 7
    assert office.ask("pull", {"after": 9})["rows"] == []
    assert office.ask("ack", {"through": 5}) == {"acked": 5}
    assert office.ask("ack", {"through": 3}) == {"acked": 5}
    assert office.call("ack", {"through": 8}).status == 409
    assert office.call("ack", {"through": -1}).status == 400
    assert len(office.pull_all()) == 7


def test_nothing_is_forgotten_before_thirty_days(send: InProcess, office: Office) -> None:
    answers = {txn: send("GET", "/pay/qiwi", pay(txn)).body for txn in (1, 2, 3)}
    office.ask("ack", {"through": 2})
    send.now_us += 30 * DAY_US - 1
    office.ask("ack", {"through": 2})
    assert len(office.pull_all()) == 3
    send.now_us += 1
    office.ask("ack", {"through": 2})
    got = office.ask("pull", {"after": 0})
    assert ([row["sequence"] for row in got["rows"]], got["forgotten_through"]) == ([3], 2)
    for txn, body in answers.items():
        assert send("GET", "/pay/qiwi", pay(txn)).body == body
    assert b"<result>0</result>" not in send("GET", "/pay/qiwi", pay(1, total="9.00")).body
    send("GET", "/pay/qiwi", pay(4))
    assert [row["sequence"] for row in office.ask("pull", {"after": 2})["rows"]] == [3, 4]


def test_agreements_are_replaced_as_a_whole_or_not_at_all(send: InProcess, office: Office) -> None:
    office.ask("agreements", {"agreements": [agreement("a"), agreement("b", "payme")]})
    assert send("GET", "/pay/qiwi", pay(1)).status == 404
    assert send("GET", "/pay/a", pay(1)).status == 200
    for wrong in (
        [agreement("c"), agreement("c")], [agreement("c", networks=["nowhere"])],
        [agreement("c", exponent="2")], [agreement("")], [agreement("c", dialect={"x": 1})], "none", [1],
    ):  # fmt: skip
        assert office.call("agreements", {"agreements": wrong}).status == 400, wrong
    assert office.ask("state")["agreements"] == ["a", "b"]


# --- copies ------------------------------------------------------------------------------------------


def owed(folder: Path, number: str) -> object:
    with store.opened(folder) as connection:
        known = contract(connection, "qiwi")
        assert known is not None
        found = inbox.decide(connection, inbox.Case(known, 1, {}), Lookup("1", number))
        return found.due_minor if isinstance(found, Found) else type(found).__name__


def row(number: int, balance_minor: int) -> list[object]:
    return [str(number), "N***", balance_minor, "active"]


def test_a_copy_in_parts_is_seen_when_it_is_whole(send: InProcess, office: Office, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for part in (3, 1, 3):
        office.ask("snapshot", snapshot(2, part=part, accounts=[row(1001, part), row(2000 + part, part)]))
    assert owed(folder, "1001") == 15_000
    assert office.call("snapshot/commit", {"version": 2, "parts": 3}).status == 409
    assert office.call("snapshot/commit", {"version": 2}).status == 409
    assert office.call("snapshot", snapshot(2, part=3, accounts=[row(1, 1)])).status == 409
    office.ask("snapshot", snapshot(2, part=2, accounts=[row(2002, 2)]))
    assert owed(folder, "2002") == "NoSuchAccount"
    done = office.ask("snapshot/commit", {"version": 2, "parts": 3})
    assert done == {"version": 2, "number_of_accounts": 4}
    assert office.ask("snapshot/commit", {"version": 2, "parts": 3}) == done
    assert office.ask("snapshot", snapshot(2, part=1)) == {"version": 2, "is_new": False}
    assert [owed(folder, str(number)) for number in (2001, 2002, 2003, 1002)] == [1, 2, 3, "NoSuchAccount"]


def test_a_delta_follows_the_version_in_use(send: InProcess, office: Office, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    delta = snapshot(5, base_version=1, accounts=[row(1001, 70), row(3, 3)], removed=["1002"])
    office.ask("snapshot", delta)
    assert [owed(folder, one) for one in ("1001", "3", "1002")] == [70, 3, "NoSuchAccount"]
    for wrong in (
        snapshot(4), snapshot(6, base_version=1), snapshot(6, base_version=4), snapshot(6, policy="maybe"),
        snapshot(6, includes_through=1), snapshot(6, accounts=[["1", "n", 1.5, "active"]]),
        snapshot(6, accounts=[["1", "n", 1 << 70, "active"]]),
        snapshot(6, closing=[1]), snapshot(6, accounts=[1]),
    ):  # fmt: skip
        assert office.call("snapshot", wrong).status == 409, wrong
    assert office.ask("state")["snapshot"]["version"] == 5
    assert owed(folder, "1001") == 70


def test_an_agreement_may_have_a_copy_of_its_own(send: InProcess, office: Office, tmp_path: Path) -> None:
    office.ask("snapshot", snapshot(1, agreement="qiwi", accounts=[row(1001, 1)]))
    assert owed(tmp_path / "data", "1001") == 1
    assert set(office.ask("state")["snapshots"]) == {"", "qiwi"}
    assert office.ask("state")["snapshot"]["number_of_accounts"] == 2


def test_old_copies_are_swept_away_bit_by_bit(send: InProcess, office: Office, tmp_path: Path) -> None:
    many = [row(number, 1) for number in range(copies.SWEEP_ROWS_MAX + 10)]
    office.ask("snapshot", snapshot(2, accounts=many))
    office.ask("snapshot", snapshot(3, accounts=[row(1001, 9)]))
    for _ in range(4):
        office.ask("ack", {"through": 0})
    with store.opened(tmp_path / "data") as connection:
        assert connection.execute("SELECT count(*) FROM accounts").fetchone()[0] == 1
    assert owed(tmp_path / "data", "1001") == 9


def test_no_check_ever_sees_half_of_a_copy(tmp_path: Path) -> None:
    """Copies are swapped while another process is asked: two clients always owe the same."""
    folder = tmp_path / "data"
    with started(folder) as (_, port):
        office = ready(OverHttp(port), folder)
    send = InProcess(folder)
    office = Office(send, generation=office.generation, clock_us=lambda: send.now_us)
    seen: set[int] = set()
    wrong: list[object] = []
    done = threading.Event()

    def check() -> None:
        while not done.is_set():
            with store.opened(folder) as connection, store.reading(connection):
                copy = copies.copy_for(connection, "qiwi")
                assert copy is not None
                pair = [copies.account(connection, copy, number) for number in ("1", "500")]
            sums = {None if one is None else one.balance_minor for one in pair}
            if sums not in ({copy.version}, {None}):
                wrong.append((copy.version, sums))
            seen.add(copy.version)

    thread = threading.Thread(target=check)
    thread.start()
    try:
        for version in range(2, 22):
            base = version - 1 if version % 3 else 0
            accounts = [row(number, version) for number in range(1, 501)]
            office.ask("snapshot", snapshot(version, base_version=base, accounts=accounts))
    finally:
        done.set()
        thread.join()
    assert wrong == []
    assert len(seen) > 3


def test_the_page_of_the_administrator(send: InProcess, office: Office) -> None:
    send("GET", "/pay/qiwi", pay(1))
    assert send("GET", "/status", "key=no").status == 403
    told = send("GET", "/status", "key=" + kit.STATUS_KEY)
    text = told.body.decode()
    for said in ("Waiting for the office<td>1", "Last fetched by the office<td>never", "version 1, as of"):
        assert said in text
    office.pull_all()
    assert "never" not in send("GET", "/status", "key=" + kit.STATUS_KEY).body.decode()
    send.environ["DOCUMENT_ROOT"] = "/"
    assert "below the web root" in send("GET", "/status", "key=" + kit.STATUS_KEY).body.decode()
