"""Every protocol of the list against one `kvit serve`: asked, paid, repeated, taken back, in the books."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kvit.domain.messages import Hold
from kvit.main.keys import public_half
from kvit.protocols.base import Protocol, Terms
from kvit.protocols.registry import PROTOCOLS
from tests.acceptance.kvit import Kvit

#: What an agreement must say besides its name, by lock.
LOCKS = {
    "basic": 'basic = {{ login = "bank", password = "secret" }}\n',
    "secret": 'secret = "word"\n',
    "key": 'public_key = "public.pem"\nprivate_key = "private.pem"\n',
}
#: Commands that are off until an agreement asks for them.
DIALECTS = {
    "qiwi": {"cancel": "a", "status": "on", "verify": "on"},
    "kaspi": {"cancel": "on"},
    "click": {"getinfo": "on"},
}
#: Networks that take back only what they have not yet paid.
ONLY_HELD = ("click",)
EACH = [pytest.param(protocol, id=name) for name, protocol in PROTOCOLS.items()]


def agreement_text(protocol: Protocol) -> str:
    lines = [f'[[agreement]]\nid = "{protocol.name}"\nprotocol = "{protocol.name}"\nmode = "test"\n']
    lines.append('networks = ["127.0.0.0/8"]\nmin_sum = "1.00"\nmax_sum = "900.00"\n')
    lines += [LOCKS[lock].format() for lock in protocol.locks]
    switches = DIALECTS.get(protocol.name, {})
    if switches:
        lines.append(
            "[agreement.dialect]\n" + "".join(f'{key} = "{value}"\n' for key, value in switches.items())
        )
    return "".join(lines)


@pytest.fixture(scope="module")
def kvit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kvit]:
    """An installation with an agreement of each protocol, and a client for each who owes 300.00."""
    one = Kvit(tmp_path_factory.mktemp("protocols"))
    one.run("init", "--biller", "water", "--name", "W", "--currency", "RUB", "--timezone", "Europe/Moscow")
    numbers = [f"10{place:02}" for place in range(len(PROTOCOLS))]
    one.run(
        "account", "import", one.write("a.csv", "number,name\n" + "".join(f"{n},Client\n" for n in numbers))
    )
    rows = "".join(f"{number},water,2026-10,300.00,2026-11-10\n" for number in numbers)
    one.run("charge", "import", one.write("c.csv", "number,service,period,amount,due\n" + rows))
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()  # fmt: skip
    one.write("private.pem", key)
    one.write("public.pem", public_half(key))
    text = "\n".join(agreement_text(protocol) for protocol in PROTOCOLS.values())
    one.run("agreement", "apply", one.write("agreements.toml", text))
    with one.serving():
        yield one


def number_of(protocol: Protocol) -> str:
    return f"10{list(PROTOCOLS).index(protocol.name):02}"


def played(kvit: Kvit, protocol: Protocol, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401
    url = f"http://127.0.0.1:{kvit.port}"
    return kvit.run("simulate", *arguments, "--agreement", protocol.name, "--url", url, "--json", code=code)


def payments_of(kvit: Kvit, protocol: Protocol) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = kvit.json("payment", "list", "--agreement", protocol.name)
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("protocol", EACH)
def test_asked_paid_repeated_and_taken_back(kvit: Kvit, protocol: Protocol) -> None:
    number = number_of(protocol)
    played(kvit, protocol, "check", number)
    played(kvit, protocol, "pay", number, "120.50", "--times", "2", "--at-once", "3", "--drop")
    (payment,) = payments_of(kvit, protocol)
    assert (payment["account"], payment["amount_minor"], payment["state"]) == (number, 12_050, "posted")
    assert payment["attempts"] > 2, "each repeat is written"
    assert kvit.json("account", "show", number)["due_minor"] == 30_000 - 12_050
    if "Status" in protocol.commands:
        played(kvit, protocol, "status", payment["txn"])
    if "ListPosted" in protocol.commands:
        assert payment["txn"].rpartition("-")[2] in played(kvit, protocol, "statement")
    if "Void" in protocol.commands:
        said_again = ("--receipt", str(payment["receipt"]), "--number", number, "--sum", "120.50")
        stays = protocol.name in ONLY_HELD
        played(kvit, protocol, "cancel", payment["txn"], *said_again, code=1 if stays else 0)
        (after,) = payments_of(kvit, protocol)
        assert after["state"] == ("posted" if stays else "voided")


def test_money_of_nobody_can_be_seen(kvit: Kvit) -> None:
    """M-Pesa has it already, so nothing can be refused."""
    played(kvit, PROTOCOLS["mpesa"], "pay", "31337", "5.00")
    (row,) = kvit.json("suspense", "list")
    assert (row["typed"], row["amount_minor"], row["age_days"], row["agreement"]) == (
        "31337",
        500,
        0,
        "mpesa",
    )
    for command in (("suspense", "list"), ("payment", "list", "--agreement", "mpesa")):
        assert "31337" in kvit.run(*command)


def test_what_is_held_can_be_seen(kvit: Kvit) -> None:
    protocol, number = PROTOCOLS["native"], number_of(PROTOCOLS["native"])
    terms = Terms("native", "RUB", 2, secret="word")
    request = protocol.ask(Hold("h1", number, 700, lifetime_s=3600), terms)
    url = f"http://127.0.0.1:{kvit.port}/pay/native/{request.path}"
    headers = {name.decode(): value.decode() for name, value in request.headers}
    with urllib.request.urlopen(urllib.request.Request(url, request.body, headers)) as answer:
        assert answer.status == 200
    (row,) = kvit.json("payment", "holds")
    assert (row["txn"], row["account"], row["amount_minor"], row["state"]) == ("h1", number, 700, "held")
    assert row["held_at"] < row["expires_at"]
    assert "h1" in kvit.run("payment", "holds")
    assert {each["state"] for each in kvit.json("payment", "holds", "--all")} >= {"held"}
    assert not [paid for paid in payments_of(kvit, protocol) if paid["txn"] == "h1"]


def test_the_books_of_all_of_them_hold(kvit: Kvit) -> None:
    assert kvit.json("audit", "verify")["ok"]
