"""The page about agreement files names every key, with its default and what it may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest

from kvit.domain.model import Biller
from kvit.main import RegistryCatalogue
from kvit.services.agreement_spec import AgreementSpec, BasicSpec, FeeSpec, RelaySpec, ServiceSpec
from kvit.services.agreements import read_file
from kvit.services.file_spec import ChannelSpec, DebtsSpec, RegisterSpec, ScheduleSpec, SettlementSpec

PAGE = (Path(__file__).parents[2] / "docs/reference/agreement-file.md").read_text(encoding="utf-8")
TABLES: dict[str, type[msgspec.Struct]] = {
    "[[agreement]]": AgreementSpec,
    "basic": BasicSpec,
    "fee": FeeSpec,
    "services": ServiceSpec,
    "debts": DebtsSpec,
    "register": RegisterSpec,
    "settlement": SettlementSpec,
    "channel": ChannelSpec,
    "schedule": ScheduleSpec,
    "relay": RelaySpec,
}


def rows(title: str) -> dict[str, list[str]]:
    """The table under a heading: key -> default, may be, meaning."""
    section = PAGE.split(f"\n## `{title}`\n")[1].split("\n## ")[0]
    lines = [line.strip().strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {line[0].strip().strip("`"): [cell.strip() for cell in line[1:]] for line in lines}


@pytest.mark.parametrize("title", TABLES)
def test_every_key_is_there_and_no_other(title: str) -> None:
    assert set(rows(title)) == {field.name for field in msgspec.structs.fields(TABLES[title])}


@pytest.mark.parametrize("title", TABLES)
def test_defaults_and_choices_are_those_of_the_code(title: str) -> None:
    hints = get_type_hints(TABLES[title])
    for field in msgspec.structs.fields(TABLES[title]):
        default, may_be, meaning = rows(title)[field.name]
        assert len(meaning) > 5
        if field.required:
            assert default == ""
        elif title == "fee" or get_origin(hints[field.name]) is Literal:
            assert default == f'`"{field.default}"`'
        else:
            assert default, f"{field.name} may be left out"
        if get_origin(hints[field.name]) is Literal:
            assert may_be == ", ".join(f"`{choice}`" for choice in get_args(hints[field.name]))


def test_the_example_is_a_file_that_uses_every_key() -> None:
    text = PAGE.split("```toml\n")[1].split("```")[0]
    biller = Biller("water", "W", "RUB", "Asia/Almaty", "none", "", 1)
    (agreement,) = read_file(text.encode(), biller, RegistryCatalogue())
    assert (agreement.agreement_id, agreement.mode, agreement.max_minor) == ("qiwi", "live", 1_500_000)
    assert agreement.fee.percent_millionths == 12_000
    assert [one.service for one in agreement.services] == ["water", "heating"]
    more = PAGE.split("```toml\n")[2].split("```")[0]
    for field in msgspec.structs.fields(AgreementSpec):
        assert f"\n{field.name} = " in text + more or f"[agreement.{field.name}]" in text + more


def test_the_message_on_the_page_is_the_one_that_is_given() -> None:
    good: dict[str, Any] = {"id": "a", "protocol": "qiwi", "networks": ["192.0.2.1"]}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(good | {"min_sum": 1.5}, AgreementSpec)
    from kvit.domain.errors import SettingsError

    text = '[[agreement]]\nid = "a"\nprotocol = "qiwi"\nnetworks = ["192.0.2.1"]\n' * 2 + "min_sum = 1.5\n"
    biller = Biller("water", "W", "RUB", "Asia/Almaty", "none", "", 1)
    with pytest.raises(SettingsError) as caught:
        read_file(text.encode(), biller, RegistryCatalogue())
    assert f"`{caught.value}`" in PAGE
