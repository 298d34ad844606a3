"""The reference pages say everything: each setting, environment variable, error and exit code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from kvit.cli.shared import guarded
from kvit.cli.simulate import REFUSED, STILL_OPEN
from kvit.config import ENVIRONMENT, Limits, Settings, load_settings
from kvit.domain import errors
from kvit.web.wire import WireLimits
from tests.web.test_agents_door import every_fault

ROOT = Path(__file__).parents[2]
SETTINGS = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
ERRORS = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")


def rows(page: str) -> dict[str, list[str]]:
    """The rows of all tables of a page by what stands in their first cell, without its backticks."""
    lines = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line] for line in lines]
    return {line[0].strip("`"): line[1:] for line in cells if line[0] != "---"}


@pytest.mark.parametrize("kind", [Limits, Settings])
def test_every_setting_is_there_with_its_default(kind: type[Limits | Settings]) -> None:
    documented = rows(SETTINGS)
    for field in msgspec.structs.fields(kind):
        if field.name == "limits":
            assert "`[limits]`" in SETTINGS
            continue
        default = tomllib.loads("x = " + documented[field.name][0].strip("`"))["x"]
        assert default == (list(field.default) if isinstance(field.default, tuple) else field.default)
        assert len(documented[field.name][1]) > 20


def test_no_setting_is_there_that_is_none() -> None:
    names = {field.name for kind in (Limits, Settings) for field in msgspec.structs.fields(kind)}
    documented = {name for name, cells in rows(SETTINGS).items() if len(cells) == 2}
    assert documented - {"setting"} == names - {"limits"}


def test_every_environment_variable_is_there() -> None:
    texts = [
        path.read_text(encoding="utf-8") for room in ("src", "tests") for path in (ROOT / room).rglob("*.py")
    ]
    texts += [(ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", "pyproject.toml", ".ci/run")]
    used = {name for text in texts for name in re.findall(r"\bKVIT_[A-Z_]*[A-Z]", text)}
    assert used >= {*ENVIRONMENT, "KVIT_CONFIG", "KVIT_SECRET_KEY"}
    assert {name for name in used if f"`{name}`" not in SETTINGS} == set()
    assert set(re.findall(r"KVIT_[A-Z_]*[A-Z]", SETTINGS)) == used


def test_the_example_of_a_settings_file_is_one(tmp_path: Path) -> None:
    path = tmp_path / "kvit.toml"
    path.write_text(SETTINGS.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    settings = load_settings({"KVIT_CONFIG": str(path)})
    assert (settings.limits.write_lanes, settings.limits.deadline_s) == (4, 15.0)
    assert settings.trusted_proxies == ("10.0.0.5",)


def test_what_the_wire_takes_by_itself_is_what_the_settings_say() -> None:
    limits, wire = Limits(), WireLimits()
    assert (wire.url_bytes_max, wire.head_bytes_max) == (limits.url_bytes_max, limits.head_bytes_max)
    assert (wire.head_timeout_s, wire.body_timeout_s) == (limits.head_timeout_s, limits.body_timeout_s)


def test_every_error_is_there_with_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    documented = rows(ERRORS)
    ours = [kind for kind in every_fault() if kind.__module__ == errors.__name__]
    assert len(ours) >= 8
    for kind in ours:
        code = documented[kind.__name__][0]
        if code:  # one that never leaves its room has none
            assert exit_code(kind) == int(code)
        assert (kind.__doc__ or "").endswith(".")
    named = {name for name in documented if name.endswith("Error") or name[0].isupper()}
    assert named == {kind.__name__ for kind in ours}
    assert capsys.readouterr().out == ""


def exit_code(kind: type[Exception]) -> int:
    import typer

    @guarded
    def command() -> None:
        raise kind("[no] markup")

    with pytest.raises(typer.Exit) as caught:
        command()
    return caught.value.exit_code


def test_every_exit_code_is_there() -> None:
    used = {"0", *(str(exit_code(kind)) for kind in every_fault() if kind.__module__ == errors.__name__)}
    used |= {str(REFUSED), str(STILL_OPEN)}
    assert {name for name in rows(ERRORS) if len(name) == 1} == used


def test_every_status_that_the_door_answers_is_there() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "src/kvit/web").glob("*.py")]
    used = {
        status
        for text in sources
        for status in re.findall(r"(?:_plain\(|_refuse\(|_refusal = |HttpResponse\()([1-5][0-9]{2})", text)
    }
    assert used >= {"404", "403", "405", "408", "413", "414", "431", "503"}
    assert {status for status in used if not re.search(rf"^\| .*\b{status}\b", ERRORS, re.MULTILINE)} == set()
