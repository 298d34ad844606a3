"""A real demo: `kvit demo` in a process of its own, in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

#: The machine may be busy; how quick a demo is on an idle one is measured, not tested.
READY_TIMEOUT_S = 150.0
STOP_TIMEOUT_S = 40.0


@dataclass
class Demo:
    """A demo's folder, and the commands on it. ``base_url`` and ``report`` are a running server's."""

    folder: Path
    base_url: str = ""
    report: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    def environment(self, **variables: str) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("KVIT_")}
        return {**ours, "KVIT_DATA": str(self.folder), "PYTHONUNBUFFERED": "1", "COLUMNS": "100", **variables}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", "from kvit.cli import main; main()", *arguments]

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Any command of kvit, on the demo's books."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(**variables),
            cwd=self.folder.parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=READY_TIMEOUT_S,
        )

    def json(self, *arguments: str) -> dict[str, Any]:
        """What a command that succeeds gives to programs."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def seed(self, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """`kvit demo --seed-only`."""
        return self.run("demo", "--data", str(self.folder), "--seed-only", *options, **variables)

    def number(self, story: str) -> str:
        """The account of a story (``debt``, ``no-debt``, ...)."""
        (found,) = [one["number"] for one in self.report["numbers"] if one["story"] == story]
        return str(found)


def demo_template(base: Path) -> Path:
    """A folder with the demo's books, made once in a test session; to be copied and not to be used."""
    folder = base / "demo-template" / "kvit-demo"
    if not (folder / "kvit.sqlite").exists():
        folder.parent.mkdir(exist_ok=True)
        done = Demo(folder).seed("--json")
        assert done.returncode == 0, done.stdout + done.stderr
        (folder / "report.json").write_text(done.stdout, encoding="utf-8")
    return folder


def copied_demo(template: Path, folder: Path) -> Demo:
    """The same books for one test."""
    shutil.copytree(template, folder)
    return Demo(folder, report=json.loads((folder / "report.json").read_text(encoding="utf-8")))


@contextmanager
def running_demo(folder: Path, *options: str) -> Iterator[Demo]:
    """`kvit demo` on a free port until the end of the block; then it is told to stop, and must do so well."""
    demo = Demo(folder)
    said, faults = folder.parent / "demo.out", folder.parent / "demo.err"
    with said.open("w") as out, faults.open("w") as err:
        process = subprocess.Popen(
            demo.command("demo", "--data", str(folder), "--port", "0", "--json", *options),
            env=demo.environment(),
            cwd=folder.parent,
            stdout=out,
            stderr=err,
            text=True,
        )
    demo.process = process
    try:
        demo.report = _report(process, said, faults)
        demo.base_url = demo.report["url"]
        assert httpx2.get(demo.report["health"], trust_env=False).status_code == 200
        yield demo
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
    assert code == 0, faults.read_text()


def _report(process: subprocess.Popen[str], said: Path, faults: Path) -> dict[str, Any]:
    """What the demo prints once its server answers."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, said.read_text() + faults.read_text()
        try:
            report: dict[str, Any] = json.loads(said.read_text())
        except json.JSONDecodeError:
            time.sleep(0.05)
            continue
        return report
    raise AssertionError(f"the demo was not ready in {READY_TIMEOUT_S} s: {faults.read_text()}")
