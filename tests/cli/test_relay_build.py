"""``kvit relay build``: what lies in the folder afterwards, and what is refused."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from kvit.cli import agreements, relay
from tests.cli.registers import AGREEMENT, Shell
from tests.cli.test_registers_out import CSV
from tests.relay.node_kit import OverHttp, started

DOORS = """
[[agreement]]
id = "qiwi"
protocol = "qiwi"
networks = ["192.0.2.0/24"]

[[agreement]]
id = "bank"
protocol = "sberbank"
networks = ["192.0.2.0/24"]
"""


@pytest.fixture
def shell(sqlite_books_url: str, tmp_path: Path) -> Shell:
    shell = Shell(tmp_path, sqlite_books_url, (relay, agreements))
    shell.seed()
    file = tmp_path / "agreements.toml"
    file.write_text(DOORS + AGREEMENT.replace('"bank"', '"files"') + CSV, encoding="utf-8")
    shell.run("agreement", "apply", str(file))
    return shell


def test_it_lies_ready_for_upload(shell: Shell) -> None:
    made = shell.json("relay", "build", "--agreements", "qiwi,bank", "--out", str(shell.folder))
    path = Path(made["out"])
    data = path.read_bytes()
    assert (path.name, made["bytes"], made["sha256"]) == (
        "kvit-relay.pyz",
        len(data),
        sha256(data).hexdigest(),
    )
    assert made["protocols"] == ["qiwi", "sberbank"]
    names = {Path(name).name for name in made["beside"]}
    assert names == {"passenger_wsgi.py", "kvit.cgi", ".htaccess", "CHECKLIST.txt"}
    assert all((path.parent / name).is_file() for name in names)
    assert os.access(path.parent / "kvit.cgi", os.X_OK)
    assert "qiwi, sberbank" in (path.parent / "CHECKLIST.txt").read_text()
    with started(shell.folder / "node", str(path)) as (_, port):
        assert OverHttp(port)("GET", "/status").body == b"kvit relay is here, and waits to be paired"
    again = shell.json("relay", "build", "--agreements", "bank,qiwi", "--out", str(shell.folder / "b.pyz"))
    assert again["sha256"] == made["sha256"]
    assert "b.pyz" in (path.parent / "kvit.cgi").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--agreements", "qiwi,other"), 1, "there is no agreement other; known: bank, files, qiwi"),
        (("--agreements", "files"), 1, "agreement files exchanges files only"),
        (("--agreements", " , "), 2, "name at least one agreement"),
        (("--agreements", "qiwi", "--out", "my relay.pyz"), 2, "name it with letters, digits and .pyz"),
    ],
)
def test_what_is_refused(shell: Shell, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = shell.run("relay", "build", *arguments, code=code)
    assert said in " ".join(done.stderr.split())
    assert not list(shell.folder.glob("*.pyz"))


def test_a_protocol_with_the_offices_key_is_refused(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvit.relay.build.needs_office_keys", lambda protocol: protocol == "qiwi")
    done = shell.run("relay", "build", "--agreements", "qiwi", code=1)
    assert "agreement qiwi speaks qiwi, signed with the office's private key" in " ".join(done.stderr.split())
    assert not list(shell.folder.glob("*.pyz"))
