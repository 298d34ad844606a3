"""What is installed is whole, and what is locked is what the package asks for."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The package as ``pip install .`` builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        yield archive


def test_every_file_of_the_package_is_installed(wheel: zipfile.ZipFile) -> None:
    source = ROOT / "src"
    written = {
        path.relative_to(source).as_posix()
        for path in (source / "kvit").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert written - set(wheel.namelist()) == set()


def test_the_command_and_the_licence_are_installed(wheel: zipfile.ZipFile) -> None:
    (entry_points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "kvit = kvit.cli:main" in wheel.read(entry_points).decode()
    (licence,) = [name for name in wheel.namelist() if name.endswith("licenses/LICENSE")]
    assert "Apache License" in wheel.read(licence).decode()


def locked(name: str) -> dict[str, Version]:
    """What a lock file pins: canonical name to version."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    pins = re.findall(r"^([A-Za-z0-9][\w.-]*)==(\S+)", text, flags=re.MULTILINE)
    assert pins
    return {canonicalize_name(package): Version(version) for package, version in pins}


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("main.txt", PROJECT["project"]["dependencies"]),
        ("build.txt", PROJECT["build-system"]["requires"]),
        ("build.txt", PROJECT["dependency-groups"]["build"]),
        ("dev.txt", [each for each in PROJECT["dependency-groups"]["dev"] if isinstance(each, str)]),
    ],
)
def test_the_lock_holds_what_the_project_asks_for(lock: str, wanted: list[str]) -> None:
    pins = locked(lock)
    for requirement in map(Requirement, wanted):
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in requirements/{lock}: make locks"
        assert requirement.specifier.contains(version, prereleases=True), (
            f"{requirement.name} {version} in requirements/{lock}: make locks"
        )


def test_tests_run_with_the_releases_that_users_get() -> None:
    main, dev = locked("main.txt"), locked("dev.txt")
    assert {name: dev.get(name) for name in main} == main


def test_no_second_library_for_the_same_job() -> None:
    """msgspec checks and converts; pydantic beside it would be a second way, and a slower start."""
    assert "msgspec" in locked("main.txt")
    assert "pydantic" not in locked("main.txt")
