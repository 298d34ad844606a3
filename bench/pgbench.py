"""PostgreSQL's own measure: pgbench commits the same rows, one statement a payment, without Python."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from sqlalchemy.engine import make_url

from tests.postgres import find_programs

SCRIPT = Path(__file__).with_name("pgbench.sql")
_RATE = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)


class NoProgram(Exception):
    """pgbench is not installed; the message says where it comes from."""


def run(url: str, *, accounts: int, clients: int, seconds: float) -> float:
    """Payments a second of ``clients`` callers with one connection each."""
    where = make_url(url)
    command = [
        str(_program()), "--no-vacuum", "--protocol=prepared", f"--file={SCRIPT}", f"--client={clients}",
        f"--jobs={min(clients, 2)}", f"--time={max(1, round(seconds))}", f"--define=accounts={accounts}",
        f"--host={where.host}", f"--port={where.port}", f"--username={where.username}", str(where.database),
    ]  # fmt: skip
    environment = os.environ | {"PGPASSWORD": where.password or ""}
    told = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    rate, failed = _RATE.search(told.stdout), _FAILED.search(told.stdout)
    if told.returncode != 0 or rate is None or (failed and int(failed.group(1))):
        raise RuntimeError(f"pgbench failed: {told.stdout}\n{told.stderr}")
    return float(rate.group(1))


def _program() -> Path:
    """Debian keeps it beside the server; the wheel does not have it."""
    found = find_programs() / "pgbench"
    if not found.exists():
        raise NoProgram(f"there is no pgbench in {found.parent}; on Debian and Ubuntu it is in postgresql")
    return found
