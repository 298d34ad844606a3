"""A utility loads its clients and charges, writes down its agreement, starts kvit, and is paid."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.acceptance.kvit import Kvit

ACCOUNTS = (
    "number;name;address;phone;email;flat\n"
    "000042;Иванова Анна Петровна;ул. Мира, 1;+7 900 000-00-01;anna@example.org;12\n"
    "1002344;Сейтқали Айгүл;Абай даңғылы, 5;;;7\n"
)
CHARGES = (
    "number,service,period,amount,due,document\n"
    "000042,water,2026-09,100.00,2026-10-10,\n"
    "000042,water,2026-10,150.50,2026-11-10,\n"
    "000042,heat,2026-10,99.50,2026-11-10,A-1\n"
    "1002344,water,2026-10,10.00,2026-11-10,\n"
)
AGREEMENT = """
[[agreement]]
id = "qiwi"
protocol = "qiwi"
mode = "live"
currency = "RUB"
timezone = "Europe/Moscow"
networks = ["127.0.0.0/8"]
basic = { login = "osmp", password = "secret" }
min_sum = "10.00"
max_sum = "15000.00"
show_name = "masked"
[agreement.dialect]
response_txn_tag = "osmp_txn_id"
"""
PAY = {"txn_id": "900001", "txn_date": "20261122235959", "account": "000042", "sum": "120.00"}


@pytest.fixture
def kvit(sqlite_url: str, tmp_path: Path) -> Kvit:
    """An installation with the clients, charges and agreement above."""
    return _installed(tmp_path, sqlite_url)


@pytest.fixture
def kvit_on_each(database_url: str, tmp_path: Path) -> Kvit:
    """The same on each engine: for what the engine has a part in."""
    return _installed(tmp_path, database_url)


def _installed(folder: Path, url: str) -> Kvit:
    one = Kvit(folder, url)
    one.run(
        "init", "--biller", "water", "--name", "Водоканал", "--currency", "RUB", "--timezone", "Europe/Moscow"
    )
    one.run("account", "import", one.write("clients.csv", ACCOUNTS))
    one.run("charge", "import", one.write("charges.csv", CHARGES))
    one.run("agreement", "apply", one.write("qiwi.toml", AGREEMENT))
    return one


def test_asked_and_paid_and_in_the_books(kvit_on_each: Kvit) -> None:
    kvit = kvit_on_each
    with kvit.serving():
        found = kvit.ask("check", txn_id="1", account="000042", sum="1.00")
        assert (found["result"], found["osmp_txn_id"]) == ("0", "1")
        assert "350.00" in found.body.decode()
        assert "Иванова" not in found.body.decode()
        first = kvit.ask("pay", **PAY)
        assert (first["result"], first["sum"]) == ("0", "120.00")
        with ThreadPoolExecutor(20) as crowd:
            repeats = list(crowd.map(lambda _: kvit.ask("pay", **PAY), range(40)))
        assert {repeat.body for repeat in repeats} == {first.body}
        conflict = kvit.ask("pay", **{**PAY, "sum": "121.00"})
        assert conflict["result"] == "300"
        assert kvit.ask("pay", **{**PAY, "account": "1002344"})["result"] == "300"
        assert "230.00" in kvit.ask("check", txn_id="1", account="000042", sum="1.00").body.decode()
    account = kvit.json("account", "show", "000042")
    assert (account["due_minor"], account["advance_minor"]) == (23_000, 0)
    assert [charge["open_minor"] for charge in account["charges"]] == [0, 13_050, 9_950]
    (payment,) = account["payments"]
    assert str(payment["receipt"]) == first["prv_txn"]
    kept = ("agreement", "txn", "amount_minor", "state", "accounting_date")
    assert {key: payment[key] for key in kept} == {
        "agreement": "qiwi", "txn": "900001", "amount_minor": 12_000, "state": "posted",
        "accounting_date": "2026-11-22",
    }  # fmt: skip
    heat = account["charges"][2]
    kvit.run(
        "payment", "allocate", first["prv_txn"], "--charge", str(heat["id"]), "--reason", "the client asked"
    )
    opened = [charge["open_minor"] for charge in kvit.json("account", "show", "000042")["charges"]]
    assert opened == [7_950, 15_050, 0]
    audit = kvit.json("audit", "verify")
    assert (audit["ok"], audit["payments"], audit["entries"], audit["findings"]) == (True, 1, 10, [])


def test_more_than_the_debt_is_an_advance_that_the_next_charge_uses(kvit: Kvit) -> None:
    with kvit.serving():
        assert kvit.ask("pay", **{**PAY, "sum": "400.00"})["result"] == "0"
        assert kvit.json("account", "show", "000042")["advance_minor"] == 5_000
        kvit.run(
            "charge",
            "import",
            kvit.write("next.csv", "number,service,period,amount\n000042,water,2026-11,80\n"),
        )
        account = kvit.json("account", "show", "000042")
        assert (account["due_minor"], account["advance_minor"]) == (3_000, 0)
        assert account["charges"][-1]["open_minor"] == 3_000
    assert kvit.json("audit", "verify")["ok"]


def test_refusals_are_final_and_book_nothing(kvit: Kvit) -> None:
    kvit.run("account", "set", "1002344", "--status", "closed")
    with kvit.serving():
        for change, code in (
            ({"account": "777"}, "5"),
            ({"account": "1002344"}, "79"),
            ({"sum": "9.99"}, "241"),
            ({"sum": "15000.01"}, "242"),
            ({"sum": "1e3"}, "300"),
            ({"sum": "-5.00"}, "300"),
            ({"sum": "12,50"}, "300"),
            ({"txn_date": "20261322000000"}, "300"),
            ({"txn_id": "12a"}, "300"),
        ):
            assert kvit.ask("pay", **{**PAY, **change})["result"] == code, change
        assert kvit.ask("fly", **PAY)["result"] == "300"
        assert kvit.get("/pay/qiwi?command=check", password="wrong").status == 401
        assert kvit.get("/pay/nobody?command=check").status == 404
        assert kvit.get("/pay/qiwi?account=" + "1" * 65_536).status == 414
    assert kvit.json("payment", "list") == []


def test_a_void_is_a_reversal_with_a_reason(kvit_on_each: Kvit) -> None:
    kvit = kvit_on_each
    with kvit.serving():
        receipt = kvit.ask("pay", **PAY)["prv_txn"]
        assert "--reason" in kvit.run("payment", "void", receipt, code=2)
        kvit.run("payment", "void", receipt, "--reason", "paid for the wrong flat")
        assert "voided" in kvit.run("payment", "void", receipt, "--reason", "again", code=1)
        assert kvit.ask("pay", **PAY)["prv_txn"] == receipt
    account = kvit.json("account", "show", "000042")
    assert (account["due_minor"], account["payments"][0]["state"]) == (35_000, "voided")
    (row,) = kvit.json("payment", "list", "--account", "000042")
    assert (row["state"], row["attempts"]) == ("voided", 2)
    audit = kvit.json("audit", "verify")
    assert (audit["ok"], audit["payments"], audit["entries"]) == (True, 1, 12)


def test_a_ledger_that_is_away_is_asked_again_in_test_mode_only(kvit: Kvit) -> None:
    assert "live" in kvit.run("serve", "--port", "0", "--test-fault", "ledger-unavailable", code=2)
    kvit.run("agreement", "apply", kvit.write("test.toml", AGREEMENT.replace('"live"', '"test"')))
    with kvit.serving("--test-fault", "ledger-unavailable"):
        assert kvit.ask("pay", **PAY)["result"] == "1"
        assert kvit.ask("check", txn_id="1", account="000042", sum="1.00")["result"] == "1"
    assert kvit.json("payment", "list") == []
    with kvit.serving("--test-clock", "2026-11-25T12:00:00+03:00"):
        assert kvit.ask("pay", **PAY)["result"] == "0"
    (row,) = kvit.json("payment", "list")
    assert row["received_at"].startswith("2026-11-25T12:0")


def test_networks_are_the_peers_own_address(kvit: Kvit) -> None:
    kvit.run("agreement", "apply", kvit.write("far.toml", AGREEMENT.replace("127.0.0.0/8", "79.142.16.0/20")))
    with kvit.serving():
        for headers in ((), (("X-Forwarded-For", "79.142.16.7"),), (("Forwarded", "for=79.142.16.7"),)):
            assert kvit.get("/pay/qiwi?command=check&txn_id=1", headers=headers).status == 403


def test_backup_and_restore_keep_everything(kvit_on_each: Kvit, tmp_path: Path) -> None:
    kvit = kvit_on_each
    with kvit.serving():
        first = kvit.ask("pay", **PAY)
        kvit.run("backup", str(tmp_path / "books.kvit"))
    copy = Kvit(tmp_path)
    copy.database = f"sqlite:///{tmp_path / 'copy.sqlite'}"
    copy.run("restore", str(tmp_path / "books.kvit"))
    assert copy.json("account", "show", "000042") == kvit.json("account", "show", "000042")
    with copy.serving():
        assert copy.ask("pay", **PAY).body == first.body
        assert copy.ask("pay", **{**PAY, "txn_id": "900002"})["prv_txn"] != first["prv_txn"]
    assert copy.json("audit", "verify")["ok"]
