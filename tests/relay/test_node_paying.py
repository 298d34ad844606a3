"""The node takes payments: once, durable, with receipts that prove themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kvit.relay import receipts
from tests.relay import node_kit as kit
from tests.relay.node_kit import InProcess, Office, pay, ready


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
