"""The servers that are measured: `kvit serve` in a process of its own, and what it costs the machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.postgres import _free_port

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 40.0
KVIT = str(Path(sys.executable).with_name("kvit"))
_TICKS = os.sysconf("SC_CLK_TCK")


class Served(NamedTuple):
    """A running server."""

    port: int
    pid: int

    def cpu_s(self) -> float:
        """Seconds of a core that it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_mb(self) -> float:
        """Resident memory now."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("no VmRSS")


@contextmanager
def serving(url: str, data: Path, *options: str, config: Path | None = None) -> Iterator[Served]:
    """`kvit serve` on the books at ``url`` for as long as the block lasts; its log goes to ``data``."""
    port = _free_port()
    own = {"KVIT_DATABASE": url, "KVIT_DATA": str(data)}
    environment = {name: value for name, value in os.environ.items() if name != "KVIT_CONFIG"} | own
    if config is not None:
        environment["KVIT_CONFIG"] = str(config)
    with (data / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [KVIT, "serve", "--port", str(port), *options],
            env=environment, cwd=data, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait_until_ready(process, port, data / "server.log")
        yield Served(port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up_s = time.monotonic() + READY_TIMEOUT_S
    while not _is_ready(port):
        if process.poll() is not None or time.monotonic() > give_up_s:
            raise RuntimeError(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
