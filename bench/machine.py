"""What was measured where: the machine, the versions, the commit."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import wrk
from kvit.storage import sqlite
from tests.postgres import find_programs

ROOT = Path(__file__).parent.parent
PACKAGES = ("kvit", "uvicorn", "uvloop", "httptools", "psycopg", "sqlalchemy", "litestar", "msgspec")


def describe() -> dict[str, object]:
    """All of it under short names."""
    memory_kb = int(Path("/proc/meminfo").read_text(encoding="ascii").split()[1])
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _told("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_mb": memory_kb // 1024,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite.driver.sqlite_version,
        "postgres": _told(str(find_programs() / "postgres"), "--version").rpartition(") ")[2],
        "wrk": _told(wrk.find(), "-v").split(" [")[0].strip(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _told(*command: str) -> str:
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return (told.stdout or told.stderr).strip()
