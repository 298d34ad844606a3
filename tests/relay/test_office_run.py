"""The commands and a running office, against a node that is a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.kvit import Kvit

AGREEMENT = """
[[agreement]]
id = "kassa"
protocol = "kassa24"
mode = "test"
networks = ["127.0.0.1/32"]
dialect = { show = "debt" }

[agreement.relay]
max_sum = "900.00"
"""
ACCOUNTS = "number;name\n1001;Иванова Анна\n1002;Петров Пётр\n"


@contextmanager
def node_at(folder: Path) -> Iterator[str]:
    """A node as one tries it, and its address."""
    with subprocess.Popen(
        [sys.executable, "-m", "kvit.relay.node", "--data", str(folder), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.kill()


def paid(url: str, txn: int, number: str, amount: str) -> str:
    """The code of the answer to a payment."""
    query = f"action=payment&number={number}&type=0&amount={amount}&receipt={txn}&date=2026-11-20T10:00:00"
    return get(f"{url}/pay/kassa?{query}").partition("<code>")[2].partition("</code>")[0]


def get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own
            return bytes(answer.read()).decode()
    except urllib.error.HTTPError as error:
        error.close()
        return str(error.code)


def eventually(what: Callable[[], bool], seconds: float = 40.0) -> None:
    end_s = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end_s, "it did not come to be"
        time.sleep(0.2)


@pytest.mark.slow
def test_from_pairing_to_a_payment_in_the_books(tmp_path: Path) -> None:
    kvit, folder = Kvit(tmp_path), tmp_path / "host"
    kvit.run(
        "init", "--biller", "water", "--name", "Water", "--currency", "RUB", "--timezone", "Europe/Moscow"
    )
    kvit.run("account", "import", kvit.write("accounts.csv", ACCOUNTS))
    kvit.run("agreement", "apply", kvit.write("agreements.toml", AGREEMENT))
    with node_at(folder) as url:
        assert "401" in kvit.run("relay", "pair", url, "--code", "0" * 24, code=1)
        code = (folder / "pairing-code.txt").read_text(encoding="utf-8").strip()
        told = kvit.json("relay", "pair", url, "--code", code)
        assert told["host"]["long_polling"] is False, "this server has one line"
        kvit.run("relay", "move", "--agreement", "kassa", "--to", "main", "--wait", "0")
        assert paid(url, 77, "1001", "150.00") == "0"
        assert paid(url, 78, "1001", "950.00") != "0", "more than the relay may take by itself"
        assert kvit.json("relay", "fetch")["rows"] == 1
        with kvit.serving():
            assert kvit.get("/pay/kassa?action=check&number=1001&type=0").status == 503, "its door is away"
            assert paid(url, 79, "1002", "20.00") == "0"
            eventually(lambda: kvit.json("relay", "status")[0]["pulled_through"] == 2)
            assert kvit.get("/healthz").body == b"ready\n"
            kvit.run("relay", "move", "--agreement", "kassa", "--to", "office")
            eventually(lambda: kvit.get("/pay/kassa?action=check&number=1001&type=0").status == 200)
            assert paid(url, 80, "1002", "20.00") != "0"
        assert sorted(one["amount_minor"] for one in kvit.json("payment", "list")) == [2_000, 15_000]
        (status,) = kvit.json("relay", "status")
        assert status["alarms"] == []
        register = kvit.write(
            "register.txt", f"{json.dumps([row['receipt'] for row in kvit.json('payment', 'list')])}"
        )
        recovered = kvit.json("relay", "recover", "--register", register)
        assert (recovered["booked"], recovered["missing"]) == (2, [])
    assert kvit.run("audit", "verify")
