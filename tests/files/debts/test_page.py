"""The pages about registers of debts name every format, option, field and command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from kvit.cli import registers_out
from kvit.files.debts.base import NAME_PARTS, options_of
from kvit.files.debts.catalogue import FORMATS
from kvit.files.debts.fields import FIELDS
from kvit.files.debts.letters import CODECS

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "formats/debt-registers.md").read_text("utf-8")
HOWTO = (DOCS / "howto/debt-register.md").read_text("utf-8")
_WORDS = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
NAMES = set(re.findall(r"[a-z0-9_./-]+", " ".join(re.findall(r"`([^`]+)`", _WORDS))))


@pytest.mark.parametrize("form", FORMATS)
def test_formats_and_options(form: str) -> None:
    assert form in NAMES
    for name, option in options_of(FORMATS[form]).items():
        assert name in NAMES, name
        if name not in ("encoding", "address") and len(option.choices) > 2:
            assert set(option.choices) <= NAMES, name


def test_fields_encodings_and_parts_of_names() -> None:
    assert set(FIELDS) | set(CODECS) | set(NAME_PARTS) <= NAMES


def test_commands() -> None:
    room = typer.Typer()
    registers_out.register(room)
    told = HOWTO + PAGE
    for command in room.registered_commands:
        assert f"kvit register {command.name}" in told
    asked = CliRunner().invoke(room, ["formats", "sberbank-hash"])
    assert asked.exit_code == 0
    assert "unified_account" in asked.stdout
