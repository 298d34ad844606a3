"""`kvit protocol`: what is spoken, how sure it is, and what may be set."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from kvit.cli.app import app
from kvit.protocols.registry import PROTOCOLS


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["protocol", *arguments], env={"COLUMNS": "240"})


def test_the_list_says_how_sure_each_is() -> None:
    rows = {row["name"]: row for row in json.loads(run("list", "--json").stdout)}
    assert set(rows) == set(PROTOCOLS)
    assert rows["payme"] | {"commands": []} == {
        "name": "payme", "title": "Payme", "grade": "simulated", "confidence": "A", "two_phase": True,
        "locks": ["basic"], "commands": [],
    }  # fmt: skip
    table = run("list").stdout
    assert all(name in table for name in PROTOCOLS)
    (line,) = [one for one in table.splitlines() if " mpesa " in one]
    assert "addresses alone" in line
    (line,) = [one for one in table.splitlines() if " click " in one]
    assert " two " in line
    assert " secret " in line


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_all_that_is_known_of_a_protocol_is_shown(name: str) -> None:
    protocol = PROTOCOLS[name]
    told = json.loads(run("show", name, "--json").stdout)
    assert told["sources"] == list(protocol.facts.sources)
    assert told["unconfirmed"] == list(protocol.facts.unconfirmed)
    assert told["habits"]["timeout_s"] == protocol.habits.timeout_s
    assert {row["switch"]: row["default"] for row in told["dialect"]} == {
        key: switch.default for key, switch in protocol.dialect.items()
    }
    shown = run("show", name).stdout
    for text in (*protocol.facts.sources, *protocol.facts.unconfirmed, *protocol.dialect):
        assert text in shown


def test_a_protocol_that_there_is_not() -> None:
    done = run("show", "nonsense")
    assert done.exit_code == 1
    assert "there is no protocol nonsense; known: click, " in done.stderr
