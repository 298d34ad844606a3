"""`kvit conformance` against a real server: ours by its agreement, and by its address alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kvit.protocols.registry import PROTOCOLS
from kvit.simulator.conformance.run import LAST, STEPS
from tests.cli.test_simulate import Shell
from tests.demonstration import Demo, copied_demo, demo_template, running_demo
from tests.simulator.biller import served
from tests.simulator.broken.biller import Biller, terms_of
from tests.simulator.broken.book import NUMBER, UNKNOWN

PASSWORD = "demo-qiwi"
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    template = demo_template(tmp_path_factory.getbasetemp())
    copied = copied_demo(template, tmp_path_factory.mktemp("conformance") / "kvit-demo")
    with running_demo(copied.folder) as demo:
        yield Shell(demo)


def test_our_door_passes_and_the_report_says_so(shell: Shell, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = shell.run(
        "conformance", "--agreement", "qiwi", "--url", shell.demo.base_url, "--out", str(page), "--json"
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["good"]
    assert told["conclusion"].startswith("Ready: all ")
    assert told["failed"] == 0
    assert told["passed"] >= 17
    steps = {step["key"]: step for step in told["steps"]}
    assert steps["pay-again"]["verdict"] == "passed"
    assert steps["hold"]["verdict"] == "skipped"
    html = page.read_text(encoding="utf-8")
    assert "Ready: all " in html
    assert "The same payment again, twice" in html
    assert "command=pay&amp;txn_id=" in html
    for secret in (PASSWORD, "b3NtcDpkZW1vLXFpd2k="):
        assert secret not in html
        assert secret not in done.stdout
    assert "http://" not in html.replace(shell.demo.base_url, "")
    assert "<script" not in html


def test_a_table_for_people(shell: Shell) -> None:
    done = shell.run("conformance", "--agreement", "qiwi", "--url", shell.demo.base_url)
    assert done.exit_code == 0
    assert "Ready: all " in done.stdout
    assert "five-at-once" in done.stdout


def somebody(base_url: str, *options: str) -> list[str]:
    terms = terms_of("payme")
    return [
        "conformance", "--url", base_url + "/pay/trial", "--protocol", "payme", "--login", terms.basic_login,
        "--password", terms.basic_password, "--dialect", "additional=on", "--number", NUMBER,
        "--unknown-number", UNKNOWN, *options,
    ]  # fmt: skip


def test_anybody_s_biller_is_tested_by_its_address(shell: Shell) -> None:
    payme = PROTOCOLS["payme"]
    with served(Biller(payme, terms_of("payme"))) as base_url:
        sound = shell.run(*somebody(base_url, "--yes-live"))
        unasked = shell.run(*somebody(base_url))
    assert sound.exit_code == 0, sound.output
    assert unasked.exit_code == 1
    assert "say --yes-live" in unasked.stderr


def test_a_fault_ends_with_1_and_says_why_it_matters(shell: Shell) -> None:
    with served(Biller(PROTOCOLS["payme"], terms_of("payme"), "books-again")) as base_url:
        done = shell.run(*somebody(base_url, "--yes-live"))
    assert done.exit_code == 1
    assert "Not ready: " in done.stdout
    assert "pay-again: expected the first receipt again, and nothing booked." in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "name --agreement, or --protocol and --url"),
        (["--protocol", "nonsense"], "there is no protocol nonsense"),
        (["--protocol", "qiwi", "--dialect", "cancel"], "write cancel=VALUE"),
        (["--protocol", "qiwi", "--dialect", "cancel=yes"], "cancel must be one of: off, a, b"),
        (["--protocol", "qiwi"], "--url: name the biller's address"),
        (["--protocol", "qiwi", "--url", NOWHERE, "--yes-live"], "name a client of that biller"),
        (["--protocol", "qiwi", "--url", NOWHERE, "--yes-live", "--timezone", "X"], "no time zone X"),
        (["--agreement", "nonsense"], "there is no agreement nonsense"),
    ],
)  # fmt: skip
def test_what_cannot_be_played_is_said(shell: Shell, options: list[str], said: str) -> None:
    done = shell.run("conformance", *options)
    assert done.exit_code in (1, 2)
    assert said in done.stderr


def test_a_live_agreement_needs_a_word_more(tmp_path: Path) -> None:
    live = Shell(Demo(tmp_path / "live"))
    assert live.run("init", "--biller", "water").exit_code == 0
    file = tmp_path / "qiwi.toml"
    file.write_text(
        '[[agreement]]\nid = "qiwi"\nprotocol = "qiwi"\nmode = "live"\nnetworks = ["127.0.0.0/8"]\n'
    )
    assert live.run("agreement", "apply", str(file)).exit_code == 0
    refused = live.run("conformance", "--agreement", "qiwi", "--number", "1")
    assert refused.exit_code == 1
    assert "agreement qiwi is live" in refused.stderr
    played = live.run("conformance", "--agreement", "qiwi", "--number", "1", "--yes-live", "--url", NOWHERE)
    assert played.exit_code == 1
    assert "nobody answers at this address" in played.stdout


# --- every protocol, against the real server and its books ----------------------------------------------

#: What an agreement for trials says beside its protocol: all locks that it has, and all that can be shown.
AGREED = {
    "kaspi": 'basic = { login = "k", password = "secret-k" }\ndialect = { cancel = "on" }',
    "sberbank2": 'basic = { login = "s", password = "secret-s" }\nsecret = "a-word-of-sberbank"',
    "cyberplat": 'private_key = "pair.pem"\npublic_key = "pair.pub"\ndialect = { show = "name,debt" }',
    "kassa24": 'basic = { login = "k", password = "secret-k" }\ndialect = { show = "name,debt" }',
    "payme": 'basic = { login = "Paycom", password = "secret-p" }\ndialect = { additional = "on" }',
    "click": 'secret = "a-word-of-click"\ndialect = { getinfo = "on" }',
    "native": 'secret = "a-word-of-ours-that-is-long-enough-for-it"',
    "mpesa": 'networks = ["127.0.0.0/8"]',
    "qiwi": 'basic = { login = "q", password = "secret-q" }\n'
    'dialect = { cancel = "a", status = "on", verify = "on" }',
}
_PLAIN = 'basic = { login = "login", password = "secret-word" }'


@pytest.fixture(scope="module")
def every_protocol(shell: Shell) -> Shell:
    """The demo's server with an agreement for each protocol."""
    pair = rsa.generate_private_key(65_537, 2048)
    folder = shell.demo.folder
    (folder / "pair.pem").write_bytes(
        pair.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    (folder / "pair.pub").write_bytes(
        pair.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    file = folder / "every.toml"
    file.write_text(
        "\n".join(
            f'[[agreement]]\nid = "every-{name}"\nprotocol = "{name}"\nmode = "test"\n'
            + AGREED.get(name, _PLAIN)
            for name in PROTOCOLS
        )
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        applied = shell.run("agreement", "apply", str(file))
    assert applied.exit_code == 0, applied.output
    deadline = time.monotonic() + 30
    while httpx2.get(f"{shell.demo.base_url}/pay/every-qiwi", trust_env=False).status_code == 404:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return shell


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_every_protocol_passes_at_our_door(every_protocol: Shell, name: str) -> None:
    done = every_protocol.run(
        "conformance", "--agreement", f"every-{name}", "--url", every_protocol.demo.base_url, "--json"
    )
    told = json.loads(done.stdout)
    assert [(one["key"], one["came"]) for one in told["steps"] if one["verdict"] == "failed"] == []
    assert done.exit_code == 0
    known = {one.key for one in (*STEPS, *LAST)}
    assert known == {one["key"] for one in told["steps"]}
    two_phases = {"hold", "hold-again", "hold-other-sum", "unheld"}
    tried = {one["key"] for one in told["steps"] if one["verdict"] == "passed"}
    assert (two_phases <= tried) == PROTOCOLS[name].two_phase
    assert {"pay", "pay-again", "strangers", "five-at-once", "dropped"} <= tried


def test_the_books_are_whole_afterwards(every_protocol: Shell) -> None:
    verified = every_protocol.run("audit", "verify")
    assert verified.exit_code == 0, verified.output
