"""What is committed is the same for everybody: it names no package host and no folder of one machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.missing import missing

ROOT = Path(__file__).parents[2]

# The names are put together here, so that this file does not hold what it looks for.
PACKAGE_HOSTS = re.compile(
    "|".join(
        re.escape(".".join(parts))
        for parts in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("npmjs", "org"),
            ("npmjs", "com"),
            ("yarnpkg", "com"),
            ("deb", "debian", "org"),
            ("security", "debian", "org"),
            ("archive", "ubuntu", "com"),
            ("proxy", "golang", "org"),
            ("unpkg", "com"),
            ("jsdelivr", "net"),
        )
    )
)
MACHINE_PATHS = re.compile(
    "|".join(
        (
            r"(?<![\w.~])/" + r"(?:home|Users)/(?!(?:kvit|you|user|name)\b)\w",
            r"(?<![\w.~])/" + r"root/[\w.]",
            r"(?<![\w.~])/" + r"work/[a-z.]",
            r"(?<![\w.~])/" + r"tmp/[a-z]+-?[a-z]*/",
            r"\b[A-Z]:\\" + r"Users\\",
        )
    )
)


@pytest.fixture(scope="module")
def committed() -> list[Path]:
    """Every file that git follows, as it stands now."""
    try:
        listed = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        missing("no git, or not a clone: what is committed cannot be listed")
    files = [ROOT / name for name in listed.decode().split("\0") if name]
    assert files
    return [path for path in files if path.is_file()]


def lines_with(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    """Where ``pattern`` stands in text files, as ``file:line: text``."""
    found = []
    for path in files:
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8", errors="replace").splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    return found


def test_no_package_host_is_named(committed: list[Path]) -> None:
    assert lines_with(PACKAGE_HOSTS, committed) == []


def test_no_folder_of_one_machine_is_named(committed: list[Path]) -> None:
    assert lines_with(MACHINE_PATHS, committed) == []


def test_requirements_name_no_host_and_every_one_has_its_hash(committed: list[Path]) -> None:
    locks = [path for path in committed if path.parent.name == "requirements"]
    assert {path.name for path in locks} == {"main.txt", "build.txt", "dev.txt"}
    assert lines_with(re.compile(r"://|--(?:extra-)?index-url|--find-links|^-e "), locks) == []
    for path in locks:
        wanted = re.split(r"\n(?=[a-zA-Z])", path.read_text(encoding="utf-8"))
        assert all("--hash=sha256:" in requirement for requirement in wanted), path


@pytest.mark.parametrize(
    "text",
    [
        "see https://" + "pypi" + ".org/simple",
        "cd /" + "home/anna/kvit",
        "open('/" + "tmp/kvit-data/x')",
        "C:\\" + "Users\\anna",
    ],
)
def test_the_patterns_find_what_they_look_for(text: str) -> None:
    assert PACKAGE_HOSTS.search(text) or MACHINE_PATHS.search(text)
