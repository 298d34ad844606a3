"""The pages name every format, field and option that there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from kvit.files.formats import FORMATS
from kvit.files.registers.checking import READY
from kvit.files.registers.rows import FIELDS
from kvit.files.registers.settings import OPTIONS
from kvit.files.registers.words import HEADERS
from kvit.services.presets import from_toml

_PAGES = Path(__file__).parents[3] / "docs/formats"
REGISTERS = (_PAGES / "payment-registers.md").read_text("utf-8")
PRESETS = (_PAGES / "presets.md").read_text("utf-8")


def _first_cells(page: str) -> list[str]:
    """What stands in code marks in the first cell of each row of the page's tables."""
    rows = [re.sub(r"\\\|", "", line) for line in page.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def test_every_format_of_registers_is_told() -> None:
    assert sorted(_first_cells(REGISTERS)) == sorted(
        form.name for form in FORMATS.values() if form.kind == "register"
    )
    for name in READY.keys() - {"table"}:
        assert f"`{name}`" in PRESETS


def test_every_field_and_option_is_told_with_its_default() -> None:
    assert sorted(_first_cells(PRESETS)) == sorted([*FIELDS, *OPTIONS])
    assert set(FIELDS) == HEADERS.keys()
    for name, option in OPTIONS.items():
        row = next(line for line in PRESETS.splitlines() if line.startswith(f"| `{name}` |"))
        assert option.meaning in row
        if option.default:
            assert f"| `{option.default.replace(',', ', ')}` |" in row


def test_the_example_is_a_preset() -> None:
    example = PRESETS.split("```toml\n")[1].split("```")[0]
    preset = from_toml(example)
    assert preset.columns["number"] == "Лицевой счет|Л/с"
    assert preset.options == {"decimal": "comma", "skip_bottom": "2"}
