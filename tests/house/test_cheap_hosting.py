"""What also runs on cheap hosting keeps to the standard library, and to Python 3.9.

Those modules are the vocabulary, money, networks, the bank protocols and the relay's node. They are copied
into a package that holds nothing else, so that an import of the rest of the house is an error there.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "kvit"
VECTOR_RUNNER = ROOT / "tests" / "protocols" / "run_vectors.py"
WORDS = ("messages", "money", "networks")
RELAY = ("__init__.py", "wire.py", "receipts.py")
OLDEST = (3, 9)
PACKAGES = {
    "kvit", "kvit.domain", "kvit.protocols", "kvit.protocols.kits", "kvit.relay", "kvit.relay.node",
}  # fmt: skip


def cheap_modules() -> list[Path]:
    """Every file that the relay may be made of."""
    protocols = sorted((SOURCE / "protocols").rglob("*.py"))
    node = [SOURCE / "relay" / name for name in RELAY] + sorted((SOURCE / "relay" / "node").glob("*.py"))
    assert protocols
    assert len(node) > len(RELAY)
    return [SOURCE / "domain" / f"{word}.py" for word in WORDS] + protocols + node


def imported(path: Path) -> Iterator[str]:
    """The modules that a file names in its imports, in full: ``from kvit.protocols import kit`` is
    ``kvit.protocols.kit``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), feature_version=OLDEST)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            module = node.module or ""
            if module in PACKAGES:
                yield from (f"{module}.{name.name}" for name in node.names)
            else:
                yield module


@pytest.mark.parametrize("path", cheap_modules(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_nothing_outside_the_standard_library_is_imported(path: Path) -> None:
    allowed = {f"kvit.domain.{word}" for word in WORDS}
    room = path.relative_to(SOURCE).parts[0]
    if room != "domain":
        rooms = {"protocols"} if room == "protocols" else {"protocols", "relay"}
        shared = (module.relative_to(SOURCE).with_suffix("") for module in cheap_modules())
        allowed |= {"kvit." + ".".join(module.parts) for module in shared if module.parts[0] in rooms}
    if room == "relay":
        allowed |= {"kvit", "kvit.protocols"}
    foreign = {
        name
        for name in imported(path)
        if name not in allowed and name.split(".")[0] not in sys.stdlib_module_names
    }
    assert foreign == set()


@pytest.fixture(scope="module")
def old_python() -> str:
    """A Python 3.9 that really runs: what stands on PATH may be a stub that only complains."""
    for candidate in _candidates():
        try:
            told = subprocess.run(
                [candidate, "-I", "-c", "import sys; print(sys.version_info[:2] == (3, 9))"],
                capture_output=True,
                text=True,
                check=False,
                timeout=30,
            )
        except OSError:
            continue
        if told.stdout.strip() == "True":
            return candidate
    # Skipped in CI too: Debian carries one Python, and it is a newer one.
    pytest.skip("no Python 3.9 on this machine; the syntax and the imports were checked without it")


def _candidates() -> Iterator[str]:
    named = os.environ.get("KVIT_TEST_PYTHON39") or shutil.which("python3.9")
    if named:
        yield named
    managers = (
        Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions",
        Path.home() / ".local" / "share" / "uv" / "python",
        Path("/opt"),
    )
    for manager in managers:
        yield from sorted(str(python) for python in manager.glob("*3.9*/bin/python3.9"))
    yield "/usr/local/bin/python3.9"


@pytest.fixture(scope="module")
def cheap_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH with a ``kvit`` made of the cheap modules alone."""
    folder = tmp_path_factory.mktemp("cheap")
    for room in ("", "domain", "protocols", "protocols/kits", "relay", "relay/node"):
        package = folder / "kvit" / room
        package.mkdir()
        (package / "__init__.py").touch()
    shutil.copy(SOURCE / "__init__.py", folder / "kvit" / "__init__.py")
    for path in cheap_modules():
        shutil.copy(path, folder / "kvit" / path.relative_to(SOURCE))
    return folder


def run_old(python: str, package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the old Python with the cheap package and nothing else of ours or of this environment."""
    return subprocess.run(
        [python, "-s", "-B", "-W", "error", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=package,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(package), "PYTHONUTF8": "1"},
    )


@pytest.mark.parametrize("path", cheap_modules(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_it_is_imported_by_python_3_9(path: Path, old_python: str, cheap_package: Path) -> None:
    module = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
    done = run_old(old_python, cheap_package, "-c", f"import {module}")
    assert done.returncode == 0, done.stderr


def test_the_vectors_hold_under_python_3_9(old_python: str, cheap_package: Path) -> None:
    done = run_old(old_python, cheap_package, str(VECTOR_RUNNER))
    assert done.returncode == 0, done.stdout + done.stderr
    *_, last = done.stdout.splitlines()
    passed, failed = (int(part.split()[0]) for part in last.split(", "))
    assert passed > 0
    assert failed == 0


def test_the_vectors_hold_under_this_python(cheap_package: Path) -> None:
    done = run_old(sys.executable, cheap_package, str(VECTOR_RUNNER))
    assert done.returncode == 0, done.stdout + done.stderr
