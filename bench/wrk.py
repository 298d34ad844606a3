"""Load by wrk: kept connections that ask one thing after another, as fast as they are answered."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import NamedTuple

SCRIPT = Path(__file__).with_name("agent.lua")
LOGIN, PASSWORD = "bench", "bench-secret"
_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
_LINES = {
    "p50": re.compile(r"^\s+50%\s+([\d.]+)(us|ms|s)", re.MULTILINE),
    "p99": re.compile(r"^\s+99%\s+([\d.]+)(us|ms|s)", re.MULTILINE),
}
_RATE = re.compile(r"^Requests/sec:\s+([\d.]+)", re.MULTILINE)
_COUNT = re.compile(r"^\s+(\d+) requests in", re.MULTILINE)
_WRONG = re.compile(r"Non-2xx|Socket errors")


class Load(NamedTuple):
    """What one run of wrk saw. ``generator`` is the part of a core that wrk itself needed."""

    per_second: float
    p50_ms: float
    p99_ms: float
    requests: int
    generator: float


class LoadFailed(Exception):
    """The answers were not what they should be, so there is nothing to measure."""


def find() -> str:
    """Where wrk is; as root on Debian it is installed when it is absent."""
    found = shutil.which("wrk")
    if not found and shutil.which("apt-get"):
        subprocess.run(["apt-get", "-q", "install", "-y", "--no-install-recommends", "wrk"], check=False)
        found = shutil.which("wrk")
    if not found:
        raise LoadFailed("wrk is not installed; on Debian and Ubuntu, as root: apt-get install wrk")
    return found


def run(port: int, what: str, *, accounts: int, connections: int, seconds: float, start: int = 0) -> Load:
    """Ask for ``what`` (``check``, ``pay`` or ``bare``) for a while. Payments count from id ``start``.

    ``bare`` is the same request, byte for byte a check, at an address that answers a constant.
    """
    token = b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()
    command = [
        find(), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", "-s", str(SCRIPT),
        f"http://127.0.0.1:{port}", "--", what, str(accounts), token, str(start),
    ]  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if _WRONG.search(told):
        raise LoadFailed(told)
    p50_ms, p99_ms = (_milliseconds(_LINES[name], told) for name in ("p50", "p99"))
    rate, count = _RATE.search(told), _COUNT.search(told)
    assert rate, told
    assert count, told
    used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    per_second = float(rate.group(1))
    return Load(per_second, p50_ms, p99_ms, int(count.group(1)), used_s * per_second / int(count.group(1)))


def _milliseconds(pattern: re.Pattern[str], told: str) -> float:
    found = pattern.search(told)
    assert found, told
    return float(found.group(1)) * _UNITS_MS[found.group(2)]
